//! A file with a script, where a process that runs already finds it.
//!
//! It is made with the rights of the process's user, in the directories that the process sees: nobody gets
//! a file by it who could not make it, and nobody else can change it. As pytrace gives up the rights to
//! make any before it looks at a program, it is made before it is known whether it will be needed.

use std::cell::Cell;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::process;
use super::request::literal;
use crate::error::say;
use crate::user::rights::as_owner;

/// Where it may be, as the process sees it.
const DIRECTORIES: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];
/// Names that are tried in each.
const NAMES: u32 = 16;
/// Bytes of answers that are read of it.
const ANSWERS_MAX: usize = 32 << 10;

/// The file, which is removed with this.
#[derive(Debug)]
pub(super) struct ScriptFile {
    file: File,
    directory: OwnedFd,
    path: PathBuf,
    /// Bytes of the script.
    length: Cell<u64>,
    /// Whether it stays where it is.
    is_kept: Cell<bool>,
}

impl ScriptFile {
    /// Makes an empty one for a process.
    ///
    /// # Errors
    ///
    /// It is another user's, and pytrace may not act for that one; or it has no directory for such files.
    pub(super) fn create(pid: u32) -> Result<ScriptFile> {
        let owner = process::owner(pid).context("its user is not known")?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = open(format!("/proc/{pid}/root").as_str(), flags, Mode::empty())
            .context("its root directory can't be opened")?;
        let made = as_owner(&owner, || {
            let made = DIRECTORIES.iter();
            let made = made.map(|it| create_in(&root, Path::new(it), owner.uid.as_raw()));
            let mut failed = None;
            for attempt in made {
                match attempt {
                    Ok(made) => return Ok(made),
                    Err(error) => failed.get_or_insert(error),
                };
            }
            Err(failed.unwrap_or_else(|| anyhow!("there is no place for it")))
        });
        made.context("pytrace may not act for its user")?
    }

    /// Its path, as the process sees it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces what it holds, which nobody may be about to run any more.
    pub(super) fn put(&self, script: &[u8]) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all_at(script, 0)?;
        self.length.set(script.len() as u64);
        Ok(())
    }

    /// What was written behind the script.
    pub(super) fn answers(&self) -> io::Result<String> {
        let mut bytes = vec![0; ANSWERS_MAX];
        let read = self.file.read_at(&mut bytes, self.length.get())?;
        Ok(String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()).into_owned())
    }

    /// Whether it is left where it is.
    pub(super) fn is_left(&self) -> bool {
        self.is_kept.get()
    }

    /// Leaves it where it is.
    pub(super) fn keep(&self) {
        self.is_kept.set(true);
    }

    /// Leaves it to the process, which removes it when it has run it.
    pub(super) fn leave(&self) -> io::Result<()> {
        let path = literal(self.path.as_os_str().as_bytes());
        let removal = format!("__import__('posix').unlink({path})\n");
        self.keep();
        let end = self.file.metadata()?.len();
        self.file.write_all_at(removal.as_bytes(), end)
    }

    /// Whether its path leads a process to it.
    pub(super) fn is_seen_by(&self, pid: u32) -> bool {
        let path = self.path.strip_prefix("/").unwrap_or(&self.path);
        let seen = fs::symlink_metadata(Path::new(&format!("/proc/{pid}/root")).join(path));
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        match (seen, self.file.metadata()) {
            (Ok(seen), Ok(own)) => identity(seen) == identity(own),
            _ => false,
        }
    }

    /// Removes the one that another pytrace has left beside it, as it was killed.
    pub(super) fn remove_that_of(&self, recorder: u32) {
        let name = name(recorder, 0);
        let _ = unlinkat(
            self.directory.as_fd(),
            name.as_str(),
            UnlinkatFlags::NoRemoveDir,
        );
    }
}

impl Drop for ScriptFile {
    fn drop(&mut self) {
        if let Some(name) = self.path.file_name().filter(|_| !self.is_kept.get()) {
            match unlinkat(self.directory.as_fd(), name, UnlinkatFlags::NoRemoveDir) {
                // The process may have removed it.
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(why) => {
                    let path = self.path.display();
                    say(format_args!("pytrace: left {path} behind: {}", why.desc()));
                }
            }
        }
    }
}

fn create_in(root: &OwnedFd, directory: &Path, owner: u32) -> Result<ScriptFile> {
    let shown = directory.display();
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let opened = openat2(root.as_fd(), directory, how)
        .with_context(|| format!("{shown} can't be opened for a script"))?;
    let opened = File::from(opened);
    let metadata = opened.metadata()?;
    let is_open = metadata.mode() & (libc::S_IWGRP | libc::S_IWOTH) != 0;
    // Its owner may replace what is in a sticky directory as well; as may who has the root directory.
    let above = fstat(root)?.st_uid;
    let has_owner = [0, owner, above].contains(&metadata.uid());
    if !has_owner || is_open && metadata.mode() & libc::S_ISVTX == 0 {
        return Err(anyhow!("others could replace a script in {shown}"));
    }
    let flags =
        OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut result = Err(Errno::EEXIST);
    for attempt in 0..NAMES {
        let name = name(std::process::id(), attempt);
        result = openat(
            opened.as_fd(),
            name.as_str(),
            flags,
            Mode::S_IRUSR | Mode::S_IWUSR,
        )
        .map(|file| (file, directory.join(name)));
        if !matches!(result, Err(Errno::EEXIST)) {
            break;
        }
    }
    let (file, path) = result.with_context(|| format!("a script can't be put into {shown}"))?;
    Ok(ScriptFile {
        file: file.into(),
        directory: opened.into(),
        path,
        length: Cell::new(0),
        is_kept: Cell::new(false),
    })
}

fn name(recorder: u32, attempt: u32) -> String {
    format!(".pytrace-{recorder}-{attempt}.py")
}
