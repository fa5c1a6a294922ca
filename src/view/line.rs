//! A call's line.

use std::fmt::Write as _;
use std::ops::Range;

use super::columns::{columns, cut};
use super::{Duration, Printable, Style, TreeOptions};
use crate::recording::{Flags, Recording, Row};
use crate::trace::{Category, Kind};

/// Makes lines, one after the other, in the same memory.
#[derive(Debug)]
pub(super) struct Line<'a> {
    recording: &'a Recording,
    options: TreeOptions,
    text: String,
}

/// Where in a line the values stand, which may be cut.
#[derive(Debug, Default)]
struct Values {
    arguments: Range<usize>,
    /// The result or, behind all else, the message.
    outcome: Range<usize>,
}

impl<'a> Line<'a> {
    pub(super) fn new(recording: &'a Recording, options: TreeOptions) -> Self {
        Line {
            recording,
            options,
            text: String::new(),
        }
    }

    /// Begins the next line.
    pub(super) fn begin(&mut self) {
        self.text.clear();
    }

    /// Appends what stands before the call.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends the call, which is the `number`th of so many of its function, and returns the line.
    pub(super) fn finish(&mut self, row: &Row, number: Option<(u64, u64)>) -> &str {
        let mut values = Values::default();
        let code = self.recording.code(row);
        self.printable(&code.name);
        if self.options.values {
            self.arguments(row, &mut values);
            self.result(row, &mut values);
        }
        if !code.file.is_empty() {
            let file = code.file.rsplit('/').next().unwrap_or(&code.file);
            self.push(" [");
            self.printable(file);
            self.push(":");
            self.push(itoa::Buffer::new().format(code.line));
            self.push("]");
        }
        self.push("  ");
        self.duration(row.duration);
        self.marks(row, code.category, number);
        if row.flags.has(Flags::RAISED) {
            self.exception(row, &mut values);
        }
        self.fit(values);
        self.push("\n");
        &self.text
    }

