//! Events without frames: a thread's starts and ends are paired as the frames of a stack.
//!
//! In place of a frame's address they have a number that stands for the function, the same for all
//! of its frames. What ends is the innermost of them; whatever is above has ended unseen.

use std::io;

use super::{Builder, Classify};
use crate::event::{Enter, Event};
use crate::trace::{Category, Exit, Sink};

impl<C: Classify> Builder<C> {
    /// A function starts or goes on; whatever is on top of the stack is its caller.
    pub(super) fn enter_named(&mut self, event: &Event<'_>, function: u64, code: u64) {
        if let Some(thread) = self.threads.get_mut(event.thread) {
            thread.pairs.start(function);
        }
        let (id, time) = (event.thread, event.time);
        self.open(id, time, function, None, code, Enter::Named, false);
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
    use super::*;
    use crate::event::{CodeRecord, EventKind, Leave, Text};
    use crate::trace::{Call, Code, Filter, Kind, ThreadId, Time};

    /// Everything is the scope's, and is called as its code object.
    struct Anything;

    impl Classify for Anything {
        fn classify(&mut self, _: u32, record: &CodeRecord) -> Code {
            Code {
                name: record.name.text.clone(),
                file: String::new(),
                line: record.first_line,
                kind: Kind::Function,
                category: Category::Internal,
            }
        }
    }

    struct Calls(Vec<Call>);

    impl Sink for Calls {
        fn call(&mut self, call: &Call) -> io::Result<()> {
            self.0.push(call.clone());
            Ok(())
        }
    }

    /// What comes of starts (`+f`), ends (`-f`) and generators made (`!`): names indented by depth,
    /// in the order of their numbers; with `?` where an end was not seen.
    fn calls(events: &str) -> Vec<String> {
        let filter = Filter {
            external_calls: true,
            imports: true,
        };
        let mut builder = Builder::new(Anything, filter);
        let mut sink = Calls(Vec::new());
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
            let code = EventKind::Code(CodeRecord {
                address: function,
                id: 1,
                flags: 3,
                first_line: 1,
                filename: Text::of_c(b"x.py", false),
                name: Text::of_c(name.as_bytes(), false),
                qualifier: None,
                first_argument: String::new(),
            });
            for kind in [code, kind] {
                let event = Event {
                    thread: ThreadId { pid: 1, tid: 1 },
                    time: Time(time),
                    lost: 0,
                    kind,
                };
                builder.push(&event, &mut sink).expect("no output fails");
            }
        }
        let numbers = builder.totals().calls;
        builder
            .finish(Time(100), &mut sink)
            .expect("no output fails");
        sink.0.sort_by_key(|call| call.number);
        assert_eq!(numbers, sink.0.len() as u64);
        let shown = sink.0.iter().map(|call| {
            let seen = if call.exit == Exit::Return { "" } else { "?" };
            let indent = "  ".repeat(call.depth as usize);
            format!("{indent}{}{seen}", call.code.name)
        });
        shown.collect()
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
