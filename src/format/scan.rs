//! JSON as it streams by: a window on the file, and a cursor on the window.
//!
//! Nothing recurses and nothing but a single event has to fit into memory, whatever the file holds.

use std::io::{self, Read};

/// How much is read at once.
// Fuzzing reads small files, thousands a second: they have to be read in several steps as large ones do.
const READ: usize = if cfg!(fuzzing) { 1 << 8 } else { 1 << 20 };
/// The longest event, or other thing to be looked at as a whole, in bytes.
const LONGEST: usize = 64 << 20;

/// Why something could not be scanned.
#[derive(Debug)]
pub(super) enum Stop {
    /// The file ended within it.
    Cut,
    /// It is not JSON, or longer than anything sensible.
    Bad,
    /// The file could not be read.
    Io(io::Error),
}

/// Why a [`Cursor`] stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The window is too short.
    Short,
    /// It is not JSON.
    Bad,
}

/// The part of a stream that is in memory.
pub(super) struct Window<R> {
    reader: R,
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
}

impl<R: Read> Window<R> {
    pub(super) fn new(reader: R) -> Self {
        Window {
            reader,
            buffer: vec![0; READ],
            begin: 0,
            end: 0,
        }
    }

    /// What is in memory.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.begin..self.end]
    }

    /// Moves past the first `count` bytes.
    pub(super) fn consume(&mut self, count: usize) {
        self.begin = (self.begin + count).min(self.end);
    }

    /// Reads more behind what is in memory.
    pub(super) fn more(&mut self) -> Result<(), Stop> {
        if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        if self.end == self.buffer.len() {
            if self.end >= LONGEST {
                return Err(Stop::Bad);
            }
            self.buffer.resize(self.end * 2, 0);
        }
        loop {
            return match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => Err(Stop::Cut),
                Ok(count) => {
                    self.end += count;
                    Ok(())
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => continue,
                    // A compressed file that is cut short or damaged.
                    io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::InvalidData
                    | io::ErrorKind::InvalidInput => Err(Stop::Cut),
                    _ => Err(Stop::Io(error)),
                },
            };
        }
    }

    /// Has `scan` look at what comes next, once more with more in memory where that was too little,
    /// and moves past what it looked at.
    pub(super) fn scan<T>(
        &mut self,
        mut scan: impl FnMut(&mut Cursor<'_>) -> Result<T, Flaw>,
    ) -> Result<T, Stop> {
        loop {
            let mut cursor = Cursor::new(self.bytes());
            match scan(&mut cursor) {
                Ok(value) => {
                    let count = cursor.at;
                    self.consume(count);
                    return Ok(value);
                }
                Err(Flaw::Short) => self.more()?,
                Err(Flaw::Bad) => return Err(Stop::Bad),
            }
        }
    }

    /// Moves past a value of any length.
    pub(super) fn skip_value(&mut self) -> Result<(), Stop> {
        let mut skip = Skip::default();
        loop {
            let (count, done) = skip.over(self.bytes());
            self.consume(count);
            match done {
                Ok(true) => return Ok(()),
                Ok(false) => self.more()?,
                Err(_) => return Err(Stop::Bad),
            }
        }
    }
}

/// Finds the end of a value, in as many pieces as it comes in.
///
/// It minds strings and counts brackets, which is all that takes; that they match, and what stands
/// between them, it leaves unchecked.
#[derive(Debug, Default)]
struct Skip {
    depth: u64,
    in_string: bool,
    escaped: bool,
    in_scalar: bool,
}

impl Skip {
    /// How many bytes belong to the value, and whether it ends there.
    fn over(&mut self, bytes: &[u8]) -> (usize, Result<bool, Flaw>) {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return (at + 1, Ok(true));
                        }
                    }
                    _ => {}
                }
                continue;
            }
            if self.in_scalar && matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n') {
                return (at, Ok(true));
            }
            match byte {
                b'"' => self.in_string = true,
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' if self.depth == 0 => return (at, Err(Flaw::Bad)),
                b']' | b'}' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (at + 1, Ok(true));
                    }
                }
                b',' | b':' if self.depth == 0 => return (at, Err(Flaw::Bad)),
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ => self.in_scalar = self.depth == 0,
            }
        }
        (bytes.len(), Ok(false))
    }
}

