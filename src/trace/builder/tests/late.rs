//! Processes whose recording begins later than their events.

use super::*;

fn running(frame: u64, depth: u32) -> EventKind<'static> {
    EventKind::Running {
        frame,
        code: frame,
        depth,
        cut: false,
        compiled: false,
    }
}

/// What is recorded of a process of which `before` comes before its recording begins, `between` before all of
/// before has come, and `after` later.
fn recorded(
    before: &[EventKind<'static>],
    between: &[EventKind<'static>],
    after: &[EventKind<'static>],
) -> Vec<String> {
    let (mut builder, mut calls) = (builder(), Vec::new());
    builder.hold_back(1);
    for (address, name) in [(1, "main"), (2, "old"), (3, "new")] {
        push(&mut builder, 1, code(address, name), &mut calls);
    }
    let mut time = 0;
    for (index, events) in [before, between, after].into_iter().enumerate() {
        match index {
            1 => builder.begin_here(1),
            2 => builder.know_all(),
            _ => builder.know_all(), // of none that has begun
        }
        for event in events {
            time += 1;
            push(&mut builder, time, event.clone(), &mut calls);
        }
    }
    outline(builder, calls)
}

#[test]
fn what_comes_before_is_left_out() {
    let before = [running(1, 0), start(2, 1), end(2)];
    assert!(recorded(&before, &[], &[]).is_empty());
}

#[test]
fn a_thread_begins_with_its_stack() {
    // What began before still runs.
    let stragglers = [end(2), start(2, 1)];
    let between = [running(2, 0), running(1, 1), start(3, 2), end(3), end(2)];
    let events = [&stragglers[..], &between].concat();
    let after = [start(3, 1), end(3), end(1)];
    let before = [running(1, 0), start(2, 1)];
    assert_eq!(
        recorded(&before, &events, &after),
        ["main", "  old", "    new", "  new"]
    );
}

#[test]
fn a_thread_that_has_no_stack_begins_with_its_first_call() {
    let between = [end(2), start(1, 0), start(3, 1), end(3), end(1)];
    assert_eq!(recorded(&[], &between, &[]), ["main", "  new"]);
}

#[test]
fn a_thread_that_had_no_event_begins_when_all_are_known() {
    let after = [start(3, 1), end(3)];
    assert_eq!(recorded(&[], &[], &after), ["new"]);
}
