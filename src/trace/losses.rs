//! What was lost, summed up for each thread.

use rustc_hash::FxHashMap;

use super::{Gap, ThreadId};

/// What a thread has lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The thread.
    pub thread: ThreadId,
    /// How many events; more than `starts` and `ends` where it is not known of all which they were.
    pub count: u64,
    /// Number of the call near which the first of them was lost: after which, for events; 0: none.
    pub near_call: u64,
    /// How many of them were starts and resumptions of calls.
    pub starts: u64,
    /// How many of them were ends and suspensions of calls.
    pub ends: u64,
    /// In how many gaps.
    pub gaps: u64,
}

/// The losses of all threads, in the order of their first.
#[derive(Debug, Clone, Default)]
pub struct Losses {
    list: Vec<Loss>,
    by_thread: FxHashMap<ThreadId, usize>,
}

impl Losses {
    /// Adds those of a gap.
    pub fn add(&mut self, gap: &Gap) {
        let loss = self.of(gap.thread, gap.after_call);
        loss.count = loss.count.saturating_add(gap.lost());
        loss.starts = loss.starts.saturating_add(gap.starts);
        loss.ends = loss.ends.saturating_add(gap.ends);
        loss.gaps += 1;
    }

    /// Adds `count` events of which no more is known than the call that they come after.
    pub fn add_unknown(&mut self, thread: ThreadId, near_call: u64, count: u64) {
        let loss = self.of(thread, near_call);
        loss.count = loss.count.saturating_add(count);
    }

    /// Of each thread that lost anything.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Loss> {
        self.list.iter()
    }

    fn of(&mut self, thread: ThreadId, near_call: u64) -> &mut Loss {
        let at = *self.by_thread.entry(thread).or_insert_with(|| {
            self.list.push(Loss {
                thread,
                count: 0,
                near_call,
                starts: 0,
                ends: 0,
                gaps: 0,
            });
            self.list.len() - 1
        });
        &mut self.list[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Time;

    #[test]
    fn each_thread_has_one_sum() {
        let thread = |tid| ThreadId { pid: 1, tid };
        let gap = |tid, after_call, starts, ends| Gap {
            thread: thread(tid),
            after_call,
            depth: 0,
            since: Time(1),
            until: Time(2),
            starts,
            ends,
        };
        let mut losses = Losses::default();
        losses.add(&gap(2, 7, 3, 4));
        losses.add(&gap(1, 0, 1, 0));
        losses.add(&gap(2, 9, 10, 0));
        losses.add_unknown(thread(2), 11, 5);
        losses.add_unknown(thread(3), 4, 6);
        let sums = losses.iter().map(|loss| {
            let Loss { thread, count, .. } = *loss;
            (
                thread.tid,
                count,
                loss.near_call,
                loss.starts,
                loss.ends,
                loss.gaps,
            )
        });
        let expected = [(2, 22, 7, 13, 4, 2), (1, 1, 0, 1, 0, 1), (3, 6, 4, 0, 0, 0)];
        assert_eq!(sums.collect::<Vec<_>>(), expected);
    }
}
