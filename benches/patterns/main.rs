//! What finding patterns costs: `make bench ONLY=patterns`, with `CALLS=1000000` and
//! `FAMILIES="train fibonacci"` for less of it.
//!
//! Each family of traces is measured in a process of its own, so that its peak of memory is its
//! own. What carries over to other machines is the ratio to hashing the same tree once.

#![allow(missing_docs, reason = "a program")]

mod families;
mod memory;

use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pytrace::pattern::{Nearness, Patterns, Shapes};

use crate::families::{FAMILIES, Family};
use crate::memory::Memory;

/// Of the fastest of these rounds.
const ROUNDS: usize = 2;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let calls = match std::env::var("CALLS") {
        Ok(calls) => calls.parse().context("CALLS is no number")?,
        Err(_) => 10_000_000,
    };
    if let Ok(name) = std::env::var("PYTRACE_BENCH_FAMILY") {
        let family = FAMILIES.iter().find(|family| family.name == name);
        return measure(family.context("no such family")?, calls);
    }
    let wanted = std::env::var("FAMILIES").unwrap_or_default();
    println!(
        "== patterns: {calls} calls, millions of calls per second, fastest of {ROUNDS} rounds"
    );
    println!(
        "{:<11} {:>7} {:>7} {:>7} {:>9} {:>9} {:>10} {:>10} {:>10} {:>9}",
        "", "hash", "exact", "near", "exact", "near", "exact", "near", "shapes", "MB beyond"
    );
    println!(
        "{:<11} {:>7} {:>7} {:>7} {:>9} {:>9} {:>10} {:>10} {:>10} {:>9}",
        "family", "M/s", "M/s", "M/s", "/ hash", "/ hash", "rows left", "rows left", "", "the rows"
    );
    for family in FAMILIES {
        let is_wanted = wanted.split_whitespace().any(|name| name == family.name);
        if wanted.is_empty() || is_wanted {
            let status = Command::new(std::env::current_exe()?)
                .env("PYTRACE_BENCH_FAMILY", family.name)
                .status()?;
            ensure!(status.success(), "{} failed: {status}", family.name);
        }
    }
    println!("targets: train exact and near 5 M/s, all others a tenth; 100 MB beyond the rows for");
    println!("train, 1 GB with the rows (48 bytes each) for all");
    Ok(())
}

fn measure(family: &Family, calls: usize) -> Result<()> {
    let recording = (family.make)(calls);
    let calls = recording.threads[0].calls.len();
    let memory = Memory::start()?;
    let keys: Vec<u32> = (0..recording.codes.len() as u32).collect();
    let mut shapes = 0;
    let find = |nearness| fastest(|| drop(black_box(Patterns::new(&recording, nearness))));
    let exact = find(Nearness::Exact);
    let near = find(Nearness::TripCounts);
    let beyond = memory.beyond()?;
    let rows = |nearness| Patterns::new(&recording, nearness).summary(0).rows;
    let left = (rows(Nearness::Exact), rows(Nearness::TripCounts));
    let hash = fastest(|| {
        let mut all = Shapes::default();
        all.add_thread(&recording.threads[0].calls, &keys);
        shapes = all.len();
    });
    let speed = |time: Duration| calls as f64 / 1e6 / time.as_secs_f64();
    let ratio = |time: Duration| time.as_secs_f64() / hash.as_secs_f64();
    println!(
        "{:<11} {:>7.1} {:>7.1} {:>7.1} {:>8.1}x {:>8.1}x {:>10} {:>10} {:>10} {:>9.0}",
        family.name,
        speed(hash),
        speed(exact),
        speed(near),
        ratio(exact),
        ratio(near),
        left.0,
        left.1,
        shapes,
        beyond
    );
    Ok(())
}

fn fastest(mut run: impl FnMut()) -> Duration {
    let round = |_| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}
