//! Bytes from the ring buffer to [`Event`]s. The only module that names record types.

mod objects;
mod value;

use plain::Plain;
use thiserror::Error;

use crate::bpf::frames::types;
use crate::trace::{Missing, ThreadId, Time};

pub use objects::{Parameters, TypeRecord};
pub use value::{Shape, Value, values};

use objects::{decode_parameters, decode_type};

/// Something that happened in a traced thread.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// The thread.
    pub thread: ThreadId,
    /// When.
    pub time: Time,
    /// What.
    pub kind: EventKind<'a>,
}

impl Event<'_> {
    /// Whether no frame is known, only the function's name.
    pub fn is_named(&self) -> bool {
        match self.kind {
            EventKind::Enter { how, .. } => how == Enter::Named,
            EventKind::Exit { how, .. } => matches!(how, Leave::Named | Leave::NeverRan),
            _ => false,
        }
    }
}

/// What an [`Event`] says.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind<'a> {
    /// A code object is seen for the first time; later events name it by its address.
    Code(CodeRecord),
    /// An activation starts or resumes.
    Enter {
        /// Address of its frame.
        frame: u64,
        /// Address of its caller's frame; 0 where there is none or it is not known.
        previous: u64,
        /// Address of its code object.
        code: u64,
        /// Start, resumption or throw.
        how: Enter,
        /// Of a start: the values of its parameters, in the order of the frame's locals, as
        /// captured (see `struct value` in `bpf/value.h`); empty where none were.
        values: &'a [u8],
    },
    /// An activation ends or suspends.
    Exit {
        /// Address of its frame.
        frame: u64,
        /// Return, yield or exception.
        how: Leave,
        /// Name of the type of the exception that leaves the frame; empty where there is none
        /// or it could not be read.
        exception: &'a [u8],
        /// The value that is returned or yielded, or the exception, as captured; empty where it
        /// was not.
        values: &'a [u8],
    },
    /// A frame that was active before this thread's first event, that became active while
    /// events were lost, or that began in code compiled by the JIT. They come innermost first, right
    /// before the event that made the kernel program look.
    Running {
        /// Address of the frame.
        frame: u64,
        /// Address of its code object; 0 of the frame that is known to run, below those that began in
        /// compiled code.
        code: u64,
        /// Distance from the innermost frame, 0 for itself.
        depth: u32,
        /// Whether there are frames below this last one that were not reported.
        cut: bool,
        /// Whether frames are reported as no probe saw them begin, in compiled code.
        compiled: bool,
    },
    /// Starts and ends of the thread are missing between its previous event and its next.
    Gap(Missing),
    /// The process found the ring half full.
    Stopped {
        /// Whether it is stopped until it gets a SIGCONT; if not, the watchdog was asked to halt
        /// it.
        held: bool,
    },
    /// The process runs a new program, and is before its first instruction.
    Exec {
        /// Whether it is stopped there until it gets a SIGCONT.
        held: bool,
    },
    /// The new program is at its entry point, its libraries mapped.
    Loaded {
        /// Whether it is stopped there until it gets a SIGCONT.
        held: bool,
    },
    /// The process's JIT is about to compile code, and was taken to be off.
    Compiles {
        /// Whether it is stopped there until it gets a SIGCONT.
        held: bool,
    },
    /// The process's interpreter is about to run the user's program.
    Ready {
        /// The stack pointer there, at the start of a function.
        stack: u64,
        /// What a function called before may have returned.
        result: i32,
        /// Whether it is stopped there until it gets a SIGCONT.
        held: bool,
    },
    /// The thread has ended.
    ThreadEnd,
    /// The process has been made, and has not run yet.
    Fork {
        /// The process that made it.
        parent: u32,
    },
    /// The process is a copy of one that runs a traced interpreter, and is before its first
    /// instruction.
    Born {
        /// The process that it is a copy of.
        parent: u32,
        /// Whether it is stopped there until it gets a SIGCONT.
        held: bool,
    },
    /// The process's last thread has ended.
    ProcessEnd {
        /// Whether it was stopped on our behalf, and nobody had let it go on.
        held: bool,
    },
    /// A type is seen for the first time; later values name it by its address.
    Type(TypeRecord),
    /// The parameters of the code object that was described right before.
    Parameters(Parameters<'a>),
}

