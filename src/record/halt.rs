//! A process stopped so that its parent does not see it: by ptrace.
//!
//! That is not how processes are held in general: it comes when the process runs already, it fails
//! where a debugger has the process, and it is slower. But a shell with job control takes a SIGSTOP
//! of its job for the user's Ctrl-Z, and such a job has just started: what it does in the time
//! until it is stopped here, well below a millisecond as a rule, is the dynamic linker's work. On a
//! busy machine it may get further, and its first calls are missed.
//!
//! Should pytrace die, the kernel lets the process go on.

use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::process;

/// How often it is looked whether a process has stopped, and how long in between: one that does not come
/// out of the kernel, such as who waits for a child of vfork(), can't be waited for.
const LOOKS: usize = 1000;
const PAUSE: Duration = Duration::from_micros(100);

/// A process that is stopped, until it is let go.
#[derive(Debug)]
pub(super) struct Halt {
    traced: Traced,
    /// A signal that came first, and that the process gets when it goes on.
    signal: Option<Signal>,
}

/// A process that pytrace traces by ptrace.
#[derive(Debug)]
pub(super) struct Traced {
    pid: Pid,
    /// Whether pytrace has started it, and will want to know how it ended.
    is_own: bool,
}

/// Processes that were to be halted, or were, and could not be let go yet: they have not stopped so far,
/// or are about to end.
#[derive(Debug, Default)]
pub(super) struct Lingering(Vec<Traced>);

impl Lingering {
    /// Lets those go that can be by now.
    pub(super) fn look(&mut self) {
        self.0.retain(|traced| match traced.has_stopped() {
            Ok(None) => true,
            Ok(Some(signal)) => !traced.let_go(signal),
            Err(_) => !traced.has_been_told_of(),
        });
    }
}

impl Traced {
    /// Whether it has stopped, and what signal it had got if that was why.
    fn has_stopped(&self) -> Result<Option<Option<Signal>>, Errno> {
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
        match waitid(Id::Pid(self.pid), flags) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => Ok(None),
            // Else it is not a signal, but that it was interrupted.
            Ok(WaitStatus::PtraceEvent(_, signal, 0)) => Ok(Some(Some(signal))),
            Ok(_) => Ok(Some(None)),
            Err(errno) => Err(errno),
        }
    }

    /// Lets it go on, if it has stopped; whether it is no concern any more.
    fn let_go(&self, signal: Option<Signal>) -> bool {
        // Killed meanwhile, there is nobody to let go.
        ptrace::detach(self.pid, signal).is_ok() || self.has_been_told_of()
    }

    /// Whether a process that ends is no concern any more: its parent is not told of the end before we
    /// know of it.
    fn has_been_told_of(&self) -> bool {
        let flags = WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
        self.is_own || !matches!(waitpid(self.pid, Some(flags)), Ok(WaitStatus::StillAlive))
    }
}

impl Halt {
    /// Stops a process that has one thread. Its end, should it come instead, is left to who waits for it.
    ///
    /// # Errors
    ///
    /// Someone else traces the process, pytrace may not, it has ended, or (`ETIMEDOUT`) does not stop:
    /// then it will be let go when it does.
    pub(super) fn new(pid: u32, lingering: &mut Lingering) -> Result<Halt, Errno> {
        let traced = Traced {
            pid: Pid::from_raw(pid.cast_signed()),
            is_own: process::parent(pid) == Some(std::process::id()),
        };
        ptrace::seize(traced.pid, ptrace::Options::empty())?;
        let stopped = ptrace::interrupt(traced.pid).and_then(|()| {
            for _ in 0..LOOKS {
                if let Some(signal) = traced.has_stopped()? {
                    return Ok(signal);
                }
                sleep(PAUSE);
            }
            Err(Errno::ETIMEDOUT)
        });
        match stopped {
            Ok(signal) => Ok(Halt { traced, signal }),
            Err(errno) => {
                lingering.0.push(traced);
                Err(errno)
            }
        }
    }

    /// Whether it has run since its birth. Before that, it is within the system call that made it, which
    /// returns 0 to it.
    pub(super) fn has_run(&self) -> bool {
        const BIRTHS: [libc::c_long; 4] = [
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_fork,
            libc::SYS_vfork,
        ];
        !self.registers().is_ok_and(|registers| {
            registers.rax == 0 && BIRTHS.contains(&registers.orig_rax.cast_signed())
        })
    }

    /// Which process it is.
    pub(super) fn pid(&self) -> u32 {
        self.traced.pid.as_raw().cast_unsigned()
    }

    /// The registers of its main thread.
    pub(super) fn registers(&self) -> Result<libc::user_regs_struct, Errno> {
        ptrace::getregs(self.traced.pid)
    }

    /// Sets them.
    pub(super) fn set_registers(&self, registers: libc::user_regs_struct) -> Result<(), Errno> {
        ptrace::setregs(self.traced.pid, registers)
    }

    /// Lets it go on.
    pub(super) fn let_go(self, lingering: &mut Lingering) {
        if !self.traced.let_go(self.signal) {
            lingering.0.push(self.traced);
        }
    }
}
