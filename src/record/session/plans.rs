//! What a session does about plans that turn out to be wrong.

use std::rc::Rc;

use anyhow::{Result, anyhow};
use indicatif::HumanCount;

use super::{Session, now};
use crate::error::{WithHint as _, say};
use crate::record::interpreters::Interpreter;
use crate::record::process;
use crate::record::resume::resume;
use crate::record::self_check::{Finding, Judgement};
use crate::trace::Pairing;
use crate::tracer::Held;

impl Session<'_, '_> {
    /// Looks whether the plans in use agree with what their probes find, and goes over to
    /// another one where not.
    pub(super) fn check_plans(&mut self) -> Result<()> {
        for index in 0..self.interpreters.found().len() {
            let interpreter = Rc::clone(&self.interpreters.found()[index]);
            let pids: Vec<u32> = self.interpreters.processes(&interpreter).collect();
            if pids.is_empty() {
                continue; // has ended, or is probed in another way already
            }
            let checks = self.interpreters.checks(&interpreter);
            // What is seen from its start is judged by how that goes; else by what there is.
            let launched = self.launched.is_some();
            let mut pairing = Pairing::default();
            if interpreter.findings.borrow().awaits_pairing() {
                pairing = self.consumer.borrow().pairing(&pids, launched);
            }
            let judgement =
                interpreter
                    .findings
                    .borrow_mut()
                    .look(&interpreter.plan, &checks, pairing);
            match judgement {
                Judgement::Fine if interpreter.must_prove() => {
                    if self.consumer.borrow().proving().is_full(&interpreter) {
                        self.prove_or_leave(&interpreter, &pids)?;
                    }
                }
                Judgement::Fine => self.trust(&interpreter),
                Judgement::Noted(finding) => self.say_finding(&interpreter, &finding),
                Judgement::Wrong { finding, fatal } => {
                    self.say_finding(&interpreter, &finding);
                    // A process that was there before is not left because of what might as well
                    // be its own doing, such as stacks of its own.
                    let doubtful = matches!(finding, Finding::Unpaired(_)) && !launched;
                    self.fall_back(&interpreter, &pids, &finding, fatal && !doubtful)?;
                }
            }
        }
        Ok(())
    }

    /// A plan that had to prove itself has done so.
    fn trust(&mut self, interpreter: &Interpreter) {
        if interpreter.plan.version.is_newer_than_known() {
            self.consumer.borrow_mut().trust(interpreter);
        }
    }

    /// Judges a plan of a newer CPython; the processes that run it are left if it is not right, as what
    /// comes would not be, either.
    fn prove_or_leave(&mut self, interpreter: &Interpreter, pids: &[u32]) -> Result<()> {
        if self.prove(interpreter) {
            return Ok(());
        }
        let (version, path) = (interpreter.plan.version, interpreter.path.display());
        let error = anyhow!(
            "can't trace CPython {version} ({path}): it is newer than pytrace, and nothing shows that \
             what its probes tell is right"
        );
        self.give_up(
            pids,
            error.hint("use a newer pytrace, or a Python up to 3.15"),
        )
    }

    /// Judges a plan of a newer CPython by what has been seen of all processes that ran it: whether it is
    /// right.
    fn prove(&mut self, interpreter: &Interpreter) -> bool {
        let checks = self.interpreters.checks(interpreter);
        let pids = self.consumer.borrow().proving().processes(interpreter);
        let pairing = self.consumer.borrow().pairing(&pids, false);
        let is_right = interpreter
            .findings
            .borrow()
            .is_right_so_far(&checks, pairing);
        if is_right {
            self.trust(interpreter);
        } else {
            self.forget_untrusted(interpreter);
        }
        is_right
    }

    /// What a plan has told that did not prove right is none of the recording's.
    fn forget_untrusted(&mut self, interpreter: &Interpreter) {
        let calls = self.consumer.borrow_mut().distrust(interpreter);
        self.incomplete.unproved += calls;
        if calls > 0 {
            let left_out = match calls {
                1 => "1 call is left out".to_owned(),
                _ => format!("{} calls are left out", HumanCount(calls)),
            };
            self.progress.clear();
            say(format_args!(
                "pytrace: CPython {} ({}): {left_out}: nothing shows that what its probes tell is right, \
                 and this version is newer than pytrace",
                interpreter.plan.version,
                interpreter.path.display(),
            ));
        }
    }

