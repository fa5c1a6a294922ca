//! A process halted so that neither it nor anybody else notices: all of its threads, by ptrace.
//!
//! The watchdog does so where the kernel programs must not send a SIGSTOP for the ring's sake: to a
//! shell's job, to a program that handles SIGCONT, to one whose parent handles SIGCHLD. Should the
//! watchdog die, the kernel lets the threads go on.

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustc_hash::FxHashSet;

use super::process;
use crate::trace::Time;

/// Looks at a process for threads that were made meanwhile. Each look halts all that there are, and
/// only a thread that still runs makes others.
const LOOKS: usize = 16;

/// A halted process.
#[derive(Debug)]
pub(super) struct Freeze {
    pub(super) pid: u32,
    /// When that became necessary.
    pub(super) since: Time,
    threads: Vec<Pid>,
}

impl Freeze {
    /// Halts a process. Its threads halt as soon as each of them is out of the kernel, which this
    /// does not wait for: in there, none calls a function of Python.
    ///
    /// Threads that a debugger has, or that we may not trace, go on.
    pub(super) fn new(pid: u32, since: Time) -> Freeze {
        let mut seen: FxHashSet<u32> = FxHashSet::default();
        let mut threads = Vec::new();
        for _ in 0..LOOKS {
            let before = seen.len();
            for tid in process::threads(pid) {
                let thread = Pid::from_raw(tid.cast_signed());
                if seen.insert(tid)
                    && ptrace::seize(thread, ptrace::Options::empty()).is_ok()
                    // Ended meanwhile, it is collected below.
                    && matches!(ptrace::interrupt(thread), Ok(()) | Err(Errno::ESRCH))
                {
                    threads.push(thread);
                }
            }
            if seen.len() == before {
                break;
            }
        }
        Freeze {
            pid,
            since,
            threads,
        }
    }

    /// Lets all threads go on that have halted; true when all have. To be called until then: a thread
    /// that is not out of the kernel yet can't be let go.
    pub(super) fn thaw(&mut self) -> bool {
        self.threads.retain(|&thread| {
            match waitpid(thread, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => true,
                // A signal that came first: the thread gets it now.
                Ok(WaitStatus::Stopped(_, signal)) => {
                    let _ = ptrace::detach(thread, signal);
                    false
                }
                Ok(WaitStatus::PtraceEvent(..)) => {
                    let _ = ptrace::detach(thread, None);
                    false
                }
                // It has ended.
                _ => false,
            }
        });
        self.threads.is_empty()
    }
}
