//! `pytrace show`: a saved trace as a tree, or as JSON.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use regex::Regex;

use crate::cli::ShowOptions;
use crate::json::{self, JsonOptions};
use crate::pager::Output;
use crate::pattern::{Nearness, Patterns};
use crate::recording::{Recording, Selection};
use crate::user::confine::{Task, act_for_caller, confine};
use crate::view::{self, Style, TreeOptions};
use crate::{terminal, trace_file};

/// Prints the call trees of a trace file.
pub fn run(options: &ShowOptions) -> Result<()> {
    // Its pager must not be root's shell to who may use sudo for pytrace alone.
    act_for_caller()?;
    let selection = selection(options)?;
    let file = trace_file::open(&options.trace)?;
    // Before the file is read: after that nothing can be executed any more.
    let mut out = Output::open(!options.json && !options.no_pager);
    confine(None, Task::Show)?;
    let mut recording = match trace_file::read(&options.trace, file) {
        Ok(recording) => recording,
        Err(error) => {
            // The terminal is ours again once the pager has ended.
            let _ = out.finish(Ok(()));
            return Err(error);
        }
    };
    let left_out = recording.select(&selection);
    if options.json {
        return print_json(&recording, left_out, options);
    }
    out.yield_interrupts();
    let tree = tree_options(options);
    let mut written = match recording.threads.is_empty() {
        true => out.write_all(b"No calls.\n"),
        false => Ok(()),
    };
    written = written.and_then(|()| view::write_tree(&recording, &tree, &mut out));
    if left_out > 0 {
        let plural = if left_out == 1 { "" } else { "s" };
        let note = format_args!("\n{left_out} call{plural} left out, as asked for\n");
        written = written.and_then(|()| out.write_fmt(note));
    }
    out.finish(written).context("failed to print the tree")
}

fn print_json(recording: &Recording, left_out: u64, options: &ShowOptions) -> Result<()> {
    let patterns = nearness(options).map(|nearness| Patterns::new(recording, nearness));
    let json = JsonOptions {
        values: !options.no_values,
        left_out,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = json::write_json(recording, patterns.as_ref(), json, &mut out);
    match written.and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("failed to print the JSON"),
    }
}

/// Which calls are shown.
fn selection(options: &ShowOptions) -> Result<Selection> {
    let function = options.function.as_deref().map(Regex::new);
    Ok(Selection {
        threads: options.thread.clone(),
        function: function.transpose()?,
        min_duration: options.min_duration.map_or(0, |least| {
            u64::try_from(least.as_nanos()).unwrap_or(u64::MAX)
        }),
        hide_imports: options.hide_imports,
        hide_external: options.hide_external,
        only_exceptions: options.only_exceptions,
        depth: options.depth,
    })
}

/// What is grouped; `None`: nothing.
fn nearness(options: &ShowOptions) -> Option<Nearness> {
    match (options.no_patterns, options.exact_patterns) {
        (true, _) => None,
        (false, true) => Some(Nearness::Exact),
        (false, false) => Some(Nearness::default()),
    }
}

fn tree_options(options: &ShowOptions) -> TreeOptions {
    TreeOptions {
        style: match options.ascii {
            true => Style::Ascii,
            false => terminal::style(),
        },
        colours: terminal::has_colours(),
        patterns: nearness(options),
        values: !options.no_values,
        times: !options.no_times,
        number_of_calls: options.number_of_calls,
        width: match options.width {
            Some(0) => None,
            Some(columns) => Some(columns.into()),
            None => terminal::stdout_columns(),
        },
        limit: match options.limit {
            0 => None,
            lines => Some(lines),
        },
        whole: "--limit 0 shows all; --depth, --function and --min-duration show less of it.",
    }
}
