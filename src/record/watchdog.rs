//! A process that outlives pytrace for a moment: whom the kernel programs hold when pytrace is
//! killed, it lets go.
//!
//! Whom they hold is in a map of theirs, and whom pytrace has let go in another; this process has
//! both. It sleeps until they tell it of pytrace's end.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{self, ForkResult, Pid};

use super::process;
use crate::tracer::Holds;
use crate::user::confine::{Task, confine};

/// How long after pytrace's end someone may still come to a stop: a process that has the signal
/// stops when it runs next.
const AFTERMATH: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// The process; dropped, it ends.
#[derive(Debug)]
pub(super) struct Watchdog {
    pid: Pid,
    /// Closed, it says that pytrace is done, or has been killed.
    leash: Option<OwnedFd>,
}

impl Watchdog {
    /// Starts it. To be called while pytrace has one thread.
    pub(super) fn start(holds: &Holds) -> Result<Watchdog> {
        let (read, leash) = unistd::pipe2(OFlag::O_CLOEXEC).context("failed to make a pipe")?;
        // SAFETY: there is no other thread whose locks might be held for ever.
        match unsafe { unistd::fork() }.context("failed to start the watchdog")? {
            ForkResult::Child => {
                watch(&read, holds);
                // SAFETY: ends the process, without what pytrace would do at its end.
                unsafe { libc::_exit(0) }
            }
            ForkResult::Parent { child } => Ok(Watchdog {
                pid: child,
                leash: Some(leash),
            }),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.leash.take());
        let _ = waitpid(self.pid, None);
    }
}

fn watch(leash: &OwnedFd, holds: &Holds) {
    // What ends pytrace's session or process group must not end this.
    let _ = unistd::setsid();
    let mut kept = vec![leash.as_raw_fd()];
    kept.extend(holds.fds().map(|fd| fd.as_raw_fd()));
    close_others(kept);
    // With more rights than it needs it is better than none.
    let _ = confine(None, Task::Watch);
    let mut ends = [leash.as_fd(), holds.obituary()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    let _ = poll(&mut ends, PollTimeout::NONE);
    let killed = ends[1].any().unwrap_or(true);
    let start = Instant::now();
    // Where pytrace is done, it has let go everyone.
    while start.elapsed() < AFTERMATH && (killed || !holds.held().is_empty()) {
        for pid in holds.held() {
            if process::is_stopped(pid) {
                let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGCONT);
            }
        }
        thread::sleep(PAUSE);
    }
}

/// Closes all descriptors but these. Pytrace's would keep the kernel programs alive, and its
/// output's reader waiting.
fn close_others(mut kept: Vec<RawFd>) {
    kept.sort_unstable();
    let mut from = 0;
    for fd in kept {
        close_range(from, fd - 1);
        from = fd + 1;
    }
    close_range(from, RawFd::MAX);
}

fn close_range(from: RawFd, to: RawFd) {
    if from <= to {
        // SAFETY: no pointers; nobody uses these descriptors any more.
        unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) };
    }
}
