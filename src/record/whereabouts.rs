//! Where the trace is in the end. A recording may take hours, in which a file is easily removed,
//! moved or emptied by somebody else: the kernel lets us write on all the same.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};

use super::output::Entry;
use crate::error::{WithHint as _, say};
use crate::format::{CHROME_HEAD, Compression};

/// A trace file that is being written, and where the user expects it.
#[derive(Debug)]
pub(super) struct Whereabouts {
    file: File,
    /// What messages call it.
    path: PathBuf,
    /// Its name and directory, by which it is made anew: never by its path, which may lead to where
    /// the user has no access by the end.
    entry: Option<Entry>,
    /// Where the kernel says that it is, at first.
    place: PathBuf,
}

impl Whereabouts {
    /// Of a file that has just been opened, as `entry` if it has a name.
    pub(super) fn new(file: &File, path: &Path, entry: Option<Entry>) -> io::Result<Whereabouts> {
        let file = file.try_clone()?;
        Ok(Whereabouts {
            place: fs::read_link(descriptor(&file))?,
            file,
            path: path.to_owned(),
            entry,
        })
    }

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
        let place = fs::read_link(descriptor(&self.file)).context("failed to find the trace")?;
        let path = match written.nlink() {
            0 => self.write_again()?,
            _ if place == self.place => self.path.clone(),
            _ => {
                say(format_args!(
                    "pytrace: {} was moved while the trace was written to it",
                    self.path.display()
                ));
                place
            }
        };
        self.repair(&path)?;
        Ok(path)
    }

    /// The file has no name any more, and is there until we close it.
    fn write_again(&self) -> Result<PathBuf> {
        let copied = self.reader().and_then(|mut from| {
            let entry = self.entry.as_ref().ok_or(io::ErrorKind::NotFound)?;
            io::copy(&mut from, &mut entry.create()?)
        });
        match copied {
            Ok(_) => {
                say(format_args!(
                    "pytrace: {} was removed while the trace was written to it: it is there again",
                    self.path.display()
                ));
                Ok(self.path.clone())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(self.lost("another file is in its place"))
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
        File::open(descriptor(&self.file))
    }
}

fn descriptor(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}
