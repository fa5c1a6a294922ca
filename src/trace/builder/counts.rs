//! What was counted of the calls that were built, and how they go together.

use super::{Builder, Classify};
use crate::trace::threads::Pairs;
use crate::trace::{Call, Losses, Pairing, ThreadId, Totals};

impl<C: Classify> Builder<C> {
    /// Whether a thread has had an event.
    pub fn has_seen(&self, thread: ThreadId) -> bool {
        self.threads.by_id.contains_key(&thread)
    }

    /// What was counted so far.
    pub fn totals(&self) -> Totals {
        let with_calls = self
            .threads
            .list
            .iter()
            .filter(|(_, thread)| thread.calls > 0);
        Totals {
            threads: with_calls.count() as u64,
            ..self.totals
        }
    }

    /// A call that was made of wrong events is none.
    pub fn uncount(&mut self, call: &Call) {
        if let Some(thread) = self.threads.get_mut(call.thread) {
            thread.calls = thread.calls.saturating_sub(1);
        }
        self.totals.calls = self.totals.calls.saturating_sub(1);
        let of_category = self.totals.of(call.category);
        *of_category = of_category.saturating_sub(1);
    }

    /// What was lost.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// How the first starts and ends of these processes' threads go together, or of their main
    /// threads only.
    pub fn pairing(&self, pids: &[u32], main_only: bool) -> Pairing {
        let mut sum = Pairing::default();
        let threads = self
            .threads
            .list
            .iter()
            .filter(|(id, _)| pids.contains(&id.pid) && (id.pid == id.tid || !main_only));
        for counts in threads.filter_map(|(_, thread)| thread.pairs.counts()) {
            sum.paired += counts.paired;
            sum.unpaired += counts.unpaired;
        }
        sum
    }

    /// Judges these processes' threads anew.
    pub fn forget_pairing(&mut self, pids: &[u32]) {
        for (id, thread) in &mut self.threads.list {
            if pids.contains(&id.pid) {
                thread.pairs = Pairs::default();
            }
        }
    }
}
