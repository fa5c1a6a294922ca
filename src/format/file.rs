//! The file a trace goes to, which ends well even on a full disk.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::Crc;

use super::gzip::{self, Gzip};
use super::output::{Output, RECALL};

/// Whether a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Plain text.
    None,
    /// gzip.
    Gzip,
}

impl Compression {
    /// What the ending of `path` asks for.
    pub fn of(path: &Path) -> Self {
        match path.extension() {
            Some(ending) if ending.eq_ignore_ascii_case("gz") => Compression::Gzip,
            _ => Compression::None,
        }
    }
}

/// What an [`OutputFile`] needs of a file.
pub trait Storage: Write + Seek {
    /// Cuts the file to `length` bytes.
    fn set_len(&mut self, length: u64) -> io::Result<()>;
}

impl Storage for File {
    fn set_len(&mut self, length: u64) -> io::Result<()> {
        File::set_len(self, length)
    }
}

/// An [`Output`] to a file.
///
/// When the disk is full or broken, the file's end is written over its last events: room that is
/// allocated already, which no other process can take. Nothing before them is touched.
#[derive(Debug)]
pub struct OutputFile<S: Storage = File> {
    storage: S,
    gzip: Option<Gzip>,
    /// How many bytes of the file have been written, be it in part of a piece.
    written: u64,
    /// Where recent pieces of a compressed file ended.
    points: VecDeque<Point>,
    /// Offset of the text.
    text: u64,
    /// Set once room was made: the end has to go here.
    cut: Option<u64>,
}

/// A place where a compressed stream can be taken up again.
#[derive(Debug)]
struct Point {
    text: u64,
    written: u64,
    crc: Crc,
}

impl OutputFile {
    /// Creates or empties the file at `path`, compressed if its name ends in `.gz`.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(OutputFile::new(File::create(path)?, Compression::of(path)))
    }
}

impl<S: Storage> OutputFile<S> {
    /// Writes to `storage`, which must be empty.
    pub fn new(storage: S, compression: Compression) -> Self {
        let gzip = match compression {
            Compression::None => None,
            Compression::Gzip => Some(Gzip::new()),
        };
        OutputFile {
            storage,
            gzip,
            written: 0,
            points: VecDeque::new(),
            text: 0,
            cut: None,
        }
    }

    /// Like `write_all`, but knows how far it came.
    fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.storage.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.written += count as u64;
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.storage.flush()
    }

    /// Writes the end over what follows `cut`.
    fn put_at(&mut self, cut: u64, bytes: &[u8]) -> io::Result<()> {
        self.storage.seek(SeekFrom::Start(cut))?;
        self.written = cut;
        self.put(bytes)
    }
}

impl<S: Storage> Output for OutputFile<S> {
    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        match &mut self.gzip {
            None => self.put(text)?,
            Some(gzip) => {
                let bytes = gzip.encode(text, false)?;
                let crc = gzip.checksum();
                self.put(&bytes)?;
                let text = self.text + text.len() as u64;
                self.points.push_back(Point {
                    text,
                    written: self.written,
                    crc,
                });
                // Half of it, since a piece may be longer than the writer means it to be.
                let horizon = text.saturating_sub(RECALL / 2);
                let old = self.points.partition_point(|point| point.text < horizon);
                self.points.drain(..old);
            }
        }
        self.text += text.len() as u64;
        Ok(())
    }

    fn finish(&mut self, text: &[u8]) -> io::Result<()> {
        let encoded;
        let bytes = match &mut self.gzip {
            None => text,
            Some(gzip) => {
                encoded = gzip.encode(text, true)?;
                &encoded
            }
        };
        let Some(cut) = self.cut else {
            return self.put(bytes);
        };
        if self.put_at(cut, bytes).is_err() {
            // A file system that copies on write needs room even to overwrite.
            self.storage.set_len(cut)?;
            self.put_at(cut, bytes)?;
        }
        self.storage.set_len(self.written)
    }

    fn make_room(&mut self, room: usize, ends: &mut dyn Iterator<Item = u64>) -> io::Result<u64> {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let Some(limit) = self.written.checked_sub((room + gzip::OVERHEAD) as u64) else {
            return Err(full());
        };
        let kept = if self.gzip.is_none() {
            let kept = match ends.filter(|&end| end <= limit).max() {
                Some(end) => end,
                None if self.text <= RECALL => 0,
                None => return Err(full()),
            };
            self.cut = Some(kept);
            kept
        } else {
            while self
                .points
                .back()
                .is_some_and(|point| point.written > limit)
            {
                self.points.pop_back();
            }
            let (gzip, text, written) = match self.points.pop_back() {
                Some(point) => (Gzip::resume(point.crc), point.text, point.written),
                None if self.text <= RECALL / 2 => (Gzip::new(), 0, 0),
                None => return Err(full()),
            };
            self.gzip = Some(gzip);
            self.cut = Some(written);
            text
        };
        Ok(kept)
    }
}
