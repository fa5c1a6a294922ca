//! A process beside pytrace that sees to it that no target stays stopped: not when pytrace is killed,
//! nor when it stands still.
//!
//! Whom the kernel programs have stopped is in maps of theirs, and whom pytrace has let go in others;
//! this process has all of them. The kernel programs tell it of pytrace's end, and of processes that
//! it is to halt, as they must not.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use libbpf_rs::RingBuffer;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{self, ForkResult, Pid};

use super::freeze::Freeze;
use super::process;
use super::resume::resume;
use crate::tracer::{Alarm, Held, Holds, Why};
use crate::user::confine::{Task, confine};

/// How long after pytrace's end someone may still come to a stop: a process that has the signal
/// stops when it runs next.
const AFTERMATH: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);
/// How often it is looked after pytrace. Nobody is stopped longer than this and [`STILL`].
const LOOK: Duration = Duration::from_millis(250);
/// How often while threads are to be let go that can't be yet.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// Pytrace stands still that has used no processor time for so long while a process waited for it:
/// somebody has stopped it, or its output takes nothing. Whatever it does for a process that is
/// held takes some; and to wait for the kernel to remove a probe takes less.
const STILL: Duration = Duration::from_secs(2);

/// The process; dropped, it ends.
#[derive(Debug)]
pub(super) struct Watchdog {
    pid: Pid,
    /// Closed, it says that pytrace is done, or has been killed.
    leash: Option<File>,
}

impl Watchdog {
    /// Starts it. To be called while pytrace has one thread.
    pub(super) fn start(holds: &Holds) -> Result<Watchdog> {
        let (read, leash) =
            unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).context("failed to make a pipe")?;
        let pytrace = std::process::id();
        // SAFETY: there is no other thread whose locks might be held for ever.
        match unsafe { unistd::fork() }.context("failed to start the watchdog")? {
            ForkResult::Child => {
                watch(read.into(), holds, pytrace);
                // SAFETY: ends the process, without what pytrace would do at its end.
                unsafe { libc::_exit(0) }
            }
            ForkResult::Parent { child } => Ok(Watchdog {
                pid: child,
                leash: Some(leash.into()),
            }),
        }
    }

    /// Has it let go of processes that it has halted and that have been released.
    pub(super) fn nudge(&self) {
        if let Some(mut leash) = self.leash.as_ref() {
            // A full pipe has enough to say that.
            let _ = leash.write(&[0]);
        }
    }

    pub(super) fn id(&self) -> Pid {
        self.pid
    }

    /// Whether it has ended, which it does not before pytrace: somebody has killed it.
    pub(super) fn is_gone(&self) -> bool {
        !matches!(
            waitpid(self.pid, Some(WaitPidFlag::WNOHANG)),
            Ok(WaitStatus::StillAlive)
        )
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.leash.take());
        // It must not be waited for in vain.
        let _ = kill(self.pid, Signal::SIGCONT);
        let _ = waitpid(self.pid, None);
    }
}

fn watch(leash: File, holds: &Holds, pytrace: u32) {
    // What ends pytrace's session or process group must not end this.
    let _ = unistd::setsid();
    let mut kept = vec![leash.as_raw_fd()];
    kept.extend(holds.fds().map(|fd| fd.as_raw_fd()));
    close_others(kept);
    // Whom it is to halt fills the ring meanwhile. Without the right, it has its turn as others do.
    // SAFETY: three numbers.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
    // With more rights than it needs it is better than none.
    let _ = confine(None, Task::Watch);
    let mut keeper = Keeper {
        holds,
        frozen: Vec::new(),
        pytrace,
        used: None,
        moved: Instant::now(),
    };
    let killed = keeper.keep(leash);
    let start = Instant::now();
    loop {
        keeper.let_go();
        // Where pytrace is done, it has let go everyone.
        let all_go = keeper.frozen.is_empty() && !killed && holds.held().is_empty();
        if all_go || start.elapsed() >= AFTERMATH {
            break;
        }
        thread::sleep(PAUSE);
    }
}

