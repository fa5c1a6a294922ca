//! What there is to say of a recording as a whole.

use std::ops::Range;

use rustc_hash::FxHashSet;
use serde::Serialize;

use super::Explorer;
use super::filter::Grouping;
use super::origin::Origin;
use super::shown::json_len;
use crate::pattern::Nearness;
use crate::recording::{Flags, Footer, Gone, Recording, Thread};
use crate::trace::{Category, ThreadId};

/// Threads that are listed.
const THREADS: usize = 2_000;
/// Threads of which it is said what was lost.
const LOST: usize = 500;
/// Members of other lists.
const ITEMS: usize = 500;
/// Characters of a text.
const CHARACTERS: usize = 1_000;
/// Bytes of JSON for what the footer says, and for the names of threads: hostile files have long ones.
const FOOTER_BYTES: usize = 150_000;
const NAMES_BYTES: usize = 250_000;

/// How it is looked at unless it is asked for otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// How calls are grouped.
    pub grouping: Grouping,
    /// Whether the import system is left out.
    pub hide_imports: bool,
}

/// A recording as a whole; `/api/trace` in `docs/serve-api.md`. As JSON it has less than 1 MB.
#[derive(Debug, Serialize)]
pub struct Overview {
    file: String,
    stem: String,
    truncated: bool,
    foreign: bool,
    command: Vec<String>,
    scope: Vec<String>,
    version: String,
    started_at: String,
    ended: String,
    interpreters: Vec<Interpreter>,
    start: u64,
    end: u64,
    calls: Counts,
    lost: u64,
    lost_by_thread: Vec<Lost>,
    gone: Vec<String>,
    whole: bool,
    gaps: usize,
    values: bool,
    processes: usize,
    threads: Vec<ThreadSummary>,
    threads_left_out: usize,
    defaults: DefaultWords,
}

#[derive(Debug, Serialize)]
struct Interpreter {
    path: String,
    version: String,
    plan: String,
    findings: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    total: u64,
    internal: u64,
    external: u64,
    import: u64,
    raised: u64,
    unfinished: u64,
    already_running: u64,
    began_in_gap: u64,
}

#[derive(Debug, Serialize)]
struct Lost {
    thread: Option<usize>,
    pid: u32,
    tid: u32,
    count: u64,
    near_call: u64,
    starts: u64,
    ends: u64,
    gaps: u64,
}

#[derive(Debug, Serialize)]
struct ThreadSummary {
    index: usize,
    pid: u32,
    tid: u32,
    name: String,
    process: String,
    calls: usize,
    start: u64,
    end: u64,
    depth: u32,
    raised: u64,
}

#[derive(Debug, Serialize)]
struct DefaultWords {
    grouping: &'static str,
    hide: &'static str,
}

impl Overview {
    /// From the first call's start to the last one's end, in nanoseconds since the former.
    pub fn extent(&self) -> Range<u64> {
        self.start..self.end
    }
}

impl Explorer<'_> {
    /// The recording as a whole. Looks at every call.
    pub fn overview(&self, origin: &Origin, defaults: Defaults) -> Overview {
        let recording = self.recording;
        let unknown = Footer::default();
        let footer = recording.footer.as_ref().unwrap_or(&unknown);
        let mut budget = Budget(FOOTER_BYTES);

        let start = self.origin;
        let mut counts = Counts::default();
        let mut threads: Vec<ThreadSummary> = Vec::with_capacity(recording.threads.len());
        for (index, thread) in recording.threads.iter().enumerate() {
            let counted = Counts::of(recording, thread);
            threads.push(ThreadSummary::new(index, thread, start, counted.raised));
            counts.add(&counted);
        }
        let end = threads.iter().map(|thread| thread.end).max().unwrap_or(0);
        let processes: FxHashSet<u32> = threads.iter().map(|thread| thread.pid).collect();
        let threads_in_all = threads.len();
        let threads = listed(threads, recording);

        Overview {
            file: budget.text(&origin.file),
            stem: budget.text(&origin.stem),
            truncated: recording.truncated,
            foreign: recording.footer.is_none() && !recording.truncated,
            version: budget.text(&footer.version),
            started_at: budget.text(&footer.started_at),
            ended: budget.text(&footer.ended),
            command: budget.texts(&footer.command),
            scope: budget.texts(&footer.scope),
            interpreters: (footer.interpreters.iter().take(ITEMS))
                .map(|interpreter| Interpreter {
                    path: budget.text(&interpreter.path),
                    version: budget.text(&interpreter.version),
                    plan: budget.text(&interpreter.plan),
                    findings: budget.texts(&interpreter.findings),
                })
                .collect(),
            start: 0,
            end,
            calls: counts,
            lost: recording.lost(),
            gaps: (recording.threads.iter())
                .map(|thread| thread.gaps.len())
                .sum(),
            lost_by_thread: (recording.losses().iter().take(LOST))
                .map(|lost| Lost {
                    thread: recording.thread_index(ThreadId {
                        pid: lost.pid,
                        tid: lost.tid,
                    }),
                    pid: lost.pid,
                    tid: lost.tid,
                    count: lost.count,
                    near_call: lost.near_call,
                    starts: lost.starts,
                    ends: lost.ends,
                    gaps: lost.gaps,
                })
                .collect(),
            gone: recording.gone().iter().map(Gone::to_string).collect(),
            whole: recording.is_whole(),
            values: footer.values.is_some(),
            processes: processes.len(),
            threads_left_out: threads_in_all - threads.len(),
            threads,
            defaults: DefaultWords {
                grouping: defaults.grouping.map_or("none", Nearness::as_str),
                hide: if defaults.hide_imports { "imports" } else { "" },
            },
        }
    }
}

