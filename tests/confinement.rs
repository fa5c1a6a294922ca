//! What a process can do that has confined itself, and what it cannot.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::kill;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getpid, pipe};

use pytrace::user::confine::{Task, confine};

/// What a confined process of its own makes of `attempts`: each one's error, or `done`.
fn confined(task: Task<'_>, attempts: fn() -> Vec<(&'static str, io::Result<()>)>) -> String {
    let (read, write) = pipe().unwrap();
    // SAFETY: the child is of one thread; the C library readies its allocator for a fork.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            drop(read);
            let mut said = match confine(None, task) {
                Ok(()) => String::new(),
                Err(error) => format!("{error:#}"),
            };
            for (what, outcome) in attempts() {
                said += &match outcome {
                    Ok(()) => format!("{what}: done\n"),
                    Err(error) => {
                        let errno = error
                            .raw_os_error()
                            .map_or(Errno::UnknownErrno, Errno::from_raw);
                        format!("{what}: {errno:?}\n")
                    }
                };
            }
            let _ = fs::File::from(write).write_all(said.as_bytes());
            // SAFETY: ends the process, without what the test's harness would do.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(write);
            let mut said = String::new();
            fs::File::from(read).read_to_string(&mut said).unwrap();
            waitpid(child, None).unwrap();
            said
        }
    }
}

fn system_call(result: libc::c_long) -> io::Result<()> {
    Errno::result(result).map_err(io::Error::from).map(drop)
}

/// What nobody has to do who looks at bytes of somebody else's.
fn misdeeds() -> Vec<(&'static str, io::Result<()>)> {
    let create = |path: &str| fs::File::create(path).map(drop);
    // SAFETY: none of these calls is given a pointer that anything is written to.
    let calls = unsafe {
        [
            ("setuid", system_call(libc::syscall(libc::SYS_setuid, 0))),
            (
                "fork",
                system_call(libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0)),
            ),
            ("clone3", system_call(libc::syscall(libc::SYS_clone3, 0, 0))),
            (
                "mount",
                system_call(libc::syscall(libc::SYS_mount, 0, 0, 0, 0, 0)),
            ),
            ("unshare", system_call(libc::syscall(libc::SYS_unshare, 0))),
            ("keyctl", system_call(libc::syscall(libc::SYS_keyctl, 0, 0))),
            (
                "init_module",
                system_call(libc::syscall(libc::SYS_init_module, 0, 0, 0)),
            ),
            (
                "io_uring",
                system_call(libc::syscall(libc::SYS_io_uring_setup, 0, 0)),
            ),
            (
                "TIOCSTI",
                system_call(libc::ioctl(0, libc::TIOCSTI, 0).into()),
            ),
            (
                "process_vm_writev",
                system_call(libc::syscall(
                    libc::SYS_process_vm_writev,
                    getpid().as_raw(),
                    0,
                    0,
                    0,
                    0,
                    0,
                )),
            ),
        ]
    };
    let others = [
        ("write", create("/tmp/pytrace-misdeed")),
        ("exec", Err(Command::new("/bin/true").exec())),
        ("connect", TcpStream::connect("127.0.0.1:1").map(drop)),
        ("listen", TcpListener::bind("127.0.0.1:0").map(drop)),
        (
            "poke",
            ptrace::write(Pid::from_raw(1), std::ptr::null_mut(), 0).map_err(io::Error::from),
        ),
    ];
    calls.into_iter().chain(others).collect()
}

const REFUSED: &str = "\
setuid: ENOSYS
fork: ENOSYS
clone3: ENOSYS
mount: ENOSYS
unshare: ENOSYS
keyctl: ENOSYS
init_module: ENOSYS
io_uring: ENOSYS
TIOCSTI: ENOSYS
process_vm_writev: ENOSYS
write: ENOSYS
exec: ENOSYS
connect: ENOSYS
listen: ENOSYS
poke: ENOSYS
";

#[test]
fn whoever_is_confined_can_do_nothing_but_its_task() {
    for task in [
        Task::Show,
        Task::Export(Path::new("/tmp")),
        Task::Serve,
        Task::Examine,
        Task::Watch,
        Task::Record {
            others: true,
            singly: false,
            asks: false,
        },
    ] {
        assert_eq!(confined(task, misdeeds), REFUSED, "{task:?}");
    }
}

#[test]
fn a_task_can_still_be_done() {
    fn deeds() -> Vec<(&'static str, io::Result<()>)> {
        let worker = thread::Builder::new().spawn(|| 7);
        let signal = kill(getpid(), None);
        vec![
            (
                "thread",
                worker.map(|worker| assert_eq!(worker.join().unwrap(), 7)),
            ),
            ("read", fs::read("/etc/passwd").map(drop)),
            ("signal", signal.map_err(io::Error::from)),
            ("remove", fs::remove_dir("/nonexistent")),
            ("rename", fs::rename("/nonexistent", "/tmp/pytrace-misdeed")),
            (
                "seize",
                ptrace::seize(Pid::from_raw(i32::MAX), ptrace::Options::empty())
                    .map_err(io::Error::from),
            ),
        ]
    }
    // In order: threads, reading, signals, removal, renaming, halting.
    for (task, expected) in [
        (
            Task::Show,
            ["done", "EACCES", "ENOSYS", "ENOSYS", "ENOSYS", "ENOSYS"],
        ),
        (
            Task::Serve,
            ["done", "done", "ENOSYS", "ENOSYS", "ENOSYS", "ENOSYS"],
        ),
        (
            Task::Export(Path::new("/tmp")),
            ["done", "EACCES", "ENOSYS", "ENOSYS", "ENOENT", "ENOSYS"],
        ),
        (
            Task::Watch,
            ["done", "done", "done", "ENOSYS", "ENOSYS", "ESRCH"],
        ),
        (
            Task::Record {
                others: true,
                singly: false,
                asks: true,
            },
            ["done", "done", "done", "ENOSYS", "ENOSYS", "ESRCH"],
        ),
    ] {
        let said = confined(task, deeds);
        let said: Vec<&str> = said
            .lines()
            .map(|line| line.rsplit_once(": ").unwrap().1)
            .collect();
        assert_eq!(said, expected, "{task:?}");
    }
}

#[test]
fn rights_that_another_thread_has_are_not_taken_for_gone() {
    thread::scope(|scope| {
        let outcome = scope.spawn(|| confine(None, Task::Show)).join().unwrap();
        let error = outcome.unwrap_err().to_string();
        assert!(error.starts_with("failed to give up rights: "), "{error}");
    });
}
