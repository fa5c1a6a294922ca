//! The trace file before there is a trace: nothing that was there is lost to a recording that
//! never began.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::whereabouts::Whereabouts;
use crate::format::Storage;
use crate::user::User;
use crate::user::rights::{self, Opened};

/// A file that stays what it was until it is first written to.
///
/// Dropped before that, it is gone again if it is new.
#[derive(Debug)]
pub(super) struct TraceFile {
    file: File,
    written: bool,
    /// Where it was made, for whom, if it was not there before.
    new: Option<(Entry, User)>,
}

/// A name in a directory, whatever becomes of the directory's own name.
#[derive(Debug)]
pub(super) struct Entry {
    directory: File,
    name: OsString,
}

impl Entry {
    fn of(path: &Path) -> Option<Entry> {
        let directory = match path.parent()? {
            parent if parent.as_os_str().is_empty() => Path::new("."),
            parent => parent,
        };
        let directory = File::options()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
            .open(directory);
        Some(Entry {
            directory: directory.ok()?,
            name: path.file_name()?.to_owned(),
        })
    }

    /// Where it is found as long as this lives.
    fn path(&self) -> PathBuf {
        let mut path = PathBuf::from(format!("/proc/self/fd/{}", self.directory.as_raw_fd()));
        path.push(&self.name);
        path
    }

    /// Makes it, where there is none.
    pub(super) fn create(&self) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_retain(0o666);
        Ok(openat(&self.directory, &*self.name, flags, mode)?.into())
    }

    fn try_clone(&self) -> io::Result<Entry> {
        Ok(Entry {
            directory: self.directory.try_clone()?,
            name: self.name.clone(),
        })
    }

    /// Removes it if it leads to this file, and not to one that has been put there since.
    fn remove(&self, file: &File) -> io::Result<()> {
        let found = fstatat(&self.directory, &*self.name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        let own = file.metadata()?;
        if (found.st_dev, found.st_ino) == (own.dev(), own.ino()) {
            unlinkat(&self.directory, &*self.name, UnlinkatFlags::NoRemoveDir)?;
        }
        Ok(())
    }
}

impl TraceFile {
    /// Opens `path` with the rights of `user`; see [`rights::open_as_user`]. Also returns what tells
    /// where the file is in the end.
    pub(super) fn open(path: &Path, user: &User) -> anyhow::Result<(TraceFile, Whereabouts)> {
        let entry = rights::as_user(user, || Entry::of(path))?;
        // Through the directory that is found now: another may have its name in the next moment.
        let found = entry.as_ref().map_or(path.to_owned(), Entry::path);
        let Opened { file, new } = rights::open_found_as_user(path, &found, user)?;
        let again = entry.as_ref().map(Entry::try_clone).transpose()?;
        let whereabouts = Whereabouts::new(&file, path, again)?;
        let new = entry.filter(|_| new).map(|entry| (entry, user.clone()));
        let file = TraceFile {
            file,
            written: false,
            new,
        };
        Ok((file, whereabouts))
    }
}

impl Write for TraceFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.written {
            self.written = true;
            // Pipes and devices have no length.
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for TraceFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Storage for TraceFile {
    fn set_len(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
}

impl Drop for TraceFile {
    fn drop(&mut self) {
        if let (false, Some((entry, user))) = (self.written, &self.new) {
            // An empty file does no harm.
            let _ = rights::as_user(user, || entry.remove(&self.file));
        }
    }
}