    fn arguments(&mut self, row: &Row, values: &mut Values) {
        let Some(arguments) = self.recording.arguments(row) else {
            return;
        };
        // Nobody calls these.
        let kind = self.recording.code(row).kind;
        if arguments.is_empty() && matches!(kind, Kind::Module | Kind::ClassBody) {
            return;
        }
        self.push("(");
        let begin = self.text.len();
        for (index, (name, value)) in arguments.iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.printable(name);
            self.push("=");
            self.printable(value);
        }
        values.arguments = begin..self.text.len();
        self.push(")");
    }

    /// Most functions return None: said at each, it would hide what the others return.
    fn result(&mut self, row: &Row, values: &mut Values) {
        let yielded = row.flags.has(Flags::YIELDED);
        let Some(result) = self
            .recording
            .result(row)
            .filter(|&result| yielded || result != "None")
        else {
            return;
        };
        self.push(" -> ");
        let begin = self.text.len();
        self.printable(result);
        values.outcome = begin..self.text.len();
        if yielded {
            self.push(" (yielded)");
        }
    }

    fn marks(&mut self, row: &Row, category: Category, number: Option<(u64, u64)>) {
        self.push(match category {
            Category::Internal => "",
            Category::External => " (external)",
            Category::Import => " (import)",
        });
        if let Some((number, all)) = number {
            let mut digits = itoa::Buffer::new();
            self.push(" (call ");
            self.push(digits.format(number));
            self.push(" of ");
            self.push(digits.format(all));
            self.push(")");
        }
        for (flag, mark) in [
            (Flags::RESUMED, " (resumed)"),
            (Flags::ALREADY_RUNNING, " (already running)"),
            (Flags::UNFINISHED, " (unfinished)"),
            (Flags::END_INFERRED, " (at most)"),
        ] {
            if row.flags.has(flag) {
                self.push(mark);
            }
        }
    }

    fn exception(&mut self, row: &Row, values: &mut Values) {
        self.push(" raised ");
        match self.recording.exception(row) {
            Some(exception) => self.printable(exception),
            None => self.push("an exception"),
        }
        if self.options.values
            && let Some(message) = self.recording.message(row)
            && !message.is_empty()
        {
            self.push(": ");
            let begin = self.text.len();
            self.printable(message);
            values.outcome = begin..self.text.len();
        }
    }

    /// Cuts the values as far as the line is too wide: the arguments first, which are the longest.
    fn fit(&mut self, values: Values) {
        let Some(width) = self.options.width else {
            return;
        };
        let mut excess = columns(&self.text).saturating_sub(width);
        let ellipsis = match self.options.style {
            Style::Unicode => "…",
            Style::Ascii => "...",
        };
        let before = self.text.len();
        excess -= cut(&mut self.text, values.arguments, excess, ellipsis).min(excess);
        let after = self.text.len();
        let outcome = values.outcome;
        if !outcome.is_empty() {
            // The ellipsis may have more bytes than what it stands for.
            let outcome = outcome.start + after - before..outcome.end + after - before;
            cut(&mut self.text, outcome, excess, ellipsis);
        }
    }

    fn duration(&mut self, ns: u64) {
        let duration = Duration(ns);
        let written = match self.options.style {
            Style::Unicode => write!(self.text, "{duration}"),
            Style::Ascii => write!(self.text, "{duration:#}"),
        };
        debug_assert!(written.is_ok(), "memory takes any text");
    }

    fn printable(&mut self, text: &str) {
        let written = write!(self.text, "{}", Printable(text));
        debug_assert!(written.is_ok(), "memory takes any text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Collector;
    use crate::trace::{Arguments, Call, Code, Exit, Sink as _, ThreadId, Time};
    use proptest::prelude::*;

    /// A call of `f(x=…)` that gave back or, with `raises`, raised something.
    fn recording(argument: &str, outcome: &str, raises: bool) -> Recording {
        let code = Code {
            name: "f".into(),
            file: "/p/f.py".into(),
            line: 1,
            kind: Kind::Function,
            category: Category::External,
        };
        let mut collector = Collector::new();
        let call = Call {
            thread: ThreadId::default(),
            number: 1,
            depth: 0,
            category: code.category,
            code: code.into(),
            start: Time(0),
            duration: 5,
            resumed: false,
            already_running: false,
            exit: if raises {
                Exit::Exception
            } else {
                Exit::Return
            },
            exception: raises.then(|| "E".into()),
            message: raises.then(|| outcome.into()),
            arguments: Some(Arguments::new([("x", argument)])),
            result: (!raises).then(|| outcome.into()),
        };
        collector.call(&call).unwrap();
        collector.finish(crate::recording::Footer::default())
    }

    fn line(recording: &Recording, width: Option<usize>) -> String {
        let options = TreeOptions {
            width,
            ..TreeOptions::default()
        };
        let mut line = Line::new(recording, options);
        line.begin();
        line.push("└── ");
        line.finish(&recording.threads[0].calls[0], None).to_owned()
    }

    #[test]
    fn arguments_give_way_before_the_result_and_all_else_stays() {
        let returned = recording("'abcdef'", "'uvwxyz'", false);
        let raised = recording("'abcdef'", "uvwxyz", true);
        for (recording, width, expected) in [
            (
                &returned,
                None,
                "└── f(x='abcdef') -> 'uvwxyz' [f.py:1]  5 ns (external)\n",
            ),
            (
                &returned,
                Some(51),
                "└── f(x='ab…) -> 'uvwxyz' [f.py:1]  5 ns (external)\n",
            ),
            (
                &returned,
                Some(43),
                "└── f(…) -> 'uvw… [f.py:1]  5 ns (external)\n",
            ),
            (
                &returned,
                Some(1),
                "└── f(…) -> … [f.py:1]  5 ns (external)\n",
            ),
            (
                &raised,
                None,
                "└── f(x='abcdef') [f.py:1]  5 ns (external) raised E: uvwxyz\n",
            ),
            (
                &raised,
                Some(47),
                "└── f(…) [f.py:1]  5 ns (external) raised E: u…\n",
            ),
        ] {
            assert_eq!(line(recording, width), expected);
        }
    }

    #[test]
    fn none_is_not_worth_a_mark() {
        let line = line(&recording("None", "None", false), None);
        assert_eq!(line, "└── f(x=None) [f.py:1]  5 ns (external)\n");
    }

    proptest! {
        #[test]
        fn a_line_is_as_wide_as_asked_if_it_can(
            argument: String,
            outcome: String,
            raises: bool,
            width in 1usize..120,
        ) {
            let recording = recording(&argument, &outcome, raises);
            let (whole, cut) = (line(&recording, None), line(&recording, Some(width)));
            prop_assert!(!cut.trim_end_matches('\n').contains(char::is_control));
            let least = columns("└── f(…) [f.py:1]  5 ns (external) raised E: …");
            if columns(whole.trim_end()) <= width {
                prop_assert_eq!(whole, cut);
            } else {
                prop_assert!(columns(cut.trim_end_matches('\n')) <= width.max(least), "{}", cut);
            }
        }
    }
}
