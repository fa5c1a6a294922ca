//! The trace file before there is a trace: nothing that was there is lost to a recording that
//! never began.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

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
    new: Option<(PathBuf, User)>,
}

impl TraceFile {
    /// Opens `path` with the rights of `user`; see [`rights::open_as_user`].
    pub(super) fn open(path: &Path, user: &User) -> anyhow::Result<TraceFile> {
        let Opened { file, new } = rights::open_as_user(path, user)?;
        let new = new.then(|| (path.to_owned(), user.clone()));
        Ok(TraceFile {
            file,
            written: false,
            new,
        })
    }
}

impl TraceFile {
    /// What tells where it is in the end. `path` and `user` are those that it was opened with.
    pub(super) fn whereabouts(&self, path: &Path, user: &User) -> io::Result<Whereabouts> {
        Ok(Whereabouts {
            file: self.file.try_clone()?,
            path: path.to_owned(),
            user: user.clone(),
        })
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
        if let (false, Some((path, user))) = (self.written, &self.new) {
            // An empty file does no harm.
            let _ = rights::as_user(user, || std::fs::remove_file(path));
        }
    }
}
