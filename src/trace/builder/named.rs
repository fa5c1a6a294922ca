//! Events without frames: a thread's starts and ends are paired as the frames of a stack.
//!
//! In place of a frame's address they have a number that stands for the function, the same for all
//! of its frames. What ends is the innermost of them; whatever is above has ended unseen.

use std::io;

use super::{Began, Builder, Classify};
use crate::event::{Enter, Event};
use crate::trace::{Category, Exit, Sink};

impl<C: Classify> Builder<C> {
    /// A function starts or goes on; whatever is on top of the stack is its caller.
    pub(super) fn enter_named(&mut self, event: &Event<'_>, function: u64, code: u64) {
        if let Some(thread) = self.threads.get_mut(event.thread) {
            thread.pairs.start(function);
        }
        let (id, time) = (event.thread, event.time);
        self.open(id, time, function, None, code, Began::Seen(Enter::Named));
    }

    /// What seemed to start last has only made a generator: nothing has happened.
    pub(super) fn never_ran(&mut self, event: &Event<'_>, sink: &mut dyn Sink) -> io::Result<()> {
        let Some(thread) = self.threads.get_mut(event.thread) else {
            return Ok(());
        };
        let Some(call) = thread.stack.last().and_then(|top| top.call.as_ref()) else {
            thread.stack.pop();
            return Ok(());
        };
        if call.number != thread.calls {
            // A generator expression that has called its iterable's __iter__: numbers are given.
            let below = thread.stack.len() - 1;
            return self.cut(event.thread, below, event.time, Exit::Return, sink);
        }
        match call.category {
            Category::Internal => self.totals.internal -= 1,
            Category::External => self.totals.external -= 1,
            Category::Import => self.totals.imports -= 1,
        }
        self.totals.calls -= 1;
        thread.calls -= 1;
        thread.stack.pop();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{builder, code, outline, push};
    use super::*;
    use crate::event::{EventKind, Leave};

    /// What comes of starts (`+f`), ends (`-f`) and generators made (`!`): names indented by depth,
    /// in the order of their numbers; with `?` where an end was not seen.
    fn calls(events: &str) -> Vec<String> {
        let (mut builder, mut calls) = (builder(), Vec::new());
        for (time, event) in (1..).zip(events.split(' ')) {
            let (what, name) = event.split_at(1);
            let function = name.bytes().next().unwrap_or_default().into();
            let kind = match what {
                "+" => EventKind::Enter {
                    frame: function,
                    previous: 0,
                    code: function,
                    how: Enter::Named,
                    values: &[],
                },
                _ => EventKind::Exit {
                    frame: function,
                    how: match what {
                        "-" => Leave::Named,
                        _ => Leave::NeverRan,
                    },
                    exception: &[],
                    values: &[],
                },
            };
            push(&mut builder, time, code(function, name), &mut calls);
            push(&mut builder, time, kind, &mut calls);
        }
        outline(builder, calls)
    }

    #[test]
    fn the_innermost_of_a_function_ends() {
        let expected = ["m", "  f", "    f", "  f"];
        assert_eq!(calls("+m +f +f -f -f +f -f -m"), expected);
    }

    #[test]
    fn what_is_above_has_ended_unseen() {
        assert_eq!(calls("+m +f +g -m +h -h"), ["m", "  f?", "    g?", "h"]);
    }

    #[test]
    fn what_was_not_seen_to_start_is_dropped() {
        assert_eq!(calls("-f +m -f -m"), ["m"]);
    }

    #[test]
    fn a_generator_that_is_made_is_no_call() {
        assert_eq!(calls("+m +g ! +g -g -m"), ["m", "  g"]);
        assert_eq!(calls("! +m -m"), ["m"]);
    }

    #[test]
    fn numbers_that_are_given_stay() {
        assert_eq!(calls("+m +g +i -i ! +f -f"), ["m?", "  g", "    i", "  f"]);
    }
}
