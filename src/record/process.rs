//! What `/proc` tells of a process.

use std::ffi::OsString;
use std::fs;
use std::io::IoSliceMut;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use crate::error::WithHint as _;

/// The process's arguments.
pub(super) fn command_line(pid: u32) -> Result<Vec<OsString>> {
    let path = format!("/proc/{pid}/cmdline");
    let bytes = fs::read(&path).with_context(|| format!("failed to read {path}"))?;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    Ok(bytes.split(|&byte| byte == 0).map(|arg| OsString::from_vec(arg.to_vec())).collect())
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

/// Whether it exists and has not ended.
pub(super) fn is_alive(pid: u32) -> bool {
    matches!(state(pid), Some(state) if !matches!(state, 'Z' | 'X'))
}

/// `state` of `/proc/PID/stat`: R, S, D, T, Z, ...
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in parentheses, and may contain any.
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// The ids of its threads.
pub(super) fn threads(pid: u32) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
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
        None => {
            return Err(anyhow!("there is no process {pid}"))
                .hint("`ps -e` lists the processes; inside a container ids differ from the host's");
        }
        Some('Z' | 'X') => {
            return Err(anyhow!("process {pid} has ended already: it is a zombie"))
                .hint("its parent has not collected it yet; there is nothing left to trace");
        }
        Some(_) => {}
    }
    if !fs::exists(format!("/proc/{pid}/exe")).unwrap_or(false) && program(pid).is_none() {
        return Err(anyhow!("process {pid} runs no program: it is a kernel thread"))
            .hint("name a process that runs Python");
    }
    // SAFETY: no pointers; flags 0. The descriptor is close-on-exec by definition.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = Errno::result(fd).map_err(|errno| match errno {
        Errno::EINVAL | Errno::ENOENT => anyhow!("{pid} is the id of a thread, not of a process"),
        errno => anyhow!("failed to open process {pid}: {errno}"),
    });
    let fd = fd.hint("`ps -e` lists the processes")?;
    // SAFETY: the kernel has just made it for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(fd)?) })
}
