//! The programs on the tracepoints of a process's life, of which those of its birth differ.

use anyhow::{Context as _, Result};
use libbpf_rs::{Link, ProgramMut};

use crate::bpf::process::{OpenProcessProgs, ProcessProgs};

/// How births of children are noticed, and the children held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Births {
    /// Not at all.
    Unwatched,
    /// Where their parent makes them.
    AtFork,
    /// Where they run first, which means a look at every system call of the machine.
    AtFirstReturn,
}

impl Births {
    /// Has only those programs loaded that are attached.
    pub(super) fn choose(self, progs: &mut OpenProcessProgs<'_>) {
        let at_fork = self == Births::AtFork;
        progs.process_fork_hold.set_autoload(at_fork);
        let at_first_return = self == Births::AtFirstReturn;
        progs.process_fork.set_autoload(at_first_return);
        progs.syscall_exit.set_autoload(at_first_return);
    }

    /// Attaches them, and those of starts and ends.
    pub(super) fn attach(self, progs: &ProcessProgs<'_>) -> Result<Vec<Link>> {
        let mut links = vec![
            raw(&progs.thread_exit, "sched_process_exit")?,
            raw(&progs.process_exec, "sched_process_exec")?,
        ];
        match self {
            Births::Unwatched => {}
            Births::AtFork => {
                let link = progs.process_fork_hold.attach_trace();
                links.push(link.context("failed to attach to sched_process_fork")?);
            }
            Births::AtFirstReturn => {
                links.push(raw(&progs.syscall_exit, "sys_exit")?);
                links.push(raw(&progs.process_fork, "sched_process_fork")?);
            }
        }
        Ok(links)
    }
}

pub(super) fn raw(program: &ProgramMut<'_>, tracepoint: &str) -> Result<Link> {
    program
        .attach_raw_tracepoint(tracepoint)
        .with_context(|| format!("failed to attach to {tracepoint}"))
}
