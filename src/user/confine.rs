//! Giving up rights for good, before bytes are looked at that somebody else has made.
//!
//! What a process still has to do, its [`Task`] says; all else is taken from it: root's ids, every
//! capability that the task has no use for, what executing a file could give, system calls ([seccomp])
//! and files ([landlock]). None of it comes back.
//!
//! [seccomp]: https://docs.kernel.org/userspace-api/seccomp_filter.html
//! [landlock]: https://docs.kernel.org/userspace-api/landlock.html

mod files;
mod syscalls;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use caps::{CapSet, Capability};
use nix::sys::prctl;
use nix::unistd;

use super::Identity;
use crate::error::WithHint as _;

pub use files::landlock_abi;
pub use syscalls::has_seccomp;

/// What a process has left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task<'a> {
    /// Record: load and attach kernel programs, look into processes, write to what is open.
    Record {
        /// Whether it has to do with processes that may be another user's: `--pid`, and children that
        /// are followed.
        others: bool,
        /// Whether it sets probes one by one, as the kernel has no uprobe-multi.
        singly: bool,
        /// Whether it has interpreters run a few lines of its own.
        asks: bool,
    },
    /// Look into a process, without touching it.
    Examine,
    /// Let go whom pytrace has held, after its end.
    Watch,
    /// Read a trace that is open, write to what is open.
    Show,
    /// Read a trace that is open, and have a file below this directory take another's name.
    Export(&'a Path),
    /// Read a trace and any source file, answer to whom a listening socket that is open brings.
    Serve,
}

impl Task<'_> {
    /// Whether it takes this capability: see `docs/trust.md`.
    fn takes(self, right: Capability) -> bool {
        use Capability::*;
        match (self, right) {
            (Task::Record { .. }, CAP_BPF | CAP_PERFMON) => true,
            // To look into processes that are another user's, not dumpable or kept apart by Yama; and
            // at what they have mapped, by /proc/PID/map_files.
            (Task::Record { .. } | Task::Examine, CAP_SYS_PTRACE | CAP_CHECKPOINT_RESTORE) => true,
            // Their interpreters and directories may be closed to everybody else.
            (Task::Record { .. } | Task::Examine, CAP_DAC_READ_SEARCH) => true,
            // To stop and resume them.
            (Task::Record { others, .. }, CAP_KILL) => others,
            // Linux 6.16, commit ba677dbe77af, and stable kernels since July 2025; uprobe-multi does
            // without.
            (Task::Record { singly, .. }, CAP_SYS_ADMIN) => singly,
            // Before Linux 5.19 (commit c8644cd0efe7) not even a map that is open can be read without
            // CAP_BPF where unprivileged_bpf_disabled is set.
            (Task::Watch, CAP_BPF | CAP_KILL | CAP_SYS_PTRACE) => true,
            // Root's own, to rename in a directory that is not root's.
            (Task::Export(_), CAP_DAC_OVERRIDE | CAP_FOWNER) => true,
            _ => false,
        }
    }
}

/// Refuses to act with the ids of pytrace's file's owner.
///
/// # Errors
///
/// The file is setuid or setgid: its environment, which is to tell who called sudo, is then anybody's.
pub fn refuse_setuid() -> Result<()> {
    if (unistd::getuid(), unistd::getgid()) == (unistd::geteuid(), unistd::getegid()) {
        return Ok(());
    }
    Err(anyhow!("pytrace does not run setuid or setgid"))
        .hint("chmod ug-s its file; who may record without sudo gets capabilities: docs/trust.md")
}

/// Acts for who asks from now on: becomes who called sudo, and gives up what capabilities another user
/// than root may have by pytrace's file. Returns who called sudo.
///
/// # Errors
///
/// As for [`confine`], and [`Identity::of_sudo_caller`].
pub fn act_for_caller() -> Result<Option<Identity>> {
    let caller = Identity::of_sudo_caller()?;
    if let Some(caller) = &caller {
        caller.assume()?;
    }
    if !unistd::geteuid().is_root() {
        restrict(None, |_| false)?;
    }
    Ok(caller)
}

/// Leaves the process the rights that `task` takes, of those that it has, and makes it that of
/// `identity` where one is given. To be called while it has one thread: ids and capabilities are a
/// thread's. What the kernel has no seccomp or landlock for goes on without.
///
/// # Errors
///
/// There are other threads, or what the kernel says; the process may then be anything in between, and
/// should end.
pub fn confine(identity: Option<&Identity>, task: Task<'_>) -> Result<()> {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads != 1 {
        bail!("failed to give up rights: {threads} threads have them");
    }
    restrict(identity, |right| task.takes(right))?;
    prctl::set_no_new_privs().context("failed to give up new privileges")?;
    files::restrict(task).context("failed to give up access to files")?;
    syscalls::restrict(task).context("failed to give up system calls")
}

/// Becomes `identity`, with those of its capabilities that are to be kept.
fn restrict(identity: Option<&Identity>, keeps: impl Fn(Capability) -> bool) -> Result<()> {
    let mut kept = caps::read(None, CapSet::Permitted)?;
    let may_restrict = kept.contains(&Capability::CAP_SETPCAP);
    kept.retain(|&right| keeps(right));
    // While there is the right to: without it, what the process executes gets nothing all the same,
    // since it gains no privileges any more.
    if may_restrict {
        caps::clear(None, CapSet::Bounding).context("failed to empty the bounding set")?;
    }
    if let Some(identity) = identity {
        // SAFETY: sets a flag of the thread.
        unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1) };
        identity.assume()?;
    }
    let given_up = || -> Result<(), caps::errors::CapsError> {
        caps::clear(None, CapSet::Ambient)?;
        caps::set(None, CapSet::Effective, &kept)?;
        caps::set(None, CapSet::Permitted, &kept)?;
        caps::clear(None, CapSet::Inheritable)
    };
    given_up().context("failed to give up capabilities")?;
    if !kept.is_empty() {
        // With the user's ids, but more rights than the user: no debugger of theirs gets at it, nor
        // at its memory and descriptors in /proc.
        prctl::set_dumpable(false).context("failed to keep debuggers away")?;
    }
    Ok(())
}
