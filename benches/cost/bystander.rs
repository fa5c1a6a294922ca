//! What a program pays that has nothing to do with a recording, and runs the same interpreter.

use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::python::Python;

const ROUNDS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(60);

/// Prints the processor time of a call of a function and of a system call, in ns.
const BYSTANDER: &str = "
import os, time
def f(): pass
def measure(what, times):
    begun = time.process_time_ns()
    for _ in range(times): what()
    print((time.process_time_ns() - begun) / times)
measure(f, 1000000)
measure(os.getppid, 300000)
";
const WHAT: [&str; 2] = ["a Python call", "a system call"];

pub(crate) fn measure(python: &Python) -> Result<()> {
    println!("== bystander: ns of processor time, fastest of {ROUNDS} rounds in turns");
    let [mut alone, mut beside] = [[f64::MAX; 2]; 2];
    for _ in 0..ROUNDS {
        run(python, &mut alone)?;
        let recording = record(python)?;
        run(python, &mut beside)?;
        end(recording)?;
    }
    println!(
        "{:<16} {:>8} {:>20} {:>7}",
        "", "alone", "beside a recording", "ratio"
    );
    for ((what, alone), beside) in WHAT.into_iter().zip(alone).zip(beside) {
        println!(
            "{what:<16} {alone:>8.1} {beside:>20.1} {:>7.2}",
            beside / alone
        );
    }
    Ok(())
}

fn run(python: &Python, best: &mut [f64; 2]) -> Result<()> {
    let output = python.output(&["-c", BYSTANDER])?;
    let mut lines = output.lines();
    for best in best {
        let time = lines.next().context("a line is missing")?.parse()?;
        *best = best.min(time);
    }
    Ok(())
}

/// A recording of a program that waits, once it has begun.
fn record(python: &Python) -> Result<Child> {
    let directory = tempfile::tempdir()?;
    let waiting = "import sys\nprint('up', flush=True)\nsys.stdin.read()";
    let mut recording = python
        .pytrace(&directory.path().join("trace.json"), &[])
        .args(["-c", waiting])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut said = [0; 3];
    let stdout = recording.stdout.as_mut().context("it has a stdout")?;
    stdout.read_exact(&mut said)?;
    ensure!(&said == b"up\n", "the recorded program said {said:?}");
    Ok(recording)
}

fn end(mut recording: Child) -> Result<()> {
    drop(recording.stdin.take());
    let begun = Instant::now();
    while recording.try_wait()?.is_none() {
        ensure!(begun.elapsed() < PATIENCE, "the recording does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
