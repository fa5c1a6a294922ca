//! How a session asks interpreters to mark the scope's code, and what becomes of it where they don't.

use anyhow::{Context as _, Result, anyhow, bail};
use nix::errno::Errno;

use super::Session;
use crate::cpython::Way;
use crate::record::consumer::Turn;
use crate::record::halt::Halt;
use crate::record::process;
use crate::record::request::Request;

/// What is said of processes that run something before they mark the scope's code.
pub(super) const LATE: &str = "was not recorded from its start";

/// How far it has come with a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::record) enum Asked {
    /// It runs its program already, and is asked meanwhile.
    AsItRuns,
    /// It runs what marks the code.
    ToMark,
    /// That has ended with an exception: it runs what tells whether it was in vain.
    ToConfirm,
    /// It is asked for nothing more.
    Answered,
}

impl Session<'_, '_> {
    /// A process is about to run the user's program: its interpreter is asked before, and comes back here
    /// with its answer.
    pub(super) fn heed_ready(&mut self, turn: Turn, stack: u64, result: i32) -> Result<()> {
        let pid = turn.pid;
        let asked = self.asked.get(&pid).copied();
        let next = match (asked, result) {
            (Some(Asked::AsItRuns), _) => {
                let why = anyhow!("it makes another interpreter");
                return self.do_without_asking(pid, &why);
            }
            (Some(Asked::Answered), _) => {
                // That one has monitoring of its own. What runs in this one may end untold.
                self.incomplete.replanned += 1;
                return self.do_without(pid, turn.held, &anyhow!("it makes another interpreter"));
            }
            (None, _) => Asked::ToMark,
            (Some(Asked::ToMark), 0) => Asked::Answered,
            (Some(Asked::ToMark), _) => Asked::ToConfirm,
            (Some(Asked::ToConfirm), 0) => {
                self.say_late(pid, LATE, "code of the scope ran before the program");
                Asked::Answered
            }
            (Some(Asked::ToConfirm), _) => {
                let why = anyhow!("its monitoring tool ids are taken");
                return self.do_without(pid, turn.held, &why);
            }
        };
        self.asked.insert(pid, next);
        match self.ask(turn, stack, next) {
            Ok(()) => Ok(()),
            Err(why) => self.do_without(pid, turn.held, &why),
        }
    }

    fn ask(&mut self, turn: Turn, stack: u64, asked: Asked) -> Result<()> {
        let pid = turn.pid;
        let directories = self.consumer.borrow_mut().scope_of(pid);
        let request = match asked {
            Asked::ToMark => Request::Mark {
                directories: &directories,
                external: self.external_calls,
                c_calls: self.c_calls,
                gone: &[],
            },
            Asked::ToConfirm => Request::Confirm,
            Asked::Answered | Asked::AsItRuns => return Ok(()),
        };
        if !turn.held {
            bail!("it did not wait for that");
        }
        let bias = self.interpreters.bias(pid).context("it has ended")?;
        let ready = self.interpreters.probed(pid);
        let ready = ready.and_then(|interpreter| interpreter.plan.ready);
        let ready = ready.context("it is probed otherwise")?;
        let halt = Halt::new(pid, &mut self.lingering).map_err(|errno| match errno {
            Errno::EPERM => anyhow!("a debugger has it"),
            errno => errno.into(),
        })?;
        let made = request.make(&halt, ready, bias, stack);
        halt.let_go(&mut self.lingering);
        made
    }

    /// It can't be asked: all that it runs is probed, also what is not recorded.
    pub(super) fn do_without(
        &mut self,
        pid: u32,
        was_held: bool,
        why: &anyhow::Error,
    ) -> Result<()> {
        self.asked.insert(pid, Asked::Answered);
        if !process::is_alive(pid) {
            return Ok(());
        }
        if was_held {
            self.say_unaskable(pid, why);
        } else {
            self.say_late(pid, LATE, &format!("{why:#}"));
        }
        let next = match self.interpreters.give_up_asking(pid) {
            Err(_) if !process::is_alive(pid) => return Ok(()),
            next => next?,
        };
        if let Some(next) = next {
            self.consumer
                .borrow_mut()
                .replace_interpreter(&[pid], &next);
        }
        Ok(())
    }

    /// A process is a copy of another.
    pub(super) fn inherit_asked(&mut self, pid: u32, parent: u32) {
        if let Some(asked) = self.asked.get(&parent) {
            self.asked.insert(pid, *asked);
        }
    }

    /// A process is recorded whose interpreter is to be asked: not if it is a copy of one that has not answered
    /// yet.
    pub(super) fn begin_copy(&mut self, pid: u32, was_held: bool) -> Result<()> {
        match self.asked.get(&pid) {
            Some(Asked::AsItRuns) => {
                let why = anyhow!("it was made before its parent had answered");
                self.do_without(pid, was_held, &why)
            }
            _ => Ok(()),
        }
    }

    /// Says that an interpreter can't be asked for anything.
    pub(super) fn say_unaskable(&mut self, pid: u32, why: &anyhow::Error) {
        let without = match self.c_calls {
            true => ", which see no C functions",
            false => "",
        };
        self.say_once(format!(
            "process {pid} can't be asked to mark the scope's code ({why:#}): \
             it is traced with the ordinary probes{without}"
        ));
    }

    /// What a process ran has come to its end.
    pub(super) fn end_asking(&mut self, pid: u32) {
        let has_answered = self.running.remove(&pid).is_none();
        let is_asked = self.asked.remove(&pid).is_some() && has_answered;
        let way = self.interpreters.probed(pid).map(|it| it.plan.way);
        let has_begun = || !self.consumer.borrow_mut().scope_of(pid).is_empty();
        if way == Some(Way::Selective) && !is_asked && has_begun() {
            let why = "it ended before it could be asked to mark the scope's code";
            self.say_late(pid, LATE, why);
        }
    }
}
