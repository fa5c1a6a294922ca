//! What finding patterns costs: `make bench ONLY=patterns`, with `CALLS=1000000` and
//! `FAMILIES="train fibonacci"` for less of it.
//!
//! Each family of traces is measured in a process of its own, so that its peak of memory is its
//! own. What carries over to other machines is the ratio to hashing the same tree once.

#![allow(missing_docs, reason = "a program")]

mod families;
mod memory;
#[path = "../common/outcome.rs"]
mod outcome;

use std::hint::black_box;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::time::{ClockId, clock_gettime};
use pytrace::pattern::{Nearness, Patterns, Shapes};
use pytrace::recording::{Calls, Row};

use crate::families::{FAMILIES, Family};
use crate::memory::Memory;

/// Of the fastest of these rounds.
const ROUNDS: usize = 2;
/// Megabytes that a call's row takes.
const ROW: f64 = size_of::<Row>() as f64 / 1e6;

fn main() -> ExitCode {
    outcome::of(run())
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
    println!("== patterns in {calls} calls, found exactly and with varying trip counts (near)");
    println!("M/s: millions of calls for each second of one core, fastest of {ROUNDS} rounds");
    println!("x: times as long as hashing the same tree once; MB: peak, all calls' rows included");
    println!("rows: lines that are left to show");
    println!();
    println!(
        "{:<12} {:>8} {:>16} {:>16} {:>17} {:>19}",
        "", "hash", "exact", "near", "exact      near", "exact       near"
    );
    println!(
        "{:<12} {:>8} {:>8} {:>7} {:>8} {:>7} {:>8} {:>8} {:>9} {:>9}",
        "family", "M/s", "M/s", "x", "M/s", "x", "MB", "MB", "rows", "rows"
    );
    let wanted = std::env::var("FAMILIES").unwrap_or_default();
    let mut worst = Worst::default();
    for family in FAMILIES {
        let is_wanted = wanted.split_whitespace().any(|name| name == family.name);
        if wanted.is_empty() || is_wanted {
            let output = Command::new(std::env::current_exe()?)
                .env("PYTRACE_BENCH_FAMILY", family.name)
                .stderr(Stdio::inherit())
                .output()?;
            ensure!(
                output.status.success(),
                "{} failed: {}",
                family.name,
                output.status
            );
            let line = String::from_utf8(output.stdout)?;
            print!("{line}");
            worst.note(&line)?;
        }
    }
    println!();
    worst.print();
    println!("targets at ten million calls: train 5 M/s and 100 MB beyond its rows, the others");
    println!("0.5 M/s and 1000 MB");
    Ok(())
}

/// The slowest and the largest of the families so far.
#[derive(Default)]
struct Worst([Option<(f64, String)>; 4]);

impl Worst {
    /// The columns, whether the least or the most is the worst, and what they are.
    const COLUMNS: [(usize, f64, &str); 4] = [
        (2, 1.0, "slowest, exact: M/s"),
        (4, 1.0, "slowest, near:  M/s"),
        (6, -1.0, "largest, exact: MB"),
        (7, -1.0, "largest, near:  MB"),
    ];

    fn note(&mut self, line: &str) -> Result<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        for (worst, (column, sign, _)) in self.0.iter_mut().zip(Worst::COLUMNS) {
            let figure: f64 = words.get(column).context("a column is missing")?.parse()?;
            if worst
                .as_ref()
                .is_none_or(|(known, _)| figure * sign < known * sign)
            {
                *worst = Some((figure, words[0].to_owned()));
            }
        }
        Ok(())
    }

    fn print(&self) {
        for (worst, (_, _, what)) in self.0.iter().zip(Worst::COLUMNS) {
            if let Some((figure, family)) = worst {
                println!("{what:<20} {figure:>7} ({family})");
            }
        }
    }
}

fn measure(family: &Family, calls: usize) -> Result<()> {
    let recording = (family.make)(calls);
    let calls = recording.threads[0].calls.len();
    let memory = Memory::start()?;
    let find = |nearness| -> Result<(Duration, f64)> {
        memory.forget_peak()?;
        let time = fastest(|| drop(black_box(Patterns::new(&recording, nearness))))?;
        Ok((time, memory.beyond()? + calls as f64 * ROW))
    };
    let (exact, exact_peak) = find(Nearness::Exact)?;
    let (near, near_peak) = find(Nearness::TripCounts)?;
    let rows = |nearness| Patterns::new(&recording, nearness).summary(0).rows;
    let keys: Vec<u32> = (0..recording.codes.len() as u32).collect();
    let hash = fastest(|| {
        let mut all = Shapes::default();
        black_box(all.add_thread(&Calls::all(&recording.threads[0]), &keys));
    })?;
    let speed = |time: Duration| calls as f64 / 1e6 / time.as_secs_f64();
    let ratio = |time: Duration| time.as_secs_f64() / hash.as_secs_f64();
    println!(
        "{:<12} {:>8.1} {:>8.2} {:>7.1} {:>8.2} {:>7.1} {:>8.0} {:>8.0} {:>9} {:>9}",
        family.name,
        speed(hash),
        speed(exact),
        ratio(exact),
        speed(near),
        ratio(near),
        exact_peak,
        near_peak,
        rows(Nearness::Exact),
        rows(Nearness::TripCounts),
    );
    Ok(())
}

/// How long it kept a core busy: what else runs on this machine does not count.
fn fastest(mut run: impl FnMut()) -> Result<Duration> {
    let now = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from);
    let mut fastest = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = now()?;
        run();
        fastest = fastest.min(now()? - start);
    }
    Ok(fastest)
}
