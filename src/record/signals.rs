//! Signals that reach pytrace while a target runs, and what they mean.
//!
//! They are blocked and read from a file descriptor, so that the recorder's poll loop wakes and
//! nothing runs in a signal handler. Dispositions stay as they were.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{self, SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

/// The signals that end a program unless it says otherwise.
const HANDLED: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGHUP,
];

/// Blocked as well, and told to nobody: where a limit of the user's forbids the trace to grow, the
/// write that it comes with fails, which says all.
const FILE_SIZE_LIMIT: Signal = Signal::SIGXFSZ;

/// Receives pytrace's signals as long as it lives.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
    original: SigSet,
}

/// A signal that was sent to pytrace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Which.
    pub signal: Signal,
    /// Whether the kernel sent it, as for Ctrl-C or a terminal that hangs up: then every process
    /// in the terminal's foreground has got it, the script as well.
    pub from_terminal: bool,
}

impl Signals {
    /// Starts to receive. Before any other thread is started: threads inherit what is blocked,
    /// and a thread that doesn't block a signal dies of it, and pytrace with it.
    ///
    /// A signal that was ignored when pytrace was started (`nohup`) stays ignored.
    pub fn install() -> io::Result<Signals> {
        let handled: SigSet = HANDLED.into_iter().collect();
        let blocked: SigSet = HANDLED.into_iter().chain([FILE_SIZE_LIMIT]).collect();
        let mut original = SigSet::empty();
        signal::sigprocmask(SigmaskHow::SIG_BLOCK, Some(&blocked), Some(&mut original))?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        match SignalFd::with_flags(&handled, flags) {
            Ok(fd) => Ok(Signals { fd, original }),
            Err(errno) => {
                signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&original), None)?;
                Err(errno.into())
            }
        }
    }

    /// The next signal received, if there is one; does not wait.
    pub fn receive(&self) -> io::Result<Option<Received>> {
        let Some(info) = self.fd.read_signal()? else {
            return Ok(None);
        };
        let number = i32::try_from(info.ssi_signo).unwrap_or_default();
        let signal = Signal::try_from(number)?;
        // SI_USER and the codes below it are processes; SI_KERNEL is above.
        Ok(Some(Received {
            signal,
            from_terminal: info.ssi_code > libc::SI_USER,
        }))
    }

    /// What was blocked before [`Signals::install`]: what a started program is to inherit.
    pub fn original(&self) -> &SigSet {
        &self.original
    }
}

impl AsFd for Signals {
    /// Becomes readable when a signal has arrived.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let size_limit: SigSet = [FILE_SIZE_LIMIT].into_iter().collect();
        let now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: reads a set and a time that live; there is nothing to be told about the signal.
        unsafe { libc::sigtimedwait(size_limit.as_ref(), std::ptr::null_mut(), &raw const now) };
        // Signals not read yet take effect now, which is what their senders want.
        let _ = signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.original), None);
    }
}

/// What a recording does about a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing: the script has got it too, and decides.
    Wait,
    /// Pass it on to the launched program, which ends or doesn't.
    Forward(Signal),
    /// End the recording and save the trace; a target that still runs lives on.
    Stop,
}

/// Decides on signals, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    launched: bool,
    interrupts: u32,
}

impl Policy {
    /// For a program that pytrace has launched. The first Ctrl-C is the script's: it may take
    /// it as a question. The second says that the user doesn't want to wait for the answer.
    pub fn launched() -> Policy {
        Policy {
            launched: true,
            interrupts: 0,
        }
    }

    /// For processes that run without pytrace: each signal is for pytrace alone.
    pub fn attached() -> Policy {
        Policy::default()
    }

    /// What to do about a signal.
    pub fn react(&mut self, received: Received) -> Reaction {
        if !self.launched {
            return Reaction::Stop;
        }
        match received.signal {
            Signal::SIGINT | Signal::SIGQUIT => {
                self.interrupts += 1;
                if self.interrupts > 1 {
                    Reaction::Stop
                } else {
                    Reaction::Wait
                }
            }
            _ if received.from_terminal => Reaction::Wait,
            signal => Reaction::Forward(signal),
        }
    }
}

/// Sends `signal` to `pid`; a process that has ended meanwhile is no error.
pub fn forward(signal: Signal, pid: Pid) -> io::Result<()> {
    match signal::kill(pid, signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reactions(mut policy: Policy, signals: &[(Signal, bool)]) -> Vec<Reaction> {
        signals
            .iter()
            .map(|&(signal, from_terminal)| {
                policy.react(Received {
                    signal,
                    from_terminal,
                })
            })
            .collect()
    }

    #[test]
    fn a_launched_script_gets_the_first_ctrl_c_and_all_terminations() {
        use Reaction::{Forward, Stop, Wait};
        use Signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
        let launched = |signals| reactions(Policy::launched(), signals);
        assert_eq!(launched(&[(SIGINT, true), (SIGINT, true)]), [Wait, Stop]);
        assert_eq!(launched(&[(SIGQUIT, true), (SIGINT, true)]), [Wait, Stop]);
        assert_eq!(
            launched(&[
                (SIGTERM, false),
                (SIGTERM, false),
                (SIGHUP, false),
                (SIGHUP, true)
            ]),
            [Forward(SIGTERM), Forward(SIGTERM), Forward(SIGHUP), Wait]
        );
    }

    #[test]
    fn any_signal_ends_an_attached_recording() {
        for signal in HANDLED {
            assert_eq!(
                reactions(Policy::attached(), &[(signal, false)]),
                [Reaction::Stop]
            );
        }
    }
}
