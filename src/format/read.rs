//! Reads trace files: ours, and other tools' Chrome traces.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use thiserror::Error;

use super::ahead::read_ahead;
use super::escape::unescape;
use super::event::{Event, Events};
use super::scan::{Stop, Window};
use crate::recording::{Footer, Recording};

/// Why there is no [`Recording`].
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It holds something else.
    #[error("not a trace file: {0}")]
    NotATrace(&'static str),
}

/// Reads the trace file at `path`, compressed or not.
pub fn read(path: &Path) -> Result<Recording, ReadError> {
    read_from(File::open(path)?)
}

/// Reads a trace from `reader`, which needs no buffer of its own.
///
/// A file that ends early or turns to garbage yields the events before that, with
/// [`Recording::truncated`] set.
pub fn read_from(mut reader: impl Read + Send) -> Result<Recording, ReadError> {
    let mut magic = Vec::new();
    reader.by_ref().take(2).read_to_end(&mut magic)?;
    let compressed = magic == [0x1f, 0x8b];
    let whole = io::Cursor::new(magic).chain(reader);
    let parse = |ahead| TraceFile::new(ahead).read();
    if compressed {
        let buffered = io::BufReader::with_capacity(1 << 16, whole);
        read_ahead(MultiGzDecoder::new(buffered), parse)
    } else {
        read_ahead(whole, parse)
    }
}

/// A file being read.
struct TraceFile<R> {
    window: Window<R>,
    events: Events,
    /// How many objects stood where events stand, and how many of them were events.
    objects: u64,
    phases: u64,
    footer: Option<Footer>,
}

impl<R: Read> TraceFile<R> {
    fn new(reader: R) -> Self {
        let window = Window::new(reader);
        TraceFile {
            window,
            events: Events::default(),
            objects: 0,
            phases: 0,
            footer: None,
        }
    }

    fn read(mut self) -> Result<Recording, ReadError> {
        let first = self
            .first_byte()
            .map_err(|stop| refuse(stop, "it is empty"))?;
        let end = match first {
            b'{' => {
                self.window.consume(1);
                self.until_events()
                    .map_err(|stop| refuse(stop, "it has no traceEvents"))?;
                self.array().and_then(|()| self.rest_of_object())
            }
            b'[' => self.array(),
            _ => return Err(ReadError::NotATrace("it is not JSON")),
        };
        let truncated = match end {
            Ok(()) => false,
            Err(Stop::Io(error)) => return Err(error.into()),
            Err(Stop::Bad) if self.objects == 0 => {
                return Err(ReadError::NotATrace("it holds no events"));
            }
            Err(Stop::Bad | Stop::Cut) => true,
        };
        if self.objects > 0 && self.phases == 0 {
            return Err(ReadError::NotATrace("its objects are no events"));
        }
        Ok(self.events.builder.finish(self.footer, truncated))
    }

    /// Moves to the first byte that is neither white space nor a byte order mark.
    fn first_byte(&mut self) -> Result<u8, Stop> {
        while self.window.bytes().len() < 3 {
            match self.window.more() {
                Ok(()) => {}
                Err(Stop::Cut) => break,
                Err(stop) => return Err(stop),
            }
        }
        if self.window.bytes().starts_with("\u{feff}".as_bytes()) {
            self.window.consume(3);
        }
        self.window.scan(|cursor| cursor.peek())
    }

    /// Moves to the value of `traceEvents`.
    fn until_events(&mut self) -> Result<(), Stop> {
        loop {
            let name = self.member_name()?;
            if name == "traceEvents" {
                return Ok(());
            }
            self.member_value(&name)?;
            if !self.window.scan(|cursor| cursor.take(b','))? {
                return Err(Stop::Bad);
            }
        }
    }

    /// Reads what follows `traceEvents`.
    fn rest_of_object(&mut self) -> Result<(), Stop> {
        while self.window.scan(|cursor| cursor.take(b','))? {
            let name = self.member_name()?;
            self.member_value(&name)?;
        }
        self.window.scan(|cursor| cursor.expect(b'}'))
    }

    fn member_name(&mut self) -> Result<String, Stop> {
        self.window.scan(|cursor| {
            let name = unescape(cursor.string()?);
            cursor.expect(b':')?;
            Ok(name)
        })
    }

    /// Takes the footer; moves past any other value, which may be as long as it likes (VizTracer
    /// packs whole source files).
    fn member_value(&mut self, name: &str) -> Result<(), Stop> {
        if name != "pytrace" {
            return self.window.skip_value();
        }
        // What is not understood (another tool's, a later format) is no reason to refuse the calls.
        self.footer = self.window.scan(|cursor| {
            let value = cursor.raw_value()?;
            Ok(serde_json::from_slice(value).ok())
        })?;
        Ok(())
    }

    /// Reads the array of events. Commas are optional, as other readers have it.
    fn array(&mut self) -> Result<(), Stop> {
        self.window.scan(|cursor| cursor.expect(b'['))?;
        let TraceFile {
            window,
            events,
            objects,
            phases,
            ..
        } = self;
        loop {
            let more = window.scan(|cursor| {
                while cursor.take(b',')? {}
                if cursor.take(b']')? {
                    return Ok(false);
                }
                let event = Event::parse(cursor)?;
                *objects += 1;
                *phases += u64::from(event.has_phase());
                events.take(&event);
                Ok(true)
            })?;
            if !more {
                return Ok(());
            }
        }
    }
}

/// What to say of a file that stopped before its events.
fn refuse(stop: Stop, reason: &'static str) -> ReadError {
    match stop {
        Stop::Io(error) => ReadError::Io(error),
        Stop::Cut | Stop::Bad => ReadError::NotATrace(reason),
    }
}
