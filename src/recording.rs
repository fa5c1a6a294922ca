//! A finished recording in memory: per thread, its calls as compact rows.
//!
//! It comes from a trace file ([`crate::format::read`]) or straight from the tracer
//! ([`Collector`]), and it is what the views, the pattern search and the exporters work on.
//! Pure: no BPF, no file system, no clock.

mod build;
mod calls;
mod collector;
mod edges;
mod facts;
mod functions;
mod gaps;
mod nest;
mod selection;
mod texts;
mod whole;

use std::borrow::Cow;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::trace::{ArgumentsRef, Code, Loss, ThreadId, Time};

pub(crate) use build::Builder;
pub use calls::Calls;
pub use collector::Collector;
pub use facts::{Argument, Fact, Facts};
pub use functions::CallCounter;
pub use gaps::{Gap, GapRun, GapSum};
pub use selection::Selection;
pub(crate) use texts::Texts;
pub use whole::{Gone, Incomplete};

#[cfg(test)]
pub(crate) use gaps::random as random_gaps;

/// Everything known of one recording.
#[derive(Debug, Default)]
pub struct Recording {
    /// The threads, in order of process and thread id.
    pub threads: Vec<Thread>,
    /// What the rows' `code` is an index into. A function that ran under two categories (a module's
    /// body, say) is here twice: `category` is that of the activations.
    pub codes: Vec<Code>,
    /// What a row's `exception` is an index into, see [`Recording::exception`].
    pub exceptions: Vec<Box<str>>,
    /// What the rows' `arguments` and `outcome` are indices into.
    pub(crate) texts: Texts,
    /// What the recorder said of the whole; other tools' files have none, nor do files cut short.
    pub footer: Option<Footer>,
    /// Whether the file ended early. What was recorded up to there is complete but for the calls
    /// that had not ended yet, since a call is written when it ends.
    pub truncated: bool,
}

impl Recording {
    /// Index of the thread with this id.
    pub fn thread_index(&self, id: ThreadId) -> Option<usize> {
        self.threads
            .binary_search_by_key(&id, |thread| thread.id)
            .ok()
    }

    /// How many events could not be recorded: of the whole recording or, where a file ends early, up
    /// to there.
    pub fn lost(&self) -> u64 {
        let gaps = self.threads.iter().flat_map(|thread| &thread.gaps);
        match &self.footer {
            Some(footer) => footer.lost,
            None => gaps.map(Gap::lost).fold(0, u64::saturating_add),
        }
    }

    /// What each thread has lost: as the file says or, where it ends early, as its gaps do.
    pub fn losses(&self) -> Cow<'_, [Lost]> {
        match &self.footer {
            Some(footer) => Cow::Borrowed(&footer.lost_by_thread),
            None => {
                let threads = self.threads.iter();
                Cow::Owned(threads.filter_map(Thread::loss).collect())
            }
        }
    }

    /// What `row` ran.
    pub fn code(&self, row: &Row) -> &Code {
        &self.codes[row.code as usize]
    }

    /// Type of the exception that left `row`, where it is known.
    pub fn exception(&self, row: &Row) -> Option<&str> {
        row.exception
            .map(|index| &*self.exceptions[index.get() as usize - 1])
    }

    /// What `row` was called with, where that was recorded: pytrace does so for starts, not for
    /// resumptions.
    pub fn arguments(&self, row: &Row) -> Option<ArgumentsRef<'_>> {
        let text = self.texts.get(row.arguments?);
        Some(ArgumentsRef::from_text(text))
    }

    /// What `row` returned or, with [`Flags::YIELDED`], yielded, where that was recorded.
    pub fn result(&self, row: &Row) -> Option<&str> {
        let outcome = row.outcome.filter(|_| !row.flags.has(Flags::RAISED));
        outcome.map(|index| self.texts.get(index))
    }

    /// Leaves out arguments, results and the messages of exceptions, as if they had not been recorded.
    pub fn forget_values(&mut self) {
        for row in self.threads.iter_mut().flat_map(|thread| &mut thread.calls) {
            row.arguments = None;
            row.outcome = None;
            row.flags.clear(Flags::YIELDED);
        }
        self.texts = Texts::default();
        if let Some(footer) = &mut self.footer {
            footer.values = None;
        }
    }

    /// The message of the exception that left `row`, where it is known.
    pub fn message(&self, row: &Row) -> Option<&str> {
        let outcome = row.outcome.filter(|_| row.flags.has(Flags::RAISED));
        outcome.map(|index| self.texts.get(index))
    }
}

/// A thread and its calls.
#[derive(Debug, Default)]
pub struct Thread {
    /// Process and thread id.
    pub id: ThreadId,
    /// The thread's name, empty where it is not known.
    pub name: String,
    /// The process's name or command line, empty where it is not known.
    pub process_name: String,
    /// In order of start, so that each call stands behind its caller. The first has depth 0, and
    /// each other at most one more than the row before it.
    pub calls: Vec<Row>,
    /// Where events of this thread are missing, in order.
    pub gaps: Vec<Gap>,
}

impl Thread {
    /// What its gaps are together; `None` if it has none.
    fn loss(&self) -> Option<Lost> {
        let (first, others) = self.gaps.split_first()?;
        let mut sum = GapSum::from(first);
        for gap in others {
            sum.add(gap);
        }
        Some(Lost {
            pid: self.id.pid,
            tid: self.id.tid,
            count: sum.lost(),
            near_call: first.after_call,
            starts: sum.starts,
            ends: sum.ends,
            gaps: sum.gaps as u64,
        })
    }
}

