//! One event of a trace file: taken apart, and made a row.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use super::escape::unescape;
use super::number::read_micros;
use super::scan::{Cursor, Flaw, Value};
use super::values::{Scratch, Values};
use crate::recording::{Builder, Flags, Gap, Row};
use crate::trace::{Category, Code, Kind, ThreadId, Time};

/// How many code objects are known by the text of their events.
// Fuzzing reads small files, thousands a second: they have to fill it as large ones do.
const SLOTS: usize = if cfg!(fuzzing) { 1 << 4 } else { 1 << 14 };

/// An event of the Chrome Trace Event Format, so far as it tells of calls.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    phase: &'a [u8],
    pid: &'a [u8],
    tid: &'a [u8],
    ts: &'a [u8],
    dur: Option<&'a [u8]>,
    text: CodeText<'a>,
    /// Where other tools have the file; their line is not the function's first.
    filename: &'a [u8],
    call: Option<&'a [u8]>,
    depth: Option<&'a [u8]>,
    gap: GapText<'a>,
    exception: Option<&'a [u8]>,
    values: Values<'a>,
    /// `args.name`, by which metadata events name things.
    label: &'a [u8],
    flags: Flags,
}

/// What only events tell that stand for a gap.
#[derive(Debug, Default)]
struct GapText<'a> {
    after_call: &'a [u8],
    until: &'a [u8],
    starts: &'a [u8],
    ends: &'a [u8],
}

/// All that an event tells of its code object.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
struct CodeText<'a> {
    name: &'a [u8],
    category: &'a [u8],
    file: &'a [u8],
    line: &'a [u8],
    kind: &'a [u8],
}

impl<'a> Event<'a> {
    /// Reads the event that comes next.
    pub(super) fn parse(cursor: &mut Cursor<'a>) -> Result<Self, Flaw> {
        let mut event = Event::default();
        cursor.members(|cursor, name| {
            if name == b"args" && cursor.peek()? == b'{' {
                return cursor.members(|cursor, name| event.argument(cursor, name));
            }
            // An id may be a number or a string.
            let text = match cursor.value()? {
                Value::String(text) | Value::Scalar(text) => text,
                Value::Nested => return Ok(()),
            };
            match name {
                b"ph" => event.phase = text,
                b"pid" => event.pid = text,
                b"tid" => event.tid = text,
                b"ts" => event.ts = text,
                b"dur" => event.dur = Some(text),
                b"name" => event.text.name = text,
                b"cat" => event.text.category = text,
                _ => {}
            }
            Ok(())
        })?;
        if event.text.file.is_empty() {
            event.text.file = event.filename;
            event.text.line = b"";
        }
        Ok(event)
    }

    fn argument(&mut self, cursor: &mut Cursor<'a>, name: &[u8]) -> Result<(), Flaw> {
        if self.values.take(cursor, name)? {
            return Ok(());
        }
        match (name, cursor.value()?) {
            (b"call", Value::Scalar(text)) => self.call = Some(text),
            (b"depth", Value::Scalar(text)) => self.depth = Some(text),
            (b"line", Value::Scalar(text)) => self.text.line = text,
            (b"file", Value::String(text)) => self.text.file = text,
            (b"filename", Value::String(text)) => self.filename = text,
            (b"kind", Value::String(text)) => self.text.kind = text,
            (b"name", Value::String(text)) => self.label = text,
            (b"exception", Value::String(text)) => {
                self.exception = Some(text);
                self.flags.set(Flags::RAISED, true);
            }
            (b"after_call", Value::Scalar(text)) => self.gap.after_call = text,
            (b"until", Value::Scalar(text)) => self.gap.until = text,
            (b"starts", Value::Scalar(text)) => self.gap.starts = text,
            (b"ends", Value::Scalar(text)) => self.gap.ends = text,
            (b"yielded", Value::Scalar(b"true")) => self.flags.set(Flags::YIELDED, true),
            (b"unfinished", Value::Scalar(b"true")) => self.flags.set(Flags::UNFINISHED, true),
            (b"end_inferred", Value::Scalar(b"true")) => self.flags.set(Flags::END_INFERRED, true),
            (b"start_inferred", Value::Scalar(b"true")) => {
                self.flags.set(Flags::START_INFERRED, true);
            }
            (b"resume", Value::Scalar(b"true")) => self.flags.set(Flags::RESUMED, true),
            (b"already_running", Value::Scalar(b"true")) => {
                self.flags.set(Flags::ALREADY_RUNNING, true);
            }
            _ => {}
        }
        Ok(())
    }

