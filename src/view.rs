//! The plain call tree, as text.
//!
//! ```text
//! Thread 812 python3 (main): 3 calls
//! ├── <module> [train.py:1]  9.31 ms
//! │   └── Trainer.step [train.py:88]  8.90 ms
//! │       └── dumps [__init__.py:183]  120 µs (external)
//! ```

mod text;
mod units;

use std::io::{self, Write};

use crate::recording::{Flags, Recording, Row, Thread};
use crate::trace::Category;

pub use text::Printable;
pub use units::Duration;

/// Depth from which the outer guides are left out: a line's length must not grow with the depth, or
/// a deep recursion would print gigabytes of them.
const DEEP: usize = 64;
/// By how many levels at a time.
const STRIDE: usize = 32;

/// How to draw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// With box-drawing characters.
    #[default]
    Unicode,
    /// With what every terminal has.
    Ascii,
}

/// The four columns before a call or below a caller.
struct Guides {
    child: &'static str,
    last_child: &'static str,
    passing: &'static str,
    blank: &'static str,
    omitted: &'static str,
}

impl Style {
    fn guides(self) -> Guides {
        match self {
            Style::Unicode => Guides {
                child: "├── ",
                last_child: "└── ",
                passing: "│   ",
                blank: "    ",
                omitted: "⋯",
            },
            Style::Ascii => Guides {
                child: "|-- ",
                last_child: "`-- ",
                passing: "|   ",
                blank: "    ",
                omitted: "...",
            },
        }
    }
}

/// Writes the call tree of every thread. `out` should be buffered.
pub fn write_tree(recording: &Recording, style: Style, out: &mut impl Write) -> io::Result<()> {
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
        write_calls(recording, thread, style, out)?;
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

fn write_calls(
    recording: &Recording,
    thread: &Thread,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let guides = style.guides();
    let last_children = last_children(&thread.calls);
    // For each ancestor of the current row, whether it was a last child.
    let mut closed: Vec<bool> = Vec::new();
    for (row, &last) in thread.calls.iter().zip(&last_children) {
        let depth = row.depth as usize;
        closed.truncate(depth);
        let omitted = if depth < DEEP {
            0
        } else {
            (depth / STRIDE - 1) * STRIDE
        };
        if omitted > 0 {
            write!(out, "{}{omitted} ", guides.omitted)?;
        }
        for &closed in closed.iter().skip(omitted) {
            out.write_all(if closed { guides.blank } else { guides.passing }.as_bytes())?;
        }
        out.write_all(
            if last {
                guides.last_child
            } else {
                guides.child
            }
            .as_bytes(),
        )?;
        closed.push(last);
        write_call(recording, row, style, out)?;
    }
    Ok(())
}

/// For each row, whether no sibling follows it.
fn last_children(rows: &[Row]) -> Vec<bool> {
    let mut last = vec![false; rows.len()];
    // From the back: for each depth, whether a call was seen below the same caller.
    let mut seen: Vec<bool> = Vec::new();
    for (row, last) in rows.iter().zip(&mut last).rev() {
        let depth = row.depth as usize;
        seen.truncate(depth + 1);
        seen.resize(depth + 1, false);
        *last = !seen[depth];
        seen[depth] = true;
    }
    last
}

fn write_call(
    recording: &Recording,
    row: &Row,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let code = recording.code(row);
    write!(out, "{}", Printable(&code.name))?;
    if !code.file.is_empty() {
        let file = code.file.rsplit('/').next().unwrap_or(&code.file);
        write!(out, " [{}:{}]", Printable(file), code.line)?;
    }
    let duration = Duration(row.duration);
    match style {
        Style::Unicode => write!(out, "  {duration}")?,
        Style::Ascii => write!(out, "  {duration:#}")?,
    }
    match code.category {
        Category::Internal => {}
        Category::External => write!(out, " (external)")?,
        Category::Import => write!(out, " (import)")?,
    }
    for (flag, mark) in [
        (Flags::RESUMED, " (resumed)"),
        (Flags::ALREADY_RUNNING, " (already running)"),
        (Flags::UNFINISHED, " (unfinished)"),
        (Flags::END_INFERRED, " (at most)"),
    ] {
        if row.flags.has(flag) {
            out.write_all(mark.as_bytes())?;
        }
    }
    if row.flags.has(Flags::RAISED) {
        match recording.exception(row) {
            Some(exception) => write!(out, " raised {}", Printable(exception))?,
            None => write!(out, " raised an exception")?,
        }
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Flags;
    use crate::trace::Time;
    use proptest::prelude::*;

    fn rows(depths: impl IntoIterator<Item = u32>) -> Vec<Row> {
        let row = |depth| Row {
            start: Time(0),
            duration: 0,
            number: 0,
            code: 0,
            depth,
            exception: None,
            arguments: None,
            outcome: None,
            flags: Flags::default(),
        };
        depths.into_iter().map(row).collect()
    }

    #[test]
    fn a_line_stays_short_a_million_deep() {
        let recording = Recording {
            threads: vec![Thread {
                calls: rows(0..1_000_000),
                ..Thread::default()
            }],
            codes: vec![crate::trace::Code {
                name: "f".into(),
                file: "/p/f.py".into(),
                line: 1,
                kind: crate::trace::Kind::Function,
                category: Category::Internal,
            }],
            ..Recording::default()
        };
        let mut out = Vec::new();
        write_tree(&recording, Style::Ascii, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 1_000_001);
        assert!(text.lines().all(|line| line.len() < 300));
        assert!(text.ends_with("`-- f [f.py:1]  0 ns\n"));
    }

    proptest! {
        #[test]
        fn a_last_child_has_no_sibling_behind_it(steps in prop::collection::vec(0u32..6, 0..60)) {
            let mut depth = 0u32;
            let rows = rows(steps.iter().enumerate().map(|(index, &step)| {
                depth = if index == 0 { 0 } else { (depth + 1).saturating_sub(step) };
                depth
            }));
            for (index, last) in last_children(&rows).into_iter().enumerate() {
                let row = &rows[index];
                let next = rows[index + 1..].iter().find(|next| next.depth <= row.depth);
                prop_assert_eq!(last, next.is_none_or(|next| next.depth < row.depth));
            }
        }
    }
}
