//! What it takes to find out how an interpreter is probed: from its file to the plan.

use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pytrace::cpython::{self, Choice};

use crate::python::{Python, Waiting, open, program};

const ROUNDS: usize = 8;
/// With the file on the disk.
const TARGET: Duration = Duration::from_millis(300);

/// `PYTRACE_INTERPRETERS` names further files to measure, separated by colons.
pub(crate) fn measure(python: &Python) -> Result<()> {
    println!("== derive: from the interpreter's file to its plan, ms, fastest of {ROUNDS} rounds");
    println!(
        "{:<9} {:>6} {:>9} {:>7} {:>7} {:>7}",
        "CPython", "MB", "from disk", "cached", "read", "plan"
    );
    let process = Waiting::start(python.command(), &program("fib.py"), &["wait"])?;
    // As long as the process lives, what `/proc` calls it leads to the file.
    let own = process.interpreter()?.canonicalize()?;
    drop(process);
    let named = std::env::var_os("PYTRACE_INTERPRETERS").unwrap_or_default();
    let files = std::iter::once(own).chain(std::env::split_paths(&named));
    for file in files {
        line(&file)?;
    }
    println!("target: at most {:.0} ms from disk", millis(TARGET));
    Ok(())
}

fn line(original: &Path) -> Result<()> {
    // A copy, which no process has mapped: what is mapped stays in the page cache.
    let directory = tempfile::tempdir_in("/var/tmp")?;
    let path = &directory.path().join("python");
    fs::copy(original, path).with_context(|| original.display().to_string())?;
    let file = File::open(path)?;
    file.sync_all()?;
    let (mut cold, mut warm) = (Duration::MAX, (Duration::MAX, Duration::ZERO));
    let mut version = String::new();
    for _ in 0..ROUNDS {
        evict(&file)?;
        let (read, plan, _) = derive(path)?;
        cold = cold.min(read + plan);
        let (read, plan, told) = derive(path)?;
        if read + plan < warm.0 + warm.1 {
            warm = (read, plan);
        }
        version = told;
    }
    let size = file.metadata()?.len() as f64 / 1e6;
    println!(
        "{version:<9} {size:>6.1} {:>9.1} {:>7.1} {:>7.1} {:>7.1}  {}{}",
        millis(cold),
        millis(warm.0 + warm.1),
        millis(warm.0),
        millis(warm.1),
        original.display(),
        if cold > TARGET { "  TOO SLOW" } else { "" }
    );
    Ok(())
}

/// The times to read and to derive, and the version.
fn derive(path: &Path) -> Result<(Duration, Duration, String)> {
    let begun = Instant::now();
    let interpreter = open(path)?;
    let read = begun.elapsed();
    let begun = Instant::now();
    let plan = cpython::plan(&interpreter, Choice::Dispatch)?;
    Ok((read, begun.elapsed(), plan.version.to_string()))
}

/// Takes a file out of the page cache.
fn evict(file: &File) -> Result<()> {
    // SAFETY: a descriptor that is open, and no pointers.
    let error = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    ensure!(error == 0, "failed to evict: error {error}");
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
