//! A thread's calls and repeats as lines.

use std::io::{self, Write};

use super::TreeOptions;
use super::budget::{Budget, has_template};
use super::gap::write_gap;
use super::guides::Path;
use super::line::{Repeated, write_call};
use super::paint::{Painted, Role};
use super::repeat::{self, TimesText};
use super::walk::{Step, Walk};
use crate::pattern::{Call, Node, Patterns, Repeat, Times};
use crate::recording::{CallCounter, Facts};

/// A call's number among its function's, and how many these are.
type Number = Option<(u64, u64)>;

/// Writes lines for the threads of a recording, one thread after the other.
pub(super) struct Tree<'a, 'p> {
    patterns: &'p Patterns<'p>,
    options: &'a TreeOptions,
    budget: Budget,
    counter: Option<CallCounter>,
    line: Painted,
}

impl<'a, 'p> Tree<'a, 'p> {
    pub(super) fn new(
        patterns: &'p Patterns<'p>,
        options: &'a TreeOptions,
        budget: Budget,
    ) -> Self {
        Tree {
            patterns,
            options,
            budget,
            counter: options
                .number_of_calls
                .then(|| CallCounter::new(patterns.recording())),
            line: Painted::default(),
        }
    }

    /// Writes the calls of a thread.
    pub(super) fn write(&mut self, thread: usize, out: &mut impl Write) -> io::Result<()> {
        let rows = &self.patterns.recording().threads[thread].calls;
        let numbers: Option<Vec<Number>> = self.counter.as_mut().map(|counter| {
            counter.begin_thread(rows);
            rows.iter().map(|row| counter.next(row)).collect()
        });
        let mut path = Path::new(self.options.style);
        let mut walk = Walk::new(self.patterns, thread);
        while let Some(step) = walk.next() {
            self.line.clear();
            // A line that stands for one other would save nothing.
            if !self.budget.admits(step.level, step.index) && !step.last {
                self.rest(&mut walk, &path, &step);
                self.end(out)?;
                continue;
            }
            path.begin(step.level, step.last, &mut self.line);
            let goes_on = self.budget.admits(step.level + 1, 0);
            let template = has_template(&step) && goes_on;
            path.open(step.level, step.last, template);
            match &step.node {
                Node::Call(call) => {
                    let number = numbers.as_ref().and_then(|numbers| numbers[call.index()]);
                    self.call(&walk, &step, call, number, goes_on);
                }
                Node::Repeat(repeat) => self.repeat(&walk, &step, repeat, goes_on),
                Node::Gap(gap) => write_gap(&mut self.line, self.options, gap),
            }
            self.end(out)?;
            if let Node::Repeat(repeat) = &step.node
                && template
            {
                self.line.clear();
                path.begin_template(&mut self.line);
                repeat::write_template(&mut self.line, self.options.style, repeat);
                self.end(out)?;
            }
            if !goes_on {
                walk.skip_below();
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.line.write(self.options.colours, out)
    }

    /// The line of a call. `goes_on`: what it called has its own lines.
    fn call(
        &mut self,
        walk: &Walk<'_>,
        step: &Step<'_>,
        call: &Call<'_>,
        number: Number,
        goes_on: bool,
    ) {
        let shown = Facts::of(
            self.patterns.recording(),
            call.row(),
            call.copies(walk.strides(step)).skip(1),
        );
        // One that stands for others has no number of its own.
        let number = number.filter(|_| !step.inside);
        write_call(&mut self.line, self.options, &shown, number, None);
        if !goes_on {
            self.calls_below(call.rows().len() - 1);
        }
    }

    fn repeat(&mut self, walk: &Walk<'_>, step: &Step<'_>, repeat: &Repeat<'_>, goes_on: bool) {
        let style = self.options.style;
        // Where the count differs, the times of the one that is shown are nobody's.
        let times = match self.options.times && repeat.count().single().is_some() {
            true => {
                let durations = repeat.durations_of_copies(walk.strides(step));
                TimesText::new(style, &Times::of(durations), step.inside)
            }
            false => TimesText::default(),
        };
        let first_only = match goes_on && !repeat.is_exact() {
            true => " (below: the first, others differ)",
            false => "",
        };
        let Some(call) = repeat.only_call() else {
            repeat::write_heading(&mut self.line, style, repeat, step.inside);
            self.line.push(Role::Time, &times.mean);
            let start = self.line.len();
            self.line.push(Role::Time, &times.spread);
            self.line.drop_beyond(self.options.width, start);
            if step.inside {
                self.line.push(Role::Mark, first_only);
            }
            if !goes_on {
                let ellipsis = style.ellipsis();
                self.line.format(Role::Aside, format_args!(" {ellipsis}"));
            }
            return;
        };
        repeat::write_count(&mut self.line, style, repeat);
        let others = repeat.copies(walk.strides(step)).skip(1);
        let shown = Facts::of(self.patterns.recording(), call.row(), others);
        let numbers = match step.inside {
            true => String::new(),
            false => repeat::numbers(repeat),
        };
        let repeated = Repeated {
            numbers: &numbers,
            mean: &times.mean,
            spread: &times.spread,
        };
        write_call(&mut self.line, self.options, &shown, None, Some(repeated));
        if !call.callees().is_empty() {
            self.line.push(Role::Mark, first_only);
        }
        if !goes_on {
            self.calls_below(call.rows().len() - 1);
        }
    }

    fn calls_below(&mut self, calls: usize) {
        if calls > 0 {
            let plural = if calls == 1 { "" } else { "s" };
            self.line
                .format(Role::Mark, format_args!(" (+{calls} call{plural} below)"));
        }
    }

    /// The line that stands for those of a list that are not shown.
    fn rest(&mut self, walk: &mut Walk<'_>, path: &Path, step: &Step<'_>) {
        let (nodes, calls) = walk.skip_list(step);
        path.begin(step.level, true, &mut self.line);
        let ellipsis = self.options.style.ellipsis();
        self.line.format(
            Role::Mark,
            format_args!("{ellipsis} {nodes} more, {calls} calls in all"),
        );
    }
}
