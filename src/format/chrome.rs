//! Writes calls as Chrome Trace Events, as they end.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::number::write_micros;
use super::output::{Output, RECALL};
use crate::recording::{Footer, Lost};
use crate::trace::{Arguments, Call, Code, Exit, Gap, Losses, Sink, ThreadId};

/// What precedes the first event.
pub(crate) const HEAD: &[u8] = b"{\"traceEvents\":[";
/// How much text is collected before it goes to the output.
const CHUNK: usize = 64 * 1024;
/// What the entry of a thread without gaps may take in the footer's list of losses, in bytes.
const LOST_ENTRY: usize = 128;

/// A [`Sink`] that streams a trace file.
///
/// Memory does not grow with the trace, only with the number of code objects. When the output
/// fails, the first call that notices returns the error; what follows is counted as lost, and
/// [`ChromeWriter::finish`] still makes a valid file of what was written before, if the output can.
#[derive(Debug)]
pub struct ChromeWriter<O: Output> {
    output: O,
    /// Events not yet handed to the output.
    buffer: Vec<u8>,
    /// Offset of `buffer` in the text of the file.
    flushed: u64,
    empty: bool,
    fragments: FxHashMap<usize, Fragment>,
    /// How an event of the last call's thread begins: up to `"ts":`.
    beginning: (ThreadId, Vec<u8>),
    /// Calls and gaps whose text could yet be taken back, in order.
    recent: VecDeque<Mark>,
    failure: Option<io::Error>,
    /// Calls that came after the output had failed.
    unwritten: Losses,
}

/// How a [`ChromeWriter`] ended.
#[derive(Debug)]
pub struct Ended {
    /// How many calls are missing from the file because it could not be written. They are in its
    /// footer's `lost`.
    pub unwritten: u64,
    /// Why. [`Sink::call`] may have reported it already.
    pub failure: Option<io::Error>,
}

/// The parts of an event that are the same for every call of a code object.
#[derive(Debug)]
struct Fragment {
    /// From `,"name":` to the quote that opens the category.
    name: Box<[u8]>,
    /// From `,"file":` to the kind.
    place: Box<[u8]>,
    /// Keeps the address taken, by which the fragment is found.
    _code: Arc<Code>,
}

/// Where the text of a call or gap ends.
#[derive(Debug)]
struct Mark {
    end: u64,
    /// Thread and number of the call; what a gap has lost is counted elsewhere.
    call: Option<(ThreadId, u64)>,
}

impl<O: Output> ChromeWriter<O> {
    /// Begins a file.
    pub fn new(output: O) -> Self {
        let mut buffer = Vec::with_capacity(CHUNK + 4096);
        buffer.extend_from_slice(HEAD);
        ChromeWriter {
            output,
            buffer,
            flushed: 0,
            empty: true,
            fragments: FxHashMap::default(),
            beginning: (ThreadId::default(), beginning(ThreadId::default())),
            recent: VecDeque::new(),
            failure: None,
            unwritten: Losses::default(),
        }
    }

    /// Names a process.
    pub fn process_name(&mut self, pid: u32, name: &str) -> io::Result<()> {
        self.metadata("process_name", ThreadId { pid, tid: pid }, name)
    }

    /// Names a thread.
    pub fn thread_name(&mut self, thread: ThreadId, name: &str) -> io::Result<()> {
        self.metadata("thread_name", thread, name)
    }

