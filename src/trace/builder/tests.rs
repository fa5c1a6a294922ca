//! Events to calls.

mod compiled;
mod gaps;
mod late;
mod marked;

use super::*;
use crate::event::Text;
use crate::trace::{Gap, Pairing};

/// Functions whose names begin with `_` are outside the scope.
pub(super) struct ByName;

impl Classify for ByName {
    fn classify(&mut self, _: u32, record: &CodeRecord) -> Code {
        let category = match record.name.text.starts_with('_') {
            true => Category::External,
            false => Category::Internal,
        };
        Code {
            name: record.name.text.clone(),
            file: record.filename.text.clone(),
            line: record.first_line,
            kind: Kind::Function,
            category,
        }
    }
}

impl Sink for Vec<Call> {
    fn call(&mut self, call: &Call) -> io::Result<()> {
        self.push(call.clone());
        Ok(())
    }

    fn gap(&mut self, _: &Gap) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn builder() -> Builder<ByName> {
    let filter = Filter {
        external_calls: true,
        imports: true,
    };
    Builder::new(ByName, filter)
}

/// A start of a code object in a frame of the same address.
pub(super) fn start(frame: u64, previous: u64) -> EventKind<'static> {
    EventKind::Enter {
        frame,
        previous,
        code: frame,
        how: Enter::Start,
        values: &[],
    }
}

/// Its return.
pub(super) fn end(frame: u64) -> EventKind<'static> {
    EventKind::Exit {
        frame,
        how: Leave::Return,
        exception: &[],
        values: &[],
    }
}

/// The description of a code object.
pub(super) fn code(address: u64, name: &str) -> EventKind<'static> {
    EventKind::Code(CodeRecord {
        address,
        id: 1,
        flags: 3,
        first_line: 1,
        filename: Text::of_c(b"x.py", false),
        name: Text::of_c(name.as_bytes(), false),
        qualifier: None,
        first_argument: String::new(),
    })
}

/// Something happens in the one thread.
pub(super) fn push(
    builder: &mut Builder<ByName>,
    time: u64,
    kind: EventKind<'_>,
    calls: &mut Vec<Call>,
) {
    let event = Event {
        thread: ThreadId { pid: 1, tid: 1 },
        time: Time(time),
        kind,
    };
    builder.push(&event, calls).expect("memory takes it");
}

/// The calls in the order of their numbers, indented by depth; with `?` where an end was not seen.
pub(super) fn outline(mut builder: Builder<ByName>, mut calls: Vec<Call>) -> Vec<String> {
    builder
        .finish(Time(1000), &mut calls)
        .expect("memory takes it");
    assert_eq!(builder.totals().calls, calls.len() as u64);
    calls.sort_by_key(|call| call.number);
    let shown = calls.iter().map(|call| {
        let seen = if call.exit == Exit::Return { "" } else { "?" };
        let indent = "  ".repeat(call.depth as usize);
        format!("{indent}{}{seen}", call.code.name)
    });
    shown.collect()
}

/// A start of a function in a frame, called from another frame; or, without a name, an end.
type Step = (&'static str, u64, u64);

fn calls(steps: &[Step]) -> Vec<String> {
    let (mut builder, mut calls) = (builder(), Vec::new());
    for (time, &(name, frame, previous)) in (1..).zip(steps) {
        if name.is_empty() {
            let end = EventKind::Exit {
                frame,
                how: Leave::Return,
                exception: &[],
                values: &[],
            };
            push(&mut builder, time, end, &mut calls);
            continue;
        }
        let address = name
            .bytes()
            .fold(0, |sum, byte| sum * 256 + u64::from(byte));
        push(&mut builder, time, code(address, name), &mut calls);
        let start = EventKind::Enter {
            frame,
            previous,
            code: address,
            how: Enter::Start,
            values: &[],
        };
        push(&mut builder, time, start, &mut calls);
    }
    outline(builder, calls)
}

#[test]
fn an_end_that_no_probe_saw_shows_at_the_next_start() {
    let steps = [
        ("main", 1, 0),
        ("f", 2, 1),
        ("g", 3, 1),
        ("", 3, 0),
        ("", 1, 0),
    ];
    assert_eq!(calls(&steps), ["main", "  f?", "  g"]);
}

/// Up to 3.10 a frame is where another was that has ended, and what lies outside the scope may have
/// ended unreported.
#[test]
fn a_frame_outside_the_scope_may_be_another_by_now() {
    let steps = [
        ("_run", 7, 0),
        ("main", 1, 9),
        ("imported", 2, 7),
        ("", 2, 0),
        ("", 7, 0),
        ("f", 3, 1),
        ("", 3, 0),
        ("", 1, 0),
    ];
    assert_eq!(calls(&steps), ["main", "  imported", "  f"]);
}

#[test]
fn what_a_frame_outside_the_scope_has_called_may_have_ended_unreported() {
    let steps = [
        ("_run", 7, 0),
        ("_find", 8, 7),
        ("main", 1, 7),
        ("_open", 2, 1),
        ("", 2, 0),
        ("", 1, 0),
    ];
    assert_eq!(calls(&steps), ["main", "  _open"]);
}

#[test]
fn an_exception_whose_type_has_no_name_is_one() {
    let (mut builder, mut calls) = (builder(), Vec::new());
    push(&mut builder, 1, code(7, "f"), &mut calls);
    let start = EventKind::Enter {
        frame: 1,
        previous: 0,
        code: 7,
        how: Enter::Start,
        values: &[],
    };
    push(&mut builder, 2, start, &mut calls);
    let end = EventKind::Exit {
        frame: 1,
        how: Leave::Unwind,
        exception: &[],
        values: &[],
    };
    push(&mut builder, 3, end, &mut calls);
    assert_eq!(calls[0].exit, Exit::Exception);
    assert_eq!(calls[0].exception.as_deref(), Some("<unreadable>"));
}
