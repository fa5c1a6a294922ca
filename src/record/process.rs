//! What `/proc` tells of a process.

use std::ffi::OsString;
use std::fs;
use std::io::IoSliceMut;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use crate::error::WithHint as _;
use crate::scope::names_python;

/// The process's arguments.
pub(super) fn command_line(pid: u32) -> Result<Vec<OsString>> {
    let path = format!("/proc/{pid}/cmdline");
    let bytes = fs::read(&path).with_context(|| format!("failed to read {path}"))?;
    Ok(arguments(&bytes))
}

/// The arguments in the text of a `cmdline` file. A process may write there what it likes.
pub(super) fn arguments(cmdline: &[u8]) -> Vec<OsString> {
    let bytes = cmdline.strip_suffix(b"\0").unwrap_or(cmdline);
    bytes
        .split(|&byte| byte == 0)
        .map(|arg| OsString::from_vec(arg.to_vec()))
        .collect()
}

/// Its working directory, as it sees it.
pub(super) fn cwd(pid: u32) -> Result<PathBuf> {
    let path = format!("/proc/{pid}/cwd");
    let cwd = fs::read_link(&path).with_context(|| format!("failed to read {path}"))?;
    // The kernel shows it from our root; below another root, the target knows it without.
    let root = fs::read_link(format!("/proc/{pid}/root")).unwrap_or_else(|_| "/".into());
    Ok(match cwd.strip_prefix(&root) {
        Ok(inside) => PathBuf::from("/").join(inside),
        Err(_) => cwd,
    })
}

/// The program it runs, for messages.
pub(super) fn program(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// Whether the program it runs is called like a Python.
pub(super) fn runs_python(pid: u32) -> bool {
    program(pid).is_some_and(|program| names_python(program.as_os_str()))
}

/// Whether it exists and has not ended.
pub(super) fn is_alive(pid: u32) -> bool {
    matches!(state(pid), Some(state) if !matches!(state, 'Z' | 'X'))
}

/// Stops it, and waits until it has stopped. Whether it is for us to let it go on: not if somebody
/// else had stopped it, nor if it is gone.
pub(super) fn stop(pid: u32) -> bool {
    /// It stops as soon as each thread gets to run, or comes out of the kernel.
    const PATIENCE: Duration = Duration::from_millis(100);
    if !is_alive(pid) || is_stopped(pid) || signal(pid, Signal::SIGSTOP).is_err() {
        return false;
    }
    let begun = Instant::now();
    while !is_stopped(pid) && begun.elapsed() < PATIENCE {
        thread::sleep(Duration::from_micros(200));
    }
    true
}

/// Lets it go on.
pub(super) fn resume(pid: u32) {
    // Gone is as good.
    let _ = signal(pid, Signal::SIGCONT);
}

fn signal(pid: u32, signal: Signal) -> nix::Result<()> {
    kill(Pid::from_raw(pid.cast_signed()), signal)
}

/// Whether it is stopped by a signal.
pub(super) fn is_stopped(pid: u32) -> bool {
    state(pid) == Some('T')
}

/// `state` of `/proc/PID/stat`: R, S, D, T, Z, ...
fn state(pid: u32) -> Option<char> {
    stat(pid, 0)?.chars().next()
}

/// Whether it is part of the kernel.
fn is_kernel_thread(pid: u32) -> bool {
    /// `PF_KTHREAD` of the kernel's `linux/sched.h`.
    const KERNEL_THREAD: u64 = 0x0020_0000;
    let flags = stat(pid, 6).and_then(|flags| flags.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & KERNEL_THREAD != 0)
}

/// A field of `/proc/PID/stat`, counted from the one behind the command's name.
fn stat(pid: u32, field: usize) -> Option<String> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name stands in parentheses, and may contain any.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(field).map(str::to_owned)
}

/// The ids in a line of `/proc/PID/status`.
fn ids(pid: &str, name: &str) -> Option<Vec<u32>> {
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let ids = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    ids.split_whitespace().map(|id| id.parse().ok()).collect()
}

/// What to do about a `--pid` that leads to no Python: in a container processes have other ids
/// than here, which are easily mistaken.
pub(super) fn cure(pid: u32) -> String {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let inside: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        // Outermost id first.
        .filter(|name| {
            ids(name, "NSpid").is_some_and(|ids| ids.len() > 1 && ids.last() == Some(&pid))
        })
        .collect();
    match &inside[..] {
        [] => "`pgrep -a python` lists the processes that run Python".to_owned(),
        [one] => {
            format!("the process whose id is {pid} in its container is {one} here: --pid {one}")
        }
        many => format!(
            "of processes in containers, these have the id {pid} there: {}; name one of them",
            many.join(", ")
        ),
    }
}

/// The ids of its threads.
pub(super) fn threads(pid: u32) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Reads its memory. `None` where it is gone, or not that many bytes can be read.
pub(super) fn read_memory(pid: u32, address: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    let base = usize::try_from(address).ok()?;
    let read = process_vm_readv(
        Pid::from_raw(pid.cast_signed()),
        &mut [IoSliceMut::new(&mut bytes)],
        &[RemoteIoVec { base, len: length }],
    );
    (read == Ok(length)).then_some(bytes)
}

/// A descriptor that becomes readable when the process ends; refuses what can't be traced.
pub(super) fn open(pid: u32) -> Result<OwnedFd> {
    match state(pid) {
        None => return Err(anyhow!("there is no process {pid}")).hint(cure(pid)),
        Some('Z' | 'X') => {
            bail!("process {pid} has ended: it is a zombie that its parent has not collected yet");
        }
        Some(_) => {}
    }
    if let Some([process]) = ids(&pid.to_string(), "Tgid").as_deref()
        && *process != pid
    {
        return Err(anyhow!(
            "{pid} is a thread of process {process}, not a process"
        ))
        .hint(format!("--pid {process} records all of its threads"));
    }
    if pid == std::process::id() {
        return Err(anyhow!("process {pid} is pytrace itself")).hint(cure(pid));
    }
    if is_kernel_thread(pid) {
        return Err(anyhow!(
            "process {pid} is a thread of the kernel: it runs no program"
        ))
        .hint(cure(pid));
    }
    // SAFETY: no pointers; flags 0. The descriptor is close-on-exec by definition.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = Errno::result(fd).with_context(|| format!("failed to open process {pid}"))?;
    // SAFETY: the kernel has just made it for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd)?) })
}
