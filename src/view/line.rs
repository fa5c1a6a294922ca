//! A call's line.

use std::ops::Range;

use super::paint::{Painted, Role};
use super::{Duration, Printable, Style, TreeOptions};
use crate::recording::{Fact, Facts, Flags};
use crate::trace::{Category, Kind};

/// Where in a line the values stand, which may be cut.
#[derive(Debug, Default)]
struct Values {
    arguments: Range<usize>,
    /// How long repetitions took each.
    spread: Range<usize>,
    /// The result or, behind all else, the message.
    outcome: Range<usize>,
}

/// What there is to say of a call that repeats.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeated<'a> {
    /// Of its calls.
    pub(super) numbers: &'a str,
    /// How long the repetitions took.
    pub(super) mean: &'a str,
    pub(super) spread: &'a str,
}

/// Appends a call to what stands before it in its line, and cuts the line to the width that is asked
/// for. `number`: it is the so-manyth of so many calls of its function; `repeated`: it stands for all
/// repetitions, whose times these are.
pub(super) fn write_call(
    line: &mut Painted,
    options: &TreeOptions,
    shown: &Facts<'_>,
    number: Option<(u64, u64)>,
    repeated: Option<Repeated<'_>>,
) {
    let mut writer = CallWriter {
        line,
        options,
        shown,
    };
    let values = writer.call(number, repeated);
    writer.fit(values);
}

struct CallWriter<'a, 'b> {
    line: &'a mut Painted,
    options: &'a TreeOptions,
    shown: &'a Facts<'b>,
}

impl CallWriter<'_, '_> {
    fn call(&mut self, number: Option<(u64, u64)>, repeated: Option<Repeated<'_>>) -> Values {
        let mut values = Values::default();
        let code = self.shown.code;
        self.printable(Role::Name, &code.name);
        if self.options.values {
            self.arguments(&mut values);
            self.result(&mut values);
        }
        if !code.file.is_empty() {
            let file = code.file_name();
            self.line.push(Role::Aside, " [");
            self.printable(Role::Aside, file);
            // What is written in C has no line.
            if code.kind != Kind::Builtin {
                self.line.push(Role::Aside, ":");
                let mut digits = itoa::Buffer::new();
                self.line.push(Role::Aside, digits.format(code.line));
            }
            self.line.push(Role::Aside, "]");
        }
        if let Some(repeated) = repeated {
            self.line.push(Role::Aside, repeated.numbers);
            self.line.push(Role::Time, repeated.mean);
            let begin = self.line.len();
            self.line.push(Role::Time, repeated.spread);
            values.spread = begin..self.line.len();
        } else if self.options.times {
            self.time();
        }
        self.marks(number);
        if self.shown.raised > 0 {
            self.exception(&mut values);
        }
        values
    }

    fn arguments(&mut self, values: &mut Values) {
        let Some(arguments) = &self.shown.arguments else {
            return;
        };
        // Nobody calls these.
        let kind = self.shown.code.kind;
        if arguments.is_empty() && matches!(kind, Kind::Module | Kind::ClassBody) {
            return;
        }
        self.line.push(Role::Value, "(");
        let begin = self.line.len();
        for (index, &(name, value)) in arguments.iter().enumerate() {
            if index > 0 {
                self.line.push(Role::Value, ", ");
            }
            self.printable(Role::Value, name);
            self.line.push(Role::Value, "=");
            self.fact(Role::Value, value);
        }
        values.arguments = begin..self.line.len();
        self.line.push(Role::Value, ")");
    }

    /// Most functions return None: said at each, it would hide what the others return.
    fn result(&mut self, values: &mut Values) {
        let yielded = self.shown.flags.has(Flags::YIELDED);
        let Some(result) = self
            .shown
            .result
            .filter(|&result| yielded || result != Fact::Same("None"))
        else {
            return;
        };
        self.line.push(Role::Value, " -> ");
        let begin = self.line.len();
        self.fact(Role::Value, result);
        values.outcome = begin..self.line.len();
        if yielded {
            self.line.push(Role::Mark, " (yielded)");
        }
    }

    fn time(&mut self) {
        let mean = if self.shown.count > 1 { "mean " } else { "" };
        let duration = Duration(self.shown.mean());
        match self.options.style {
            Style::Unicode => self
                .line
                .format(Role::Time, format_args!("  {mean}{duration}")),
            Style::Ascii => self
                .line
                .format(Role::Time, format_args!("  {mean}{duration:#}")),
        }
    }

