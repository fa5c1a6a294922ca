//! What it costs to start and to end: a program that does nothing.

use std::time::{Duration, Instant};

use anyhow::Result;
use pytrace::cpython::{self, Choice};
use pytrace::preflight::Machine;
use pytrace::tracer::{Storage, Tracer};

use crate::python::{Python, Waiting, open, output, program, settings};

const ROUNDS: usize = 8;
const TARGET: Duration = Duration::from_millis(200);
const PHASES: [&str; 7] = [
    "look at the machine",
    "load the process programs",
    "read the interpreter",
    "derive the plan",
    "load the frame programs",
    "attach",
    "detach",
];

pub(crate) fn measure(python: &Python) -> Result<()> {
    println!("== start: python -c pass, ms, fastest of {ROUNDS} rounds in turns");
    let directory = tempfile::tempdir()?;
    let trace = directory.path().join("trace.json");
    let (mut untraced, mut traced) = (Duration::MAX, Duration::MAX);
    let mut phases = [Duration::MAX; PHASES.len()];
    for _ in 0..ROUNDS {
        let (_, time) = timed(|| python.output(&["-c", "pass"]))?;
        untraced = untraced.min(time);
        let (_, time) = timed(|| output(python.pytrace(&trace, &[]).args(["-c", "pass"])))?;
        traced = traced.min(time);
        for (best, time) in phases.iter_mut().zip(phase_times(python)?) {
            *best = time.min(*best);
        }
    }
    let added = traced.saturating_sub(untraced);
    let line = |name: &str, time: Duration| println!("{name:<28} {:>7.1}", millis(time));
    line("untraced", untraced);
    line("pytrace -o trace.json", traced);
    line("added", added);
    for (name, time) in PHASES.into_iter().zip(phases) {
        line(&format!("  {name}"), time);
    }
    line("  else", added.saturating_sub(phases.iter().sum()));
    println!("target: at most {:.0} ms added", millis(TARGET));
    Ok(())
}

/// The same steps as a recording's, one by one.
fn phase_times(python: &Python) -> Result<[Duration; PHASES.len()]> {
    let process = Waiting::start(python.command(), &program("fib.py"), &["wait"])?;
    let file = process.interpreter()?;
    let mut storage = Storage::default();
    let (machine, look) = timed(|| Ok(Machine::look()))?;
    let (mut tracer, load) = timed(|| Tracer::load(&mut storage, settings(&machine)))?;
    let (interpreter, read) = timed(|| open(&file))?;
    let (plan, derive) = timed(|| Ok(cpython::plan(&interpreter, Choice::Auto)?))?;
    let (build, load_build) = timed(|| tracer.load_build(&plan))?;
    let (probes, attach) = timed(|| tracer.attach(build, &plan, process.pid(), &file))?;
    let ((), detach) = timed(|| {
        drop(probes);
        Ok(())
    })?;
    Ok([look, load, read, derive, load_build, attach, detach])
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let start = Instant::now();
    let result = work()?;
    Ok((result, start.elapsed()))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
