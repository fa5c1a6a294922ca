//! Which files may still be opened: landlock (Linux 5.13).
//!
//! All, for a recording, which landlock would end: a process with landlock's restrictions may not look into
//! one without them, whatever capabilities it has (`hook_ptrace_access_check` in the kernel's
//! `security/landlock/task.c`). There, system calls are checked for how they open files.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope,
};

use super::Task;

/// The newest set of rights that is known here; older kernels restrict what they can.
const NEWEST: ABI = ABI::V6;

/// The version of the kernel's landlock; `None` where there is none, or it is switched off.
pub fn landlock_abi() -> Option<i32> {
    // LANDLOCK_CREATE_RULESET_VERSION of the kernel's `uapi/linux/landlock.h`.
    const VERSION: libc::c_uint = 1;
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the kernel reads nothing and returns a number.
    let abi = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0, VERSION) };
    i32::try_from(abi).ok().filter(|&abi| abi > 0)
}

/// Leaves the task the files it opens. What is open already stays as it is.
pub(super) fn restrict(task: Task<'_>) -> Result<(), RulesetError> {
    match task {
        Task::Record { .. } | Task::Examine | Task::Watch => Ok(()),
        Task::Show => allow(None),
        // What is new there gets the name of what may be there.
        Task::Export(directory) => {
            allow(Some((directory, AccessFs::MakeReg | AccessFs::RemoveFile)))
        }
        Task::Serve => allow(Some((
            Path::new("/"),
            AccessFs::ReadFile | AccessFs::ReadDir,
        ))),
    }
}

fn allow(rule: Option<(&Path, BitFlags<AccessFs>)>) -> Result<(), RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    // Where it can't be opened nothing there can be done either.
    if let Some((path, access)) = rule
        && let Ok(directory) = PathFd::new(path)
    {
        rules = rules.add_rule(PathBeneath::new(directory, access))?;
    }
    rules.restrict_self()?;
    Ok(())
}
