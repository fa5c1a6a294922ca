//! Starts a program in two steps: it exists, then it runs. In between probes are attached.

use std::ffi::{CString, OsStr};
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{self, ForkResult, Pid};

use super::command::Command;
use crate::user::User;

/// A process that waits to become the command; dropped, it ends without having been anything.
#[derive(Debug)]
pub struct Suspended {
    child: Child,
    /// A byte through it releases the child; closing it, also by pytrace's death, ends it.
    gate: File,
    /// Closed by the child's exec; what comes through before tells why that failed.
    failure: File,
}

/// A launched process. Not waited for, it lives on without pytrace.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    pidfd: OwnedFd,
}

/// What the child does first that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Step {
    Rights = 1,
    Exec = 2,
}

impl Suspended {
    /// Creates the process. It shares pytrace's standard streams, working directory, session and
    /// process group: Ctrl-C reaches it. `signal_mask` is what it starts with blocked
    /// ([`Signals::original`](super::signals::Signals::original)); what pytrace was started with
    /// ignored stays so, but for `SIGPIPE`, which the Rust runtime has changed: it is reset.
    ///
    /// # Errors
    ///
    /// The process could not be created, or an argument or variable holds a null byte.
    pub fn spawn(command: &Command, user: &User, signal_mask: &SigSet) -> io::Result<Suspended> {
        // Everything that allocates comes before the fork: afterwards another thread's lock
        // might be held for ever.
        let program = c_string(command.program.as_os_str())?;
        let argv = CStrings::new(command.argv.iter().map(|arg| c_string(arg)))?;
        let environment = CStrings::new(user.environment.iter().map(|(name, value)| {
            let mut variable = name.clone();
            variable.push("=");
            variable.push(value);
            c_string(&variable)
        }))?;
        let rights = user.switches.then(|| Rights {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: user.groups.iter().map(|gid| gid.as_raw()).collect(),
        });
        let (gate_read, gate) = unistd::pipe2(OFlag::O_CLOEXEC)?;
        let (failure, failure_write) = unistd::pipe2(OFlag::O_CLOEXEC)?;
        let start = Start {
            program: &program,
            argv: &argv,
            environment: &environment,
            rights: rights.as_ref(),
            signal_mask,
            gate: gate_read.as_raw_fd(),
            gate_write: gate.as_raw_fd(),
            failure: failure_write.as_raw_fd(),
        };
        // SAFETY: the child calls nothing but `start.run`, which is async-signal-safe.
        let pid = match unsafe { unistd::fork() }? {
            ForkResult::Child => start.run(),
            ForkResult::Parent { child } => child,
        };
        drop((gate_read, failure_write));
        match pidfd_open(pid) {
            Ok(pidfd) => Ok(Suspended {
                child: Child { pid, pidfd },
                gate: gate.into(),
                failure: failure.into(),
            }),
            Err(error) => {
                drop(gate);
                let _ = nix::sys::wait::waitpid(pid, None);
                Err(error)
            }
        }
    }

    /// The process id, which the command keeps.
    pub fn pid(&self) -> Pid {
        self.child.pid
    }

    /// Lets the process become the command, and waits until it has.
    ///
    /// # Errors
    ///
    /// It could not take on the user's rights, or execute the program; it has ended then. The
    /// error is the kernel's: [`ErrorKind::PermissionDenied`], `ENOEXEC`, ...
    pub fn release(self) -> io::Result<Child> {
        let Suspended {
            child,
            mut gate,
            mut failure,
        } = self;
        // A child that is gone is found out about below.
        let _ = gate.write_all(&[1]);
        drop(gate);
        let mut report = Vec::new();
        failure.read_to_end(&mut report)?;
        let [step, errno @ ..] = report.as_slice() else {
            // Closed without a word: executed, or killed before that. A child that was
            // executed and has ended already counts as executed: its status will tell.
            return Ok(child);
        };
        child.wait()?;
        let errno = errno.try_into().map_or(libc::EIO, i32::from_ne_bytes);
        let error = io::Error::from_raw_os_error(errno);
        Err(match *step {
            step if step == Step::Rights as u8 => io::Error::new(
                error.kind(),
                format!("failed to take on the user's rights: {error}"),
            ),
            _ => error,
        })
    }
}

