//! The threads of a recording, and their stacks.

use rustc_hash::FxHashMap;

use super::{Call, Missing, ThreadId};

/// Set in the address of a C function's activation, which else is its caller's frame.
pub(super) const NATIVE: u64 = 1 << 63;

/// A thread's stack, and what is counted of it.
#[derive(Debug, Default)]
pub(super) struct Thread {
    pub(super) stack: Vec<Frame>,
    /// Frames reported as active, innermost first, for the event that follows them.
    pub(super) running: Vec<(u64, u64)>,
    /// Whether there are frames below these.
    pub(super) running_cut: bool,
    /// Whether they began in compiled code since the previous event, above the last of them.
    pub(super) running_compiled: bool,
    /// What is missing before the next event.
    pub(super) gap: Option<Missing>,
    /// Number of the last recorded call.
    pub(super) calls: u64,
    pub(super) pairs: Pairs,
}

impl Thread {
    /// The place in the stack of a frame that ends, or calls: what is above has ended.
    ///
    /// Code outside the scope is there if it started before the kernel program knew so. Its end may
    /// not be reported, and its frame's address may be another's by now (up to 3.10): it is not
    /// believed to be meant if that would take away what reports its end.
    pub(super) fn find(&self, address: u64) -> Option<usize> {
        let at = self.stack.iter().rposition(|it| it.address == address)?;
        let (found, above) = (&self.stack[at], &self.stack[at + 1..]);
        (found.reports_end() || !above.iter().any(Frame::reports_end)).then_some(at)
    }

    /// Whether the activation at this place in the stack is within a call of a C function.
    pub(super) fn calls_natively(&self, at: usize) -> bool {
        let (caller, called) = (self.stack.get(at), self.stack.get(at + 1));
        let called = called.map(|called| called.address);
        caller.is_some_and(|caller| called == Some(caller.address | NATIVE))
    }
}

/// How starts and ends go together. Where no event was lost, each end is of the frame on top.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pairing {
    /// Ends of frames that were known to run.
    pub paired: u64,
    /// Frames whose end no probe saw, and ends of frames whose start none saw.
    pub unpaired: u64,
}

/// The pairing of a thread's first starts and ends.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    counts: Pairing,
    /// Frames that were taken off the stack as their ends seemed to have gone unseen.
    gone: Vec<u64>,
    /// Such a frame ended later: the thread has several stacks (greenlets), and cannot be judged.
    switches: bool,
}

impl Pairs {
    /// Starts and ends that are counted.
    const FIRST: u64 = 1024;

    fn counts_still(&self) -> bool {
        !self.switches && self.counts.paired + self.counts.unpaired < Self::FIRST
    }

    /// A frame ends that is on the stack.
    pub(super) fn end(&mut self) {
        if self.counts_still() {
            self.counts.paired += 1;
        }
    }

    /// A start or an end has no other half.
    pub(super) fn miss(&mut self) {
        if self.counts_still() {
            self.counts.unpaired += 1;
        }
    }

    /// These frames have ended unseen.
    pub(super) fn lose(&mut self, frames: &[Frame]) {
        // Ends of C functions are not told by what these judge.
        for frame in frames.iter().filter(|it| it.address & NATIVE == 0) {
            if self.counts_still() {
                self.counts.unpaired += 1;
                self.gone.push(frame.address);
            }
        }
    }

    /// A frame starts.
    pub(super) fn start(&mut self, frame: u64) {
        if !self.gone.is_empty() {
            self.gone.retain(|gone| *gone != frame);
        }
    }

    /// A frame that is not on the stack ends.
    pub(super) fn end_elsewhere(&mut self, frame: u64) {
        self.switches |= self.gone.contains(&frame);
        self.miss();
    }

    /// The counts, where they tell something.
    pub(super) fn counts(&self) -> Option<Pairing> {
        (!self.switches).then_some(self.counts)
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

impl Frame {
    /// Whether an activation that is called by it, or by `caller` if that is told, is called by the scope's
    /// code.
    pub(super) fn calls_from_scope(&self, caller: Option<u64>) -> bool {
        self.internal && caller.is_none_or(|caller| self.address & !NATIVE == caller)
    }

    /// Whether the kernel program reports its end, come what may.
    fn reports_end(&self) -> bool {
        self.internal || self.call.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(address: u64) -> Frame {
        Frame {
            address,
            code: 0,
            call: None,
            internal: false,
            importing: false,
            depth: 0,
        }
    }

    #[test]
    fn ends_that_no_probe_saw_count() {
        let mut pairs = Pairs::default();
        pairs.end();
        pairs.lose(&[frame(8), frame(16)]);
        // Its place is another frame's now.
        pairs.start(8);
        pairs.end_elsewhere(8);
        let counts = pairs.counts();
        assert_eq!(counts.map(|it| (it.paired, it.unpaired)), Some((1, 3)));
    }

    #[test]
    fn a_thread_that_switches_stacks_is_not_judged() {
        let mut pairs = Pairs::default();
        pairs.lose(&[frame(8)]);
        pairs.end_elsewhere(8);
        assert_eq!(pairs.counts(), None);
    }

    #[test]
    fn only_the_first_are_counted() {
        let mut pairs = Pairs::default();
        for _ in 0..Pairs::FIRST {
            pairs.end();
        }
        pairs.miss();
        pairs.lose(&[frame(8)]);
        assert_eq!(pairs.counts().map(|it| it.unpaired), Some(0));
    }
}
