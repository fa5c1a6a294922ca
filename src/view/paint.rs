//! Text whose parts have roles, which a terminal shows in colours.

use std::fmt::{self, Write};
use std::io;
use std::ops::Range;

use anstyle::{AnsiColor, Effects, Style};

use super::columns;

/// What a part of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// How calls stand to each other, and where their code is.
    Aside,
    /// What is called.
    Name,
    /// What it was given, and what came back.
    Value,
    /// How long it took.
    Time,
    /// What else there is to say of it.
    Mark,
    /// That an exception left it.
    Error,
    /// What repeats.
    Pattern,
}

impl Role {
    /// Names and values are most of a line: they stay as the terminal has text.
    fn style(self) -> Style {
        match self {
            Role::Aside => Style::new().effects(Effects::DIMMED),
            Role::Name => Style::new().effects(Effects::BOLD),
            Role::Value => Style::new(),
            Role::Time => AnsiColor::Green.on_default(),
            Role::Mark => AnsiColor::Yellow.on_default(),
            Role::Error => AnsiColor::Red.on_default(),
            Role::Pattern => AnsiColor::Cyan.on_default().effects(Effects::BOLD),
        }
    }
}

/// A line being made.
#[derive(Debug, Default)]
pub(super) struct Painted {
    text: String,
    /// Where each role starts; it goes on to the next.
    starts: Vec<(usize, Role)>,
}

impl Painted {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.starts.clear();
    }

    pub(super) fn push(&mut self, role: Role, text: &str) {
        self.turn(role);
        self.text.push_str(text);
    }

    pub(super) fn format(&mut self, role: Role, text: fmt::Arguments<'_>) {
        self.turn(role);
        let written = self.text.write_fmt(text);
        debug_assert!(written.is_ok(), "memory takes any text");
    }

    fn turn(&mut self, role: Role) {
        if self.starts.last().is_none_or(|&(_, last)| last != role) {
            self.starts.push((self.text.len(), role));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// How many columns it takes.
    pub(super) fn columns(&self) -> usize {
        columns::columns(&self.text)
    }

    /// Cuts a part, see [`columns::cut`], and returns how many columns that saved.
    pub(super) fn cut(&mut self, range: Range<usize>, less: usize, ellipsis: &str) -> usize {
        let before = self.text.len();
        let end = range.end;
        let saved = columns::cut(&mut self.text, range, less, ellipsis);
        let after = self.text.len();
        for (start, _) in &mut self.starts {
            if *start >= end {
                *start = *start + after - before;
            }
        }
        saved
    }

    /// Drops what stands from `start` on if the line is wider than that.
    pub(super) fn drop_beyond(&mut self, width: Option<usize>, start: usize) {
        if width.is_some_and(|width| self.columns() > width) {
            self.text.truncate(start);
            self.starts.retain(|&(at, _)| at < start);
        }
    }

    /// Writes the line.
    pub(super) fn write(&self, colours: bool, out: &mut impl io::Write) -> io::Result<()> {
        if !colours {
            return writeln!(out, "{}", self.text);
        }
        for (index, &(start, role)) in self.starts.iter().enumerate() {
            let end = self.starts.get(index + 1).map(|&(end, _)| end);
            let text = self.text.get(start..end.unwrap_or(self.text.len()));
            let style = role.style();
            write!(out, "{style}{}{style:#}", text.unwrap_or_default())?;
        }
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(painted: &Painted, colours: bool) -> String {
        let mut out = Vec::new();
        painted.write(colours, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn parts_keep_their_roles_when_others_are_cut() {
        let mut line = Painted::default();
        line.push(Role::Name, "f");
        line.push(Role::Value, "(");
        let start = line.len();
        line.push(Role::Value, "abcdef");
        let range = start..line.len();
        line.push(Role::Value, ")");
        line.push(Role::Time, "  1 ns");
        assert_eq!(line.cut(range, 3, "…"), 3);
        assert_eq!(written(&line, false), "f(ab…)  1 ns\n");
        let coloured = "\u{1b}[1mf\u{1b}[0m(ab…)\u{1b}[32m  1 ns\u{1b}[0m\n";
        assert_eq!(written(&line, true), coloured);
        line.clear();
        assert_eq!(written(&line, true), "\n");
    }
}
