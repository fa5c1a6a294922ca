//! What is said of a repeat.

use std::fmt::{self, Display, Formatter};

use super::paint::{Painted, Role};
use super::{Duration, Style};
use crate::pattern::{Count, Repeat, Times};

/// A count or its range: `6`, `2..5`.
struct Shown(Count);

impl Display for Shown {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0.single() {
            Some(count) => write!(f, "{count}"),
            None => write!(f, "{}..{}", self.0.min, self.0.max),
        }
    }
}

fn calls(count: Count) -> &'static str {
    if count.max == 1 { "call" } else { "calls" }
}

/// Whether its repetitions differ, at any depth.
fn similar(repeat: &Repeat<'_>) -> &'static str {
    if repeat.is_exact() { "" } else { "similar " }
}

/// Appends the heading of a repeat: `6x repetitions of 6 calls`. `inside`: of one that is part of what
/// repeats.
pub(super) fn write_heading(line: &mut Painted, style: Style, repeat: &Repeat<'_>, inside: bool) {
    let name = if inside { "Nested" } else { "Repeating" };
    let sign = style.guides().repeat;
    line.format(
        Role::Pattern,
        format_args!(
            "{sign}{name} Pattern: {}x {}repetitions of {} {}",
            Shown(repeat.count()),
            similar(repeat),
            Shown(repeat.calls_per_repetition()),
            calls(repeat.calls_per_repetition()),
        ),
    );
    if !inside {
        line.push(Role::Aside, &numbers(repeat));
    }
}

/// Appends how often one call repeats, before it: `5x `.
pub(super) fn write_count(line: &mut Painted, style: Style, repeat: &Repeat<'_>) {
    let sign = style.guides().repeat;
    line.format(
        Role::Pattern,
        format_args!("{sign}{}x {}", Shown(repeat.count()), similar(repeat)),
    );
}

/// The numbers of a repeat's calls, and how many these are.
pub(super) fn numbers(repeat: &Repeat<'_>) -> String {
    let total = repeat.total_calls();
    format!(
        " (calls #{}-#{}, total: {total} calls)",
        repeat.first_call(),
        repeat.last_call(),
    )
}

/// Appends the line above a template.
pub(super) fn write_template(line: &mut Painted, style: Style, repeat: &Repeat<'_>) {
    let sign = style.guides().template;
    let count = Shown(repeat.count());
    line.format(
        Role::Pattern,
        format_args!("{sign}Pattern template (repeated {count} times):"),
    );
    if !repeat.is_exact() {
        line.push(Role::Mark, " the first repetition, others differ");
    }
}

/// How long repetitions took.
#[derive(Debug, Default)]
pub(super) struct TimesText {
    /// Together, and on average.
    pub(super) mean: String,
    /// How they differ; what gives way first where a line is too long.
    pub(super) spread: String,
}

impl TimesText {
    /// `inside`: of a repeat in another one, whose slowest repetition has no number.
    pub(super) fn new(style: Style, times: &Times, inside: bool) -> Self {
        let time = |ns: u64| match style {
            Style::Unicode => Duration(ns).to_string(),
            Style::Ascii => format!("{:#}", Duration(ns)),
        };
        let plus_minus = match style {
            Style::Unicode => "±",
            Style::Ascii => "+/-",
        };
        // A mean of durations is one.
        let (mean, deviation) = (times.mean.round(), times.standard_deviation.round());
        let mut text = TimesText {
            mean: format!("  {}, mean {}", time(times.total), time(mean as u64)),
            spread: format!(
                " {plus_minus} {}, {} to {}",
                time(deviation as u64),
                time(times.min),
                time(times.max),
            ),
        };
        if !inside && times.min < times.max {
            let slowest = times.slowest + 1;
            text.spread
                .push_str(&format!(", slowest: repetition {slowest}"));
        }
        text
    }
}
