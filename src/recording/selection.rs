//! Leaving calls out of a recording.

use regex::Regex;

use super::calls::{Calls, Kept, KeptGap};
use super::gaps::with_positions;
use super::{Flags, Recording, Row, Thread};
use crate::trace::{Category, Code};

/// Which calls are wanted. The default is all.
///
/// A gap is part of the call that it stands in. It stays where calls of the threads that are left could
/// be missing: at the top or in a call that is left, or below the nearest one above; with a function
/// asked for, only below its calls; with only exceptions, only in what leads to one, or at the top; with
/// so many levels, only in these.
#[derive(Debug, Default)]
pub struct Selection {
    /// Only these threads: by thread id, or by name.
    pub threads: Vec<String>,
    /// Only calls of functions whose name matches, and what they lead to.
    pub function: Option<Regex>,
    /// Only calls that took so many nanoseconds at least.
    pub min_duration: u64,
    /// No activity of the import system, nor the bodies of the modules it runs.
    pub hide_imports: bool,
    /// No calls to functions outside the scope.
    pub hide_external: bool,
    /// Only calls that an exception left, and those above them.
    pub only_exceptions: bool,
    /// Only so many levels of calls, of those that all else leaves.
    pub depth: Option<u32>,
}

impl Selection {
    fn is_all(&self) -> bool {
        self.threads.is_empty()
            && self.function.is_none()
            && self.min_duration == 0
            && !self.hide_imports
            && !self.hide_external
            && !self.only_exceptions
            && self.depth.is_none()
    }

    fn admits_thread(&self, thread: &Thread) -> bool {
        let tid = thread.id.tid.to_string();
        self.threads.is_empty()
            || self
                .threads
                .iter()
                .any(|wanted| *wanted == thread.name || *wanted == tid)
    }

    fn admits(&self, row: &Row, code: &Code) -> bool {
        let hidden = match code.category {
            Category::Internal => false,
            Category::External => self.hide_external,
            Category::Import => self.hide_imports,
        };
        !hidden && row.duration >= self.min_duration
    }

    /// For each code whether its function is asked for; `None`: all are. Not a look at each of the codes
    /// then: who has as many threads asks for each of them.
    fn matching(&self, codes: &[Code]) -> Option<Vec<bool>> {
        let pattern = self.function.as_ref()?;
        let matches = |code: &Code| pattern.is_match(&code.name);
        Some(codes.iter().map(matches).collect())
    }
}

impl Recording {
    /// Leaves out what is not wanted, and threads of which nothing is left. What a call that is left out
    /// called stands below the nearest call above it that is left, or at the top. Calls keep their
    /// numbers. Returns how many calls are left out.
    pub fn select(&mut self, selection: &Selection) -> u64 {
        if selection.is_all() {
            return 0;
        }
        let matching = selection.matching(&self.codes);
        let codes = &self.codes;
        let mut left_out = 0;
        self.threads.retain_mut(|thread| {
            let before = thread.calls.len();
            let had_none = before == 0 && thread.gaps.is_empty();
            if selection.admits_thread(thread) {
                let (kept, gaps) = keep(thread, codes, matching.as_deref(), selection);
                for (to, kept) in kept.iter().enumerate() {
                    thread.calls[to] = thread.calls[kept.index as usize];
                    thread.calls[to].depth = kept.depth;
                }
                thread.calls.truncate(kept.len());
                for (to, kept) in gaps.iter().enumerate() {
                    thread.gaps[to] = thread.gaps[kept.index];
                    thread.gaps[to].depth = kept.depth;
                }
                thread.gaps.truncate(gaps.len());
            } else {
                thread.calls = Vec::new();
                thread.gaps = Vec::new();
            }
            left_out += (before - thread.calls.len()) as u64;
            // One that has none at all says so.
            had_none || !thread.calls.is_empty() || !thread.gaps.is_empty()
        });
        left_out
    }

