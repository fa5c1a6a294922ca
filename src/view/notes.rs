//! What stands below the trees.

use std::io::{self, Write};

use super::gap::write_losses;
use super::{Duration, Printable, Style, TreeOptions};
use crate::pattern::{Patterns, Repeat};
use crate::recording::Recording;

/// Patterns that are named, and calls of each.
const TOP: usize = 3;
const NAMES: usize = 3;

/// What a reader has to know about what is not there.
pub(super) fn write_unseen(recording: &Recording, out: &mut impl Write) -> io::Result<()> {
    if recording.truncated {
        writeln!(
            out,
            "\nThe file ends early: calls that had not ended by then are missing."
        )?;
    }
    for gone in recording.gone() {
        writeln!(out, "\nNot whole: {gone}.")?;
    }
    write_losses(recording, out)
}

/// How many threads are not drawn, if only the first so many are.
pub(super) fn write_threads(
    recording: &Recording,
    drawn: usize,
    options: &TreeOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let rest = recording.threads.get(drawn..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(());
    }
    let calls: usize = rest.iter().map(|thread| thread.calls.len()).sum();
    let (threads, plural) = (rest.len(), if rest.len() == 1 { "" } else { "s" });
    let ellipsis = options.style.ellipsis();
    writeln!(
        out,
        "\n{ellipsis} {threads} more thread{plural}, {calls} calls in all"
    )
}

/// What `--limit` has left out.
pub(super) fn write_limit(
    lines: usize,
    options: &TreeOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let limit = options.limit.unwrap_or_default();
    writeln!(
        out,
        "\nThe upper levels of {lines} lines, {limit} at most. {}",
        options.whole
    )
}

/// What folding came to, and which patterns took longest.
pub(super) fn write_summary(
    patterns: &Patterns<'_>,
    options: &TreeOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let summary = patterns.summary(TOP);
    if summary.patterns == 0 {
        return Ok(());
    }
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    writeln!(
        out,
        "\n{} calls in {} row{}: {} pattern{}, up to {} deep, with {:.1} % of the calls",
        summary.calls,
        summary.rows,
        plural(summary.rows),
        summary.patterns,
        plural(summary.patterns),
        summary.deepest,
        // Not rounded up: 100 % are all.
        (summary.share_in_patterns() * 1000.0).floor() / 10.0,
    )?;
    if summary.patterns < 2 || !options.times {
        return Ok(());
    }
    writeln!(out, "Those that took longest:")?;
    for top in &summary.top {
        let total = Duration(top.total);
        match options.style {
            Style::Unicode => write!(out, "  {total}")?,
            Style::Ascii => write!(out, "  {total:#}")?,
        }
        let repeat = &top.repeat;
        write!(
            out,
            " in {}x {}, calls #{}-#{} of thread {}: ",
            repeat.repetitions().len(),
            match repeat.calls_per_repetition().single() {
                Some(1) => "1 call".to_owned(),
                Some(calls) => format!("{calls} calls"),
                None => "similar calls".to_owned(),
            },
            repeat.first_call(),
            repeat.last_call(),
            patterns.recording().threads[top.thread].id.tid,
        )?;
        write_names(patterns, repeat, options, out)?;
    }
    Ok(())
}

/// The first functions that a repetition calls.
fn write_names(
    patterns: &Patterns<'_>,
    repeat: &Repeat<'_>,
    options: &TreeOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut calls = repeat.repetition(0);
    for (index, call) in calls.by_ref().take(NAMES).enumerate() {
        if index > 0 {
            write!(out, ", ")?;
        }
        let name = &patterns.recording().code(call.row()).name;
        write!(out, "{}", Printable(name))?;
    }
    if calls.next().is_some() {
        write!(out, ", {}", options.style.ellipsis())?;
    }
    writeln!(out)
}
