//! `pytrace show`: a saved trace as a tree.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result, anyhow};

use crate::cli::ShowOptions;
use crate::error::WithHint as _;
use crate::format::ReadError;
use crate::view::{self, TreeOptions};
use crate::{format, terminal};

/// Prints the call trees of a trace file.
pub fn run(options: &ShowOptions) -> Result<()> {
    let path = options.trace.display();
    let recording = format::read(&options.trace).map_err(|error| {
        let is_something_else = matches!(error, ReadError::NotATrace(_));
        let error = anyhow!(error).context(format!("failed to read {path}"));
        match is_something_else {
            true => error.hint(
                "pytrace shows its own traces and other tools' Chrome trace JSON, plain or gzipped",
            ),
            false => error,
        }
    })?;
    let tree = TreeOptions {
        values: !options.no_values,
        number_of_calls: options.number_of_calls,
        width: match options.width {
            Some(0) => None,
            Some(columns) => Some(columns.into()),
            None => terminal::stdout_columns(),
        },
        ..TreeOptions::default()
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let shown = view::write_tree(&recording, tree, &mut out).and_then(|()| out.flush());
    match shown {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("failed to print the tree"),
    }
}
