//! How calls stand to each other: the guides in front of them.

use std::io::{self, Write};

use super::line::Line;
use super::{Style, TreeOptions};
use crate::recording::{CallCounter, Recording, Row, Thread};

/// Depth from which the outer guides are left out: a line's length must not grow with the depth, or
/// a deep recursion would print gigabytes of them.
const DEEP: usize = 64;
/// By how many levels at a time.
const STRIDE: usize = 32;

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

/// Writes a line for each call of `thread`.
pub(super) fn write_calls(
    recording: &Recording,
    thread: &Thread,
    options: TreeOptions,
    mut counter: Option<&mut CallCounter>,
    out: &mut impl Write,
) -> io::Result<()> {
    let guides = options.style.guides();
    let mut line = Line::new(recording, options);
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
        line.begin();
        if omitted > 0 {
            line.push(guides.omitted);
            line.push(itoa::Buffer::new().format(omitted));
            line.push(" ");
        }
        for &closed in closed.iter().skip(omitted) {
            line.push(if closed { guides.blank } else { guides.passing });
        }
        line.push(if last {
            guides.last_child
        } else {
            guides.child
        });
        closed.push(last);
        let number = counter.as_mut().and_then(|counter| counter.next(row));
        out.write_all(line.finish(row, number).as_bytes())?;
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

#[cfg(test)]
mod tests {
    use super::super::{Style, write_tree};
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
                category: crate::trace::Category::Internal,
            }],
            ..Recording::default()
        };
        let mut out = Vec::new();
        let options = TreeOptions {
            style: Style::Ascii,
            ..TreeOptions::default()
        };
        write_tree(&recording, options, &mut out).unwrap();
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