/// A value an event's member may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// What stands between the quotes, escapes and all.
    String(&'a [u8]),
    /// A number, `true`, `false` or `null`, as it stands.
    Scalar(&'a [u8]),
    /// An array or object, left unread.
    Nested,
}

/// A place in a piece of JSON.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, at: 0 }
    }

    /// The next byte that is not white space, which is left in place.
    pub(super) fn peek(&mut self) -> Result<u8, Flaw> {
        loop {
            match self.bytes.get(self.at) {
                None => return Err(Flaw::Short),
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(&byte) => return Ok(byte),
            }
        }
    }

    /// Moves past the next byte that is not white space if it is `byte`.
    pub(super) fn take(&mut self, byte: u8) -> Result<bool, Flaw> {
        let found = self.peek()? == byte;
        self.at += usize::from(found);
        Ok(found)
    }

    /// Moves past `byte`.
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Flaw> {
        if self.take(byte)? {
            Ok(())
        } else {
            Err(Flaw::Bad)
        }
    }

    /// What stands between the quotes of the string that comes next.
    pub(super) fn string(&mut self) -> Result<&'a [u8], Flaw> {
        self.expect(b'"')?;
        let begin = self.at;
        let mut at = begin;
        loop {
            let rest = self.bytes.get(at..).ok_or(Flaw::Short)?;
            at += find_quote(rest).ok_or(Flaw::Short)?;
            if self.bytes[at] == b'"' {
                self.at = at + 1;
                return Ok(&self.bytes[begin..at]);
            }
            at += 2;
        }
    }

    /// The value that comes next.
    pub(super) fn value(&mut self) -> Result<Value<'a>, Flaw> {
        match self.peek()? {
            b'"' => self.string().map(Value::String),
            b'{' | b'[' => {
                let (count, done) = Skip::default().over(&self.bytes[self.at..]);
                self.at += count;
                if done? {
                    Ok(Value::Nested)
                } else {
                    Err(Flaw::Short)
                }
            }
            _ => {
                let rest = &self.bytes[self.at..];
                let end = rest
                    .iter()
                    .position(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'+' | b'-'))
                    .ok_or(Flaw::Short)?;
                if end == 0 {
                    return Err(Flaw::Bad);
                }
                self.at += end;
                Ok(Value::Scalar(&rest[..end]))
            }
        }
    }

    /// Calls `member` with the name of each member of the object that comes next; it has to move
    /// past the value.
    pub(super) fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> Result<(), Flaw>,
    ) -> Result<(), Flaw> {
        self.expect(b'{')?;
        if self.take(b'}')? {
            return Ok(());
        }
        loop {
            let name = self.string()?;
            self.expect(b':')?;
            member(self, name)?;
            if self.take(b'}')? {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// The text of the value that comes next.
    pub(super) fn raw_value(&mut self) -> Result<&'a [u8], Flaw> {
        self.peek()?;
        let begin = self.at;
        self.value()?;
        Ok(&self.bytes[begin..self.at])
    }
}

/// Where the first quote or backslash is.
fn find_quote(bytes: &[u8]) -> Option<usize> {
    let is_special = |&byte: &u8| byte == b'"' || byte == b'\\';
    // Most of a trace file is inside strings. Blocks that are looked at as a whole, without leaving
    // early, are what the compiler has vector instructions for.
    let is_clean = |block: &&[u8]| !block.iter().fold(false, |any, byte| any | is_special(byte));
    let begin = bytes.chunks_exact(16).take_while(is_clean).count() * 16;
    bytes[begin..]
        .iter()
        .position(is_special)
        .map(|at| begin + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_of_any_length_are_skipped() {
        let nested = "[".repeat(3 << 20) + &"]".repeat(3 << 20);
        for value in [
            &nested,
            "12",
            "null",
            r#""a\"]""#,
            r#"{"a":["}",{"b":"\\"}]}"#,
        ] {
            let text = format!(" {value} ,x");
            let mut window = Window::new(text.as_bytes());
            window.skip_value().unwrap();
            assert_eq!(window.scan(|cursor| cursor.peek()).unwrap(), b',');
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_skipped_or_refused(bytes: Vec<u8>) {
            let _ = Window::new(&bytes[..]).skip_value();
            let _ = Cursor::new(&bytes).value();
        }
    }
}
