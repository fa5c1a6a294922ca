//! The plain call tree, as text.
//!
//! ```text
//! Thread 812 python3 (main): 4 calls
//! ├── <module>() [train.py:1]  9.31 ms
//! │   └── Trainer.step(self=<Trainer>, batch=list[8] [1, 2, 3, …]) -> 0.25 [train.py:88]  8.90 ms
//! │       ├── dumps(obj=0.25) -> '0.25' [__init__.py:183]  120 µs (external)
//! │       └── Trainer.check(self=<Trainer>) [train.py:99]  5.12 µs raised ValueError: too large
//! ```

mod columns;
mod line;
mod text;
mod tree;
mod units;

use std::io::{self, Write};

use crate::recording::{CallCounter, Recording, Thread};

pub use text::Printable;
pub use units::Duration;

/// How to draw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// With box-drawing characters.
    #[default]
    Unicode,
    /// With what every terminal has.
    Ascii,
}

/// What a tree shows, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeOptions {
    /// How to draw.
    pub style: Style,
    /// Whether arguments, results and messages of exceptions are shown.
    pub values: bool,
    /// Whether each call has its number among those of its function, see [`CallCounter`].
    pub number_of_calls: bool,
    /// Cut the lines of calls to so many columns, as far as their values can give way.
    pub width: Option<usize>,
}

impl Default for TreeOptions {
    fn default() -> Self {
        TreeOptions {
            style: Style::default(),
            values: true,
            number_of_calls: false,
            width: None,
        }
    }
}

/// Writes the call tree of every thread. `out` should be buffered.
pub fn write_tree(
    recording: &Recording,
    options: TreeOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut counter = options.number_of_calls.then(|| CallCounter::new(recording));
    let mut process = None;
    for (index, thread) in recording.threads.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        if process != Some(thread.id.pid) && !thread.process_name.is_empty() {
            writeln!(
                out,
                "Process {} {}",
                thread.id.pid,
                Printable(&thread.process_name)
            )?;
        }
        process = Some(thread.id.pid);
        write_heading(thread, out)?;
        if let Some(counter) = &mut counter {
            counter.begin_thread(&thread.calls);
        }
        tree::write_calls(recording, thread, options, counter.as_mut(), out)?;
    }
    write_notes(recording, out)
}

fn write_heading(thread: &Thread, out: &mut impl Write) -> io::Result<()> {
    write!(out, "Thread {}", thread.id.tid)?;
    if !thread.name.is_empty() {
        write!(out, " {}", Printable(&thread.name))?;
    }
    if thread.id.tid == thread.id.pid {
        write!(out, " (main)")?;
    }
    let count = thread.calls.len();
    writeln!(out, ": {count} call{}", if count == 1 { "" } else { "s" })
}

/// What a reader has to know about what is not there.
fn write_notes(recording: &Recording, out: &mut impl Write) -> io::Result<()> {
    if recording.truncated {
        writeln!(
            out,
            "\nThe file ends early: calls that had not ended by then are missing."
        )?;
    }
    let Some(footer) = recording.footer.as_ref().filter(|footer| footer.lost > 0) else {
        return Ok(());
    };
    writeln!(out, "\nLost calls: {}", footer.lost)?;
    for lost in &footer.lost_by_thread {
        writeln!(
            out,
            "  thread {}: {}, from near call #{}",
            lost.tid, lost.count, lost.near_call
        )?;
    }
    Ok(())
}