/// What the watchdog does.
struct Keeper<'h> {
    holds: &'h Holds,
    /// Whom it has halted.
    frozen: Vec<Freeze>,
    pytrace: u32,
    /// Processor time that pytrace has used, as of [`Keeper::moved`].
    used: Option<u64>,
    moved: Instant,
}

impl Keeper<'_> {
    /// Halts and lets go as it is told, until pytrace has ended. Whether it was killed.
    fn keep(&mut self, mut leash: File) -> bool {
        let alarms = RefCell::new(Vec::new());
        // Without them nobody is halted, and pytrace's end shows in the leash.
        let ring = self.holds.alarms(|alarm| alarms.borrow_mut().push(alarm));
        let ring = ring.ok();
        loop {
            let thawing = self.frozen.iter().any(|it| self.is_over(it));
            let look = if thawing { LOOK_AGAIN } else { LOOK };
            wait(&leash, ring.as_ref(), look);
            if let Some(ring) = &ring {
                let _ = ring.consume();
            }
            for alarm in alarms.borrow_mut().drain(..) {
                match alarm {
                    Alarm::End => return true,
                    Alarm::Halt { pid, since } if !self.holds.is_over(pid, since) => {
                        self.frozen.push(Freeze::new(pid, since));
                    }
                    Alarm::Halt { .. } => {}
                }
            }
            match leash.read(&mut [0; 512]) {
                Ok(0) => return ring.is_none(),
                Ok(_) | Err(_) => self.thaw(),
            }
            self.look();
        }
    }

    fn is_over(&self, frozen: &Freeze) -> bool {
        self.holds.is_over(frozen.pid, frozen.since)
    }

    /// Lets those go on who have been released.
    fn thaw(&mut self) {
        let holds = self.holds;
        self.frozen
            .retain_mut(|it| !(holds.is_over(it.pid, it.since) && it.thaw()));
    }

    /// Sees whether pytrace does anything for those who wait for it.
    fn look(&mut self) {
        let used = process::processor_time(self.pytrace);
        let somebody_waits = !self.frozen.is_empty() || !self.holds.held().is_empty();
        if used != self.used || !somebody_waits {
            self.used = used;
            self.moved = Instant::now();
        } else if self.moved.elapsed() >= STILL {
            self.holds.set_absent();
            self.let_go();
        }
    }

    /// Lets everybody go on.
    fn let_go(&mut self) {
        for held in self.holds.held() {
            if process::is_being_stopped(held.pid) {
                self.holds.release(held);
                resume(self.holds, held.pid);
            }
        }
        for frozen in &self.frozen {
            self.holds.release(Held {
                pid: frozen.pid,
                since: frozen.since,
                why: Why::Room,
            });
        }
        self.thaw();
    }
}

/// Sleeps until pytrace or the kernel programs have something to say, at most `timeout`.
fn wait(leash: &File, ring: Option<&RingBuffer<'_>>, timeout: Duration) {
    // SAFETY: the ring, and with it its descriptor, lives longer than this call.
    let ring = ring.map(|ring| unsafe { BorrowedFd::borrow_raw(ring.epoll_fd()) });
    let ends = [Some(leash.as_fd()), ring];
    let mut ends: Vec<PollFd<'_>> = ends
        .into_iter()
        .flatten()
        .map(|end| PollFd::new(end, PollFlags::POLLIN))
        .collect();
    let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::ZERO);
    let _ = poll(&mut ends, timeout);
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
    // What a filter of system calls that is older than this one leaves to be closed one by one.
    const ONE_BY_ONE: RawFd = 1 << 16;
    if from > to {
        return;
    }
    // SAFETY: no pointers; nobody uses these descriptors any more.
    if unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) } != 0 {
        for fd in from..=to.min(ONE_BY_ONE) {
            // SAFETY: as above.
            unsafe { libc::close(fd) };
        }
    }
}
