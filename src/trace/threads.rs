//! The threads of a recording, and their stacks.

use rustc_hash::FxHashMap;

use super::{Call, ThreadId};

/// A thread's stack, and what is counted of it.
#[derive(Debug, Default)]
pub(super) struct Thread {
    pub(super) stack: Vec<Frame>,
    /// Frames reported as active, innermost first, for the event that follows them.
    pub(super) running: Vec<(u64, u64)>,
    /// Whether there are frames below these.
    pub(super) running_cut: bool,
    /// Number of the last recorded call.
    pub(super) calls: u64,
    pub(super) pairing: Pairing,
}

/// How starts and ends go together. Where no event was lost, each end is of the frame on top.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pairing {
    /// Ends of frames that were known to run.
    pub paired: u64,
    /// Frames whose end no probe saw, and ends of frames whose start none saw.
    pub unpaired: u64,
}

impl Pairing {
    /// What came after `earlier`.
    pub fn since(self, earlier: Pairing) -> Pairing {
        Pairing {
            paired: self.paired.saturating_sub(earlier.paired),
            unpaired: self.unpaired.saturating_sub(earlier.unpaired),
        }
    }
}

/// The threads. Events mostly come in runs of the same one, which is found without a search.
#[derive(Debug, Default)]
pub(super) struct Threads {
    pub(super) list: Vec<(ThreadId, Thread)>,
    pub(super) by_id: FxHashMap<ThreadId, usize>,
    /// Index of the one that was asked for last.
    last: usize,
}

impl Threads {
    pub(super) fn ids(&self) -> impl Iterator<Item = ThreadId> {
        self.list.iter().map(|(id, _)| *id)
    }

    pub(super) fn get_mut(&mut self, id: ThreadId) -> Option<&mut Thread> {
        if self.list.get(self.last).is_none_or(|(last, _)| *last != id) {
            self.last = *self.by_id.get(&id)?;
        }
        self.list.get_mut(self.last).map(|(_, thread)| thread)
    }

    pub(super) fn get_or_insert(&mut self, id: ThreadId) -> &mut Thread {
        if self.list.get(self.last).is_none_or(|(last, _)| *last != id) {
            self.last = *self.by_id.entry(id).or_insert_with(|| {
                self.list.push((id, Thread::default()));
                self.list.len() - 1
            });
        }
        &mut self.list[self.last].1
    }
}

/// An activation that has not ended.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) address: u64,
    pub(super) code: u64,
    /// Its call, if it is recorded.
    pub(super) call: Option<Call>,
    /// Whether it is of the scope: what it calls is then external.
    pub(super) internal: bool,
    /// Whether it, or the nearest activation above it that counts, is import activity.
    pub(super) importing: bool,
    /// Number of recorded activations below it, itself included.
    pub(super) depth: u32,
}
