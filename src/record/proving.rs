//! Calls of processes whose plan is not trusted before it has proved right: one of a CPython that is
//! newer than pytrace. They are kept back until it has, and forgotten should it turn out wrong.

use std::io;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::interpreters::Interpreter;
use crate::trace::{Call, Gap, Sink};

/// Calls that are kept back of one process at most: then its plan is judged by what has been seen.
const CALLS_MAX: usize = 100_000;

/// What is kept back, by process.
#[derive(Debug, Default)]
pub(super) struct Proving {
    kept: FxHashMap<u32, Kept>,
}

#[derive(Debug)]
struct Kept {
    interpreter: Rc<Interpreter>,
    events: Vec<Event>,
}

#[derive(Debug)]
enum Event {
    Call(Box<Call>),
    Gap(Gap),
}

impl Proving {
    /// Keeps back what a process calls from now on, if its interpreter has to prove itself first.
    pub(super) fn begin(&mut self, pid: u32, interpreter: &Rc<Interpreter>) {
        if interpreter.must_prove() {
            let events = Vec::new();
            let interpreter = Rc::clone(interpreter);
            let kept = Kept {
                interpreter,
                events,
            };
            self.kept.insert(pid, kept);
        }
    }

    /// The interpreters of which something is kept back, each once.
    pub(super) fn interpreters(&self) -> Vec<Rc<Interpreter>> {
        let mut all: Vec<Rc<Interpreter>> = Vec::new();
        for Kept { interpreter, .. } in self.kept.values() {
            if !all.iter().any(|known| Rc::ptr_eq(known, interpreter)) {
                all.push(Rc::clone(interpreter));
            }
        }
        all
    }

    /// The processes of which something is kept back that run it, or did.
    pub(super) fn processes(&self, interpreter: &Interpreter) -> Vec<u32> {
        let kept = self.kept.iter();
        let its = kept.filter(|(_, kept)| std::ptr::eq(&*kept.interpreter, interpreter));
        its.map(|(pid, _)| *pid).collect()
    }

    /// Whether a process that runs it has made so many calls that it is time to judge.
    pub(super) fn is_full(&self, interpreter: &Interpreter) -> bool {
        self.kept.values().any(|kept| {
            std::ptr::eq(&*kept.interpreter, interpreter) && kept.events.len() >= CALLS_MAX
        })
    }

    /// An interpreter's plan is right: passes on what was kept back.
    pub(super) fn trust(
        &mut self,
        interpreter: &Interpreter,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        for event in self.take(interpreter) {
            match event {
                Event::Call(call) => sink.call(&call)?,
                Event::Gap(gap) => sink.gap(&gap)?,
            }
        }
        Ok(())
    }

    /// It is wrong: forgets all of that. The calls that there were.
    pub(super) fn distrust(&mut self, interpreter: &Interpreter) -> impl Iterator<Item = Call> {
        self.take(interpreter)
            .into_iter()
            .filter_map(|event| match event {
                Event::Call(call) => Some(*call),
                Event::Gap(_) => None,
            })
    }

    fn take(&mut self, interpreter: &Interpreter) -> Vec<Event> {
        let mut pids: Vec<u32> = self.kept.keys().copied().collect();
        pids.sort_unstable();
        let mut events = Vec::new();
        for pid in pids {
            let is_its = |kept: &Kept| std::ptr::eq(&*kept.interpreter, interpreter);
            if self.kept.get(&pid).is_some_and(is_its) {
                events.extend(self.kept.remove(&pid).into_iter().flat_map(|it| it.events));
            }
        }
        events
    }

    /// A sink that gets only what needs no proof.
    pub(super) fn before<'s>(&'s mut self, sink: &'s mut dyn Sink) -> Gate<'s> {
        Gate {
            proving: self,
            sink,
        }
    }
}

/// See [`Proving::before`].
pub(super) struct Gate<'s> {
    proving: &'s mut Proving,
    sink: &'s mut dyn Sink,
}

impl Sink for Gate<'_> {
    fn call(&mut self, call: &Call) -> io::Result<()> {
        match self.proving.kept.get_mut(&call.thread.pid) {
            Some(kept) => {
                kept.events.push(Event::Call(Box::new(call.clone())));
                Ok(())
            }
            None => self.sink.call(call),
        }
    }

    fn gap(&mut self, gap: &Gap) -> io::Result<()> {
        match self.proving.kept.get_mut(&gap.thread.pid) {
            Some(kept) => {
                kept.events.push(Event::Gap(*gap));
                Ok(())
            }
            None => self.sink.gap(gap),
        }
    }
}
