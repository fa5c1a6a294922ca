//! Reads the trace file, and says how it goes.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::say;
use crate::recording::Recording;
use crate::trace_file;

/// How often a terminal sees how far the reading is, a second.
const REDRAWN_HZ: u8 = 10;
const MEGABYTE: f64 = 1e6;

/// Reads the trace in a file that was opened at `path`; a terminal on stderr sees how far it is.
pub(super) fn load(path: &Path, file: File) -> Result<Recording> {
    let since = Instant::now();
    let bar = bar(&file);
    let read = trace_file::read(path, bar.wrap_read(file));
    let bytes = bar.position();
    bar.finish_and_clear();
    let recording = read?;
    report(path, &recording, bytes, since.elapsed());
    Ok(recording)
}

fn bar(file: &File) -> ProgressBar {
    let target = match io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr_with_hz(REDRAWN_HZ),
        false => ProgressDrawTarget::hidden(),
    };
    // A pipe has no size.
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let (size, template) = match size {
        0 => (None, "pytrace: reading: {bytes}, {bytes_per_sec}"),
        _ => (
            Some(size),
            "pytrace: reading {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}",
        ),
    };
    let bar = ProgressBar::with_draw_target(size, target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn report(path: &Path, recording: &Recording, bytes: u64, took: Duration) {
    let shown = path.display();
    let threads = recording.threads.len();
    let calls = recording.threads.iter().map(|thread| thread.calls.len());
    let calls = HumanCount(calls.sum::<usize>() as u64);
    let plural = if threads == 1 { "" } else { "s" };
    let seconds = took.as_secs_f64();
    let speed = bytes as f64 / MEGABYTE / seconds.max(f64::EPSILON);
    say(format_args!(
        "pytrace: {shown}: {calls} calls of {threads} thread{plural}, read in {seconds:.2} s \
         ({speed:.0} MB/s)"
    ));
    if recording.truncated {
        say(format_args!(
            "pytrace: {shown} ends early: what is shown is what stands before that"
        ));
    }
}
