//! The call tree, as text, with what repeats folded.
//!
//! ```text
//! Thread 812 python3 (main): 14 calls
//! <module>() [train.py:1]  9.31 ms
//! ├── Trainer.check(self=<Trainer>) [train.py:99]  5.12 µs raised ValueError: too large
//! └── 🔄 Repeating Pattern: 6x repetitions of 2 calls (calls #3-#14, total: 12 calls)  53.4 ms, mean …
//!       📋 Pattern template (repeated 6 times):
//!         ├── Trainer.step(self=<Trainer>, batch=…) -> 0.25 [train.py:88]  mean 8.90 ms
//!         └── dumps(obj=0.25) -> '0.25' [__init__.py:183]  mean 120 µs (external)
//! ```
//!
//! In a template stands what all repetitions have in common: a value in which they differ is `…`.

mod budget;
mod columns;
mod gap;
mod guides;
mod line;
mod notes;
mod paint;
mod repeat;
mod text;
mod tree;
mod units;
mod walk;

use std::io::{self, Write};

use budget::Budget;
use tree::Tree;

use crate::pattern::{Nearness, Patterns};
use crate::recording::{Recording, Thread};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeOptions {
    /// How to draw.
    pub style: Style,
    /// Whether lines are coloured, with escape sequences.
    pub colours: bool,
    /// What is folded; `None`: nothing.
    pub patterns: Option<Nearness>,
    /// Whether arguments, results and messages of exceptions are shown.
    pub values: bool,
    /// Whether times are shown.
    pub times: bool,
    /// Whether each call has its number among those of its function, see
    /// [`CallCounter`](crate::recording::CallCounter).
    pub number_of_calls: bool,
    /// Cut the lines of calls to so many columns, as far as their values can give way.
    pub width: Option<usize>,
    /// How many lines to draw of calls, at most: those of the upper levels. `None`: all.
    pub limit: Option<usize>,
    /// What to say to whoever wants to see the rest.
    pub whole: &'static str,
}

impl Default for TreeOptions {
    fn default() -> Self {
        TreeOptions {
            style: Style::default(),
            colours: false,
            patterns: Some(Nearness::default()),
            values: true,
            times: true,
            number_of_calls: false,
            width: None,
            limit: None,
            whole: "",
        }
    }
}

/// Writes the call tree of every thread. `out` should be buffered.
pub fn write_tree(
    recording: &Recording,
    options: &TreeOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let patterns = match options.patterns {
        Some(nearness) => Patterns::new(recording, nearness),
        None => Patterns::unfolded(recording),
    };
    let (budget, lines) = match options.limit {
        Some(limit) => Budget::of(&patterns, limit),
        None => (Budget::ALL, 0),
    };
    let mut tree = Tree::new(&patterns, options, budget);
    let mut process = None;
    let threads = recording.threads.iter().enumerate();
    for (index, thread) in threads.take(budget.threads) {
        if index > 0 {
            writeln!(out)?;
        }
        if process != Some(thread.id.pid) && !thread.process_name.is_empty() {
            let name = Printable(&thread.process_name);
            writeln!(out, "Process {} {name}", thread.id.pid)?;
        }
        process = Some(thread.id.pid);
        write_heading(thread, out)?;
        tree.write(index, out)?;
    }
    notes::write_threads(recording, budget.threads, options, out)?;
    notes::write_unseen(recording, out)?;
    if budget != Budget::ALL {
        notes::write_limit(lines, options, out)?;
    }
    if options.patterns.is_some() {
        notes::write_summary(&patterns, options, out)?;
    }
    Ok(())
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

#[cfg(test)]
mod tests;
