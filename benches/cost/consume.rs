//! How fast user space is: a recorded stream through decode, builder and writer, on one core.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::time::{ClockId, clock_gettime};
use pytrace::cpython::{Choice, plan_after};
use pytrace::event::{CodeRecord, decode};
use pytrace::format::{ChromeWriter, Compression, Output, OutputFile};
use pytrace::preflight::Machine;
use pytrace::record::interpreters::{Interpreters, Look};
use pytrace::recording::Footer;
use pytrace::trace::{Builder, Call, Category, Classify, Code, Filter, Gap, Kind, Sink};
use pytrace::tracer::{Storage, Tracer};

use crate::python::{Python, Waiting, program, settings};

/// Rounds of `mixed.py`: some two million events.
const WORK: &str = "260";
const ROUNDS: usize = 8;
const TARGET: f64 = 3.0;

pub(crate) fn measure(python: &Python) -> Result<()> {
    let stream = Stream::record(python)?;
    let count = stream.ends.len();
    println!(
        "== consume: {count} recorded events, ns of processor time, fastest of {ROUNDS} rounds"
    );
    let tmpfs = tempfile::tempdir_in("/dev/shm")?;
    let path = tmpfs.path().join("trace.json");
    let file = || File::create(&path);
    type Pass<'a> = &'a dyn Fn() -> Result<()>;
    let stages: [(&str, Pass<'_>); 4] = [
        ("decode", &|| stream.decode()),
        ("+ build", &|| stream.build(&mut Nowhere)),
        ("+ write", &|| stream.write(io::sink())),
        ("+ tmpfs", &|| {
            stream.write(OutputFile::new(file()?, Compression::None))
        }),
    ];
    println!("{:<8} {:>9} {:>12}", "", "ns/event", "M events/s");
    for (name, pass) in stages {
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            // To empty a file takes time as well.
            let _ = std::fs::remove_file(&path);
            let start = processor_time()?;
            pass()?;
            best = best.min(processor_time()? - start);
        }
        let each = best.as_secs_f64() * 1e9 / count as f64;
        println!("{name:<8} {each:>9.1} {:>12.2}", 1e3 / each);
    }
    println!("target: at least {TARGET} million events per second to a file");
    Ok(())
}

/// What this thread has used: what else the machine does then counts less.
fn processor_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// The kernel's records of a real run, one behind the other.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Stream {
    fn record(python: &Python) -> Result<Stream> {
        let stream = RefCell::new(Stream::default());
        let mut storage = Storage::default();
        let tracer = Tracer::load(&mut storage, settings(&Machine::look()))?;
        let ring = tracer.ring(|bytes| stream.borrow_mut().push(bytes))?;
        let mut process = Waiting::start(python.command(), &program("mixed.py"), &[WORK, "wait"])?;
        let mut interpreters = Interpreters::new(tracer, plan_after, Choice::Auto, false, false);
        let look = interpreters.loaded(process.pid(), false)?;
        ensure!(
            matches!(look, Look::Attached(_)),
            "the process is no CPython"
        );
        process.go()?;
        while !process.has_ended()? {
            ring.consume_raw_n(usize::MAX >> 1);
            std::thread::sleep(Duration::from_millis(1));
        }
        ring.consume_raw_n(usize::MAX >> 1);
        let lost = interpreters.tracer().lost();
        drop(ring);
        ensure!(
            lost == 0,
            "{lost} events were lost: the machine is too busy"
        );
        Ok(stream.into_inner())
    }

    fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.bytes[start..end])
    }

    fn decode(&self) -> Result<()> {
        for record in self.records() {
            std::hint::black_box(&decode(record)?);
        }
        Ok(())
    }

    fn build(&self, sink: &mut dyn Sink) -> Result<()> {
        let filter = Filter {
            external_calls: true,
            imports: true,
        };
        let mut builder = Builder::new(Everything, filter);
        let mut last = None;
        for record in self.records() {
            let event = decode(record)?;
            builder.push(&event, sink)?;
            last = Some(event.time);
        }
        builder.finish(last.context("the stream is empty")?, sink)?;
        Ok(())
    }

    fn write(&self, output: impl Output) -> Result<()> {
        let mut writer = ChromeWriter::new(output);
        self.build(&mut writer)?;
        writer.finish(&Footer::default())?;
        Ok(())
    }
}

/// All code is of the scope.
struct Everything;

impl Classify for Everything {
    fn classify(&mut self, _pid: u32, record: &CodeRecord) -> Code {
        Code {
            name: record.name.text.clone(),
            file: record.filename.text.clone(),
            line: record.first_line,
            kind: Kind::Function,
            category: Category::Internal,
        }
    }
}

/// Takes calls and does nothing with them.
struct Nowhere;

impl Sink for Nowhere {
    fn call(&mut self, call: &Call) -> io::Result<()> {
        std::hint::black_box(call);
        Ok(())
    }

    fn gap(&mut self, gap: &Gap) -> io::Result<()> {
        std::hint::black_box(gap);
        Ok(())
    }
}
