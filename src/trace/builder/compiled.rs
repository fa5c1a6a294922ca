//! Calls that started in code compiled by the JIT (3.14+), where no probe sees them.
//!
//! Their frames are reported with the thread's next event: as the one that ends, or as those below
//! the one that the event is about. That is when they started at the latest, and the thread's
//! previous event was when at the earliest.

use std::io;

use super::{Began, Builder, Classify};
use crate::trace::{Exit, Kind, Sink, ThreadId, Time};

impl<C: Classify> Builder<C> {
    /// A process has its JIT on: its suspended generators are kept track of.
    pub fn expect_compiled(&mut self, pid: u32) {
        self.compiling.insert(pid);
    }

    pub(super) fn stop_compiling(&mut self, pid: u32) {
        if self.compiling.remove(&pid) {
            self.suspended.retain(|(of, _), _| *of != pid);
        }
    }

    /// A generator has yielded.
    pub(super) fn suspend(&mut self, pid: u32, frame: u64, code: u64) {
        if self.compiling.contains(&pid) {
            self.suspended.insert((pid, frame), code);
        }
    }

    /// A frame runs: as the same generator's as before, or as another's.
    pub(super) fn run_on(&mut self, pid: u32, frame: u64) {
        if !self.suspended.is_empty() {
            self.suspended.remove(&(pid, frame));
        }
    }

    /// Before an event: pushes what began in compiled code. What lies above the frame that they stand
    /// on, and is none of them, has ended: a generator, by yielding in compiled code.
    pub(super) fn take_compiled(
        &mut self,
        id: ThreadId,
        time: Time,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        let Some(thread) = self.threads.get_mut(id) else {
            return Ok(());
        };
        if thread.gap.is_some() {
            return self.reconcile(id, time, sink);
        }
        let mut running = std::mem::take(&mut thread.running);
        let below = running.pop_if(|(_, code)| *code == 0);
        let mut keep = match below {
            // Not known after all: it is the kernel program's word that it runs.
            Some((below, _)) => thread.find(below).map_or(thread.stack.len(), |at| at + 1),
            None => 0,
        };
        let mut began = running.iter().rev().copied().peekable();
        for frame in thread.stack.iter().skip(keep) {
            if began.next_if_eq(&(frame.address, frame.code)).is_none() {
                break;
            }
            keep += 1;
        }
        while self
            .threads
            .get_mut(id)
            .is_some_and(|it| it.stack.len() > keep)
        {
            self.end_compiled(id, time, sink)?;
        }
        for (address, code) in began {
            let resumed = self.suspended.remove(&(id.pid, address)) == Some(code);
            let compiled = Began::Compiled { resumed };
            self.open(id, time, address, None, code, compiled);
        }
        Ok(())
    }

    /// The frame on top has ended unseen.
    fn end_compiled(&mut self, id: ThreadId, time: Time, sink: &mut dyn Sink) -> io::Result<()> {
        let Some(thread) = self.threads.get_mut(id) else {
            return Ok(());
        };
        let Some(top) = thread.stack.last() else {
            return Ok(());
        };
        let (keep, address, code) = (thread.stack.len() - 1, top.address, top.code);
        let known = self.codes.get(&(id.pid, code));
        let kind = known.map(|known| known.code.kind);
        let exit = match kind {
            Some(Kind::Generator | Kind::Coroutine) => {
                self.suspend(id.pid, address, code);
                Exit::InferredYield
            }
            _ => Exit::Unseen,
        };
        self.cut(id, keep, time, exit, sink)
    }
}
