//! Calls of processes whose plan is not trusted before it has proved right: one of a CPython that is
//! newer than pytrace. They are kept back until it has, and forgotten should it turn out wrong.

use std::io;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::interpreters::Interpreter;
use crate::trace::{Call, Gap, Sink};

/// Calls that are kept back of one interpreter at most: then its plan is judged by what has been seen.
const CALLS_MAX: usize = 100_000;

/// What is kept back, by interpreter.
#[derive(Debug)]
pub(super) struct Proving<I = Interpreter> {
    /// In order of first use.
    kept: Vec<Kept<I>>,
    /// The processes that run one of these now.
    running: FxHashMap<u32, Rc<I>>,
}

#[derive(Debug)]
struct Kept<I> {
    interpreter: Rc<I>,
    /// The processes that run it, or did.
    pids: Vec<u32>,
    /// In the order in which they came.
    events: Vec<Event>,
}

#[derive(Debug)]
enum Event {
    Call(Box<Call>),
    Gap(Gap),
}

impl<I> Default for Proving<I> {
    fn default() -> Self {
        Proving {
            kept: Vec::new(),
            running: FxHashMap::default(),
        }
    }
}

impl Proving {
    /// Keeps back what a process calls from now on, if its interpreter has to prove itself first.
    pub(super) fn begin(&mut self, pid: u32, interpreter: &Rc<Interpreter>) {
        if interpreter.must_prove() {
            self.keep(pid, interpreter);
        } else {
            // It may have run another one.
            self.running.remove(&pid);
        }
    }
}

impl<I> Proving<I> {
    fn keep(&mut self, pid: u32, interpreter: &Rc<I>) {
        let at = self.position(interpreter).unwrap_or_else(|| {
            self.kept.push(Kept {
                interpreter: Rc::clone(interpreter),
                pids: Vec::new(),
                events: Vec::new(),
            });
            self.kept.len() - 1
        });
        let kept = &mut self.kept[at];
        if !kept.pids.contains(&pid) {
            kept.pids.push(pid);
        }
        self.running.insert(pid, Rc::clone(interpreter));
    }

    fn position(&self, interpreter: &I) -> Option<usize> {
        let is_it = |kept: &Kept<I>| std::ptr::eq(&*kept.interpreter, interpreter);
        self.kept.iter().position(is_it)
    }

    /// The interpreters of which something is kept back.
    pub(super) fn interpreters(&self) -> Vec<Rc<I>> {
        let kept = self.kept.iter();
        kept.map(|kept| Rc::clone(&kept.interpreter)).collect()
    }

    /// The processes of which something is kept back that run it, or did.
    pub(super) fn processes(&self, interpreter: &I) -> Vec<u32> {
        let kept = self.position(interpreter).map(|at| &self.kept[at]);
        kept.map_or_else(Vec::new, |kept| kept.pids.clone())
    }

    /// Whether so many calls of it are kept back that it is time to judge.
    pub(super) fn is_full(&self, interpreter: &I) -> bool {
        let kept = self.position(interpreter).map(|at| &self.kept[at]);
        kept.is_some_and(|kept| kept.events.len() >= CALLS_MAX)
    }

    /// An interpreter's plan is right: passes on what was kept back.
    pub(super) fn trust(&mut self, interpreter: &I, sink: &mut dyn Sink) -> io::Result<()> {
        for event in self.take(interpreter) {
            match event {
                Event::Call(call) => sink.call(&call)?,
                Event::Gap(gap) => sink.gap(&gap)?,
            }
        }
        Ok(())
    }

    /// It is wrong: forgets all of that. The calls that there were.
    pub(super) fn distrust(&mut self, interpreter: &I) -> impl Iterator<Item = Call> {
        self.take(interpreter)
            .into_iter()
            .filter_map(|event| match event {
                Event::Call(call) => Some(*call),
                Event::Gap(_) => None,
            })
    }

    /// Keeps nothing back of an interpreter any more. What there was, in order.
    fn take(&mut self, interpreter: &I) -> Vec<Event> {
        self.running
            .retain(|_, running| !std::ptr::eq(&**running, interpreter));
        match self.position(interpreter) {
            Some(at) => self.kept.remove(at).events,
            None => Vec::new(),
        }
    }

    /// A sink that gets only what needs no proof.
    pub(super) fn before<'s>(&'s mut self, sink: &'s mut dyn Sink) -> Gate<'s, I> {
        Gate {
            proving: self,
            sink,
        }
    }
}

/// See [`Proving::before`].
pub(super) struct Gate<'s, I = Interpreter> {
    proving: &'s mut Proving<I>,
    sink: &'s mut dyn Sink,
}

impl<I> Gate<'_, I> {
    /// Where what a process calls now is kept back, if it is.
    fn keeper(&mut self, pid: u32) -> Option<&mut Vec<Event>> {
        let at = self.proving.position(self.proving.running.get(&pid)?)?;
        Some(&mut self.proving.kept[at].events)
    }
}

