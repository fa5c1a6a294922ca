//! Calls to write and files to break.

#![allow(dead_code, reason = "not every test uses everything")]

use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::sync::Arc;

use flate2::write::GzEncoder;
use proptest::prelude::*;
use pytrace::format::{ChromeWriter, Output, Storage};
use pytrace::recording::{Footer, Incomplete, Interpreter, Values};
use pytrace::trace::{Arguments, Call, Category, Code, Exit, Gap, Kind, Sink, ThreadId, Time};

/// A footer with something in every member.
pub(crate) fn footer() -> Footer {
    Footer {
        format: Footer::FORMAT,
        version: "0.1.0".into(),
        command: vec!["python3".into(), "train.py".into(), "--name=\"x\"".into()],
        scope: vec!["/home/u/p".into()],
        interpreters: vec![Interpreter {
            path: "/usr/bin/python3.11".into(),
            version: "3.11.2".into(),
            plan: "dispatch".into(),
            ..Interpreter::default()
        }],
        lost: 0,
        lost_unjudged: 0,
        lost_by_thread: vec![],
        incomplete: Incomplete {
            unheld: 2,
            ..Incomplete::default()
        },
        values: Some(Values {
            max_string: 80,
            max_items: 3,
            max_depth: 2,
            max_bytes: 4096,
            redact: Some("(?i)passw(or)?d".into()),
        }),
        started_at: "2026-11-20T10:00:00Z".into(),
        ended: "exit 0".into(),
    }
}

/// A code object.
pub(crate) fn code(name: &str, file: &str, line: u32, kind: Kind, category: Category) -> Arc<Code> {
    Arc::new(Code {
        name: name.into(),
        file: file.into(),
        line,
        kind,
        category,
    })
}

/// A call that returned.
pub(crate) fn call(
    tid: u32,
    number: u64,
    depth: u32,
    code: &Arc<Code>,
    start: u64,
    end: u64,
) -> Call {
    Call {
        thread: ThreadId { pid: 812, tid },
        number,
        depth,
        code: code.clone(),
        category: code.category,
        start: Time(start),
        duration: end - start,
        resumed: false,
        already_running: false,
        start_inferred: false,
        exit: Exit::Return,
        exception: None,
        message: None,
        arguments: None,
        result: None,
    }
}

/// A disk of limited size.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) bytes: Cursor<Vec<u8>>,
    pub(crate) capacity: usize,
}

