//! A thread's calls as they are looked at, found out once.

use std::sync::{Arc, OnceLock};

use super::cache::Weigh;
use super::filter::{Filter, Grouping};
use super::tree::{FiguresCache, ListsCache};
use super::{Explorer, call};
use crate::pattern::Patterns;
use crate::recording::{Calls, Recording};

/// How many views are kept for who comes back to them.
pub(super) const KEPT: usize = 8;
/// How many calls the views that are kept have together, the latest one aside.
pub(super) const KEPT_CALLS: usize = 20_000_000;

/// A thread's calls, of which a filter may leave out some.
#[derive(Debug)]
pub struct View<'r> {
    recording: &'r Recording,
    /// See [`Explorer`].
    pub(super) origin: u64,
    key: Key,
    calls: Calls<'r>,
    patterns: OnceLock<Patterns<'r>>,
    /// Of these patterns.
    pub(super) known_lists: ListsCache,
    /// Of these patterns.
    pub(super) known_figures: FiguresCache<'r>,
    took: OnceLock<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    thread: usize,
    filter: Filter,
    grouping: Grouping,
}

impl Weigh for View<'_> {
    fn weight(&self) -> usize {
        self.calls.len()
    }
}

impl<'r> Explorer<'r> {
    /// The calls of the thread with this index, which must exist. Grouping them is left to
    /// [`View::patterns`]. What is looked at for the first time costs a pass over the thread, and others
    /// who ask for the same wait for it; who asks for something else does not.
    pub fn view(&self, thread: usize, filter: &Filter, grouping: Grouping) -> Arc<View<'r>> {
        let key = Key {
            thread,
            filter: *filter,
            grouping,
        };
        self.views.get(key, || View {
            recording: self.recording,
            origin: self.origin,
            key,
            // What is left out does not depend on how it is grouped.
            calls: self.calls(thread, filter),
            patterns: OnceLock::new(),
            known_lists: ListsCache::default(),
            known_figures: FiguresCache::default(),
            took: OnceLock::new(),
        })
    }
}

impl<'r> View<'r> {
    /// Whose calls they are.
    pub fn recording(&self) -> &'r Recording {
        self.recording
    }

    /// Index of the thread.
    pub fn thread(&self) -> usize {
        self.key.thread
    }

    /// What is left out.
    pub fn filter(&self) -> &Filter {
        &self.key.filter
    }

    /// How long the thread made calls, in nanoseconds.
    pub(super) fn took(&self) -> u64 {
        let rows = &self.recording.threads[self.key.thread].calls;
        *self.took.get_or_init(|| call::took(rows))
    }

    /// The calls.
    pub fn calls(&self) -> &Calls<'r> {
        &self.calls
    }

    /// How they repeat: the patterns of one thread, with the index 0. The first time finds them, which
    /// takes about a second for a few million calls, and others wait for it.
    pub fn patterns(&self) -> &Patterns<'r> {
        self.patterns.get_or_init(|| {
            let calls = vec![self.calls.clone()];
            Patterns::of(self.recording, calls, self.key.grouping)
        })
    }
}