/// A call of a [`Recording`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Row {
    /// When it started or resumed.
    pub start: Time,
    /// How long it ran, in nanoseconds.
    pub duration: u64,
    /// The `call` number of the file: 1-based, in order of start, per thread. One that is missing is a
    /// call that is not here.
    pub number: u64,
    /// Index into [`Recording::codes`].
    pub code: u32,
    /// Number of its ancestors that are in the recording.
    pub depth: u32,
    /// Index into [`Recording::exceptions`], plus one.
    pub exception: Option<NonZeroU32>,
    /// What [`Recording::arguments`] finds them by.
    pub arguments: Option<NonZeroU32>,
    /// What [`Recording::result`] or, of a row with [`Flags::RAISED`], [`Recording::message`] is
    /// found by.
    pub outcome: Option<NonZeroU32>,
    /// What else there is to say of it.
    pub flags: Flags,
}

// Ten million of them should fit into the memory of a laptop.
const _: () = assert!(size_of::<Row>() == 48);

impl Row {
    /// When it ended.
    pub fn end(&self) -> Time {
        Time(self.start.0.saturating_add(self.duration))
    }
}

/// A set of properties of a [`Row`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// It was resumed rather than started.
    pub const RESUMED: Flags = Flags(1);
    /// It ran already when the recording began, or when a gap ended.
    pub const ALREADY_RUNNING: Flags = Flags(2);
    /// It was still open when the recording ended.
    pub const UNFINISHED: Flags = Flags(4);
    /// An exception left it.
    pub const RAISED: Flags = Flags(8);
    /// It ended no later than its duration says: a yield that was inferred.
    pub const END_INFERRED: Flags = Flags(16);
    /// Its result is what it yielded, not what it returned.
    pub const YIELDED: Flags = Flags(32);
    /// It began in a gap, and was found running behind it; with [`Flags::ALREADY_RUNNING`].
    pub const BEGAN_IN_GAP: Flags = Flags(64);
    /// It started, or was resumed, in compiled code, no later than it is said to: it ran for its duration
    /// at least.
    pub const START_INFERRED: Flags = Flags(128);

    /// Whether all of `other` is set.
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// What both have.
    pub(crate) fn common(self, other: Flags) -> Flags {
        Flags(self.0 & other.0)
    }

    /// Takes `other` away.
    pub(crate) fn clear(&mut self, other: Flags) {
        self.0 &= !other.0;
    }

    /// Adds `other` if `condition` holds.
    pub(crate) fn set(&mut self, other: Flags, condition: bool) {
        if condition {
            self.0 |= other.0;
        }
    }
}

/// What a trace file says of the recording as a whole: the member `pytrace` of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Footer {
    /// Version of the trace file format; [`Footer::FORMAT`] where this version writes it.
    pub format: u32,
    /// Version of pytrace.
    pub version: String,
    /// The traced command and its arguments.
    pub command: Vec<String>,
    /// The directories of the scope.
    pub scope: Vec<String>,
    /// The interpreters that were traced.
    pub interpreters: Vec<Interpreter>,
    /// How many events could not be recorded, nor calls be written.
    pub lost: u64,
    /// How many of them may have been none of the scope's concern: it was not known yet what their
    /// code is.
    #[serde(skip_serializing_if = "is_zero")]
    pub lost_unjudged: u64,
    /// The same for each thread; [`Thread::gaps`] says where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost_by_thread: Vec<Lost>,
    /// What else is missing, or may be; [`Footer::is_whole`] judges by all of that.
    #[serde(skip_serializing_if = "Incomplete::is_empty")]
    pub incomplete: Incomplete,
    /// How values were recorded; `None`: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Values>,
    /// When the recording began: UTC, RFC 3339.
    pub started_at: String,
    /// How the traced program or the recording ended: `exit 0`, `signal 9`, ...
    pub ended: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Footer {
    /// The format that this version of pytrace writes.
    pub const FORMAT: u32 = 1;
}

/// How much of values was recorded: where arguments, results and messages are cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Values {
    /// Characters of a string.
    pub max_string: u32,
    /// Elements of a container, attributes of an instance.
    pub max_items: u32,
    /// Levels of nesting.
    pub max_depth: u32,
    /// Bytes of the target's memory for an event.
    pub max_bytes: u32,
    /// What the names of redacted values match; `None`: nothing was redacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redact: Option<String>,
}

/// An interpreter that was traced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interpreter {
    /// Its executable.
    pub path: String,
    /// Its version.
    pub version: String,
    /// Whether it was built without the GIL.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub free_threaded: bool,
    /// How it was probed: `usdt`, `dispatch`, ...
    pub plan: String,
    /// Places where it was probed.
    pub sites: usize,
    /// Those of them that were reached, and whose first hits were checked against the thread
    /// state.
    pub checked: usize,
    /// Whether its JIT was on (3.14+): calls may have started in compiled code.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub jit: bool,
    /// What these checks found wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

/// What one thread has lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lost {
    /// Process id.
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
    /// How many events, and calls that could not be written.
    pub count: u64,
    /// Number of the call near which the first of them was lost.
    pub near_call: u64,
    /// Of the events, those known to be starts and resumptions of calls.
    pub starts: u64,
    /// Of the events, those known to be ends and suspensions of calls.
    pub ends: u64,
    /// In how many gaps.
    pub gaps: u64,
}

impl From<&Loss> for Lost {
    fn from(loss: &Loss) -> Lost {
        let ThreadId { pid, tid } = loss.thread;
        Lost {
            pid,
            tid,
            count: loss.count,
            near_call: loss.near_call,
            starts: loss.starts,
            ends: loss.ends,
            gaps: loss.gaps,
        }
    }
}