    fn marks(&mut self, number: Option<(u64, u64)>) {
        let category = match self.shown.category() {
            Category::Internal => "",
            Category::External => " (external)",
            Category::Import => " (import)",
        };
        if !category.is_empty() {
            self.line.push(Role::Mark, category);
        }
        if let Some((number, all)) = number {
            self.line
                .format(Role::Mark, format_args!(" (call {number} of {all})"));
        }
        let running = match self.shown.flags.has(Flags::BEGAN_IN_GAP) {
            true => " (began in a gap)",
            false => " (already running)",
        };
        for (flag, mark) in [
            (Flags::RESUMED, " (resumed)"),
            (Flags::ALREADY_RUNNING, running),
            (Flags::START_INFERRED, " (at least)"),
            (Flags::UNFINISHED, " (unfinished)"),
            (Flags::END_INFERRED, " (at most)"),
        ] {
            if self.shown.flags.has(flag) {
                self.line.push(Role::Mark, mark);
            }
        }
        let (unfinished, count) = (self.shown.unfinished, self.shown.count);
        if unfinished > 0 && unfinished < count {
            self.line.format(
                Role::Mark,
                format_args!(" (unfinished in {unfinished} of {count})"),
            );
        }
    }

    fn exception(&mut self, values: &mut Values) {
        self.line.push(Role::Error, " raised ");
        match self.shown.exception {
            Some(Fact::Same(exception)) => self.printable(Role::Error, exception),
            _ if self.shown.raised > 1 => self.line.push(Role::Error, "exceptions"),
            _ => self.line.push(Role::Error, "an exception"),
        }
        let (raised, count) = (self.shown.raised, self.shown.count);
        if raised < count {
            self.line
                .format(Role::Error, format_args!(" in {raised} of {count}"));
        }
        if self.options.values
            && let Some(message) = self.shown.message
            && message != Fact::Same("")
        {
            self.line.push(Role::Error, ": ");
            let begin = self.line.len();
            self.fact(Role::Error, message);
            values.outcome = begin..self.line.len();
        }
    }

    /// Makes the line shorter as far as it is too wide: how times differ goes first; then the arguments
    /// are cut, which are the longest; then the result or message.
    fn fit(&mut self, values: Values) {
        let Some(width) = self.options.width else {
            return;
        };
        let ellipsis = self.options.style.ellipsis();
        let mut excess = self.line.columns().saturating_sub(width);
        let mut outcome = values.outcome;
        if excess > 0 && !values.spread.is_empty() {
            let all = usize::MAX;
            excess = excess.saturating_sub(self.cut(values.spread, all, "", &mut outcome));
        }
        excess = excess.saturating_sub(self.cut(values.arguments, excess, ellipsis, &mut outcome));
        if !outcome.is_empty() {
            self.line.cut(outcome, excess, ellipsis);
        }
    }

    /// Cuts a part and moves the one behind it with it.
    fn cut(
        &mut self,
        part: Range<usize>,
        less: usize,
        ellipsis: &str,
        behind: &mut Range<usize>,
    ) -> usize {
        let (before, end) = (self.line.len(), part.end);
        let saved = self.line.cut(part, less, ellipsis);
        if behind.start >= end {
            // An ellipsis may have more bytes than what it stands for.
            let after = self.line.len();
            *behind = behind.start + after - before..behind.end + after - before;
        }
        saved
    }

    fn fact(&mut self, role: Role, fact: Fact<'_>) {
        match fact {
            Fact::Same(text) => self.printable(role, text),
            Fact::Differs => self.line.push(role, self.options.style.ellipsis()),
        }
    }

    fn printable(&mut self, role: Role, text: &str) {
        self.line.format(role, format_args!("{}", Printable(text)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::columns;
    use super::*;
    use crate::recording::{Collector, Recording};
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
            start_inferred: false,
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
        let mut line = Painted::default();
        line.push(Role::Aside, "└── ");
        let row = &recording.threads[0].calls[0];
        let shown = Facts::of(recording, row, std::iter::empty());
        write_call(&mut line, &options, &shown, None, None);
        let mut out = Vec::new();
        line.write(false, &mut out).unwrap();
        String::from_utf8(out).unwrap()
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
            if columns(whole.trim_end_matches('\n')) <= width {
                prop_assert_eq!(whole, cut);
            } else {
                prop_assert!(columns(cut.trim_end_matches('\n')) <= width.max(least), "{}", cut);
            }
        }
    }
}
