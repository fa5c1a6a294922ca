//! Stacks that were reported, and those that are known: made to agree.

use std::io;

use super::{Began, Builder, Classify};
use crate::event::{CodeRecord, Event};
use crate::trace::{Exit, Gap, Missing, Sink, ThreadId, Time};

impl<C: Classify> Builder<C> {
    /// Reports the frames of a thread that has had no event, as found by looking at it from
    /// outside: innermost first. Their code objects, as far as no event has described them, are
    /// in `codes`; frames of others are left out. `cut` says that there are frames below that were
    /// not read. Events tell better: a thread that had any is
    /// left as it is.
    pub fn stand_still<'r>(
        &mut self,
        thread: ThreadId,
        frames: &[(u64, u64)],
        cut: bool,
        mut codes: impl FnMut(u64) -> Option<&'r CodeRecord>,
        time: Time,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        if self.has_seen(thread) {
            return Ok(());
        }
        let mut running = Vec::new();
        for &(frame, code) in frames {
            if !self.codes.contains_key(&(thread.pid, code)) {
                let Some(record) = codes(code) else { continue };
                self.meet_code(thread.pid, record);
            }
            running.push((frame, code));
        }
        let state = self.threads.get_or_insert(thread);
        state.running = running;
        state.running_cut = cut;
        state.running_compiled = false;
        self.reconcile(thread, time, sink)
    }

    /// Before an event: makes the thread's stack what the kernel program says it is.
    pub(super) fn agree(&mut self, event: &Event<'_>, sink: &mut dyn Sink) -> io::Result<()> {
        let thread = self.threads.get_or_insert(event.thread);
        if thread.gap.is_none() && thread.running.is_empty() {
            return Ok(());
        }
        if event.is_named() {
            // What is missing shows where those end that run.
            let depth = self.depth_of(event.thread);
            return self.close_gap(event.thread, depth, event.time, sink);
        }
        if thread.running_compiled {
            return self.take_compiled(event.thread, event.time, sink);
        }
        self.reconcile(event.thread, event.time, sink)
    }

    /// Starts and ends of a thread are missing from here on to its next event, or its end.
    pub fn lose(&mut self, thread: ThreadId, missing: Missing) {
        match &mut self.threads.get_or_insert(thread).gap {
            Some(before) => {
                before.starts = before.starts.saturating_add(missing.starts);
                before.ends = before.ends.saturating_add(missing.ends);
            }
            gap @ None => *gap = Some(missing),
        }
    }

    /// The gap that a thread is in, if it is in one, ends here, with `depth` recorded calls running
    /// that ran before it.
    pub(super) fn close_gap(
        &mut self,
        id: ThreadId,
        depth: u32,
        until: Time,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        let Some(thread) = self.threads.get_mut(id) else {
            return Ok(());
        };
        let Some(Missing {
            since,
            starts,
            ends,
        }) = thread.gap.take()
        else {
            return Ok(());
        };
        let gap = Gap {
            thread: id,
            after_call: thread.calls,
            depth,
            since,
            until,
            starts,
            ends,
        };
        self.totals.lost = self.totals.lost.saturating_add(gap.lost());
        self.losses.add(&gap);
        sink.gap(&gap)
    }

    /// How many recorded calls of a thread are running.
    fn depth_of(&mut self, id: ThreadId) -> u32 {
        let thread = self.threads.get_mut(id);
        let top = thread.and_then(|thread| thread.stack.last());
        top.map_or(0, |top| top.depth)
    }

    pub(super) fn reconcile(
        &mut self,
        id: ThreadId,
        time: Time,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        let Some(thread) = self.threads.get_mut(id) else {
            return Ok(());
        };
        let running = std::mem::take(&mut thread.running);
        let mut chain = running.iter().rev().copied().peekable();
        let mut keep = 0;
        if thread.running_cut {
            // What is known below the outermost frame reported is still there.
            let outermost = chain.peek();
            let known = thread
                .stack
                .iter()
                .position(|frame| outermost == Some(&(frame.address, frame.code)));
            keep = known.unwrap_or(0);
            self.totals.cut += u64::from(known.is_none());
        }
        for frame in thread.stack.iter().skip(keep) {
            // What lies between the frames of the stack was left out by the kernel program.
            let mut ahead = chain.clone();
            if !ahead.any(|(address, code)| address == frame.address && code == frame.code) {
                break;
            }
            chain = ahead;
            keep += 1;
        }
        self.cut(id, keep, time, Exit::Unseen, sink)?;
        let depth = self.depth_of(id);
        self.close_gap(id, depth, time, sink)?;
        for (address, code) in chain {
            self.open(id, time, address, None, code, Began::Unseen);
        }
        Ok(())
    }
}
