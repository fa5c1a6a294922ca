//! Processes whose interpreter has marked what is recorded.

use super::*;

/// The calls where `outside`, whose end is not told, starts for the first time and calls `inside`.
fn calls_of(marked: bool) -> (Vec<String>, Pairing) {
    let (mut builder, mut calls) = (builder(), Vec::new());
    builder.expect_marked(1, marked);
    for (address, name) in [(1, "main"), (2, "_direct"), (3, "_outside"), (4, "inside")] {
        push(&mut builder, 1, code(address, name), &mut calls);
    }
    for (time, event) in (1..).zip([
        start(1, 0),
        start(2, 1),
        start(3, 2),
        start(4, 3),
        end(4),
        end(2),
        end(5), // of a frame whose start was not told
        end(1),
    ]) {
        push(&mut builder, time, event, &mut calls);
    }
    let pairing = builder.pairing(&[1], true);
    (outline(builder, calls), pairing)
}

#[test]
fn what_is_not_marked_is_left_alone() {
    let (calls, pairing) = calls_of(true);
    assert_eq!(calls, ["main", "  _direct", "    inside"]);
    assert_eq!((pairing.paired, pairing.unpaired), (3, 0));
}

#[test]
fn elsewhere_its_missing_end_counts() {
    let (calls, pairing) = calls_of(false);
    assert_eq!(calls, ["main", "  _direct", "    inside"]);
    assert_eq!((pairing.paired, pairing.unpaired), (3, 2));
}

#[test]
fn what_pytrace_has_run_is_no_call() {
    let (mut builder, mut calls) = (builder(), Vec::new());
    push(&mut builder, 1, code(1, "main"), &mut calls);
    let EventKind::Code(record) = code(2, "calls") else {
        unreachable!("it describes one");
    };
    let filename = Text::of_c(b"<pytrace>", false);
    let own = EventKind::Code(CodeRecord { filename, ..record });
    push(&mut builder, 1, own, &mut calls);
    for (time, event) in (1..).zip([start(1, 0), start(2, 1), end(2), end(1)]) {
        push(&mut builder, time, event, &mut calls);
    }
    assert_eq!(outline(builder, calls), ["main"]);
}

/// A code object of pytrace's.
fn own(address: u64, name: &str, filename: &str) -> EventKind<'static> {
    let EventKind::Code(record) = code(address, name) else {
        unreachable!("it describes one");
    };
    let filename = Text::of_c(filename.as_bytes(), false);
    EventKind::Code(CodeRecord { filename, ..record })
}

/// The calls where `main`, whose frame is 16, calls C functions.
fn calls_of_c(events: &[EventKind<'static>]) -> Vec<String> {
    let (mut builder, mut calls) = (builder(), Vec::new());
    builder.expect_marked(1, true);
    for event in [
        code(16, "main"),
        code(32, "inside"),
        code(48, "_direct"),
        own(8, "sorted", "<pytrace: C>"),
        own(24, "len", "<pytrace: C>"),
        own(40, "returns", "<pytrace: C returns>"),
        own(56, "raises", "<pytrace: C raises>"),
    ] {
        push(&mut builder, 1, event, &mut calls);
    }
    let whole = [&[start(16, 0)], events, &[end(16)]].concat();
    for (time, event) in (1..).zip(whole) {
        push(&mut builder, time, event, &mut calls);
    }
    let pairing = builder.pairing(&[1], true);
    assert_eq!(pairing.unpaired, 0);
    let natives = calls.iter().filter(|call| &*call.code.name == "sorted");
    for call in natives {
        assert_eq!(
            (call.category, call.code.kind, &*call.code.file),
            (Category::External, Kind::Builtin, "<built-in>")
        );
    }
    outline(builder, calls)
}

#[test]
fn c_functions_are_called_by_the_scopes_code() {
    let (starts, returns, raises) = (start(8, 16), start(40, 16), start(56, 16));
    let calls = calls_of_c(&[starts.clone(), returns, starts, raises]);
    assert_eq!(calls, ["main", "  sorted", "  sorted?"]);
}

#[test]
fn what_c_functions_call_is_called_within_them() {
    let (starts, returns) = (start(8, 16), start(40, 16));
    let calls = calls_of_c(&[
        starts,
        start(32, 16),
        end(32),
        start(48, 16),
        end(48),
        returns,
        start(32, 16),
        end(32),
    ]);
    let expected = ["main", "  sorted", "    inside", "    _direct", "  inside"];
    assert_eq!(calls, expected);
}

#[test]
fn an_end_of_a_c_function_that_is_not_told_shows_at_the_next() {
    let calls = calls_of_c(&[start(8, 16), start(24, 16), start(40, 16), start(40, 16)]);
    assert_eq!(calls, ["main", "  sorted?", "  len"]);
}

#[test]
fn a_start_of_a_c_function_that_is_told_twice_is_one() {
    let calls = calls_of_c(&[start(8, 16), start(8, 16), start(40, 16)]);
    assert_eq!(calls, ["main", "  sorted"]);
}
