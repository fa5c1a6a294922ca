//! Where the trace is in the end. A recording may take hours, in which a file is easily removed,
//! moved or emptied by somebody else: the kernel lets us write on all the same.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};

use crate::error::{WithHint as _, say};
use crate::format::{CHROME_HEAD, Compression};
use crate::user::User;
use crate::user::rights::as_user;

/// A trace file that is being written, and where the user expects it.
#[derive(Debug)]
pub(super) struct Whereabouts {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) user: User,
}

impl Whereabouts {
    /// Sees to it that the complete trace is where it should be, and returns where it is. To be
    /// called when it has been written.
    ///
    /// # Errors
    ///
    /// The trace is lost, or a part of it.
    pub(super) fn settle(&self) -> Result<PathBuf> {
        let written = self
            .file
            .metadata()
            .context("failed to look at the trace")?;
        if !written.is_file() {
            return Ok(self.path.clone()); // a pipe, a device: what is written is gone from here
        }
        let there = as_user(&self.user, || fs::metadata(&self.path))?;
        let is_it =
            |other: &fs::Metadata| (other.dev(), other.ino()) == (written.dev(), written.ino());
        let path = match there {
            Ok(there) if is_it(&there) => self.path.clone(),
            _ if written.nlink() > 0 => self.moved()?,
            Ok(_) => return Err(self.lost("another file is in its place")),
            Err(_) => self.write_again()?,
        };
        self.repair(&path)?;
        Ok(path)
    }

    fn moved(&self) -> Result<PathBuf> {
        let now = fs::read_link(self.descriptor()).context("failed to find the trace")?;
        say(format_args!(
            "pytrace: {} was moved while the trace was written to it",
            self.path.display()
        ));
        Ok(now)
    }

    /// The file has no name any more, and is there until we close it.
    fn write_again(&self) -> Result<PathBuf> {
        let copied = as_user(&self.user, || {
            let mut from = self.reader()?;
            let mut to = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&self.path)?;
            io::copy(&mut from, &mut to)
        })?;
        match copied {
            Ok(_) => {
                say(format_args!(
                    "pytrace: {} was removed while the trace was written to it: it is there again",
                    self.path.display()
                ));
                Ok(self.path.clone())
            }
            Err(error) => Err(self.lost(&format!("it can't be written again: {error}"))),
        }
    }

    fn lost(&self, why: &str) -> anyhow::Error {
        anyhow!(
            "{} was removed while the trace was written to it, and {why}: the trace is lost",
            self.path.display()
        )
    }

    /// Makes a file readable that another program has emptied meanwhile: what we wrote before is
    /// gone, and what we wrote then stands behind as many null bytes. In JSON, blanks may stand
    /// there.
    fn repair(&self, path: &Path) -> Result<()> {
        let Some(hole) = self.hole().context("failed to read the trace")? else {
            return Ok(());
        };
        let emptied = format!(
            "{} was emptied by another program while the trace was written to it",
            path.display()
        );
        if Compression::of(&self.path) == Compression::Gzip {
            return Err(anyhow!("{emptied}: the trace is lost"))
                .hint("an uncompressed trace survives that in part");
        }
        self.fill(hole).context("failed to repair the trace")?;
        Err(anyhow!(
            "{emptied}: the first {hole} bytes of its calls are missing"
        ))
        .hint("the rest is there, and opens")
    }

    /// How many null bytes it begins with, if any.
    fn hole(&self) -> io::Result<Option<u64>> {
        let mut reader = self.reader()?;
        let mut hole = 0;
        let mut piece = vec![0; 1 << 16];
        loop {
            let length = reader.read(&mut piece)?;
            let bytes = piece.get(..length).unwrap_or_default();
            match bytes.iter().position(|&byte| byte != 0) {
                Some(at) => hole += at as u64,
                None => hole += length as u64,
            }
            if length == 0 || bytes.iter().any(|&byte| byte != 0) {
                return Ok((hole > 0).then_some(hole));
            }
        }
    }

    /// Pieces are written that begin with what separates an event from the one before it.
    fn fill(&self, hole: u64) -> io::Result<()> {
        let blanks = [b' '; 1 << 12];
        let mut at = CHROME_HEAD.len() as u64;
        while at <= hole {
            let length = (hole + 1 - at).min(blanks.len() as u64);
            self.file.write_all_at(&blanks[..length as usize], at)?;
            at += length;
        }
        self.file.write_all_at(CHROME_HEAD, 0)
    }

    /// We have it open for writing only.
    fn reader(&self) -> io::Result<File> {
        File::open(self.descriptor())
    }

    fn descriptor(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.file.as_raw_fd()).into()
    }
}
