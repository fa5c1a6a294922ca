//! What `/proc` tells of a process.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::{Gid, Pid, Uid};

use crate::error::WithHint as _;
use crate::scope::names_python;
use crate::user::Identity;

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

/// Whether it runs no program any more: it has ended, or is about to.
pub(super) fn is_gone(pid: u32) -> bool {
    // Another user's can't be looked at, which is not the same.
    let exe = fs::read_link(format!("/proc/{pid}/exe"));
    exe.is_err_and(|error| matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)))
}

/// Whether the program it runs is called like a Python.
pub(super) fn runs_python(pid: u32) -> bool {
    program(pid).is_some_and(|program| names_python(program.as_os_str()))
}

/// Whether it exists and has not ended: any of its threads, as the main one may end before the others.
pub(super) fn is_alive(pid: u32) -> bool {
    states(pid).any(|state| !matches!(state, 'Z' | 'X'))
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

/// The signals that were sent to a process and have not reached it, one bit each from the first on.
pub(super) fn waiting_signals(pid: u32) -> u64 {
    let status = status(&pid.to_string()).unwrap_or_default();
    let waiting = ["SigPnd", "ShdPnd"].into_iter().filter_map(|name| {
        let mask = line_of(&status, name)?;
        u64::from_str_radix(mask.trim(), 16).ok()
    });
    waiting.fold(0, |all, mask| all | mask)
}

/// The processor time that a process has used, in clock ticks.
pub(super) fn processor_time(pid: u32) -> Option<u64> {
    // utime and stime, the 14th and 15th of all fields.
    let ticks = |field| stat(pid, field)?.parse::<u64>().ok();
    Some(ticks(11)? + ticks(12)?)
}

pub(super) fn signal(pid: u32, signal: Signal) -> nix::Result<()> {
    kill(Pid::from_raw(pid.cast_signed()), signal)
}

/// Whether it is stopped by a signal, as far as its threads have come to that: one may have ended, or
/// not be out of the kernel yet.
pub(super) fn is_stopped(pid: u32) -> bool {
    states(pid).any(|state| state == 'T')
}

/// Whether its main thread is: one look, for who looks often.
pub(super) fn has_main_stopped(pid: u32) -> bool {
    state(pid) == Some('T')
}

/// Whether it is stopped, or will be in a moment: a SIGSTOP waits for it.
pub(super) fn is_being_stopped(pid: u32) -> bool {
    waiting_signals(pid) >> (Signal::SIGSTOP as i32 - 1) & 1 != 0 || is_stopped(pid)
}

/// Whether it is another pytrace.
pub(super) fn is_pytrace(pid: u32) -> bool {
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    is_alive(pid) && name.starts_with(b"pytrace")
}

/// Whether any of its threads has something to do at this moment.
pub(super) fn is_running(pid: u32) -> bool {
    states(pid).any(|state| state == 'R')
}

/// The id that it, or a thread, has in the innermost of its pid namespaces.
pub(super) fn innermost_id(pid: u32) -> Option<u32> {
    ids(&pid.to_string(), "NSpid")?.last().copied()
}

/// With whose rights it has to do with files.
pub(super) fn owner(pid: u32) -> Option<Identity> {
    let ids = |name| ids(&pid.to_string(), name);
    // Real, effective, saved and file system id.
    let (uid, gid) = (*ids("Uid")?.get(3)?, *ids("Gid")?.get(3)?);
    Some(Identity {
        uid: Uid::from_raw(uid),
        gid: Gid::from_raw(gid),
        groups: ids("Groups")?.into_iter().map(Gid::from_raw).collect(),
    })
}

/// Whether it runs, though it was stopped: somebody has let it go on, and it does not end either.
pub(super) fn runs(pid: u32) -> bool {
    /// A process that was killed has no program any more by then.
    const END: Duration = Duration::from_millis(20);
    let goes_on = || !is_being_stopped(pid) && is_alive(pid) && program(pid).is_some();
    goes_on() && {
        thread::sleep(END);
        goes_on()
    }
}

/// The states of its threads.
fn states(pid: u32) -> impl Iterator<Item = char> {
    threads(pid).filter_map(move |tid| {
        let stat = fs::read(format!("/proc/{pid}/task/{tid}/stat")).ok()?;
        field_of(&stat, 0)?.chars().next()
    })
}

/// Whose child it is.
pub(super) fn parent(pid: u32) -> Option<u32> {
    stat(pid, 1)?.parse().ok()
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
    field_of(&fs::read(format!("/proc/{pid}/stat")).ok()?, field)
}

fn field_of(stat: &[u8], field: usize) -> Option<String> {
    let stat = String::from_utf8_lossy(stat);
    // The name stands in parentheses, and may contain any.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(field).map(str::to_owned)
}

/// `/proc/PID/status`: of a process or a thread.
fn status(pid: &str) -> Option<String> {
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    Some(String::from_utf8_lossy(&status).into_owned())
}

/// What stands there behind a name.
fn line_of<'s>(status: &'s str, name: &str) -> Option<&'s str> {
    let mut lines = status.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