impl Child {
    /// The process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// How it ended, if it has; does not wait. That is told once: afterwards the kernel has
    /// forgotten the process, and asking is an error (`ECHILD`).
    pub fn try_wait(&self) -> io::Result<Option<Exit>> {
        self.wait_with(libc::WNOHANG)
    }

    /// Waits for its end; as for [`Child::try_wait`], once.
    pub fn wait(&self) -> io::Result<Exit> {
        loop {
            match self.wait_with(0) {
                Ok(Some(exit)) => return Ok(exit),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn wait_with(&self, options: libc::c_int) -> io::Result<Option<Exit>> {
        let mut status = 0;
        // SAFETY: `status` outlives the call, which writes an int to it.
        let pid = unsafe { libc::waitpid(self.pid.as_raw(), &raw mut status, options) };
        match Errno::result(pid)? {
            0 => Ok(None),
            _ => Ok(Some(Exit::from(ExitStatus::from_raw(status)))),
        }
    }
}

impl AsFd for Child {
    /// Becomes readable when the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(u8),
    /// This signal killed it.
    Signal(i32),
}

impl Exit {
    /// The exit code with which pytrace passes this on, as a shell does: 128 + n for signal n.
    pub fn code(self) -> u8 {
        match self {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 | u8::try_from(signal).unwrap_or(0),
        }
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Exit {
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code((code & 0xff) as u8),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => unreachable!("neither stops nor continuations are waited for"),
        }
    }
}

impl fmt::Display for Exit {
    /// `exit 0`, `signal 9 (SIGKILL)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Exit::Code(code) => write!(f, "exit {code}"),
            Exit::Signal(signal) => match Signal::try_from(signal) {
                Ok(name) => write!(f, "signal {signal} ({name})"),
                Err(_) => write!(f, "signal {signal}"),
            },
        }
    }
}

/// What the child needs, prepared by the parent.
struct Start<'a> {
    program: &'a CString,
    argv: &'a CStrings,
    environment: &'a CStrings,
    rights: Option<&'a Rights>,
    signal_mask: &'a SigSet,
    gate: RawFd,
    gate_write: RawFd,
    failure: RawFd,
}

/// Leaves a program that is not root's no capability: those that pytrace has by its file, or that who
/// started it let it inherit, are for pytrace alone. What the program may gain, by sudo or its own file, is
/// not touched.
///
/// System calls only, as in [`Start::run`].
fn give_up_capabilities() -> Result<(), i32> {
    // `struct __user_cap_header_struct`: version 3 and the calling thread.
    let header: [u32; 2] = [0x2008_0522, 0];
    // `struct __user_cap_data_struct` twice: effective, permitted and inheritable ones.
    let none = [0_u32; 6];
    // SAFETY: the kernel reads a header and, for this version, two structs of three u32 each, and keeps
    // neither pointer.
    let result = unsafe {
        if libc::geteuid() == 0 {
            return Ok(());
        }
        // Those that are ambient go with the permitted ones.
        libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr())
    };
    match result {
        -1 => Err(Errno::last_raw()),
        _ => Ok(()),
    }
}

/// Ids to take on.
struct Rights {
    uid: libc::uid_t,
    gid: libc::gid_t,
    groups: Vec<libc::gid_t>,
}

impl Start<'_> {
    /// The child from its birth to its exec: system calls only, for it may be a copy of a
    /// process with threads.
    fn run(&self) -> ! {
        // SAFETY: async-signal-safe calls on memory and descriptors that are ours: the buffers
        // were made before the fork and outlive it.
        unsafe {
            // Else our own copy of this end would keep the gate from ever closing.
            libc::close(self.gate_write);
            let mut byte = 0_u8;
            let released = loop {
                let read = libc::read(self.gate, (&raw mut byte).cast(), 1);
                if read != -1 || Errno::last_raw() != libc::EINTR {
                    break read == 1;
                }
            };
            if !released {
                libc::_exit(1);
            }
            if let Some(rights) = self.rights
                && let Err(errno) = rights.take_on()
            {
                self.fail(Step::Rights, errno);
            }
            if let Err(errno) = give_up_capabilities() {
                self.fail(Step::Rights, errno);
            }
            // Held at its first instruction it must not stay stopped should pytrace be killed;
            // to a running process this signal says nothing. Later than the rights, with which
            // the kernel forgets it.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGCONT);
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            libc::sigprocmask(
                libc::SIG_SETMASK,
                self.signal_mask.as_ref(),
                std::ptr::null_mut(),
            );
            libc::execve(
                self.program.as_ptr(),
                self.argv.as_ptr(),
                self.environment.as_ptr(),
            );
            self.fail(Step::Exec, Errno::last_raw())
        }
    }

    /// Reports a failure to the parent and ends the child.
    fn fail(&self, step: Step, errno: i32) -> ! {
        let [a, b, c, d] = errno.to_ne_bytes();
        let report = [step as u8, a, b, c, d];
        // SAFETY: writes from an array that lives; a pipe takes as few bytes in one piece.
        unsafe {
            libc::write(self.failure, report.as_ptr().cast(), report.len());
            libc::_exit(127)
        }
    }
}

