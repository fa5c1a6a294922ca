//! `pytrace show`: a saved trace as a tree, or as JSON.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result, anyhow};

use crate::cli::ShowOptions;
use crate::error::WithHint as _;
use crate::format::ReadError;
use crate::json::{self, JsonOptions};
use crate::pattern::{Nearness, Patterns};
use crate::recording::Recording;
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
    let shown = match options.json {
        true => write_json(&recording, options, &mut out),
        false => view::write_tree(&recording, tree, &mut out),
    };
    match shown.and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("failed to print the tree"),
    }
}

fn write_json(
    recording: &Recording,
    options: &ShowOptions,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let nearness = match options.exact_patterns {
        true => Nearness::Exact,
        false => Nearness::default(),
    };
    let patterns = (!options.no_patterns).then(|| Patterns::new(recording, nearness));
    let json = JsonOptions {
        values: !options.no_values,
    };
    json::write_json(recording, patterns.as_ref(), json, out)
}