    /// The wanted calls of the thread with this index, be that thread wanted or not. The recording stays
    /// as it is.
    pub fn calls(&self, thread: usize, selection: &Selection) -> Calls<'_> {
        let thread = &self.threads[thread];
        if selection.is_all() {
            return Calls::all(thread);
        }
        let matching = selection.matching(&self.codes);
        let (kept, gaps) = keep(thread, &self.codes, matching.as_deref(), selection);
        Calls::kept(thread, kept, &gaps)
    }
}

/// Of the row at some depth: what there is to know for those below it.
#[derive(Clone, Copy)]
struct Above {
    /// How many calls are left, this one among them.
    depth: u32,
    /// Whether it, or a call above it, is of a function that is asked for.
    matched: bool,
    /// Whether an exception left it or a call below it; of what stands above all calls, too.
    raised: bool,
}

impl Above {
    /// Of the outermost calls.
    const TOP: Above = Above {
        depth: 0,
        matched: false,
        raised: true,
    };
}

/// Which calls and gaps are left.
fn keep(
    thread: &Thread,
    codes: &[Code],
    matching: Option<&[bool]>,
    selection: &Selection,
) -> (Vec<Kept>, Vec<KeptGap>) {
    let rows = &thread.calls[..];
    let raised = selection.only_exceptions.then(|| with_callers(rows));
    let has_room = |depth| selection.depth.is_none_or(|most| depth < most);
    // By depth before; a call tree may be a million deep.
    let mut path: Vec<Above> = Vec::new();
    let mut kept = Vec::new();
    let mut gaps_kept = Vec::new();
    let mut gaps = with_positions(rows, &thread.gaps).enumerate().peekable();
    let keep_gap = |index, depth: u32, path: &[Above], position, kept: &mut Vec<KeptGap>| {
        let above = depth
            .checked_sub(1)
            .and_then(|last| path.get(last as usize));
        let above = above.copied().unwrap_or(Above::TOP);
        let depth = above.depth;
        if (above.matched || matching.is_none()) && above.raised && has_room(depth) {
            kept.push(KeptGap {
                index,
                position,
                depth,
            });
        }
    };
    for (index, row) in (0..).zip(rows) {
        while let Some((at, (_, gap))) =
            gaps.next_if(|(_, (position, _))| *position <= index as usize)
        {
            keep_gap(at, gap.depth, &path, kept.len(), &mut gaps_kept);
        }
        path.truncate(row.depth as usize);
        let above = path.last().copied().unwrap_or(Above::TOP);
        let matched = above.matched || matching.is_none_or(|matching| matching[row.code as usize]);
        let raised = raised.as_ref().is_none_or(|raised| raised[index as usize]);
        let is_kept = matched
            && selection.admits(row, &codes[row.code as usize])
            && has_room(above.depth)
            && raised;
        if is_kept {
            let depth = above.depth;
            kept.push(Kept { index, depth });
        }
        path.push(Above {
            depth: above.depth + u32::from(is_kept),
            matched,
            raised,
        });
    }
    for (at, (_, gap)) in gaps {
        keep_gap(at, gap.depth, &path, kept.len(), &mut gaps_kept);
    }
    (kept, gaps_kept)
}

