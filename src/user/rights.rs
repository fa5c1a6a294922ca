//! Touching files with the user's rights while pytrace has root's.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context, anyhow};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{Gid, Uid};

use super::{Identity, User};
use crate::error::{WithHint, say};

/// Runs `action` with the file access rights of `user`; what it creates belongs to that user.
///
/// The effective ids are changed, not only those of the file system: the settings in `/proc/sys` go by
/// the former (`test_perm` in the kernel's `fs/proc/proc_sysctl.c`).
///
/// Only the calling thread is affected: the kernel keeps these ids per thread, and the raw calls
/// are made, not the C library's, which change all threads. Once pytrace has become that user
/// ([`confine`](super::confine)), there is nothing to change.
///
/// # Errors
///
/// The rights could not be taken on; `action` has not run.
pub fn as_user<T>(user: &User, action: impl FnOnce() -> T) -> io::Result<T> {
    match user.identity() {
        Some(identity) => as_owner(&identity, action),
        None => Ok(action()),
    }
}

/// The same for whom a process belongs to.
pub fn as_owner<T>(owner: &Identity, action: impl FnOnce() -> T) -> io::Result<T> {
    let _switched = if nix::unistd::geteuid() != owner.uid {
        Some(Switched::to(owner)?)
    } else {
        None
    };
    Ok(action())
}

/// Gives the thread its own rights back when dropped.
struct Switched {
    groups: Vec<libc::gid_t>,
    gid: Gid,
    uid: Uid,
}

impl Switched {
    fn to(identity: &Identity) -> io::Result<Switched> {
        let own: Vec<_> = nix::unistd::getgroups()?
            .into_iter()
            .map(Gid::as_raw)
            .collect();
        let groups: Vec<_> = identity.groups.iter().map(|gid| gid.as_raw()).collect();
        // Groups first: changing them takes a right that goes with the user id.
        set_groups(&groups)?;
        // From here on dropping this undoes what was done.
        let before = Switched {
            groups: own,
            gid: nix::unistd::getegid(),
            uid: nix::unistd::geteuid(),
        };
        // Last the user id, which takes all capabilities away until it is root's again.
        set_effective_id(libc::SYS_setresgid, identity.gid.as_raw())?;
        set_effective_id(libc::SYS_setresuid, identity.uid.as_raw())?;
        Ok(before)
    }
}

impl Drop for Switched {
    fn drop(&mut self) {
        let restored = set_effective_id(libc::SYS_setresuid, self.uid.as_raw())
            .and_then(|()| set_effective_id(libc::SYS_setresgid, self.gid.as_raw()))
            .and_then(|()| set_groups(&self.groups));
        if let Err(error) = restored {
            // Can't happen to a process whose real user is root; going on with half of
            // someone else's rights is no option.
            say(format_args!(
                "pytrace: failed to restore our own rights: {error}"
            ));
            std::process::abort();
        }
    }
}

fn set_groups(groups: &[libc::gid_t]) -> io::Result<()> {
    // SAFETY: the kernel reads `len` ids from the slice and keeps no pointer.
    let result = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    Errno::result(result)?;
    Ok(())
}

/// Sets the effective id, and with it the file system's, and leaves real and saved ones.
fn set_effective_id(call: libc::c_long, id: u32) -> io::Result<()> {
    let same = u32::MAX;
    // SAFETY: `setresuid` and `setresgid` take three numbers.
    let result = unsafe { libc::syscall(call, same, id, same) };
    Errno::result(result)?;
    Ok(())
}

/// A file to write to.
#[derive(Debug)]
pub struct Opened {
    /// At its start; what it held before is still there.
    pub file: File,
    /// Whether it was not there before.
    pub new: bool,
}

/// Opens `path` for writing with the rights of `user`, to whom it belongs when it is new.
///
/// # Errors
///
/// With a hint for a missing or closed directory, a directory, and a file of someone else.
pub fn open_as_user(path: &Path, user: &User) -> anyhow::Result<Opened> {
    open_found_as_user(path, path, user)
}

/// The same, of a path that leads where another does, by which messages call it.
pub fn open_found_as_user(path: &Path, found: &Path, user: &User) -> anyhow::Result<Opened> {
    let open = || {
        let mut options = OpenOptions::new();
        // Non-blocking for the sake of a FIFO that nobody reads from.
        options.write(true).custom_flags(libc::O_NONBLOCK);
        match options.clone().create_new(true).open(found) {
            Ok(file) => Ok(Opened { file, new: true }),
            // A link that leads nowhere exists as well, and its file does not.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let file = options.create(true).truncate(false).open(found)?;
                Ok(Opened { file, new: false })
            }
            Err(error) => Err(error),
        }
    };
    let shown = path.display();
    let error = match as_user(user, open).context("failed to take on the user's rights")? {
        Ok(opened) => {
            let flags = OFlag::from_bits_retain(fcntl(&opened.file, FcntlArg::F_GETFL)?);
            let blocking = flags.difference(OFlag::O_NONBLOCK);
            fcntl(&opened.file, FcntlArg::F_SETFL(blocking))?;
            return Ok(opened);
        }
        Err(error) => error,
    };
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = parent.display();
    let hint = match error.raw_os_error() {
        Some(libc::ENOENT) => Some(format!("create the directory first: mkdir -p {directory}")),
        Some(libc::ENXIO) => Some("start its reader first".to_owned()),
        Some(libc::EISDIR) => Some(format!(
            "name a file in it: {}",
            path.join("trace.json").display()
        )),
        Some(libc::ENOTDIR) => Some(format!("{directory} is not a directory")),
        Some(libc::EACCES | libc::EPERM | libc::EROFS) => Some(format!(
            "user {} may not write there; choose another FILE for -o",
            user.uid
        )),
        _ => None,
    };
    let error = anyhow!(error).context(format!("failed to open {shown} for writing"));
    Err(match hint {
        Some(hint) => error.hint(hint),
        None => error,
    })
}

/// Opens `path` for reading with the rights of `user`.
pub fn read_as_user(path: &Path, user: &User) -> io::Result<File> {
    // Non-blocking for the sake of a FIFO without a writer; no matter to a file.
    let open = || {
        OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
    };
    as_user(user, open)?
}

/// Whether `user` may execute the regular file that `path` leads to.
///
/// # Errors
///
/// The reason why not, as executing it would give it.
pub fn may_execute(path: &Path, user: &User) -> io::Result<()> {
    let text = CString::new(path.as_os_str().as_bytes())?;
    as_user(user, || {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        // SAFETY: `text` is a C string that outlives the call. The raw call, because the C
        // library may answer AT_EACCESS by itself, from ids that are not the file system's.
        let result = unsafe {
            libc::syscall(
                libc::SYS_faccessat2,
                libc::AT_FDCWD,
                text.as_ptr(),
                libc::X_OK,
                libc::AT_EACCESS,
            )
        };
        Errno::result(result)?;
        Ok(())
    })?
}
