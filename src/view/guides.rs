//! How calls stand to each other: the guides in front of them.

use super::Style;
use super::paint::{Painted, Role};

/// Levels from which the outer guides are left out: a line's length must not grow with the depth, or
/// a deep recursion would print gigabytes of them.
const DEEP: usize = 64;
/// By how many levels at a time.
const STRIDE: usize = 32;

/// The four columns before a call or below a caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guides {
    child: &'static str,
    last_child: &'static str,
    passing: &'static str,
    blank: &'static str,
    omitted: &'static str,
    /// Before what says that events are missing.
    pub(super) gap: &'static str,
    /// Before what repeats, and before its template.
    pub(super) repeat: &'static str,
    pub(super) template: &'static str,
}

impl Style {
    pub(super) fn guides(self) -> Guides {
        match self {
            Style::Unicode => Guides {
                child: "├── ",
                last_child: "└── ",
                passing: "│   ",
                blank: "    ",
                omitted: "⋯",
                gap: "⚠ ",
                repeat: "🔄 ",
                template: "📋 ",
            },
            Style::Ascii => Guides {
                child: "|-- ",
                last_child: "`-- ",
                passing: "|   ",
                blank: "    ",
                omitted: "...",
                gap: "! ",
                repeat: "",
                template: "",
            },
        }
    }

    /// What stands for what is left out.
    pub(super) fn ellipsis(self) -> &'static str {
        match self {
            Style::Unicode => "…",
            Style::Ascii => "...",
        }
    }
}

/// The guides of the lines so far, as far as those below them need them.
#[derive(Debug)]
pub(super) struct Path {
    guides: Guides,
    columns: Vec<&'static str>,
    /// By level: how many of `columns` stand before its lines.
    levels: Vec<usize>,
}

impl Path {
    pub(super) fn new(style: Style) -> Self {
        Path {
            guides: style.guides(),
            columns: Vec::new(),
            levels: vec![0],
        }
    }

    /// Starts a line of this level; those of level 0 stand at the margin.
    pub(super) fn begin(&self, level: usize, last: bool, line: &mut Painted) {
        self.before(self.levels[level], line);
        if level > 0 {
            let connector = match last {
                true => self.guides.last_child,
                false => self.guides.child,
            };
            line.push(Role::Aside, connector);
        }
    }

    /// Says where the level below a line starts: under it, or further in, under a line of its own that
    /// [`Path::begin_template`] starts.
    pub(super) fn open(&mut self, level: usize, last: bool, has_template: bool) {
        let columns = self.levels[level];
        self.columns.truncate(columns);
        self.levels.truncate(level + 1);
        if level > 0 {
            self.columns.push(match last {
                true => self.guides.blank,
                false => self.guides.passing,
            });
        }
        if has_template {
            self.columns.push(self.guides.blank);
        }
        self.levels.push(self.columns.len());
    }

    /// Starts the line above the level that was opened last, with a template.
    pub(super) fn begin_template(&self, line: &mut Painted) {
        self.before(self.columns.len().saturating_sub(1), line);
        line.push(Role::Aside, "  ");
    }

    fn before(&self, columns: usize, line: &mut Painted) {
        let omitted = match columns {
            0..DEEP => 0,
            _ => (columns / STRIDE - 1) * STRIDE,
        };
        if omitted > 0 {
            let omission = self.guides.omitted;
            line.format(Role::Aside, format_args!("{omission}{omitted} "));
        }
        for guide in &self.columns[omitted..columns] {
            line.push(Role::Aside, guide);
        }
    }
}
