//! Whether a file or a process is a CPython, and what to say where it is none.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, anyhow};

use super::{maps, process};
use crate::cpython::{self, Foreign, Found};
use crate::error::WithHint as _;

/// Examines the program or a library of a process.
pub(super) fn open(path: &Path, pid: u32) -> Result<Found> {
    cpython::Interpreter::open(path)
        .with_context(|| format!("failed to examine the program of process {pid}"))
}

/// The file that holds the interpreter which a process runs.
pub fn of_process(pid: u32) -> Result<PathBuf> {
    process::open(pid)?;
    let exe = PathBuf::from(format!("/proc/{pid}/exe"));
    let foreign = match open(&exe, pid)? {
        Found::Interpreter(_) => return Ok(exe),
        Found::NeedsLibpython { .. } => Foreign::Other,
        Found::Foreign(foreign) => foreign,
    };
    let library = maps::libpythons(pid)?.into_iter().next();
    library.ok_or_else(|| refusal_of(pid, &foreign))
}

/// Refuses, before it runs, what is certainly no CPython to trace. Another program may well
/// start one.
pub(super) fn check(program: &Path, found: Option<&Found>) -> Result<()> {
    match found {
        Some(Found::Foreign(Foreign::Script(_) | Foreign::Loader | Foreign::Other)) => Ok(()),
        Some(Found::Foreign(foreign)) => Err(refusal(program, foreign)),
        // Whether it can be run is for the kernel to say.
        Some(_) | None => Ok(()),
    }
}

/// What a program is, that the user may read: `file` is it. `None` where that does not show.
pub(super) fn of_file(file: &File) -> Option<Found> {
    // By name, it might be another by now.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    cpython::Interpreter::open(Path::new(&path)).ok()
}

/// Why a file is none that can be traced.
pub fn refusal(file: &Path, foreign: &Foreign) -> anyhow::Error {
    anyhow!("{} is {foreign}", file.display()).hint(foreign.cure())
}

/// Why a process is none that can be traced.
pub(super) fn refusal_of(pid: u32, foreign: &Foreign) -> anyhow::Error {
    let program = process::program(pid).unwrap_or_else(|| "?".into());
    let error = anyhow!(
        "process {pid} runs {}, which is {foreign}",
        program.display()
    );
    match foreign {
        Foreign::Other => error.hint(process::cure(pid)),
        Foreign::Loader => error.hint(format!(
            "{}; a program that loads Python later is traced from its start: pytrace -- {}",
            process::cure(pid),
            program.display()
        )),
        foreign => error.hint(foreign.cure()),
    }
}

/// What a program is that the kernel has refused to run, where that tells why.
pub(super) fn not_runnable(
    program: &Path,
    found: Option<&Found>,
    error: anyhow::Error,
) -> anyhow::Error {
    let shown = program.display();
    match found {
        Some(Found::Foreign(foreign)) if !matches!(foreign, Foreign::Loader | Foreign::Other) => {
            error
                .context(format!("failed to run {shown}, which is {foreign}"))
                .hint(foreign.cure())
        }
        _ => error.context(format!("failed to run {shown}")),
    }
}

/// The file with the interpreter that an executable runs in the end, its `libpython` or the
/// CPython that it executes: asks that Python itself, by a program that does nothing else.
pub fn behind(executable: &Path) -> Result<PathBuf> {
    const PROGRAM: &str = "import os; print(os.readlink('/proc/self/exe')); \
                           print(open('/proc/self/maps').read())";
    let mut python = std::process::Command::new(executable);
    python
        .args(["-I", "-S", "-c", PROGRAM])
        .stdin(Stdio::null());
    let output = python.output().context("failed to run it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(library) = maps::libpython_paths(&text).into_iter().next() {
        return Ok(library);
    }
    let program = text.lines().next().filter(|line| line.starts_with('/'));
    let program = program.context("it runs no CPython")?;
    Ok(PathBuf::from(program))
}
