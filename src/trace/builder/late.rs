//! Processes whose recording begins later than their events: those of which only what is marked has events
//! (`marked`), and that had begun to run before it was.
//!
//! A thread's recording begins with the first report of its stack from then on, or where its stack is empty.

use rustc_hash::FxHashSet;

use super::{Builder, Classify};
use crate::event::{Event, EventKind};

/// How far it has come with a process.
#[derive(Debug, Default)]
pub(super) struct Late {
    /// Whether its recording has begun.
    has_begun: bool,
    /// Threads whose stacks have been reported since.
    known: FxHashSet<u32>,
}

impl<C: Classify> Builder<C> {
    /// What a process does is left out until its recording begins.
    pub fn hold_back(&mut self, pid: u32) {
        self.late.insert(pid, Late::default());
    }

    /// It begins, all its threads' stacks being reported anew. Events of before may still come.
    pub fn begin_here(&mut self, pid: u32) {
        if let Some(late) = self.late.get_mut(&pid) {
            late.has_begun = true;
        }
    }

    /// They don't any more.
    pub fn know_all(&mut self) {
        if !self.late.is_empty() {
            self.late.retain(|_, late| !late.has_begun);
        }
    }

    /// Whether an event is of before.
    pub(super) fn is_of_before(&mut self, event: &Event<'_>) -> bool {
        let Some(late) = self.late.get_mut(&event.thread.pid) else {
            return false;
        };
        let begins = match event.kind {
            EventKind::Enter { previous, .. } => previous == 0,
            EventKind::Running { depth, .. } => depth == 0,
            EventKind::Exit { .. } | EventKind::Gap(_) => false,
            _ => return false,
        };
        if begins && late.has_begun {
            late.known.insert(event.thread.tid);
        }
        !late.known.contains(&event.thread.tid)
    }
}
