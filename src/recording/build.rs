//! Puts rows together into a [`Recording`].

use std::collections::HashMap;
use std::num::NonZeroU32;

use super::nest;
use super::texts::Texts;
use super::{Flags, Footer, Recording, Row, Thread};
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

/// Where a call began or ended, in files that tell the two apart.
#[derive(Debug, Clone, Copy)]
struct Edge {
    at: Time,
    /// `None` at the end of a call.
    begin: Option<u32>,
}

#[derive(Debug)]
struct ThreadRows {
    id: ThreadId,
    rows: Vec<Row>,
    edges: Vec<Edge>,
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

    /// Adds the begin of a call of `code`.
    pub(crate) fn begin(&mut self, thread: ThreadId, at: Time, code: u32) {
        self.thread(thread).edges.push(Edge {
            at,
            begin: Some(code),
        });
    }

    /// Adds the end of the call that began last.
    pub(crate) fn end(&mut self, thread: ThreadId, at: Time) {
        self.thread(thread).edges.push(Edge { at, begin: None });
    }

    /// Sorts and nests the rows.
    pub(crate) fn finish(self, footer: Option<Footer>, truncated: bool) -> Recording {
        let mut names = self.names;
        let mut texts = self.texts;
        texts.close();
        let mut threads: Vec<Thread> = self
            .threads
            .into_iter()
            .map(|thread| Thread {
                id: thread.id,
                name: names.threads.remove(&thread.id).unwrap_or_default(),
                process_name: names
                    .processes
                    .get(&thread.id.pid)
                    .cloned()
                    .unwrap_or_default(),
                calls: thread.finish(),
            })
            .filter(|thread| !thread.calls.is_empty())
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
    fn finish(mut self) -> Vec<Row> {
        if self.numbered && self.edges.is_empty() {
            self.rows.sort_unstable_by_key(|row| row.number);
            nest::by_depth(&mut self.rows);
        } else {
            self.pair_edges();
            nest::by_time(&mut self.rows);
        }
        self.rows
    }

    /// Makes rows of the begins and ends. An end without begin is dropped; a begin without end lasts
    /// until the last edge.
    fn pair_edges(&mut self) {
        self.edges.sort_by_key(|edge| edge.at);
        let last = self.edges.last().map_or(Time(0), |edge| edge.at);
        let mut open: Vec<usize> = Vec::new();
        for edge in &self.edges {
            match edge.begin {
                Some(code) => {
                    open.push(self.rows.len());
                    self.rows.push(Row {
                        start: edge.at,
                        duration: last.0 - edge.at.0,
                        number: 0,
                        code,
                        depth: 0,
                        exception: None,
                        arguments: None,
                        outcome: None,
                        flags: Flags::UNFINISHED,
                    });
                }
                None => {
                    if let Some(row) = open.pop().map(|index| &mut self.rows[index]) {
                        row.duration = edge.at.0 - row.start.0;
                        row.flags = Flags::default();
                    }
                }
            }
        }
    }
}
