//! A program that never ran, as far as a trace shows: threads with a clock each, functions that are
//! entered and left.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use pytrace::format::{ChromeWriter, OutputFile};
use pytrace::recording::{Footer, Interpreter, Values};
use pytrace::trace::{
    ArgumentList, Arguments, Call, Category, Code, Exit, Kind, Sink, ThreadId, Time,
};

/// Begins behind zero, as the clock of a machine that has been up for a while.
const BEGINNING: u64 = 1_174_881_101_303;

/// A function of the program.
pub(crate) type Function = Arc<Code>;

pub(crate) fn function(
    name: &str,
    file: &str,
    line: u32,
    kind: Kind,
    category: Category,
) -> Function {
    Arc::new(Code {
        name: name.into(),
        file: file.into(),
        line,
        kind,
        category,
    })
}

/// A value as the trace tells it.
#[derive(Clone, Copy)]
pub(crate) enum Is<'a> {
    Text(&'a str),
    Int(u64),
    /// A number near to this one.
    Near(f64),
    /// A list of so many numbers, of which the first three are told.
    List(u64),
    /// A tensor of so many rows.
    Tensor(u64),
}

pub(crate) const NONE: Is<'_> = Is::Text("None");

/// Numbers that are random enough, and the same each time.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Random {
        Random(0x9e37_79b9_7f4a_7c15)
    }

    /// From 0, less than `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * u128::from(end)) >> 64) as u64
    }

    /// From 0 to 1.
    fn part(&mut self) -> f64 {
        self.below(1 << 40) as f64 / (1u64 << 40) as f64
    }
}

struct Thread {
    id: ThreadId,
    clock: u64,
    number: u64,
    frames: Vec<Frame>,
}

struct Frame {
    function: Function,
    start: u64,
    number: u64,
    resumed: bool,
    arguments: Option<Arguments>,
}

pub(crate) struct Program {
    writer: ChromeWriter<OutputFile>,
    threads: Vec<Thread>,
    now: usize,
    /// Times are multiplied by this: a repetition may be slow.
    pub(crate) slowness: u64,
    pub(crate) random: Random,
    list: ArgumentList,
    calls: u64,
}

impl Program {
    pub(crate) fn new(output: OutputFile, names: &[&str]) -> io::Result<Program> {
        const PID: u32 = 4711;
        let mut writer = ChromeWriter::new(output);
        writer.process_name(PID, "python3 train.py --epochs 90")?;
        let mut threads = Vec::new();
        for (tid, name) in (PID..).zip(names) {
            let id = ThreadId { pid: PID, tid };
            writer.thread_name(id, name)?;
            threads.push(Thread {
                id,
                clock: BEGINNING,
                number: 0,
                frames: Vec::new(),
            });
        }
        Ok(Program {
            writer,
            threads,
            now: 0,
            slowness: 1,
            random: Random::new(),
            list: ArgumentList::default(),
            calls: 0,
        })
    }

    /// Calls that were entered so far.
    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    /// Goes on in another thread, whose clock is no longer behind.
    pub(crate) fn switch_to(&mut self, thread: usize) {
        let clock = self.threads[self.now].clock;
        self.now = thread;
        let behind = &mut self.threads[thread].clock;
        *behind = clock.max(*behind);
    }