/// How an activation begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enter {
    /// Its function was called.
    Start,
    /// A generator or coroutine goes on.
    Resume,
    /// A generator or coroutine goes on with an exception thrown into it.
    Throw,
    /// A generator or coroutine goes on which was not seen to yield, but has, at some time since
    /// the thread's previous event.
    ResumeAgain,
    /// Its function was called, or goes on. Only the function's name is known, for which the
    /// event's frame stands.
    Named,
}

/// How an activation is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// By returning.
    Return,
    /// By yielding, or by awaiting something that is not ready.
    Yield,
    /// By an exception.
    Unwind,
    /// By yielding, at some time since the thread's previous event.
    InferredYield,
    /// In any of these ways, after an [`Enter::Named`].
    Named,
    /// The thread's innermost [`Enter::Named`] was none: a generator was made.
    NeverRan,
}

/// What the kernel program read of a code object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRecord {
    /// Its address.
    pub address: u64,
    /// Tells it from other code objects at the same address.
    pub id: u64,
    /// `co_flags`.
    pub flags: u32,
    /// `co_firstlineno`.
    pub first_line: u32,
    /// `co_filename`.
    pub filename: Text,
    /// `co_qualname`, or `co_name` before 3.11.
    pub name: Text,
    /// What else tells of its qualified name before 3.11.
    pub qualifier: Option<Qualifier>,
    /// Start of the first argument's name, before 3.11; empty where there is none.
    pub first_argument: String,
}

/// What qualifies the name of a method, found through its first argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Qualifier {
    /// The function's `__qualname__`.
    Function(Text),
    /// The `__qualname__` of a class of the argument's that has something under this name, which
    /// may be the function in a wrapping.
    Class(Text),
}

/// A str object of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What was captured of it; ends in `…` where that is not all.
    pub text: String,
    /// Where the whole string is, if not all of it was captured.
    pub whole: Option<Whole>,
}

/// Where a string's characters are in the target's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// Address of the first.
    pub address: u64,
    /// How many there are.
    pub length: u32,
    /// Bytes of each: 1 (Latin-1), 2 (UCS-2) or 4 (UCS-4).
    pub width: u8,
}

impl Text {
    /// A string of which the first `bytes` were captured.
    pub fn captured(bytes: &[u8], whole: Whole) -> Text {
        let Some(mut text) = decode_characters(bytes, whole.width) else {
            return Text::unreadable();
        };
        let cut = bytes.len() < whole.bytes();
        if cut {
            text.push('…');
        }
        Text {
            text,
            whole: cut.then_some(whole),
        }
    }

    /// A C string, or the start of it.
    pub fn of_c(bytes: &[u8], cut: bool) -> Text {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        if cut {
            text.push('…');
        }
        Text { text, whole: None }
    }

    /// In place of a string that could not be read.
    pub fn unreadable() -> Text {
        Text {
            text: "<unreadable>".to_owned(),
            whole: None,
        }
    }
}

impl Whole {
    /// How many bytes the string has.
    pub fn bytes(&self) -> usize {
        self.length as usize * usize::from(self.width)
    }
}

/// Bytes that are no record. The kernel program and this file disagree: a defect of pytrace.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The record is shorter than its kind needs.
    #[error("record of kind {kind} has only {len} bytes")]
    Short {
        /// The kind's number.
        kind: u8,
        /// Bytes there are.
        len: usize,
    },
    /// There is no such kind.
    #[error("record of unknown kind {0}")]
    Kind(u8),
}

// SAFETY: plain integers; every bit pattern is a value.
unsafe impl Plain for types::event_head {}
// SAFETY: as above.
unsafe impl Plain for types::event_code {}
// SAFETY: as above.
unsafe impl Plain for types::event_enter {}
// SAFETY: as above.
unsafe impl Plain for types::event_exit {}
// SAFETY: as above.
unsafe impl Plain for types::event_running {}
// SAFETY: as above.
unsafe impl Plain for types::event_process {}
// SAFETY: as above.
unsafe impl Plain for types::event_ready {}
// SAFETY: as above.
unsafe impl Plain for types::event_gap {}
// SAFETY: as above.
unsafe impl Plain for types::event_type {}
// SAFETY: as above.
unsafe impl Plain for types::event_parameters {}