    /// Hands all events to the output. To be called now and then, so that a crash loses little.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.failure.is_some() || self.buffer.is_empty() {
            return Ok(());
        }
        let result = self.output.append(&self.buffer);
        match result {
            Ok(()) => {
                self.flushed += self.buffer.len() as u64;
                self.buffer.clear();
                self.forget_marks();
                Ok(())
            }
            Err(error) => {
                let report = again(&error);
                self.failure = Some(error);
                Err(report)
            }
        }
    }

    /// Ends the file. The calls that could not be written are added to what `footer` says is lost.
    ///
    /// An error means that the file has no proper end; it opens nevertheless, up to its last whole
    /// event.
    pub fn finish(mut self, footer: &Footer) -> io::Result<Ended> {
        if self.flush().is_err() || self.failure.is_some() {
            return self.finish_full(footer);
        }
        match self.output.finish(&end_of_file(footer)?) {
            Ok(()) => Ok(Ended {
                unwritten: 0,
                failure: None,
            }),
            Err(error) => {
                self.failure = Some(error);
                self.finish_full(footer)
            }
        }
    }

    /// Ends a file for which there was no room.
    fn finish_full(mut self, footer: &Footer) -> io::Result<Ended> {
        // Nothing can be taken back from a pipe.
        if let Some(gone) = self
            .failure
            .take_if(|failure| failure.kind() == io::ErrorKind::BrokenPipe)
        {
            return Err(gone);
        }
        // What is taken back is lost, and has to be in the footer: at worst, a new entry for each
        // thread with a recent call.
        let recent = self.recent.iter().filter_map(|mark| mark.call);
        let mut threads: Vec<ThreadId> = recent.map(|(thread, _)| thread).collect();
        threads.sort_unstable();
        threads.dedup();
        let entries = threads.len() + self.unwritten.iter().len() + 1;
        let room = HEAD.len() + end_of_file(footer)?.len() + entries * LOST_ENTRY;

        let mut ends = self.recent.iter().map(|mark| mark.end);
        let kept = self.output.make_room(room, &mut ends)?;
        let taken_back = self.recent.partition_point(|mark| mark.end <= kept);
        let mut losses = Losses::default();
        for (thread, number) in self.recent.range(taken_back..).filter_map(|mark| mark.call) {
            losses.add_unknown(thread, number, 1);
        }
        for loss in self.unwritten.iter() {
            losses.add_unknown(loss.thread, loss.near_call, loss.count);
        }
        let unwritten = losses.iter().map(|loss| loss.count).sum();
        let mut footer = footer.clone();
        add_lost(&mut footer.lost_by_thread, &losses);
        footer.lost = footer.lost.saturating_add(unwritten);
        let mut end = if kept == 0 { HEAD.to_vec() } else { Vec::new() };
        end.extend_from_slice(&end_of_file(&footer)?);
        self.output.finish(&end)?;
        Ok(Ended {
            unwritten,
            failure: self.failure,
        })
    }

    fn metadata(&mut self, what: &str, thread: ThreadId, name: &str) -> io::Result<()> {
        if self.failure.is_some() {
            return Ok(());
        }
        self.begin_event();
        self.buffer.extend_from_slice(b"{\"ph\":\"M\",\"name\":");
        json(&mut self.buffer, what);
        integer(&mut self.buffer, b",\"pid\":", thread.pid);
        integer(&mut self.buffer, b",\"tid\":", thread.tid);
        self.buffer.extend_from_slice(b",\"args\":{\"name\":");
        json(&mut self.buffer, name);
        self.buffer.extend_from_slice(b"}}");
        self.flush_if_full()
    }

    /// The separator comes before the event: text that ends behind an event then is whole.
    fn begin_event(&mut self) {
        let separator: &[u8] = if self.empty { b"\n" } else { b",\n" };
        self.empty = false;
        self.buffer.extend_from_slice(separator);
    }

    fn write_call(&mut self, call: &Call) {
        self.begin_event();
        if self.beginning.0 != call.thread {
            self.beginning = (call.thread, beginning(call.thread));
        }
        let out = &mut self.buffer;
        out.extend_from_slice(&self.beginning.1);
        write_micros(out, call.start.0);
        out.extend_from_slice(b",\"dur\":");
        write_micros(out, call.duration);
        let fragment = self
            .fragments
            .entry(Arc::as_ptr(&call.code) as usize)
            .or_insert_with(|| Fragment::new(&call.code));
        out.extend_from_slice(&fragment.name);
        out.extend_from_slice(call.category.as_str().as_bytes());
        if call.resumed {
            out.extend_from_slice(b",resume");
        }
        integer(out, b"\",\"args\":{\"call\":", call.number);
        integer(out, b",\"depth\":", call.depth);
        out.extend_from_slice(&fragment.place);
        if let Some(arguments) = &call.arguments {
            write_arguments(out, arguments);
        }
        if let Some(result) = &call.result {
            out.extend_from_slice(b",\"return\":");
            json(out, &**result);
        }
        if let Some(exception) = &call.exception {
            out.extend_from_slice(b",\"exception\":");
            json(out, &**exception);
        }
        if let Some(message) = &call.message {
            out.extend_from_slice(b",\"message\":");
            json(out, &**message);
        }
        let yielded = call.exit == Exit::Yield && call.result.is_some();
        for (name, holds) in [
            ("yielded", yielded),
            ("unfinished", call.exit == Exit::Unfinished),
            ("end_inferred", call.exit == Exit::InferredYield),
            ("already_running", call.already_running),
            ("start_inferred", call.start_inferred),
            ("resume", call.resumed),
        ] {
            if holds {
                out.extend_from_slice(b",\"");
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"\":true");
            }
        }
        out.extend_from_slice(b"}}");
        self.mark(Some((call.thread, call.number)));
    }

    /// An instant, which a viewer shows at its place, and which is in the file wherever that is cut.
    fn write_gap(&mut self, gap: &Gap) {
        self.begin_event();
        let out = &mut self.buffer;
        integer(out, b"{\"ph\":\"i\",\"s\":\"t\",\"pid\":", gap.thread.pid);
        integer(out, b",\"tid\":", gap.thread.tid);
        out.extend_from_slice(b",\"ts\":");
        write_micros(out, gap.since.0);
        integer(out, b",\"name\":\"", gap.lost());
        let plural: &[u8] = if gap.lost() == 1 { b"" } else { b"s" };
        out.extend_from_slice(b" event");
        out.extend_from_slice(plural);
        integer(
            out,
            b" lost\",\"cat\":\"gap\",\"args\":{\"after_call\":",
            gap.after_call,
        );
        integer(out, b",\"depth\":", gap.depth);
        integer(out, b",\"starts\":", gap.starts);
        integer(out, b",\"ends\":", gap.ends);
        out.extend_from_slice(b",\"until\":");
        write_micros(out, gap.until.0);
        out.extend_from_slice(b"}}");
        self.mark(None);
    }

    /// Notes that a call or gap ends here.
    fn mark(&mut self, call: Option<(ThreadId, u64)>) {
        let end = self.flushed + self.buffer.len() as u64;
        self.recent.push_back(Mark { end, call });
    }

    fn flush_if_full(&mut self) -> io::Result<()> {
        if self.buffer.len() < CHUNK {
            Ok(())
        } else {
            self.flush()
        }
    }

    fn forget_marks(&mut self) {
        let horizon = self.flushed.saturating_sub(RECALL);
        let old = self.recent.partition_point(|mark| mark.end < horizon);
        self.recent.drain(..old);
    }
}