    pub(crate) fn enter(&mut self, function: &Function, arguments: &[(&str, Is<'_>)]) {
        for &(name, value) in arguments {
            self.list
                .push(name, |out| write(out, value, &mut self.random));
        }
        let arguments = self.list.take();
        self.push(function, Some(arguments));
    }

    pub(crate) fn resume(&mut self, function: &Function) {
        self.push(function, None);
    }

    fn push(&mut self, function: &Function, arguments: Option<Arguments>) {
        self.work(300);
        self.calls += 1;
        let thread = &mut self.threads[self.now];
        thread.number += 1;
        thread.frames.push(Frame {
            function: function.clone(),
            start: thread.clock,
            number: thread.number,
            resumed: arguments.is_none(),
            arguments,
        });
    }

    /// Lets about so many nanoseconds pass.
    pub(crate) fn work(&mut self, ns: u64) {
        let noise = self.random.below(ns / 2 + 1);
        self.threads[self.now].clock += (ns * 3 / 4 + noise) * self.slowness;
    }

    pub(crate) fn leave(&mut self, result: Is<'_>) -> io::Result<()> {
        self.end(Exit::Return, Some(result), None)
    }

    pub(crate) fn suspend(&mut self, yielded: Is<'_>) -> io::Result<()> {
        self.end(Exit::Yield, Some(yielded), None)
    }

    pub(crate) fn raise(&mut self, exception: &Arc<str>, message: &str) -> io::Result<()> {
        self.end(Exit::Exception, None, Some((exception, message)))
    }

    /// A call that calls nothing.
    pub(crate) fn leaf(
        &mut self,
        function: &Function,
        arguments: &[(&str, Is<'_>)],
        ns: u64,
        result: Is<'_>,
    ) -> io::Result<()> {
        self.enter(function, arguments);
        self.work(ns);
        self.leave(result)
    }

    fn end(
        &mut self,
        exit: Exit,
        result: Option<Is<'_>>,
        raised: Option<(&Arc<str>, &str)>,
    ) -> io::Result<()> {
        self.work(200);
        let thread = &mut self.threads[self.now];
        let frame = thread.frames.pop().expect("what is left was entered");
        let result = result.map(|value| {
            let mut text = String::with_capacity(16);
            write(&mut text, value, &mut self.random);
            text.into_boxed_str()
        });
        let category = frame.function.category;
        self.writer.call(&Call {
            thread: thread.id,
            number: frame.number,
            depth: thread.frames.len() as u32,
            code: frame.function,
            category,
            start: Time(frame.start),
            duration: thread.clock - frame.start,
            resumed: frame.resumed,
            already_running: false,
            start_inferred: false,
            exit,
            exception: raised.map(|(exception, _)| exception.clone()),
            message: raised.map(|(_, message)| message.into()),
            arguments: frame.arguments,
            result,
        })
    }

    /// Leaves all that is open, and ends the file.
    pub(crate) fn finish(mut self, directory: &str) -> io::Result<u64> {
        for thread in 0..self.threads.len() {
            self.now = thread;
            while !self.threads[thread].frames.is_empty() {
                self.leave(NONE)?;
            }
        }
        let footer = Footer {
            format: Footer::FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            command: ["python3", "train.py", "--epochs", "90"]
                .map(String::from)
                .into(),
            scope: vec![directory.into()],
            interpreters: vec![Interpreter {
                path: "/usr/bin/python3.11".into(),
                version: "3.11.2".into(),
                plan: "dispatch".into(),
                free_threaded: false,
                jit: false,
                sites: 6,
                checked: 6,
                findings: Vec::new(),
            }],
            values: Some(Values {
                max_string: 80,
                max_items: 3,
                max_depth: 2,
                max_bytes: 4096,
                redact: None,
            }),
            started_at: "2026-11-20T10:00:00Z".into(),
            ended: "exit 0".into(),
            ..Footer::default()
        };
        self.writer.finish(&footer)?;
        Ok(self.calls)
    }
}

fn write(out: &mut String, value: Is<'_>, random: &mut Random) {
    let written = match value {
        Is::Text(text) => out.write_str(text),
        Is::Int(number) => write!(out, "{number}"),
        Is::Near(number) => write!(out, "{}", number * (0.9 + 0.2 * random.part())),
        Is::List(length) => {
            let [a, b, c] = [(); 3].map(|()| random.part() - 0.5);
            write!(out, "list[{length}] [{a}, {b}, {c}, …]")
        }
        Is::Tensor(rows) => write!(out, "torch.float32 tensor[{rows}, 768]"),
    };
    written.expect("text can be written to memory");
}
