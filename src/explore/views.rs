//! A thread's calls as they are looked at, found out once.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::filter::{Filter, Grouping};
use super::tree::{FiguresCache, ListsCache};
use super::{Explorer, call};
use crate::pattern::Patterns;
use crate::recording::{Calls, Recording};

/// How many views are kept for who comes back to them.
const KEPT: usize = 8;
/// How many calls the views that are kept have together, the latest one aside.
const KEPT_CALLS: usize = 20_000_000;

/// A thread's calls, of which a filter may leave out some.
#[derive(Debug)]
pub struct View<'r> {
    recording: &'r Recording,
    key: Key,
    calls: OnceLock<Calls<'r>>,
    patterns: OnceLock<Patterns<'r>>,
    /// Of these patterns.
    pub(super) known_lists: ListsCache,
    /// Of these patterns.
    pub(super) known_figures: FiguresCache<'r>,
    took: OnceLock<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    thread: usize,
    filter: Filter,
    grouping: Grouping,
}

/// Those that were looked at last, the latest one last.
#[derive(Debug, Default)]
pub(super) struct Views<'r>(Mutex<Vec<Arc<View<'r>>>>);

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
        let view = self.views.get(self.recording, key);
        // Outside of the lock. What is left out does not depend on how it is grouped.
        view.calls.get_or_init(|| self.calls(thread, filter));
        self.views.trim();
        view
    }
}

impl<'r> Views<'r> {
    /// The view of a key, which becomes the latest. Nothing is computed for it yet.
    fn get(&self, recording: &'r Recording, key: Key) -> Arc<View<'r>> {
        // Views are whole before they are in the list.
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let view = match views.iter().position(|view| view.key == key) {
            Some(known) => views.remove(known),
            None => Arc::new(View {
                recording,
                key,
                calls: OnceLock::new(),
                patterns: OnceLock::new(),
                known_lists: ListsCache::default(),
                known_figures: FiguresCache::default(),
                took: OnceLock::new(),
            }),
        };
        views.push(Arc::clone(&view));
        view
    }

    /// Lets go of the oldest views as far as they are too many or too large.
    fn trim(&self) {
        let mut views = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut calls = 0;
        let recent = views.iter().rev().take(KEPT).enumerate();
        let kept = recent.take_while(|(index, view)| {
            calls += view.calls.get().map_or(0, Calls::len);
            *index == 0 || calls <= KEPT_CALLS
        });
        let kept = kept.count();
        let old = views.len() - kept;
        views.drain(..old);
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

    /// When the first call of the recording started, in nanoseconds.
    pub(super) fn origin(&self) -> u64 {
        call::origin(self.recording)
    }

    /// How long the thread made calls, in nanoseconds.
    pub(super) fn took(&self) -> u64 {
        let rows = &self.recording.threads[self.key.thread].calls;
        *self.took.get_or_init(|| call::took(rows))
    }

    /// The calls.
    pub fn calls(&self) -> &Calls<'r> {
        let Key { thread, filter, .. } = &self.key;
        self.calls
            .get_or_init(|| self.recording.calls(*thread, &filter.selection()))
    }

    /// How they repeat: the patterns of one thread, with the index 0. The first time finds them, which
    /// takes about a second for a few million calls, and others wait for it.
    pub fn patterns(&self) -> &Patterns<'r> {
        self.patterns.get_or_init(|| {
            let calls = vec![self.calls().clone()];
            Patterns::of(self.recording, calls, self.key.grouping)
        })
    }
}