impl<O: Output> Sink for ChromeWriter<O> {
    fn call(&mut self, call: &Call) -> io::Result<()> {
        if self.failure.is_some() {
            self.unwritten.add_unknown(call.thread, call.number, 1);
            return Ok(());
        }
        self.write_call(call);
        self.flush_if_full()
    }

    fn gap(&mut self, gap: &Gap) -> io::Result<()> {
        // Where the output has failed, what it lost is in the footer nevertheless.
        if self.failure.is_some() {
            return Ok(());
        }
        self.write_gap(gap);
        self.flush_if_full()
    }
}

impl Fragment {
    fn new(code: &Arc<Code>) -> Self {
        let mut name = b",\"name\":".to_vec();
        json(&mut name, &code.name);
        name.extend_from_slice(b",\"cat\":\"");
        let mut place = b",\"file\":".to_vec();
        json(&mut place, &code.file);
        integer(&mut place, b",\"line\":", code.line);
        place.extend_from_slice(b",\"kind\":");
        json(&mut place, code.kind.as_str());
        Fragment {
            name: name.into(),
            place: place.into(),
            _code: code.clone(),
        }
    }
}

/// How the events of a thread's calls begin: up to `"ts":`.
fn beginning(thread: ThreadId) -> Vec<u8> {
    let mut out = Vec::new();
    integer(&mut out, b"{\"ph\":\"X\",\"pid\":", thread.pid);
    integer(&mut out, b",\"tid\":", thread.tid);
    out.extend_from_slice(b",\"ts\":");
    out
}

/// What follows the last event.
fn end_of_file(footer: &Footer) -> io::Result<Vec<u8>> {
    let mut out = b"\n],\"displayTimeUnit\":\"ns\",\"pytrace\":".to_vec();
    serde_json::to_writer(&mut out, footer)?;
    out.extend_from_slice(b"}\n");
    Ok(out)
}

fn integer(out: &mut Vec<u8>, before: &[u8], value: impl itoa::Integer) {
    out.extend_from_slice(before);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("strings can be written to memory");
}

fn write_arguments(out: &mut Vec<u8>, arguments: &Arguments) {
    out.extend_from_slice(b",\"arguments\":{");
    let mut separator: &[u8] = b"";
    for (name, value) in arguments.iter() {
        out.extend_from_slice(separator);
        json(out, name);
        out.push(b':');
        json(out, value);
        separator = b",";
    }
    out.push(b'}');
}

/// Adds calls that are not in the file to what `list` says of their threads.
fn add_lost(list: &mut Vec<Lost>, losses: &Losses) {
    let known = list.iter().enumerate();
    let known = known.map(|(index, lost)| ((lost.pid, lost.tid), index));
    let known: FxHashMap<(u32, u32), usize> = known.collect();
    for loss in losses.iter() {
        match known.get(&(loss.thread.pid, loss.thread.tid)) {
            Some(&index) => {
                let lost = &mut list[index];
                lost.count = lost.count.saturating_add(loss.count);
            }
            None => list.push(loss.into()),
        }
    }
}

/// The same error once more; `io::Error` cannot be cloned.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
