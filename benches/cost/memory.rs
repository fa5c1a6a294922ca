//! What memory a recording takes: pytrace's peak, for a short trace and for a long one.

use std::io;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::python::{Python, program};

/// The peak that no recording to a file is meant to exceed, in MiB.
const TARGET: u64 = 100;

pub(crate) fn measure(python: &Python) -> Result<()> {
    println!("== memory: peak of pytrace -o trace.json, its 16 MiB ring counted twice");
    println!("{:>9} {:>10} {:>12}", "calls", "peak, MiB", "trace, MiB");
    let directory = tempfile::tempdir()?;
    let mut worst = 0;
    for calls in [500_000, 5_000_000] {
        let trace = directory.path().join("trace.json");
        let mut command = python.pytrace(&trace, &[]);
        command.arg(program("calls.py")).arg(calls.to_string());
        let peak = peak_of(&mut command)? >> 20;
        let length = std::fs::metadata(&trace)?.len() >> 20;
        println!("{calls:>9} {peak:>10} {length:>12}");
        worst = worst.max(peak);
    }
    println!("target: at most {TARGET} MiB, whatever the length");
    ensure!(worst <= TARGET, "a recording took {worst} MiB");
    Ok(())
}

/// Runs a command and returns the most memory that it had resident, in bytes.
///
/// A process inherits what its parent had before the exec: to be called while that is little.
fn peak_of(command: &mut Command) -> Result<u64> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut status = 0;
    // SAFETY: integers; all zeros is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to variables of ours.
    let waited = unsafe { libc::wait4(child.id().cast_signed(), &mut status, 0, &mut usage) };
    if waited < 0 {
        return Err(io::Error::last_os_error().into());
    }
    ensure!(status == 0, "pytrace failed: wait status {status}");
    Ok(usage.ru_maxrss.cast_unsigned() << 10)
}