/// Which calls an exception left, or one below them.
fn with_callers(rows: &[Row]) -> Vec<bool> {
    let mut wanted = vec![false; rows.len()];
    // From the end, depth of the last one that is wanted: the next one less deep called it.
    let mut last = 0;
    for (wanted, row) in wanted.iter_mut().zip(rows).rev() {
        if row.flags.has(Flags::RAISED) || row.depth < last {
            *wanted = true;
            last = row.depth;
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Kind, ThreadId, Time};

    const NAMES: [(&str, Category); 4] = [
        ("main", Category::Internal),
        ("A.step", Category::Internal),
        ("dumps", Category::External),
        ("_find_and_load", Category::Import),
    ];

    fn recording(calls: &[(u32, u32)]) -> Recording {
        let codes = NAMES.map(|(name, category)| Code {
            name: name.into(),
            file: String::new(),
            line: 1,
            kind: Kind::Function,
            category,
        });
        let row = |(index, &(depth, code)): (usize, &(u32, u32))| Row {
            start: Time(0),
            duration: 100 - 10 * u64::from(depth),
            number: index as u64 + 1,
            code,
            depth,
            ..Row::default()
        };
        let thread = |tid, name: &str| Thread {
            id: ThreadId { pid: 1, tid },
            name: name.into(),
            calls: calls.iter().enumerate().map(row).collect(),
            ..Thread::default()
        };
        Recording {
            threads: vec![thread(1, "one"), thread(2, "two")],
            codes: codes.into(),
            ..Recording::default()
        }
    }

    /// What is left of a thread: depth and number of each call.
    fn left(selection: &Selection) -> Vec<(u32, u64)> {
        // main { dumps { step { step } } import { main } step }
        let calls = [(0, 0), (1, 2), (2, 1), (3, 1), (1, 3), (2, 0), (1, 1)];
        let mut recording = recording(&calls);
        let out = recording.select(selection);
        let left: Vec<_> = match recording.threads.first() {
            Some(thread) => thread
                .calls
                .iter()
                .map(|row| (row.depth, row.number))
                .collect(),
            None => Vec::new(),
        };
        let threads = recording.threads.len();
        assert_eq!(out as usize, 2 * calls.len() - threads * left.len());
        let whole = self::recording(&calls);
        let same = whole.calls(0, selection);
        let positions = 0..same.len();
        let seen: Vec<_> = positions
            .map(|at| (same.depth(at), same.row(at).number))
            .collect();
        assert_eq!(seen, left);
        left
    }

    #[test]
    fn what_is_hidden_leaves_its_callees_to_its_caller() {
        let all = vec![(0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (2, 6), (1, 7)];
        assert_eq!(left(&Selection::default()), all);
        let hide_external = Selection {
            hide_external: true,
            ..Selection::default()
        };
        let expected = [(0, 1), (1, 3), (2, 4), (1, 5), (2, 6), (1, 7)];
        assert_eq!(left(&hide_external), expected);
        let hide_imports = Selection {
            hide_imports: true,
            hide_external: true,
            depth: Some(2),
            ..Selection::default()
        };
        assert_eq!(left(&hide_imports), [(0, 1), (1, 3), (1, 6), (1, 7)]);
    }

    #[test]
    fn functions_come_with_what_they_call() {
        let selection = |pattern: &str| Selection {
            function: Some(Regex::new(pattern).unwrap()),
            ..Selection::default()
        };
        assert_eq!(left(&selection("step$")), [(0, 3), (1, 4), (0, 7)]);
        assert_eq!(left(&selection("^step")), []);
    }

    #[test]
    fn exceptions_come_with_what_called_them() {
        let rows = [
            (0, false),
            (1, false),
            (1, false),
            (2, true),
            (2, false),
            (1, true),
            (2, false),
        ];
        let rows = rows.map(|(depth, raised)| {
            let mut row = Row {
                depth,
                ..Row::default()
            };
            row.flags.set(Flags::RAISED, raised);
            row
        });
        let expected = [true, false, true, true, false, true, false];
        assert_eq!(with_callers(&rows), expected);
    }

    #[test]
    fn short_calls_and_other_threads_are_left_out() {
        let long = Selection {
            min_duration: 90,
            ..Selection::default()
        };
        assert_eq!(left(&long), [(0, 1), (1, 2), (1, 5), (1, 7)]);
        for wanted in ["2", "two"] {
            let mut recording = recording(&[(0, 0)]);
            let threads = vec![wanted.to_owned()];
            let out = recording.select(&Selection {
                threads,
                ..Selection::default()
            });
            assert_eq!((out, recording.threads.len()), (1, 1));
            assert_eq!(recording.threads[0].id.tid, 2);
        }
    }
}