/// Reads one record. Never fails on what the kernel programs write.
pub fn decode(bytes: &[u8]) -> Result<Event<'_>, DecodeError> {
    let head: types::event_head = read(bytes)?;
    let kind = match types::event_kind(u32::from(head.kind)) {
        types::event_kind::EVENT_ENTER => {
            let record: types::event_enter = read(bytes)?;
            EventKind::Enter {
                frame: record.frame,
                previous: record.previous,
                code: record.code,
                how: match types::enter(u32::from(head.detail)) {
                    types::enter::ENTER_RESUME => Enter::Resume,
                    types::enter::ENTER_RESUME_AGAIN => Enter::ResumeAgain,
                    types::enter::ENTER_THROW => Enter::Throw,
                    types::enter::ENTER_NAMED => Enter::Named,
                    _ => Enter::Start,
                },
                values: behind::<types::event_enter>(bytes),
            }
        }
        types::event_kind::EVENT_EXIT => {
            let record: types::event_exit = read(bytes)?;
            let how = types::exit(u32::from(head.detail));
            let (exception, values) = match how {
                types::exit::EXIT_UNWIND => (
                    until_nul(behind::<types::event_exit>(bytes)),
                    behind::<types::event_unwind>(bytes),
                ),
                _ => (Default::default(), behind::<types::event_exit>(bytes)),
            };
            EventKind::Exit {
                frame: record.frame,
                exception,
                values,
                how: match how {
                    types::exit::EXIT_YIELD => Leave::Yield,
                    types::exit::EXIT_UNWIND => Leave::Unwind,
                    types::exit::EXIT_YIELD_INFERRED => Leave::InferredYield,
                    types::exit::EXIT_NAMED => Leave::Named,
                    types::exit::EXIT_NEVER_RAN => Leave::NeverRan,
                    _ => Leave::Return,
                },
            }
        }
        types::event_kind::EVENT_CODE => EventKind::Code(decode_code(bytes)?),
        types::event_kind::EVENT_RUNNING => {
            let record: types::event_running = read(bytes)?;
            EventKind::Running {
                frame: record.frame,
                code: record.code,
                depth: record.depth,
                cut: record.cut != 0,
                compiled: types::running(u32::from(head.detail))
                    == types::running::RUNNING_COMPILED,
            }
        }
        types::event_kind::EVENT_EXEC
        | types::event_kind::EVENT_LOADED
        | types::event_kind::EVENT_THREAD_END
        | types::event_kind::EVENT_FORK
        | types::event_kind::EVENT_BORN
        | types::event_kind::EVENT_STOPPED
        | types::event_kind::EVENT_COMPILES
        | types::event_kind::EVENT_PROCESS_END => {
            let record: types::event_process = read(bytes)?;
            let (parent, held) = (record.parent, record.held != 0);
            match types::event_kind(u32::from(head.kind)) {
                types::event_kind::EVENT_EXEC => EventKind::Exec { held },
                types::event_kind::EVENT_LOADED => EventKind::Loaded { held },
                types::event_kind::EVENT_FORK => EventKind::Fork { parent },
                types::event_kind::EVENT_BORN => EventKind::Born { parent, held },
                types::event_kind::EVENT_PROCESS_END => EventKind::ProcessEnd { held },
                types::event_kind::EVENT_STOPPED => EventKind::Stopped { held },
                types::event_kind::EVENT_COMPILES => EventKind::Compiles { held },
                _ => EventKind::ThreadEnd,
            }
        }
        types::event_kind::EVENT_READY => {
            let record: types::event_ready = read(bytes)?;
            EventKind::Ready {
                stack: record.stack,
                result: record.result.cast_signed(),
                held: record.held != 0,
            }
        }
        types::event_kind::EVENT_GAP => {
            let record: types::event_gap = read(bytes)?;
            EventKind::Gap(Missing {
                since: Time(record.since),
                starts: record.starts,
                ends: record.ends,
            })
        }
        types::event_kind::EVENT_TYPE => EventKind::Type(decode_type(bytes)?),
        types::event_kind::EVENT_PARAMETERS => EventKind::Parameters(decode_parameters(bytes)?),
        _ => return Err(DecodeError::Kind(head.kind)),
    };
    Ok(Event {
        thread: ThreadId {
            pid: head.tgid,
            tid: head.tid,
        },
        time: Time(head.time),
        kind,
    })
}