impl Write for &mut Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.capacity - self.bytes.position() as usize;
        if room == 0 && !bytes.is_empty() {
            return Err(io::Error::from_raw_os_error(28));
        }
        self.bytes.write(&bytes[..bytes.len().min(room)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for &mut Disk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl Storage for &mut Disk {
    fn set_len(&mut self, length: u64) -> io::Result<()> {
        self.bytes.get_mut().truncate(length as usize);
        Ok(())
    }
}

/// Events that are missing after a call, of which so many were starts and ends.
pub(crate) fn gap(
    tid: u32,
    (after_call, depth): (u64, u32),
    (since, until): (u64, u64),
    (starts, ends): (u64, u64),
) -> Gap {
    Gap {
        thread: ThreadId { pid: 812, tid },
        after_call,
        depth,
        since: Time(since),
        until: Time(until),
        starts,
        ends,
    }
}

/// The file that a writer makes of `calls`.
pub(crate) fn written(calls: &[Call]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_to(&mut bytes, calls);
    bytes
}

/// Writes `calls` to `output`.
pub(crate) fn write_to(output: impl Output, calls: &[Call]) {
    let mut writer = ChromeWriter::new(output);
    writer
        .process_name(812, "python3 train.py --steps 3")
        .unwrap();
    writer
        .thread_name(ThreadId { pid: 812, tid: 812 }, "python3")
        .unwrap();
    for call in calls {
        writer.call(call).unwrap();
    }
    writer.finish(&footer()).unwrap();
}

/// `bytes`, compressed in the simplest way.
pub(crate) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What may happen to the next call of a [`calls`] program.
#[derive(Debug, Clone)]
struct Step {
    thread: usize,
    returns: usize,
    code: usize,
    time: u64,
    resumed: bool,
    exit: usize,
    exception: Option<(String, Option<String>)>,
    arguments: Option<Vec<(String, String)>>,
    result: Option<String>,
}

fn step() -> impl Strategy<Value = Step> {
    let exception = prop::option::weighted(0.2, any::<(String, Option<String>)>());
    let argument = prop::sample::select(vec![("x", "5"), ("é\"", "'<a>\\n…'"), ("", "")])
        .prop_map(|(name, value)| (name.to_owned(), value.to_owned()));
    let argument = prop_oneof![argument, any::<(String, String)>()];
    let arguments = prop::option::of(prop::collection::vec(argument, 0..3));
    (
        0..3usize,
        0..4usize,
        0..6usize,
        1..5_000_000u64,
        any::<bool>(),
        0..5usize,
        exception,
        arguments,
        any::<Option<String>>(),
    )
        .prop_map(
            |(thread, returns, code, time, resumed, exit, exception, arguments, result)| Step {
                thread,
                returns,
                code,
                time,
                resumed,
                exit,
                exception,
                arguments,
                result,
            },
        )
}

fn codes() -> impl Strategy<Value = Vec<Arc<Code>>> {
    let code = (
        any::<String>(),
        any::<String>(),
        any::<u32>(),
        0..11usize,
        0..3usize,
    )
        .prop_map(|(name, file, line, kind, category)| {
            // A file that is not known is filled in from names like VizTracer's.
            let file = format!("/{file}");
            code(&name, &file, line, Kind::ALL[kind], Category::ALL[category])
        });
    prop::collection::vec(code, 6)
}

/// Calls of three threads that nest as a program's do, in the order in which they end.
pub(crate) fn calls() -> impl Strategy<Value = Vec<Call>> {
    (codes(), prop::collection::vec(step(), 0..40)).prop_map(|(codes, steps)| run(&codes, &steps))
}

fn run(codes: &[Arc<Code>], steps: &[Step]) -> Vec<Call> {
    let mut now = 1_000_000_000_000;
    let mut done = Vec::new();
    let mut open: [Vec<Call>; 3] = Default::default();
    let mut numbers = [0; 3];
    for step in steps {
        now += step.time;
        let stack = &mut open[step.thread];
        for _ in 0..step.returns.min(stack.len()) {
            close(stack, now, &mut done);
            now += 1;
        }
        numbers[step.thread] += 1;
        let (tid, number) = (812 + step.thread as u32, numbers[step.thread]);
        let mut call = call(tid, number, stack.len() as u32, &codes[step.code], now, now);
        call.resumed = step.resumed;
        call.already_running = step.time % 7 == 0;
        call.exit = [
            Exit::Return,
            Exit::Yield,
            Exit::Unseen,
            Exit::Unfinished,
            Exit::Return,
        ][step.exit];
        if !step.resumed
            && let Some(arguments) = &step.arguments
        {
            let arguments = arguments.iter().map(|(name, value)| (&**name, &**value));
            call.arguments = Some(Arguments::new(arguments));
        }
        if let Some((exception, message)) = &step.exception {
            call.exit = Exit::Exception;
            call.exception = Some(exception.as_str().into());
            call.message = message.as_deref().map(Into::into);
        } else if matches!(call.exit, Exit::Return | Exit::Yield) {
            call.result = step.result.as_deref().map(Into::into);
        }
        stack.push(call);
    }
    for stack in &mut open {
        while !stack.is_empty() {
            now += 1;
            close(stack, now, &mut done);
        }
    }
    done
}

fn close(stack: &mut Vec<Call>, now: u64, done: &mut Vec<Call>) {
    if let Some(mut call) = stack.pop() {
        call.duration = now - call.start.0;
        done.push(call);
    }
}