/// The ids in a line of that.
fn ids(pid: &str, name: &str) -> Option<Vec<u32>> {
    ids_in(&status(pid)?, name)
}

fn ids_in(status: &str, name: &str) -> Option<Vec<u32>> {
    let ids = line_of(status, name)?.split_whitespace();
    ids.map(|id| id.parse().ok()).collect()
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

/// Whether the processor keeps its return addresses apart, so that it can't be sent elsewhere (glibc's
/// `glibc.cpu.x86_shstk`, Linux 6.6).
pub(super) fn has_shadow_stack(pid: u32) -> bool {
    let status = status(&pid.to_string()).unwrap_or_default();
    let features = line_of(&status, "x86_Thread_features").unwrap_or_default();
    features.split_whitespace().any(|it| it == "shstk")
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

/// Writes to its memory, all or, as a rule, nothing.
pub(super) fn write_memory(pid: u32, address: u64, bytes: &[u8]) -> Result<()> {
    let remote = RemoteIoVec {
        base: usize::try_from(address)?,
        len: bytes.len(),
    };
    let written = process_vm_writev(
        Pid::from_raw(pid.cast_signed()),
        &[IoSlice::new(bytes)],
        &[remote],
    );
    match written.context("its memory can't be written")? {
        all if all == bytes.len() => Ok(()),
        _ => bail!("its memory can't all be written"),
    }
}

/// Refuses a process that pytrace may not look into: of another user, or apart from its user's others.
pub(super) fn check_access(pid: u32) -> Result<()> {
    let looked = fs::read_link(format!("/proc/{pid}/exe"))
        .and_then(|_| fs::read_to_string(format!("/proc/{pid}/maps")))
        .and_then(|maps| {
            // Its memory takes more than the names of its files, where Yama is (ptrace_scope).
            let start = maps.split_once('-').map(|(start, _)| start);
            match start.and_then(|start| usize::from_str_radix(start, 16).ok()) {
                Some(base) => Ok(process_vm_readv(
                    Pid::from_raw(pid.cast_signed()),
                    &mut [IoSliceMut::new(&mut [0])],
                    &[RemoteIoVec { base, len: 1 }],
                )?),
                None => Ok(0),
            }
        });
    match looked {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let owner = ids(&pid.to_string(), "Uid").and_then(|ids| ids.first().copied());
            let owner = owner.map_or("?".to_owned(), |owner| owner.to_string());
            Err(anyhow!(
                "process {pid} of user {owner} can't be looked into without CAP_SYS_PTRACE"
            ))
            .hint(format!("run it with sudo: sudo pytrace --pid {pid}"))
        }
        // Whatever else is wrong will show where it matters.
        _ => Ok(()),
    }
}

/// A descriptor that becomes readable when the process ends; refuses what can't be traced.
pub(super) fn open(pid: u32) -> Result<OwnedFd> {
    match state(pid) {
        None => return Err(anyhow!("there is no process {pid}")).hint(cure(pid)),
        Some('Z' | 'X') if !is_alive(pid) => {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_in_the_line_of_their_name() {
        let status = "Name:\tx\nPid:\t7\nNSpid:\t812\t7\t3\nNSsid: 1\nGroups:\t\nUid:\tx";
        assert_eq!(ids_in(status, "NSpid"), Some(vec![812, 7, 3]));
        assert_eq!(ids_in(status, "Pid"), Some(vec![7]));
        assert_eq!(ids_in(status, "Groups"), Some(vec![]));
        assert_eq!(ids_in(status, "Uid"), None);
        assert_eq!(ids_in(status, "NSp"), None);
    }
}
