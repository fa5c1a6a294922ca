//! Where a [`ChromeWriter`](super::ChromeWriter) puts its text.

use std::io::{self, Write};

/// How much text an output may take back, in bytes; more than any footer needs.
pub(super) const RECALL: u64 = 4 * 1024 * 1024;

/// Takes the text of a trace file in pieces that end with a whole event.
///
/// Offsets count bytes of text, before any compression.
pub trait Output {
    /// Appends whole events, so that they survive a crash of this process.
    ///
    /// After an error nothing more is appended; see [`Output::make_room`].
    fn append(&mut self, text: &[u8]) -> io::Result<()>;

    /// Appends the last piece and closes.
    fn finish(&mut self, text: &[u8]) -> io::Result<()>;

    /// Called when appending has failed: takes back text until `room` bytes more can be written, and
    /// returns the offset to which the text is kept: one of `ends`, or where an
    /// [`append`](Output::append) ended, or 0. `ends` are the ends of recent events.
    fn make_room(&mut self, room: usize, ends: &mut dyn Iterator<Item = u64>) -> io::Result<u64>;
}

/// Pipes, sockets, memory: what is written stays written.
impl<W: Write> Output for W {
    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        self.write_all(text)?;
        self.flush()
    }

    fn finish(&mut self, text: &[u8]) -> io::Result<()> {
        self.append(text)
    }

    fn make_room(&mut self, _room: usize, _ends: &mut dyn Iterator<Item = u64>) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
