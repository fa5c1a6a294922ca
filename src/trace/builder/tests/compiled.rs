//! Calls that start in compiled code.

use super::*;

const START: EventKind<'static> = EventKind::Enter {
    frame: 1,
    previous: 0,
    code: 1,
    how: Enter::Start,
    values: &[],
};

/// Frames that began in compiled code, innermost first, on the one that is known to run.
fn report(builder: &mut Builder<ByName>, time: u64, frames: &[u64], calls: &mut Vec<Call>) {
    for (depth, frame) in (0..).zip(frames) {
        let known = depth + 1 == frames.len() as u32;
        let running = EventKind::Running {
            frame: *frame,
            code: if known { 0 } else { *frame },
            depth,
            cut: false,
            compiled: true,
        };
        push(builder, time, running, calls);
    }
}

fn end(frame: u64, how: Leave) -> EventKind<'static> {
    EventKind::Exit {
        frame,
        how,
        exception: &[],
        values: &[],
    }
}

#[test]
fn calls_that_start_in_compiled_code_are_in_their_places() {
    let (mut builder, mut calls) = (builder(), Vec::new());
    for (address, name) in [(1, "main"), (2, "f"), (3, "g")] {
        push(&mut builder, 1, code(address, name), &mut calls);
    }
    push(&mut builder, 1, START, &mut calls);
    // g, called by f, ends; then f does; then another f.
    report(&mut builder, 5, &[3, 2, 1], &mut calls);
    push(&mut builder, 5, end(3, Leave::Return), &mut calls);
    push(&mut builder, 7, end(2, Leave::Return), &mut calls);
    report(&mut builder, 9, &[2, 1], &mut calls);
    push(&mut builder, 9, end(2, Leave::Return), &mut calls);
    push(&mut builder, 10, end(1, Leave::Return), &mut calls);
    let inferred: Vec<_> = calls
        .iter()
        .map(|call| {
            (
                call.number,
                call.start.0,
                call.duration,
                call.start_inferred,
            )
        })
        .collect();
    assert_eq!(
        inferred,
        [
            (3, 5, 0, true),
            (2, 5, 2, true),
            (4, 9, 0, true),
            (1, 1, 9, false)
        ]
    );
    assert_eq!(builder.totals().starts_inferred, 3);
    assert_eq!(outline(builder, calls), ["main", "  f", "    g", "  f"]);
}

#[test]
fn a_generator_that_was_seen_to_yield_goes_on_in_compiled_code() {
    let (mut builder, mut calls) = (builder(), Vec::new());
    builder.expect_compiled(1);
    for (address, name) in [(1, "main"), (2, "items")] {
        push(&mut builder, 1, code(address, name), &mut calls);
    }
    push(&mut builder, 1, START, &mut calls);
    report(&mut builder, 2, &[2, 1], &mut calls);
    push(&mut builder, 2, end(2, Leave::Yield), &mut calls);
    report(&mut builder, 3, &[2, 1], &mut calls);
    push(&mut builder, 3, end(2, Leave::Return), &mut calls);
    let resumed: Vec<bool> = calls.iter().map(|call| call.resumed).collect();
    assert_eq!(resumed, [false, true]);
}