    /// The gap that it stands for. `None` if it does not tell all of one: it is another tool's then.
    fn gap(&self, since: Time) -> Option<Gap> {
        Some(Gap {
            after_call: read_integer(self.gap.after_call)?,
            depth: read_integer(self.depth?)?.try_into().ok()?,
            since,
            until: Time(read_micros(self.gap.until)?).max(since),
            starts: read_integer(self.gap.starts)?,
            ends: read_integer(self.gap.ends)?,
        })
    }

    /// Whether it is an event at all.
    pub(super) fn has_phase(&self) -> bool {
        !self.phase.is_empty()
    }
}

/// Makes rows of events.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) builder: Builder,
    codes: CodeCache,
    ids: Ids,
    scratch: Scratch,
}

impl Events {
    /// Takes an event; what is no call is let go, as is a call without a time.
    pub(super) fn take(&mut self, event: &Event<'_>) {
        let pid = self.ids.number(event.pid);
        let thread = ThreadId {
            pid,
            tid: self.ids.number(event.tid),
        };
        let at = || read_micros(event.ts).map(Time);
        match event.phase {
            b"X" => {
                if let Some(start) = at() {
                    let (row, numbered) = self.row(start, event);
                    self.builder.call(thread, row, numbered);
                }
            }
            b"B" => {
                if let Some(at) = at() {
                    let (row, _) = self.row(at, event);
                    self.builder.begin(thread, row);
                }
            }
            b"E" => {
                if let Some(at) = at() {
                    // Its name may be left out.
                    let named = !event.text.name.is_empty();
                    let code = named.then(|| self.codes.index(&mut self.builder, event.text));
                    self.builder.end(thread, at, code);
                }
            }
            b"i" if event.text.category == b"gap" => {
                if let Some(gap) = at().and_then(|since| event.gap(since)) {
                    self.builder.gap(thread, gap);
                }
            }
            b"M" => match event.text.name {
                b"process_name" => self.builder.names.process(pid, unescape(event.label)),
                b"thread_name" => self.builder.names.thread(thread, unescape(event.label)),
                _ => {}
            },
            _ => {}
        }
    }

    /// The row of a call, and whether its number and depth are known.
    fn row(&mut self, start: Time, event: &Event<'_>) -> (Row, bool) {
        let duration = event.dur.and_then(read_micros);
        let number = event.call.and_then(read_integer);
        let depth = event
            .depth
            .and_then(read_integer)
            .and_then(|depth| depth.try_into().ok());
        let exception = event.exception.map(unescape);
        let mut flags = event.flags;
        let goes_on = duration.is_none() || event.phase == b"B";
        flags.set(Flags::UNFINISHED, goes_on);
        let texts = &mut self.builder.texts;
        let (arguments, outcome) = self.scratch.intern(&event.values, flags, texts);
        // A call ends in one way, whatever a file says.
        if flags.has(Flags::UNFINISHED) || flags.has(Flags::RAISED) {
            flags.clear(Flags::END_INFERRED);
        }
        let otherwise = [Flags::UNFINISHED, Flags::RAISED, Flags::END_INFERRED];
        if outcome.is_none() || otherwise.iter().any(|flag| flags.has(*flag)) {
            flags.clear(Flags::YIELDED);
        }
        let row = Row {
            start,
            duration: duration.unwrap_or(0),
            number: number.unwrap_or(0),
            code: self.codes.index(&mut self.builder, event.text),
            depth: depth.unwrap_or(0),
            exception: exception.and_then(|name| self.builder.names.exception(&name)),
            arguments,
            outcome,
            flags,
        };
        (row, number.is_some() && depth.is_some())
    }
}