impl Overview {
    /// Indices of the threads that are listed, the one with most calls first.
    pub fn listed_threads(&self) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator {
        self.threads.iter().map(|thread| thread.index)
    }
}

/// Those that are listed, with their names, the largest first.
fn listed(mut threads: Vec<ThreadSummary>, recording: &Recording) -> Vec<ThreadSummary> {
    threads.sort_by_key(|thread| std::cmp::Reverse(thread.calls));
    threads.truncate(THREADS);
    let mut budget = Budget(NAMES_BYTES);
    for thread in &mut threads {
        let of = &recording.threads[thread.index];
        thread.name = budget.text(&of.name);
        thread.process = budget.text(&of.process_name);
    }
    threads
}

impl ThreadSummary {
    /// Without names, at times since `origin`.
    fn new(index: usize, thread: &Thread, origin: u64, raised: u64) -> Self {
        // One pass: rows of a large thread are far more than a cache has room for.
        let (mut start, mut end, mut depth) = (u64::MAX, 0, 0);
        for row in &thread.calls {
            start = start.min(row.start.0);
            end = end.max(row.end().0);
            depth = depth.max(row.depth + 1);
        }
        for gap in &thread.gaps {
            start = start.min(gap.since.0);
            end = end.max(gap.until.0);
        }
        if thread.calls.is_empty() && thread.gaps.is_empty() {
            (start, end) = (origin, origin);
        }
        ThreadSummary {
            index,
            pid: thread.id.pid,
            tid: thread.id.tid,
            name: String::new(),
            process: String::new(),
            calls: thread.calls.len(),
            start: start.saturating_sub(origin),
            end: end.saturating_sub(origin),
            depth,
            raised,
        }
    }
}

impl Counts {
    fn of(recording: &Recording, thread: &Thread) -> Self {
        let mut counts = Counts {
            total: thread.calls.len() as u64,
            ..Counts::default()
        };
        for row in &thread.calls {
            *match recording.code(row).category {
                Category::Internal => &mut counts.internal,
                Category::External => &mut counts.external,
                Category::Import => &mut counts.import,
            } += 1;
            counts.raised += u64::from(row.flags.has(Flags::RAISED));
            counts.unfinished += u64::from(row.flags.has(Flags::UNFINISHED));
            let began_in_gap = row.flags.has(Flags::BEGAN_IN_GAP);
            counts.began_in_gap += u64::from(began_in_gap);
            let was_running = row.flags.has(Flags::ALREADY_RUNNING);
            counts.already_running += u64::from(was_running && !began_in_gap);
        }
        counts
    }

    fn add(&mut self, other: &Counts) {
        self.total += other.total;
        self.internal += other.internal;
        self.external += other.external;
        self.import += other.import;
        self.raised += other.raised;
        self.unfinished += other.unfinished;
        self.already_running += other.already_running;
        self.began_in_gap += other.began_in_gap;
    }
}

/// How many bytes of JSON texts may still take.
struct Budget(usize);

impl Budget {
    /// `text`, or as much of its beginning as there is room for.
    fn text(&mut self, text: &str) -> String {
        let mut end = 0;
        for (count, (at, c)) in text.char_indices().enumerate() {
            let Some(left) = self
                .0
                .checked_sub(json_len(c))
                .filter(|_| count < CHARACTERS)
            else {
                return format!("{}…", &text[..at]);
            };
            self.0 = left;
            end = at + c.len_utf8();
        }
        text[..end].to_owned()
    }

