//! A gzip stream that can be ended from any point of its past.
//!
//! Each piece is flushed to a byte boundary, where a decompressor can stop (a file cut short opens)
//! and from where another compressor can go on (a full file gets its end). It stays one gzip member:
//! browsers do not read on behind the first.

use std::io;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Magic, deflate, no name, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// What a stream may take besides its compressed text.
pub(super) const OVERHEAD: usize = 64;

#[derive(Debug)]
pub(super) struct Gzip {
    deflate: Compress,
    crc: Crc,
    begun: bool,
}

impl Gzip {
    pub(super) fn new() -> Self {
        // Trace text repeats itself: the fastest level makes a tenth of it.
        Gzip {
            deflate: Compress::new(Compression::fast(), false),
            crc: Crc::new(),
            begun: false,
        }
    }

    /// A stream that goes on where another had the checksum `crc`, with a compressor that has no
    /// memory of it.
    pub(super) fn resume(crc: Crc) -> Self {
        Gzip {
            crc,
            begun: true,
            ..Gzip::new()
        }
    }

    /// The checksum of the text so far.
    pub(super) fn checksum(&self) -> Crc {
        let mut crc = Crc::new();
        crc.combine(&self.crc);
        crc
    }

    /// The bytes that carry `text`; the stream's last with `last`.
    pub(super) fn encode(&mut self, text: &[u8], last: bool) -> io::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(text.len() / 4 + OVERHEAD);
        if !self.begun {
            out.extend_from_slice(&HEADER);
            self.begun = true;
        }
        self.crc.update(text);
        let flush = if last {
            FlushCompress::Finish
        } else {
            FlushCompress::Sync
        };
        let begin = self.deflate.total_in();
        loop {
            let rest = &text[(self.deflate.total_in() - begin) as usize..];
            let status = self
                .deflate
                .compress_vec(rest, &mut out, flush)
                .map_err(io::Error::other)?;
            if status == Status::StreamEnd || (!last && out.len() < out.capacity()) {
                break;
            }
            out.reserve(out.capacity().max(OVERHEAD));
        }
        if last {
            out.extend_from_slice(&self.crc.sum().to_le_bytes());
            out.extend_from_slice(&self.crc.amount().to_le_bytes());
        }
        Ok(out)
    }
}
