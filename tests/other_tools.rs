//! Chrome traces of other tools: calls nest by their times, or by begins and ends, and go by their
//! names where there is no file and line.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use pytrace::format::read_from;
use pytrace::pattern::{Nearness, Node, Patterns};
use pytrace::recording::{Flags, Recording};

/// The calls of the only thread: name, depth, start and duration in ns.
fn calls(text: &str) -> Vec<(String, u32, u64, u64)> {
    let recording = read_from(text.as_bytes()).unwrap();
    assert_eq!(recording.threads.len(), 1, "{text}");
    let rows = recording.threads[0].calls.iter();
    let call = |row| {
        let name = recording.code(row).name.clone();
        (name, row.depth, row.start.0, row.duration)
    };
    rows.map(call).collect()
}

/// Names, indented by depth, of events that are written as `X name ts dur`, `B name ts`, `E name ts`,
/// or `E ts`.
fn tree(events: &str) -> String {
    let event = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["X", name, ts, dur] => {
                format!(r#"{{"ph":"X","name":"{name}","ts":{ts},"dur":{dur},"pid":1,"tid":1}}"#)
            }
            [ph, name, ts] => {
                format!(r#"{{"ph":"{ph}","name":"{name}","ts":{ts},"pid":1,"tid":1}}"#)
            }
            [ph, ts] => format!(r#"{{"ph":"{ph}","ts":{ts},"pid":1,"tid":1}}"#),
            _ => panic!("{line}"),
        }
    };
    let events: Vec<_> = events.split(',').map(event).collect();
    let calls = calls(&format!("[{}]", events.join(",")));
    let names = calls.iter();
    let names = names.map(|(name, depth, ..)| format!("{}{name}", ".".repeat(*depth as usize)));
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn complete_events_nest_by_time() {
    for (events, expected) in [
        ("X a 0 9,X b 1 2,X c 4 5", "a .b .c"),
        // In no order at all.
        ("X c 4 5,X b 1 2,X d 10 1,X a 0 9", "a .b .c d"),
        // What begins when something else ends comes behind it.
        ("X a 0 4,X b 4 4,X c 8 0", "a b c"),
        // The longer of two that begin together is the caller.
        ("X b 0 2,X a 0 9,X c 3 6", "a .b .c"),
        // Slices that overlap: below who was running.
        ("X a 0 4,X b 2 6,X c 5 1", "a .b c"),
        // Fractions down to a nanosecond.
        ("X a 0.001 0.004,X b 0.002 0.003,X c 0.005 1e-3", "a .b c"),
        // A negative duration is none.
        ("X a 0 4,X b 2 -3,X c 3 1", "a .b .c"),
    ] {
        assert_eq!(tree(events), expected, "{events}");
    }
}

#[test]
fn of_calls_with_the_same_times_the_file_says_which_is_the_caller() {
    // Written as they began.
    assert_eq!(tree("X a 0 9,X b 2 5,X c 2 5,X d 8 1"), "a .b ..c .d");
    // Written as they ended, as VizTracer does it.
    assert_eq!(tree("X c 2 5,X b 2 5,X d 8 1,X a 0 9"), "a .b ..c .d");
    // Those that take no time come one after the other.
    assert_eq!(tree("X b 2 0,X c 2 0,X a 0 9"), "a .b .c");
}

#[test]
fn begins_and_ends_nest_by_their_order() {
    for (events, expected) in [
        ("B a 0,B b 1,E b 2,B c 2,E c 3,E a 3", "a .b .c"),
        ("B a 0,B b 1,E 2,B c 2,E 3,E 3", "a .b .c"),
        // All at one time.
        ("B a 5,B b 5,B c 5,E 5,E 5,B d 5,E 5,E 5", "a .b ..c .d"),
        // At the end of the caller, and no longer than a moment.
        ("B a 0,B b 4,E b 4,E a 4,B c 4,E c 5", "a .b c"),
        // In no order.
        ("E a 9,B b 1,E b 2,B a 0", "a .b"),
        // An end without a begin, as at the start of a trace that has lost its oldest events.
        ("E z 0,E 0,B a 1,E z 2,B b 3,E b 4,E a 5", "a .b"),
        // A begin without an end: over with its caller.
        ("B a 0,B b 1,E a 4,B c 5,E c 6", "a .b c"),
        // Recursion: the last one.
        ("B a 0,B a 1,E a 2,B b 3,E b 4,E a 5", "a .a .b"),
        // Together with complete events.
        ("B a 0,X b 1 2,E a 9,X c 4 1,B d 10,E d 11", "a .b .c d"),
    ] {
        assert_eq!(tree(events), expected, "{events}");
    }
}

#[test]
fn begins_without_ends_are_unfinished() {
    let text = r#"[{"ph":"B","name":"a","ts":1},{"ph":"B","name":"b","ts":2},{"ph":"B","name":"c","ts":3},
        {"ph":"E","name":"b","ts":5},{"ph":"i","name":"moment","ts":9},{"ph":"E","name":"x","ts":7}]"#;
    let owned = |name: &str, depth, start, duration| (name.to_owned(), depth, start, duration);
    let expected = [
        owned("a", 0, 1_000, 6_000),
        owned("b", 1, 2_000, 3_000),
        owned("c", 2, 3_000, 2_000),
    ];
    assert_eq!(calls(text), expected);
    let recording = read_from(text.as_bytes()).unwrap();
    let rows = recording.threads[0].calls.iter();
    let unfinished = rows.map(|row| row.flags.has(Flags::UNFINISHED));
    assert_eq!(unfinished.collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn a_begin_may_have_arguments() {
    let text = r#"[{"ph":"B","name":"a","ts":1,"args":{"arguments":{"x":"5"}}},{"ph":"E","ts":2}]"#;
    let recording = read_from(text.as_bytes()).unwrap();
    let row = &recording.threads[0].calls[0];
    let arguments = recording.arguments(row).unwrap();
    assert_eq!(arguments.iter().collect::<Vec<_>>(), [("x", "5")]);
}

/// `5x f`, `(f g)`, ... of the first thread.
fn grouped(recording: &Recording) -> String {
    fn list(recording: &Recording, nodes: pytrace::pattern::Nodes<'_>) -> String {
        let text = |node| match node {
            Node::Call(call) => {
                let name = &recording.code(call.row()).name;
                match list(recording, call.callees()) {
                    below if below.is_empty() => name.clone(),
                    below => format!("{name}({below})"),
                }
            }
            Node::Gap(_) => unreachable!("other tools know none"),
            Node::Repeat(repeat) => {
                let count = repeat.count().single().unwrap();
                format!("{count}x[{}]", list(recording, repeat.body()))
            }
        };
        nodes.map(text).collect::<Vec<_>>().join(" ")
    }
    let patterns = Patterns::new(recording, Nearness::default());
    list(recording, patterns.thread(0))
}

#[test]
fn what_repeats_is_found_by_name() {
    // As VizTracer writes them: when they end, and its builtins without a place.
    let round = |start: f64| {
        format!(
            r#"{{"pid":7,"tid":7,"ts":{},"ph":"X","dur":0.12,"name":"builtins.len","cat":"fee"}},
            {{"pid":7,"tid":7,"ts":{},"ph":"X","dur":0.5,"name":"helper (/p/a.py:9)","cat":"fee"}},
            {{"pid":7,"tid":7,"ts":{},"ph":"X","dur":0.75,"name":"C.step (/p/a.py:5)","cat":"fee"}}"#,
            start + 0.25,
            start + 0.125,
            start
        )
    };
    let rounds: Vec<_> = (0..5)
        .map(|i| round(22_664_885_626.5 + f64::from(i)))
        .collect();
    let recording = read_from(format!("[{}]", rounds.join(",")).as_bytes()).unwrap();
    assert_eq!(grouped(&recording), "5x[C.step(helper(builtins.len))]");
    let code = recording.code(&recording.threads[0].calls[0]);
    assert_eq!((&*code.file, code.line), ("/p/a.py", 5));

    // As py-spy writes them: begins and ends, which share times, and the line that was running.
    let round = |ts: u32| {
        let args = format!(
            r#""args":{{"filename":"busy.py","line":{ts}}},"cat":"py-spy","pid":9,"tid":8"#
        );
        format!(
            r#"{{{args},"name":"inner","ph":"B","ts":{ts}}},{{{args},"name":"<genexpr>","ph":"B","ts":{ts}}},
            {{{args},"name":"<genexpr>","ph":"E","ts":{end}}},{{{args},"name":"inner","ph":"E","ts":{end}}}"#,
            end = ts + 10
        )
    };
    let rounds: Vec<_> = (0..4).map(|i| round(10 * i)).collect();
    let recording = read_from(format!("[{}]", rounds.join(",")).as_bytes()).unwrap();
    assert_eq!(grouped(&recording), "4x[inner(<genexpr>)]");
    let code = recording.code(&recording.threads[0].calls[0]);
    assert_eq!((&*code.file, code.line), ("busy.py", 0));
}

proptest! {
    #[test]
    fn begins_and_ends_say_the_same_as_complete_events(
        steps in prop::collection::vec((0..3usize, 1..4u64, 0..3usize), 1..40), ends_named: bool
    ) {
        let (mut open, mut now) = (Vec::new(), 0);
        let (mut complete, mut edges, mut depths) = (Vec::new(), Vec::new(), Vec::new());
        let close = |open: &mut Vec<(usize, u64)>, now: u64, complete: &mut Vec<String>, edges: &mut Vec<String>| {
            let Some((name, start)) = open.pop() else { return };
            complete.push(format!(r#"{{"ph":"X","name":"f{name}","ts":{start},"dur":{}}}"#, now - start));
            let named = if ends_named { format!(r#","name":"f{name}""#) } else { String::new() };
            edges.push(format!(r#"{{"ph":"E","ts":{now}{named}}}"#));
        };
        for (returns, time, name) in steps {
            for _ in 0..returns {
                now += time;
                close(&mut open, now, &mut complete, &mut edges);
            }
            now += time;
            edges.push(format!(r#"{{"ph":"B","name":"f{name}","ts":{now}}}"#));
            depths.push((format!("f{name}"), open.len() as u32, now * 1000));
            open.push((name, now));
        }
        while !open.is_empty() {
            now += 1;
            close(&mut open, now, &mut complete, &mut edges);
        }
        let complete = calls(&format!("[{}]", complete.join(",")));
        let edges = calls(&format!("[{}]", edges.join(",")));
        prop_assert_eq!(&complete, &edges);
        let found: Vec<_> = edges.into_iter().map(|(name, depth, start, _)| (name, depth, start)).collect();
        prop_assert_eq!(found, depths);
    }
}