    /// As many of `texts` as there is room for.
    fn texts(&mut self, texts: &[String]) -> Vec<String> {
        let mut cut = Vec::new();
        for text in texts {
            // Quotes and a comma.
            match self.0.checked_sub(3) {
                Some(left) if cut.len() < ITEMS => self.0 = left,
                _ => {
                    cut.push("…".to_owned());
                    break;
                }
            }
            cut.push(self.text(text));
        }
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{self, Row};
    use crate::trace::{Code, Kind, Time};

    const DEFAULTS: Defaults = Defaults {
        grouping: Some(Nearness::TripCounts),
        hide_imports: false,
    };

    fn origin() -> Origin {
        Origin {
            file: "t.json".into(),
            stem: "t".into(),
        }
    }

    fn code(category: Category) -> Code {
        Code {
            name: "f".into(),
            file: "/p/f.py".into(),
            line: 1,
            kind: Kind::Function,
            category,
        }
    }

    fn thread(tid: u32, calls: Vec<Row>) -> Thread {
        Thread {
            id: ThreadId { pid: 7, tid },
            calls,
            ..Thread::default()
        }
    }

    fn row(start: u64, duration: u64, code: u32, depth: u32) -> Row {
        Row {
            start: Time(start),
            duration,
            code,
            depth,
            ..Row::default()
        }
    }

    #[test]
    fn calls_are_counted_and_times_begin_with_the_first() {
        let mut raised = row(130, 5, 1, 1);
        raised.flags.set(Flags::RAISED, true);
        let recording = Recording {
            codes: vec![code(Category::Internal), code(Category::External)],
            threads: vec![
                thread(7, vec![row(150, 10, 0, 0)]),
                thread(8, vec![row(100, 80, 0, 0), raised]),
            ],
            footer: Some(Footer {
                lost: 3,
                lost_by_thread: vec![recording::Lost {
                    pid: 7,
                    tid: 8,
                    count: 3,
                    near_call: 2,
                    ..recording::Lost::default()
                }],
                ..Footer::default()
            }),
            ..Recording::default()
        };
        let overview = Explorer::new(&recording).overview(&origin(), DEFAULTS);
        assert_eq!((overview.start, overview.end), (0, 80));
        let counts = Counts {
            total: 3,
            internal: 2,
            external: 1,
            raised: 1,
            ..Counts::default()
        };
        assert_eq!(overview.calls, counts);
        assert_eq!(overview.lost_by_thread[0].thread, Some(1));
        let threads = overview.threads.iter();
        let threads: Vec<_> = threads
            .map(|thread| (thread.index, thread.start, thread.end, thread.depth))
            .collect();
        assert_eq!(threads, [(1, 0, 80, 2), (0, 50, 60, 1)]);
        assert_eq!(overview.listed_threads().next(), Some(1));
        assert!(!overview.foreign);
    }

    #[test]
    fn a_recording_of_nothing_has_an_overview() {
        let overview = Explorer::new(&Recording::default()).overview(&origin(), DEFAULTS);
        assert_eq!((overview.end, overview.processes), (0, 0));
        assert_eq!(overview.listed_threads().next(), None);
        assert!(overview.foreign);
    }

    #[test]
    fn however_much_a_file_says_of_itself_less_than_a_megabyte_is_told() {
        let long = "\u{1}".repeat(20_000);
        let many = || vec![long.clone(); 600];
        let interpreter = recording::Interpreter {
            path: long.clone(),
            version: long.clone(),
            plan: long.clone(),
            findings: vec![String::new(); 5_000],
            ..recording::Interpreter::default()
        };
        let lost = recording::Lost {
            pid: u32::MAX,
            tid: u32::MAX,
            count: u64::MAX,
            near_call: u64::MAX,
            starts: u64::MAX,
            ends: u64::MAX,
            gaps: u64::MAX,
        };
        let recording = Recording {
            codes: vec![code(Category::Internal)],
            threads: (0..3_000)
                .map(|tid| Thread {
                    name: long.clone(),
                    process_name: long.clone(),
                    ..thread(
                        u32::MAX - 3_000 + tid,
                        vec![row(u64::MAX - 1, u64::MAX, 0, 0)],
                    )
                })
                .collect(),
            footer: Some(Footer {
                version: long.clone(),
                command: many(),
                scope: many(),
                interpreters: vec![interpreter; 600],
                lost: u64::MAX,
                lost_by_thread: vec![lost; 1_000],
                ..Footer::default()
            }),
            ..Recording::default()
        };
        let overview = Explorer::new(&recording).overview(&origin(), DEFAULTS);
        assert_eq!(overview.threads.len(), THREADS);
        assert_eq!(overview.threads_left_out, 1_000);
        let json = serde_json::to_vec(&overview).unwrap();
        assert!(json.len() < 1_000_000, "{}", json.len());
    }
}
