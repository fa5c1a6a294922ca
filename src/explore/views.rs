//! A thread's calls as they are looked at, found out once.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::Explorer;
use super::filter::{Filter, Grouping};
use crate::pattern::Patterns;
use crate::recording::Calls;

/// How many views are kept for who comes back to them.
const KEPT: usize = 8;

/// A thread's calls, of which a filter may leave out some.
#[derive(Debug)]
pub struct View<'r> {
    key: Key,
    calls: Calls<'r>,
    patterns: OnceLock<Patterns<'r>>,
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
    /// [`View::patterns`].
    pub fn view(&self, thread: usize, filter: &Filter, grouping: Grouping) -> Arc<View<'r>> {
        let key = Key {
            thread,
            filter: *filter,
            grouping,
        };
        // Views are whole before they are in the list.
        let mut views = self.views.0.lock().unwrap_or_else(PoisonError::into_inner);
        let view = match views.iter().position(|view| view.key == key) {
            Some(known) => views.remove(known),
            None => {
                // TODO(tree): compute outside of the lock.
                let calls = self.recording.calls(thread, &filter.selection());
                Arc::new(View {
                    key,
                    calls,
                    patterns: OnceLock::new(),
                })
            }
        };
        if views.len() == KEPT {
            views.remove(0);
        }
        views.push(Arc::clone(&view));
        view
    }
}

impl<'r> View<'r> {
    /// The calls.
    pub fn calls(&self) -> &Calls<'r> {
        &self.calls
    }
}