impl<I> Sink for Gate<'_, I> {
    fn call(&mut self, call: &Call) -> io::Result<()> {
        match self.keeper(call.thread.pid) {
            Some(events) => {
                events.push(Event::Call(Box::new(call.clone())));
                Ok(())
            }
            None => self.sink.call(call),
        }
    }

    fn gap(&mut self, gap: &Gap) -> io::Result<()> {
        match self.keeper(gap.thread.pid) {
            Some(events) => {
                events.push(Event::Gap(*gap));
                Ok(())
            }
            None => self.sink.gap(gap),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::trace::{Category, Code, Exit, Kind, ThreadId, Time};

    /// What has come through: a process and the number of a call of its, or 0 for a gap.
    #[derive(Debug, Default)]
    struct Passed(Vec<(u32, u64)>);

    impl Sink for Passed {
        fn call(&mut self, call: &Call) -> io::Result<()> {
            self.0.push((call.thread.pid, call.number));
            Ok(())
        }

        fn gap(&mut self, gap: &Gap) -> io::Result<()> {
            self.0.push((gap.thread.pid, 0));
            Ok(())
        }
    }

    fn call(pid: u32, number: u64) -> Call {
        Call {
            thread: ThreadId { pid, tid: pid },
            number,
            depth: 0,
            code: Arc::new(Code {
                name: "f".into(),
                file: "f.py".into(),
                line: 1,
                kind: Kind::Function,
                category: Category::Internal,
            }),
            category: Category::Internal,
            start: Time(number),
            duration: 1,
            resumed: false,
            already_running: false,
            start_inferred: false,
            exit: Exit::Return,
            exception: None,
            message: None,
            arguments: None,
            result: None,
        }
    }

    fn gap(pid: u32) -> Gap {
        Gap {
            thread: ThreadId { pid, tid: pid },
            after_call: 0,
            depth: 0,
            since: Time(0),
            until: Time(1),
            starts: 1,
            ends: 0,
        }
    }

    /// Two interpreters that have to prove themselves, and what they have come to.
    struct Newer {
        proving: Proving<u8>,
        one: Rc<u8>,
        other: Rc<u8>,
        passed: Passed,
    }

    impl Newer {
        /// Processes 1 and 3 run one of them, 2 the other; 4 runs what needs no proof.
        fn new() -> Newer {
            let [one, other] = [1, 2].map(Rc::new);
            let mut proving = Proving::default();
            for (pid, interpreter) in [(1, &one), (2, &other), (3, &one)] {
                proving.keep(pid, interpreter);
            }
            Newer {
                proving,
                one,
                other,
                passed: Passed::default(),
            }
        }

        fn calls(&mut self, calls: &[(u32, u64)]) {
            let mut gate = self.proving.before(&mut self.passed);
            for &(pid, number) in calls {
                match number {
                    0 => gate.gap(&gap(pid)),
                    number => gate.call(&call(pid, number)),
                }
                .expect("nothing fails here");
            }
        }
    }

    #[test]
    fn what_needs_proof_is_kept_back_until_then_and_comes_in_order() {
        let mut newer = Newer::new();
        newer.calls(&[(1, 2), (4, 1), (3, 2), (2, 1), (1, 0), (3, 1), (1, 1)]);
        assert_eq!(newer.passed.0, [(4, 1)]);
        let Newer {
            proving,
            one,
            passed,
            ..
        } = &mut newer;
        proving.trust(one, passed).expect("nothing fails here");
        let of_one = [(1, 2), (3, 2), (1, 0), (3, 1), (1, 1)];
        assert_eq!(newer.passed.0[1..], of_one);
        // From then on, nothing is kept of it; of the other, it is.
        newer.calls(&[(3, 3), (2, 2), (1, 4)]);
        assert_eq!(newer.passed.0[6..], [(3, 3), (1, 4)]);
    }

    #[test]
    fn of_what_proves_wrong_nothing_passes() {
        let mut newer = Newer::new();
        newer.calls(&[(1, 1), (2, 1), (3, 0), (3, 1)]);
        let one = Rc::clone(&newer.one);
        let dropped = newer.proving.distrust(&one);
        let dropped: Vec<_> = dropped.map(|call| (call.thread.pid, call.number)).collect();
        assert_eq!(dropped, [(1, 1), (3, 1)]);
        assert!(newer.passed.0.is_empty());
        // What another plan tells of the same processes is another matter.
        newer.calls(&[(1, 2)]);
        assert_eq!(newer.passed.0, [(1, 2)]);
        assert_eq!(newer.proving.distrust(&one).count(), 0);
    }

    #[test]
    fn what_is_left_to_be_judged_is_known_with_its_processes() {
        let mut newer = Newer::new();
        let Newer {
            proving,
            one,
            other,
            passed,
        } = &mut newer;
        assert_eq!(proving.interpreters(), [Rc::clone(one), Rc::clone(other)]);
        assert_eq!(proving.processes(one), [1, 3]);
        proving.trust(one, passed).expect("nothing fails here");
        assert_eq!(proving.interpreters(), [Rc::clone(other)]);
        assert!(proving.processes(one).is_empty());
    }

    #[test]
    fn a_process_that_goes_over_to_another_interpreter_loses_nothing() {
        let mut newer = Newer::new();
        newer.calls(&[(1, 1)]);
        // It starts the same again, and then the other.
        newer.proving.keep(1, &Rc::clone(&newer.one));
        newer.calls(&[(1, 2)]);
        newer.proving.keep(1, &Rc::clone(&newer.other));
        newer.calls(&[(1, 3)]);
        let Newer {
            proving,
            one,
            other,
            passed,
        } = &mut newer;
        proving.trust(one, passed).expect("nothing fails here");
        assert_eq!(passed.0, [(1, 1), (1, 2)]);
        assert_eq!(proving.distrust(other).count(), 1);
    }

    #[test]
    fn an_interpreter_is_judged_when_it_has_called_enough() {
        let mut newer = Newer::new();
        let half = CALLS_MAX as u64 / 2;
        let calls: Vec<_> = (1..=half)
            .flat_map(|number| [(1, number), (3, number)])
            .collect();
        newer.calls(&calls[1..]);
        assert!(!newer.proving.is_full(&Rc::clone(&newer.one)));
        newer.calls(&calls[..1]);
        assert!(newer.proving.is_full(&Rc::clone(&newer.one)));
        assert!(!newer.proving.is_full(&Rc::clone(&newer.other)));
    }
}
