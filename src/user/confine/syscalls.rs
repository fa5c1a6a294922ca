//! Which system calls may still be made: seccomp.
//!
//! Lists of what is allowed, so that what kernels learn to do in later years is not. All else is
//! answered with `ENOSYS`: to a C library that is newer than the list, the reason to do it the old way.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use seccompiler::SeccompCmpArgLen::{self, Dword, Qword};
use seccompiler::SeccompCmpOp::{self, Eq, MaskedEq};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    apply_filter_all_threads,
};

use super::Task;

/// For anybody: memory, threads, time, and descriptors that are open.
const COMMON: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_membarrier,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_getcwd,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getpgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_waitid,
    libc::SYS_wait4,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_statx,
    libc::SYS_write,
    libc::SYS_writev,
];

/// The same by the names that newer machines do without.
#[cfg(target_arch = "x86_64")]
const LEGACY: &[libc::c_long] = &[
    libc::SYS_access,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_getpgrp,
    libc::SYS_lstat,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_stat,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const LEGACY: &[libc::c_long] = &[];

const RECORD: &[libc::c_long] = &[
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    // libbpf holds the place of a map by one (`create_placeholder_fd`).
    libc::SYS_memfd_create,
    libc::SYS_process_vm_readv,
    libc::SYS_kill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    // What a limit for the size of files has sent.
    libc::SYS_rt_sigtimedwait,
    // The empty trace file of a recording that never began.
    libc::SYS_unlinkat,
];
/// What it takes to have a process run something.
const ASK: &[libc::c_long] = &[libc::SYS_process_vm_writev];
const EXAMINE: &[libc::c_long] = &[libc::SYS_pidfd_open, libc::SYS_process_vm_readv];
const WATCH: &[libc::c_long] = &[
    libc::SYS_bpf,
    libc::SYS_kill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
];
const EXPORT: &[libc::c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    libc::SYS_unlinkat,
];
const SERVE: &[libc::c_long] = &[
    libc::SYS_accept4,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
];

/// What ptrace may be asked for: to stop a process, to see what it was doing, and to let it go; not to
/// change it, unless it is to be asked for something.
const PTRACE: [libc::c_uint; 7] = [
    libc::PTRACE_SEIZE,
    libc::PTRACE_INTERRUPT,
    libc::PTRACE_LISTEN,
    libc::PTRACE_CONT,
    libc::PTRACE_GETSIGINFO,
    libc::PTRACE_GETREGS,
    libc::PTRACE_DETACH,
];
/// What is asked of a descriptor: whether it is a terminal, of what size; how it is read.
const IOCTLS: [u64; 4] = [libc::TCGETS, libc::TIOCGWINSZ, libc::FIONBIO, libc::FIOCLEX];
/// `_IO('$', n)` of the kernel's `uapi/linux/perf_event.h`: libbpf enables, disables and sets the
/// program of a probe by them.
const PERF_EVENT_IOCTLS: u64 = 0x2400;

/// Whether the kernel can filter system calls.
pub fn has_seccomp() -> bool {
    Path::new("/proc/sys/kernel/seccomp/actions_avail").exists() && architecture().is_some()
}

fn architecture() -> Option<TargetArch> {
    std::env::consts::ARCH.try_into().ok()
}

/// Leaves the task the system calls it makes, in all threads.
pub(super) fn restrict(task: Task<'_>) -> Result<()> {
    if has_seccomp()
        && let Some(architecture) = architecture()
    {
        apply_filter_all_threads(&program(task, architecture)?)?;
    }
    Ok(())
}

fn program(task: Task<'_>, architecture: TargetArch) -> Result<BpfProgram> {
    let own = match task {
        Task::Record { .. } => RECORD,
        Task::Examine => EXAMINE,
        Task::Watch => WATCH,
        Task::Show => &[],
        Task::Export(_) => EXPORT,
        Task::Serve => SERVE,
    };
    let asks = matches!(task, Task::Record { asks: true, .. });
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        [COMMON, LEGACY, own, if asks { ASK } else { &[] }]
            .into_iter()
            .flatten()
            .map(|&call| (call, Vec::new()))
            .collect();
    // Only to read: no file is made, and none changed but what is open.
    let writes = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC;
    let reads = |argument| allow(argument, Dword, MaskedEq(bits(writes)), 0);
    let mut opens = vec![reads(2)?];
    if let Task::Record { .. } = task {
        // A trace that somebody has removed is written again: to a new file, where there is none.
        let new = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
        let all = bits(writes | libc::O_EXCL);
        opens.push(allow(2, Dword, MaskedEq(all), bits(new))?);
    }
    rules.insert(libc::SYS_openat, opens);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_open, vec![reads(1)?]);
    // Threads, no processes. The flags of clone3 are out of a filter's sight: libc does without it.
    let thread = bits(libc::CLONE_THREAD);
    let threads = allow(0, Dword, MaskedEq(thread), thread)?;
    rules.insert(libc::SYS_clone, vec![threads]);
    // `abort`.
    let itself = allow(0, Dword, Eq, std::process::id().into())?;
    rules.insert(libc::SYS_tgkill, vec![itself]);
    // Names, of threads and of memory.
    let names = [libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_SET_VMA].map(bits);
    rules.insert(libc::SYS_prctl, one_of(0, &names)?);
    // Limits are asked for, not set.
    rules.insert(libc::SYS_prlimit64, vec![allow(2, Qword, Eq, 0)?]);
    let mut ioctls = one_of(1, &IOCTLS)?;
    if let Task::Record { .. } = task {
        ioctls.push(allow(1, Dword, MaskedEq(0xff00), PERF_EVENT_IOCTLS)?);
    }
    rules.insert(libc::SYS_ioctl, ioctls);
    if let Task::Record { .. } | Task::Watch = task {
        let mut requests = one_of(0, &PTRACE.map(u64::from))?;
        if asks {
            requests.extend(one_of(0, &[libc::PTRACE_SETREGS.into()])?);
        }
        rules.insert(libc::SYS_ptrace, requests);
    }
    let refused = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, architecture)?;
    Ok(filter.try_into()?)
}

/// Allows a system call whose argument of that number is one of `values`.
fn one_of(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>> {
    let allow_one = |&value: &u64| allow(argument, Dword, Eq, value);
    values.iter().map(allow_one).collect()
}

fn allow(
    argument: u8,
    length: SeccompCmpArgLen,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule> {
    let condition = SeccompCondition::new(argument, length, operator, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

/// An argument of C's type `int`, as the filter compares it.
fn bits(argument: libc::c_int) -> u64 {
    argument.cast_unsigned().into()
}
