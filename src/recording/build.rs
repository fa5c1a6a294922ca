//! Puts rows together into a [`Recording`].

use std::cmp::Reverse;
use std::collections::HashMap;
use std::num::NonZeroU32;

use super::edges::{self, Edge, EdgeKind};
use super::nest;
use super::texts::Texts;
use super::{Flags, Footer, Gap, Recording, Row, Thread, gaps};
use crate::trace::{Code, ThreadId, Time};

/// Collects rows in any order.
///
/// Its maps hash with the standard library's keyed hash: what goes in may come from a hostile file.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    pub(crate) names: Names,
    pub(crate) texts: Texts,
    threads: Vec<ThreadRows>,
    by_id: HashMap<ThreadId, usize>,
    /// Index of the thread of the last row: rows of a thread come in runs.
    last: usize,
}

/// The strings of a recording, each kept once.
#[derive(Debug, Default)]
pub(crate) struct Names {
    codes: Vec<Code>,
    code_index: HashMap<Code, u32>,
    exceptions: Vec<Box<str>>,
    exception_index: HashMap<Box<str>, NonZeroU32>,
    processes: HashMap<u32, String>,
    threads: HashMap<ThreadId, String>,
}

#[derive(Debug)]
struct ThreadRows {
    id: ThreadId,
    rows: Vec<Row>,
    edges: Vec<Edge>,
    gaps: Vec<Gap>,
    /// Whether every row so far had its number and depth from the file.
    numbered: bool,
}

impl Names {
    /// The index of `code`.
    pub(crate) fn code(&mut self, code: &Code) -> u32 {
        if let Some(&index) = self.code_index.get(code) {
            return index;
        }
        let index = u32::try_from(self.codes.len()).expect("memory ends before the codes do");
        self.codes.push(code.clone());
        self.code_index.insert(code.clone(), index);
        index
    }

    /// The index of the exception type `name`, plus one.
    pub(crate) fn exception(&mut self, name: &str) -> Option<NonZeroU32> {
        if let Some(&index) = self.exception_index.get(name) {
            return Some(index);
        }
        self.exceptions.push(name.into());
        let index = u32::try_from(self.exceptions.len())
            .ok()
            .and_then(NonZeroU32::new);
        self.exception_index.insert(name.into(), index?);
        index
    }

    /// For each code the number of its name.
    fn numbers(&self) -> Vec<u32> {
        let mut known = HashMap::new();
        let numbers = self.codes.iter().map(|code| {
            let next = known.len() as u32;
            *known.entry(&*code.name).or_insert(next)
        });
        numbers.collect()
    }

    /// Names a process.
    pub(crate) fn process(&mut self, pid: u32, name: String) {
        self.processes.insert(pid, name);
    }

    /// Names a thread.
    pub(crate) fn thread(&mut self, id: ThreadId, name: String) {
        self.threads.insert(id, name);
    }
}

impl Builder {
    /// Adds a call; `numbered` says whether its `number` and `depth` are known.
    pub(crate) fn call(&mut self, thread: ThreadId, row: Row, numbered: bool) {
        let thread = self.thread(thread);
        thread.numbered &= numbered;
        thread.rows.push(row);
    }

    /// Adds a call of which the begin is known; it lasts until its [`Builder::end`].
    pub(crate) fn begin(&mut self, thread: ThreadId, mut row: Row) {
        row.flags.set(Flags::UNFINISHED, true);
        let thread = self.thread(thread);
        thread.numbered = false;
        let index = u32::try_from(thread.rows.len()).expect("memory ends before the calls do");
        thread.edges.push(Edge {
            at: row.start,
            kind: EdgeKind::Begin(index),
        });
        thread.rows.push(row);
    }

    /// Adds an end: of the call that began last, or of the last one that has the name of `code`.
    pub(crate) fn end(&mut self, thread: ThreadId, at: Time, code: Option<u32>) {
        let kind = EdgeKind::End(code);
        self.thread(thread).edges.push(Edge { at, kind });
    }

    /// Adds a place where events are missing. Calls that are not numbered have no places: none of theirs
    /// is kept.
    pub(crate) fn gap(&mut self, thread: ThreadId, gap: Gap) {
        self.thread(thread).gaps.push(gap);
    }

    /// Sorts and nests the rows.
    pub(crate) fn finish(self, footer: Option<Footer>, truncated: bool) -> Recording {
        let mut names = self.names;
        let mut texts = self.texts;
        texts.close();
        let has_edges = self.threads.iter().any(|thread| !thread.edges.is_empty());
        let code_names = match has_edges {
            true => names.numbers(),
            false => Vec::new(),
        };
        let mut threads: Vec<Thread> = self
            .threads
            .into_iter()
            .map(|thread| {
                let id = thread.id;
                let (calls, gaps) = thread.finish(&code_names);
                Thread {
                    id,
                    name: names.threads.remove(&id).unwrap_or_default(),
                    process_name: names.processes.get(&id.pid).cloned().unwrap_or_default(),
                    calls,
                    gaps,
                }
            })
            .filter(|thread| !thread.calls.is_empty() || !thread.gaps.is_empty())
            .collect();
        threads.sort_unstable_by_key(|thread| thread.id);
        Recording {
            threads,
            codes: names.codes,
            exceptions: names.exceptions,
            texts,
            footer,
            truncated,
        }
    }

    fn thread(&mut self, id: ThreadId) -> &mut ThreadRows {
        if self
            .threads
            .get(self.last)
            .is_none_or(|thread| thread.id != id)
        {
            self.last = *self.by_id.entry(id).or_insert_with(|| {
                let rows = ThreadRows {
                    id,
                    rows: vec![],
                    edges: vec![],
                    gaps: vec![],
                    numbered: true,
                };
                self.threads.push(rows);
                self.threads.len() - 1
            });
        }
        &mut self.threads[self.last]
    }
}

impl ThreadRows {
    /// `names` has for each code the number of its name.
    fn finish(mut self, names: &[u32]) -> (Vec<Row>, Vec<Gap>) {
        let begun = self.edges.iter();
        let begun = begun.filter(|edge| matches!(edge.kind, EdgeKind::Begin(_)));
        let all_begun = !self.edges.is_empty() && begun.count() == self.rows.len();
        edges::pair(self.edges, &mut self.rows, names);
        if all_begun {
            self.rows.sort_unstable_by_key(|row| row.number);
        } else if self.numbered {
            self.rows.sort_unstable_by_key(|row| row.number);
            // Of those of one place the deepest comes first.
            let place = |gap: &Gap| (gap.after_call, gap.since, Reverse(gap.depth));
            self.gaps.sort_unstable_by_key(place);
            nest::by_depth(&mut self.rows, &mut self.gaps);
            gaps::settle(&mut self.rows, &mut self.gaps);
            return (self.rows, self.gaps);
        } else {
            nest::by_time(&mut self.rows);
        }
        (self.rows, Vec::new())
    }
}
