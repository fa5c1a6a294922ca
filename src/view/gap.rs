//! What is said of events that are missing.

use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};

use indicatif::HumanCount;

use super::paint::{Painted, Role};
use super::{Duration, Style, TreeOptions};
use crate::recording::{GapRun, Recording};

/// A number of things, in words: `1 gap`, `1,234 gaps`.
struct Of(u64, &'static str);

impl Display for Of {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Of(count, what) = *self;
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{} {what}{plural}", HumanCount(count))
    }
}

/// Appends what stands where events are missing.
pub(super) fn write_gap(line: &mut Painted, options: &TreeOptions, run: &GapRun) {
    let sum = &run.sum;
    let sign = options.style.guides().gap;
    line.format(
        Role::Error,
        format_args!("{sign}{} lost here", Of(sum.lost(), "event")),
    );
    if sum.gaps > 1 {
        line.format(
            Role::Error,
            format_args!(", in {}", Of(sum.gaps as u64, "gap")),
        );
    }
    line.format(
        Role::Mark,
        format_args!(
            ": {} began, {} ended",
            Of(sum.starts, "call"),
            HumanCount(sum.ends)
        ),
    );
    if options.times {
        let within = Duration(sum.duration());
        match options.style {
            Style::Unicode => line.format(Role::Time, format_args!(", within {within}")),
            Style::Ascii => line.format(Role::Time, format_args!(", within {within:#}")),
        }
    }
}

/// Says how much was lost in all, and by whom.
pub(super) fn write_losses(recording: &Recording, out: &mut impl Write) -> io::Result<()> {
    let lost = recording.lost();
    if lost == 0 {
        return Ok(());
    }
    write!(out, "\n{} lost", Of(lost, "event"))?;
    let shown: usize = recording.threads.iter().map(|it| it.gaps.len()).sum();
    let losses = recording.losses();
    let gaps = losses
        .iter()
        .fold(0u64, |sum, it| sum.saturating_add(it.gaps));
    // Files may say less than they show, and files of former versions say nothing of gaps.
    let gaps = gaps.max(shown as u64);
    if gaps > 0 {
        write!(out, " in {}", Of(gaps, "gap"))?;
    }
    if shown == 0 && gaps > 0 {
        write!(out, ", none of them in what is shown")?;
    } else if gaps > shown as u64 {
        let shown = HumanCount(shown as u64);
        write!(out, ", {shown} of them in what is shown")?;
    }
    writeln!(out)?;
    for loss in losses.iter() {
        write!(out, "  thread {}: {}", loss.tid, HumanCount(loss.count))?;
        if loss.gaps > 0 {
            write!(
                out,
                " in {}, where {} began and {} ended",
                Of(loss.gaps, "gap"),
                Of(loss.starts, "call"),
                HumanCount(loss.ends)
            )?;
        }
        writeln!(out, ", from near call #{}", loss.near_call)?;
    }
    Ok(())
}
