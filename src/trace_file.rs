//! The trace file that a command is given: opened and read, and what to say where that fails.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Result, anyhow};

use crate::error::WithHint as _;
use crate::format::{self, ReadError};
use crate::recording::Recording;

/// Opens a trace file.
///
/// # Errors
///
/// With a hint, where there is a cure.
pub fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| unreadable(path, ReadError::Io(error)))
}

/// Reads the trace in a file that was opened at `path`.
///
/// # Errors
///
/// With a hint, where there is a cure.
pub fn read(path: &Path, file: impl Read + Send) -> Result<Recording> {
    format::read_from(file).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: ReadError) -> anyhow::Error {
    let hint = match &error {
        ReadError::NotATrace(_) => Some(
            "pytrace shows its own traces and other tools' Chrome trace JSON, plain or gzipped",
        ),
        ReadError::Io(error) => match error.kind() {
            io::ErrorKind::NotFound => Some("`pytrace -o FILE SCRIPT` records one"),
            io::ErrorKind::IsADirectory => Some("name a trace file in it"),
            _ => None,
        },
    };
    let error = anyhow!(error).context(format!("failed to read {}", path.display()));
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