    /// Judges those that have not proved themselves before the end.
    pub(in crate::record) fn prove_rest(&mut self) {
        let unproved = self.consumer.borrow().proving().interpreters();
        for interpreter in unproved {
            self.prove(&interpreter);
        }
    }

    fn say_finding(&mut self, interpreter: &Interpreter, finding: &Finding) {
        let Interpreter { path, plan, .. } = interpreter;
        self.progress.clear();
        say(format_args!(
            "pytrace: self-check of CPython {} ({}): {finding}",
            plan.version,
            path.display(),
        ));
    }

    /// A plan is wrong: goes over to the next. A program that pytrace has started is stopped
    /// meanwhile, with its children.
    fn fall_back(
        &mut self,
        failed: &Interpreter,
        pids: &[u32],
        finding: &Finding,
        fatal: bool,
    ) -> Result<()> {
        let ours = pids.iter().filter(|_| self.launched.is_some());
        let stopped: Vec<Held> = ours.filter_map(|pid| self.stop(*pid)).collect();
        self.drain(usize::MAX >> 1);
        let (version, path) = (failed.plan.version, failed.path.display());
        if failed.plan.version.is_newer_than_known() {
            for pid in pids {
                // What runs was found in the wrong way, too.
                self.consumer.borrow_mut().end_process(*pid, now());
            }
            self.forget_untrusted(failed);
        }
        let outcome = self.interpreters.fall_back(failed, finding);
        let refused = match outcome {
            Ok((next, failures)) => {
                failed.findings.borrow_mut().mend();
                self.consumer.borrow_mut().replace_interpreter(pids, &next);
                say(format_args!(
                    "pytrace: CPython {version} ({path}): going over to {}; \
                     what was recorded before may be incomplete",
                    next.plan.way
                ));
                for (pid, error) in failures {
                    if process::is_alive(pid) {
                        self.complain(pid, error);
                    }
                }
                Ok(())
            }
            // The rest goes on to be recorded; what this site misses is counted. Of a newer version
            // nothing is trusted any more.
            Err(_) if !fatal && !failed.plan.version.is_newer_than_known() => Ok(()),
            Err(error) => {
                let error = error
                    .context(format!("can't trace CPython {version} ({path}): {finding}"))
                    .hint(
                        "please report it, with what `pytrace doctor` says of this interpreter; \
                         one by another compiler, such as the distribution's, may do meanwhile",
                    );
                self.give_up(pids, error)
            }
        };
        for held in stopped {
            self.holds.release(held);
            resume(&self.holds, held.pid);
        }
        refused
    }

    /// A process has its JIT on that was taken to have it off. What ran so far was not compiled: if it
    /// is `held`, nothing is missed.
    pub(super) fn go_over_to_compiled(&mut self, pid: u32, held: bool) -> Result<()> {
        // What happened before is told of by the former probes.
        let Some(next) = self.interpreters.compiles(pid)? else {
            return Ok(()); // it was said more than once
        };
        self.consumer
            .borrow_mut()
            .replace_interpreter(&[pid], &next);
        if !held {
            self.incomplete.replanned += 1;
            self.progress.clear();
            say(format_args!(
                "pytrace: the JIT is on in process {pid}, as showed only now: \
                 what was recorded in the last moment may be incomplete"
            ));
        }
        Ok(())
    }

    /// Stops a process, if it is for us to let it go on.
    fn stop(&self, pid: u32) -> Option<Held> {
        // Somebody has stopped it already, which must not be forgotten.
        if process::is_being_stopped(pid) {
            return None;
        }
        let held = self.holds.enter(pid, now());
        let stopped = process::stop(pid);
        if !stopped {
            self.holds.release(held);
        }
        stopped.then_some(held)
    }

    /// Nothing that these processes do can be recorded. It ends the recording if that is about one
    /// of them; children are left alone.
    fn give_up(&mut self, pids: &[u32], error: anyhow::Error) -> Result<()> {
        if pids.iter().any(|pid| self.family.is_root(*pid)) {
            return Err(error);
        }
        for pid in pids {
            self.interpreters.left(*pid);
        }
        if let [first, others @ ..] = pids {
            self.complain(*first, error);
            self.incomplete.untraced += others.len() as u64;
        }
        Ok(())
    }
}
