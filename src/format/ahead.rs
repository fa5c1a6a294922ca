//! Reads on a thread of its own, so that who parses does not wait for files or decompression.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Bytes of a piece: large enough that handing it over costs nothing.
// Fuzzing reads small files, thousands a second: they have to need several of them as large ones do.
const PIECE: usize = if cfg!(fuzzing) { 1 << 10 } else { 1 << 20 };
/// How many pieces are read ahead.
const AHEAD: usize = 3;

/// Has `parse` read what `reader` reads. Does not return before the reader has: from a pipe, before
/// there is more in it.
pub(super) fn read_ahead<T>(reader: impl Read + Send, parse: impl FnOnce(Ahead) -> T) -> T {
    let (filled, pieces) = sync_channel(AHEAD);
    let (emptied, empty) = sync_channel(AHEAD + 1);
    thread::scope(|scope| {
        scope.spawn(move || fill(reader, &filled, &empty));
        parse(Ahead {
            pieces,
            emptied,
            piece: Vec::new(),
            at: 0,
        })
    })
}

/// Reads until there is no more, or nobody wants it.
fn fill(
    mut reader: impl Read,
    filled: &SyncSender<io::Result<Vec<u8>>>,
    empty: &Receiver<Vec<u8>>,
) {
    loop {
        let mut piece = empty.try_recv().unwrap_or_default();
        piece.resize(PIECE, 0);
        let (read, end) = match reader.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => {
                piece.truncate(count);
                (Ok(piece), false)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => (Err(error), true),
        };
        if filled.send(read).is_err() || end {
            return;
        }
    }
}

/// What was read ahead.
pub(super) struct Ahead {
    pieces: Receiver<io::Result<Vec<u8>>>,
    /// Where pieces go to be filled anew.
    emptied: SyncSender<Vec<u8>>,
    piece: Vec<u8>,
    /// How much of it has been taken.
    at: usize,
}

impl Read for Ahead {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            // That there is none left means the end.
            let Ok(next) = self.pieces.recv() else {
                return Ok(0);
            };
            let old = std::mem::replace(&mut self.piece, next?);
            self.at = 0;
            let _ = self.emptied.try_send(old);
        }
        let count = bytes.len().min(self.piece.len() - self.at);
        bytes[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_read_is_what_is_there(bytes: Vec<u8>, at_once in 1_usize..100) {
            let read = read_ahead(&bytes[..], |mut ahead| {
                let mut read = Vec::new();
                let mut buffer = vec![0; at_once];
                while let Ok(count @ 1..) = ahead.read(&mut buffer) {
                    read.extend_from_slice(&buffer[..count]);
                }
                read
            });
            prop_assert_eq!(read, bytes);
        }
    }

    #[test]
    fn more_than_is_read_ahead() {
        let bytes: Vec<u8> = (0..10 * PIECE).map(|index| (index / 251) as u8).collect();
        let mut read = Vec::new();
        read_ahead(&bytes[..], |mut ahead| ahead.read_to_end(&mut read)).unwrap();
        assert!(read == bytes);
    }

    #[test]
    fn an_error_comes_where_it_happened() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
        read_ahead((&b"abc"[..]).chain(Broken), |mut ahead| {
            let mut read = [0; 10];
            assert_eq!(ahead.read(&mut read).unwrap(), 3);
            let error = ahead.read(&mut read).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            assert_eq!(ahead.read(&mut read).unwrap(), 0);
        });
    }

    #[test]
    fn who_has_enough_need_not_read_on() {
        let first = read_ahead(io::repeat(7), |mut ahead| {
            let mut read = [0];
            ahead.read(&mut read).map(|_| read[0])
        });
        assert_eq!(first.unwrap(), 7);
    }
}