/// What follows a record's fixed part.
fn behind<T>(bytes: &[u8]) -> &[u8] {
    bytes.get(size_of::<T>()..).unwrap_or_default()
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Copies a record's fixed part out; the ring buffer aligns records, a file need not.
fn read<T: Plain + Copy>(bytes: &[u8]) -> Result<T, DecodeError> {
    let short = || DecodeError::Short {
        kind: bytes.first().copied().unwrap_or(0),
        len: bytes.len(),
    };
    if bytes.len() < size_of::<T>() {
        return Err(short());
    }
    // SAFETY: there are enough bytes, and `Plain` says that any of them make a `T`.
    Ok(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

fn decode_code(bytes: &[u8]) -> Result<CodeRecord, DecodeError> {
    let record: types::event_code = read(bytes)?;
    let text = bytes
        .get(size_of::<types::event_code>()..)
        .unwrap_or_default();
    // The long form's text is longer than the short record's whole; padding is not counted.
    let third = if bytes.len() >= size_of::<types::event_code_long>() {
        (size_of::<types::event_code_long>() - size_of::<types::event_code>()) / 3
    } else {
        (size_of::<types::event_code_short>() - size_of::<types::event_code>()) / 3
    };
    let short = || DecodeError::Short {
        kind: record.head.kind,
        len: bytes.len(),
    };
    let (filename, text) = text.split_at_checked(third).ok_or_else(short)?;
    let (name, text) = text.split_at_checked(third).ok_or_else(short)?;
    let qualifier = |kind: fn(Text) -> Qualifier| {
        (record.qualifier.width != 0).then(|| kind(decode_string(&record.qualifier, text)))
    };
    Ok(CodeRecord {
        address: record.code,
        id: record.id,
        flags: record.flags,
        first_line: record.first_line,
        filename: decode_string(&record.filename, filename),
        name: decode_string(&record.name, name),
        qualifier: match types::qualifier(u32::from(record.head.detail)) {
            types::qualifier::QUALIFIER_FUNCTION => qualifier(Qualifier::Function),
            types::qualifier::QUALIFIER_CLASS => qualifier(Qualifier::Class),
            _ => None,
        },
        first_argument: until_nul(&record.first_argument).escape_ascii().to_string(),
    })
}

fn decode_string(string: &types::string, text: &[u8]) -> Text {
    let bytes = text.get(..usize::from(string.bytes)).unwrap_or(text);
    if types::string_width(u32::from(string.width)) == types::string_width::WIDTH_UTF8 {
        return Text::of_c(bytes, string.length as usize > bytes.len());
    }
    let whole = Whole {
        address: string.data,
        length: string.length,
        width: string.width,
    };
    Text::captured(bytes, whole)
}

/// The characters of a str object, of `width` bytes each: Latin-1, UCS-2 or UCS-4. Lone
/// surrogates are replaced. `None` for another width.
pub fn decode_characters(bytes: &[u8], width: u8) -> Option<String> {
    let replace = |code: u32| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    Some(match width {
        1 => bytes.iter().map(|&byte| char::from(byte)).collect(),
        2 => bytes
            .chunks_exact(2)
            .map(|c| replace(u32::from(u16::from_le_bytes([c[0], c[1]]))))
            .collect(),
        4 => bytes
            .chunks_exact(4)
            .map(|c| replace(u32::from_le_bytes([c[0], c[1], c[2], c[3]])))
            .collect(),
        _ => return None,
    })
}