impl Rights {
    /// Becomes the user for good: groups, then group, then user, since each step takes the
    /// right that the last one gives up. By system calls proper: the C library's functions take
    /// locks to reach all threads, and here is only one.
    fn take_on(&self) -> Result<(), i32> {
        let check = |result: libc::c_long| match result {
            -1 => Err(Errno::last_raw()),
            _ => Ok(()),
        };
        // SAFETY: the kernel reads the group ids from a live slice and writes nothing.
        unsafe {
            check(libc::syscall(
                libc::SYS_setgroups,
                self.groups.len(),
                self.groups.as_ptr(),
            ))?;
            check(libc::syscall(
                libc::SYS_setresgid,
                self.gid,
                self.gid,
                self.gid,
            ))?;
            check(libc::syscall(
                libc::SYS_setresuid,
                self.uid,
                self.uid,
                self.uid,
            ))?;
        }
        let (mut ruid, mut euid, mut suid) = (0, 0, 0);
        let (mut rgid, mut egid, mut sgid) = (0, 0, 0);
        // SAFETY: writes to six live integers.
        unsafe {
            check(libc::getresuid(&raw mut ruid, &raw mut euid, &raw mut suid).into())?;
            check(libc::getresgid(&raw mut rgid, &raw mut egid, &raw mut sgid).into())?;
        }
        let taken_on = [ruid, euid, suid].iter().all(|&id| id == self.uid)
            && [rgid, egid, sgid].iter().all(|&id| id == self.gid);
        if taken_on { Ok(()) } else { Err(libc::EPERM) }
    }
}

/// A null-terminated array of C strings, as `execve` wants it.
struct CStrings {
    pointers: Vec<*const libc::c_char>,
    _strings: Vec<CString>,
}

impl CStrings {
    fn new(strings: impl Iterator<Item = io::Result<CString>>) -> io::Result<CStrings> {
        let strings = strings.collect::<io::Result<Vec<CString>>>()?;
        let pointers = strings
            .iter()
            .map(|string| string.as_ptr())
            .chain(std::iter::once(std::ptr::null()))
            .collect();
        Ok(CStrings {
            pointers,
            _strings: strings,
        })
    }

    fn as_ptr(&self) -> *const *const libc::c_char {
        self.pointers.as_ptr()
    }
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| {
        let text = text.display();
        io::Error::new(
            ErrorKind::InvalidInput,
            format!("a null byte can't be passed on: {text}"),
        )
    })
}

fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; flags 0. The descriptor is close-on-exec by definition.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_become_exit_codes_as_in_a_shell() {
        for (raw, code, text) in [
            (0, 0, "exit 0"),
            (3 << 8, 3, "exit 3"),
            (255 << 8, 255, "exit 255"),
            (2, 130, "signal 2 (SIGINT)"),
            (9, 137, "signal 9 (SIGKILL)"),
            (11 | 0x80, 139, "signal 11 (SIGSEGV)"),
            (34, 162, "signal 34"),
        ] {
            let exit = Exit::from(ExitStatus::from_raw(raw));
            assert_eq!((exit.code(), exit.to_string().as_str()), (code, text));
        }
    }

    #[test]
    fn null_bytes_are_refused_before_anything_is_started() {
        assert_eq!(
            c_string(OsStr::new("a\0b")).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }
}