fn read_integer(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// Process and thread ids of other tools, which may be anything.
#[derive(Debug, Default)]
struct Ids(std::collections::HashMap<Box<[u8]>, u32>);

impl Ids {
    /// The number that `text` is, or else one that stands for it.
    fn number(&mut self, text: &[u8]) -> u32 {
        if let Some(number) = read_integer(text).and_then(|number| u32::try_from(number).ok()) {
            return number;
        }
        if text.is_empty() {
            return 0;
        }
        // From the top: no kernel allots these.
        let next = u32::MAX - self.0.len() as u32;
        *self.0.entry(text.into()).or_insert(next)
    }
}

/// Finds the index of a code object by the text of its events, without making strings of it.
///
/// Of fixed size, each entry giving way to the next with its hash: no file can make it slow or big.
#[derive(Debug)]
struct CodeCache(Box<[Option<Box<CachedCode>>]>);

#[derive(Debug)]
struct CachedCode {
    name: Box<[u8]>,
    category: Box<[u8]>,
    file: Box<[u8]>,
    line: Box<[u8]>,
    kind: Box<[u8]>,
    index: u32,
}

impl Default for CodeCache {
    fn default() -> Self {
        CodeCache((0..SLOTS).map(|_| None).collect())
    }
}

impl CodeCache {
    fn index(&mut self, builder: &mut Builder, text: CodeText<'_>) -> u32 {
        let slot = &mut self.0[text.hash() % SLOTS];
        if let Some(cached) = slot
            && cached.text() == text
        {
            return cached.index;
        }
        let index = builder.names.code(&text.code());
        *slot = Some(Box::new(CachedCode {
            name: text.name.into(),
            category: text.category.into(),
            file: text.file.into(),
            line: text.line.into(),
            kind: text.kind.into(),
            index,
        }));
        index
    }
}

impl CachedCode {
    fn text(&self) -> CodeText<'_> {
        CodeText {
            name: &self.name,
            category: &self.category,
            file: &self.file,
            line: &self.line,
            kind: &self.kind,
        }
    }
}

impl CodeText<'_> {
    fn hash(&self) -> usize {
        let mut hasher = FxHasher::default();
        for part in [self.name, self.category, self.file, self.line] {
            hasher.write(part);
        }
        hasher.finish() as usize
    }

    fn code(&self) -> Code {
        let category = self
            .category
            .split(|&byte| byte == b',')
            .next()
            .unwrap_or_default();
        let mut code = Code {
            name: unescape(self.name),
            file: unescape(self.file),
            line: read_integer(self.line)
                .and_then(|line| line.try_into().ok())
                .unwrap_or(0),
            kind: Kind::Function,
            category: Category::from_word(&unescape(category)).unwrap_or(Category::Internal),
        };
        if self.file.is_empty()
            && let Some((name, file, line)) = split_place(&code.name)
        {
            (code.name, code.file, code.line) = (name.to_owned(), file.to_owned(), line);
        }
        code.kind = Kind::from_word(&unescape(self.kind)).unwrap_or_else(|| kind_of(&code.name));
        code
    }
}

/// Splits VizTracer's `name (file:line)`.
fn split_place(text: &str) -> Option<(&str, &str, u32)> {
    let (name, place) = text.strip_suffix(')')?.split_once(" (")?;
    let (file, line) = place.rsplit_once(':')?;
    let line = line.parse().ok()?;
    (!file.is_empty()).then_some((name, file, line))
}

/// What a name tells of the kind.
fn kind_of(name: &str) -> Kind {
    match name.rsplit('.').next().unwrap_or(name) {
        "<module>" => Kind::Module,
        "<lambda>" => Kind::Lambda,
        "<listcomp>" | "<setcomp>" | "<dictcomp>" => Kind::Comprehension,
        "<genexpr>" => Kind::Generator,
        "__init__" => Kind::ClassInstantiation,
        last if last.len() > 4 && last.starts_with("__") && last.ends_with("__") => {
            Kind::SpecialMethod
        }
        _ => Kind::Function,
    }
}
