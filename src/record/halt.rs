//! A process stopped so that its parent does not see it: by ptrace.
//!
//! That is not how processes are held in general: it comes when the process runs already, it fails
//! where a debugger has the process, and it is slower. But a shell with job control takes a SIGSTOP
//! of its job for the user's Ctrl-Z, and such a job has just started: what it does in the time
//! until it is stopped here, well below a millisecond as a rule, is the dynamic linker's work. On a
//! busy machine it may get further, and its first calls are missed.
//!
//! Should pytrace die, the kernel lets the process go on.

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A process that is stopped as long as this lives.
#[derive(Debug)]
pub(super) struct Halt {
    pid: Pid,
    /// A signal that came first, and that the process gets when it goes on.
    signal: Option<Signal>,
}

impl Halt {
    /// Stops a process that has one thread.
    ///
    /// # Errors
    ///
    /// Someone else traces the process, pytrace may not, or it has ended.
    pub(super) fn new(pid: u32) -> Result<Halt, Errno> {
        let pid = Pid::from_raw(pid.cast_signed());
        ptrace::seize(pid, ptrace::Options::empty())?;
        let mut halt = Halt { pid, signal: None };
        ptrace::interrupt(pid)?;
        if let WaitStatus::Stopped(_, signal) = waitpid(pid, Some(WaitPidFlag::__WALL))? {
            halt.signal = Some(signal);
        }
        Ok(halt)
    }
}

impl Drop for Halt {
    fn drop(&mut self) {
        // Killed meanwhile, there is nobody to let go.
        let _ = ptrace::detach(self.pid, self.signal);
    }
}
