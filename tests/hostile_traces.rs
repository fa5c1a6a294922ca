//! Files that are no good traces, as `pytrace show` meets them: a clear error, or what is right of
//! them; never a panic, a stack overflow, or memory for what is not there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;
use pytrace::format::read_from;
use pytrace::json::{JsonOptions, write_json};
use pytrace::pattern::{Nearness, Patterns};
use pytrace::view::{TreeOptions, write_tree};
use serde_json::{Value, json};

const FORMS: [&[&str]; 4] = [
    &[],
    &["--json"],
    &["--json", "--exact-patterns"],
    &["--json", "--no-patterns"],
];

/// A trace file in a directory of its own.
struct Trace {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Trace {
    fn new(bytes: impl AsRef<[u8]>) -> Trace {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.json");
        std::fs::write(&path, bytes).unwrap();
        Trace {
            _directory: directory,
            path,
        }
    }

    /// What is printed of it as JSON, after all forms were printed without complaint.
    fn printed(&self) -> String {
        let texts = FORMS.map(|form| {
            let output = show(&self.path, form);
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                output.status.success(),
                "{form:?}: {} {stderr}",
                output.status
            );
            assert_eq!(stderr, "", "{form:?}");
            String::from_utf8(output.stdout).unwrap()
        });
        let [_, grouped, _, _] = texts;
        grouped
    }

    fn statistics(&self) -> Value {
        // The document may be deeper than the parser likes.
        let printed = self.printed();
        let (_, statistics) = printed.rsplit_once("\n\"stats\":").unwrap();
        serde_json::from_str(statistics.trim_end().strip_suffix('}').unwrap()).unwrap()
    }
}

/// Runs with memory for a hundred times what these files have, and a stack of a megabyte.
fn show(path: &Path, form: &[&str]) -> Output {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -s 1024; ulimit -v 1000000; exec \"$@\"", "sh"]);
    command.args([env!("CARGO_BIN_EXE_pytrace"), "show"]);
    command.args(form).arg(path);
    command.stdin(Stdio::null()).output().unwrap()
}

/// Expects exit code 1 and `line`, `T` for the path, in all forms.
#[track_caller]
fn refused(path: &Path, lines: &str) {
    let expected = lines.replace("read T:", &format!("read {}:", path.display()));
    for form in FORMS {
        let output = show(path, form);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), &*stderr),
            (Some(1), &*expected),
            "{form:?}"
        );
        assert_eq!(output.stdout, b"", "{form:?}");
    }
}

const HINT: &str =
    "hint: pytrace shows its own traces and other tools' Chrome trace JSON, plain or gzipped\n";

/// A file of events.
fn events(count: usize, event: impl Fn(&mut String, usize) -> std::fmt::Result) -> String {
    let mut text = String::from("{\"traceEvents\":[");
    for index in 0..count {
        text.push_str(if index > 0 { ",\n" } else { "\n" });
        event(&mut text, index).unwrap();
    }
    text + "\n],\"displayTimeUnit\":\"ns\"}"
}

#[test]
fn what_is_no_trace_is_refused_with_the_reason() {
    let refuse = |bytes: &[u8], reason: &str| {
        let line = format!("pytrace: failed to read T: not a trace file: {reason}\n{HINT}");
        refused(&Trace::new(bytes).path, &line);
    };
    refuse(b"", "it is empty");
    refuse(b" \n\t", "it is empty");
    refuse(b"import os\n", "it is not JSON");
    refuse(b"\x7fELF\x02\x01\x01\0\0\0", "it is not JSON");
    refuse(&[0xff; 4096], "it is not JSON");
    refuse(b"[[[[", "it holds no events");
    refuse(
        b"{\"name\": \"package\", \"version\": 1}",
        "it has no traceEvents",
    );
    refuse(b"[{\"id\": 1}, {\"id\": 2}]", "its objects are no events");
    refuse(b"\x1f\x8b", "it is empty");
    refuse(&common::gzipped(b"PK\x03\x04"), "it is not JSON");
    refuse(("[".repeat(1 << 20)).as_bytes(), "it holds no events");
    refuse(
        ("{\"a\":".repeat(1 << 18)).as_bytes(),
        "it has no traceEvents",
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    refused(
        directory.path(),
        "pytrace: failed to read T: Is a directory (os error 21)\nhint: name a trace file in it\n",
    );
    refused(
        &directory.path().join("none.json"),
        "pytrace: failed to read T: No such file or directory (os error 2)\n\
         hint: `pytrace -o FILE SCRIPT` records one\n",
    );
}

#[test]
fn a_trace_without_calls_is_empty() {
    for text in [
        "{\"traceEvents\":[]}",
        "[]",
        "[",
        "{\"traceEvents\":[{\"ph\":\"M\"}]}",
    ] {
        let statistics = Trace::new(text).statistics();
        assert_eq!(
            (&statistics["threads"], &statistics["calls"]),
            (&json!(0), &json!(0)),
            "{text}"
        );
        assert_eq!(statistics["truncated"], json!(text == "["), "{text}");
        assert_eq!(
            (&statistics["rows"], &statistics["share_in_patterns"]),
            (&json!(0), &json!(0.0))
        );
    }
}

#[test]
fn what_comes_before_the_cut_is_shown() {
    let whole = events(1000, |text, i| {
        write!(
            text,
            r#"{{"ph":"X","ts":{i},"dur":1,"name":"f","args":{{"call":{},"depth":0}}}}"#,
            i + 1
        )
    });
    let cut = Trace::new(&whole[..whole.len() / 2]).statistics();
    assert_eq!(cut["truncated"], true);
    assert_eq!(cut["calls"], whole[..whole.len() / 2].matches("}}").count());
    // Garbage, and a piece of zeros as a crash leaves them.
    for end in ["garbage", "\0\0\0\0\0\0", "{{{{", "5,", "\"\\"] {
        let text = format!("{}{end}", &whole[..whole.rfind("\n]").unwrap()]);
        let statistics = Trace::new(text).statistics();
        assert_eq!(
            (&statistics["truncated"], &statistics["calls"]),
            (&json!(true), &json!(1000)),
            "{end}"
        );
    }
    let compressed = common::gzipped(whole.as_bytes());
    let cut = Trace::new(&compressed[..compressed.len() / 2]).statistics();
    assert_eq!(cut["truncated"], true);
    assert!((1..1000).contains(&cut["calls"].as_u64().unwrap()), "{cut}");
}

#[test]
fn many_threads() {
    const THREADS: usize = 20_000;
    let trace = Trace::new(events(THREADS, |text, i| {
        write!(
            text,
            r#"{{"ph":"X","pid":1,"tid":{i},"ts":{i},"dur":1,"name":"f"}}"#
        )
    }));
    let statistics = trace.statistics();
    assert_eq!(
        (&statistics["threads"], &statistics["calls"]),
        (&json!(THREADS), &json!(THREADS))
    );
    assert_eq!(statistics["patterns"], 0);
}

#[test]
fn deep_calls() {
    const DEPTH: usize = 50_000;
    let numbered = |text: &mut String, i: usize| {
        let (number, dur) = (i + 1, 2 * (DEPTH - i));
        write!(
            text,
            r#"{{"ph":"X","ts":{i},"dur":{dur},"name":"f","args":{{"call":{number},"depth":{i}}}}}"#
        )
    };
    let complete = |text: &mut String, i: usize| {
        write!(
            text,
            r#"{{"ph":"X","ts":{i},"dur":{},"name":"f"}}"#,
            2 * (DEPTH - i)
        )
    };
    let begins = |text: &mut String, i: usize| write!(text, r#"{{"ph":"B","ts":{i},"name":"f"}}"#);
    for text in [
        events(DEPTH, numbered),
        events(DEPTH, complete),
        events(DEPTH, begins),
    ] {
        let trace = Trace::new(text);
        let printed = trace.printed();
        assert!(printed.contains(&("]}".repeat(DEPTH) + "\n],")));
    }
    // Ends of what never began, looked for among all that is open.
    let strangers = |text: &mut String, i: usize| match i < DEPTH / 2 {
        true => begins(text, i),
        false => write!(text, r#"{{"ph":"E","ts":{i},"name":"g"}}"#),
    };
    assert_eq!(
        Trace::new(events(DEPTH, strangers)).statistics()["calls"],
        DEPTH / 2
    );
}

#[test]
fn numbers_that_contradict_each_other() {
    // Few numbers for many calls, depths and times of no sense, and such that no type can hold.
    let scattered = |i: usize| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let trace = Trace::new(events(5000, |text, i| {
        let (ts, depth) = (scattered(i) % 10_000, scattered(i + 1));
        let dur = scattered(i + 2) as i64 % 2_000 - 500;
        write!(
            text,
            r#"{{"ph":"X","ts":{ts},"dur":{dur},"name":"f{}","args":{{"call":{},"depth":{depth}}}}}"#,
            i % 7,
            i % 3
        )
    }));
    assert_eq!(trace.statistics()["calls"], 5000);
    let trace = Trace::new(
        r#"[{"ph":"X","ts":1e300,"dur":1e300,"name":"a","args":{"call":99999999999999999999,"depth":5}},
        {"ph":"X","ts":-1e300,"dur":18446744073709551615,"name":"b","args":{"call":18446744073709551615,"depth":-1}},
        {"ph":"X","ts":18446744073709551,"dur":18446744073709551,"name":"c","args":{"line":4294967296,"file":"x"}},
        {"ph":"B","ts":5,"name":"d"},{"ph":"E","ts":-7},{"ph":"X","ts":"1","dur":null,"name":7},
        {"ph":"X","ts":null,"name":"no time"},{"ph":"X","name":"none either"}]"#,
    );
    let value: Value = serde_json::from_str(&trace.printed()).unwrap();
    assert_eq!(value["stats"]["calls"], 5);
}

#[test]
fn an_event_that_never_ends_takes_no_more_than_it_may() {
    // Beyond what is kept of one event.
    let long = "x".repeat(65 << 20);
    let text = format!(
        r#"[{{"ph":"X","ts":1,"dur":1,"name":"f"}},{{"ph":"X","ts":2,"dur":1,"name":"{long}"#
    );
    let statistics = Trace::new(text).statistics();
    assert_eq!(
        (&statistics["truncated"], &statistics["calls"]),
        (&json!(true), &json!(1))
    );
}

/// Events that are near to sense.
fn event() -> impl Strategy<Value = Value> {
    let number = || {
        prop_oneof![
            Just(json!(0)),
            (0..9i64).prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            Just(json!("3")),
            Just(Value::Null)
        ]
    };
    let name = || prop_oneof!["[a-c]", any::<String>()].prop_map(Value::from);
    let phase = prop::sample::select(vec!["X", "B", "E", "M", "i"]);
    let args = (number(), number(), name(), name()).prop_map(|(call, depth, file, text)| {
        json!({"call": call, "depth": depth, "file": file, "arguments": {"x": text}, "name": text})
    });
    (phase, number(), number(), 0..2u32, name(), prop::option::of(args)).prop_map(
        |(ph, ts, dur, tid, name, args)| {
            json!({"ph": ph, "ts": ts, "dur": dur, "tid": tid, "name": name, "args": args})
        },
    )
}

proptest! {
    #[test]
    fn whatever_events_there_are_they_are_shown(events in prop::collection::vec(event(), 0..40)) {
        let text = serde_json::to_string(&events).unwrap();
        let recording = read_from(text.as_bytes()).unwrap();
        for thread in &recording.threads {
            let mut room = 0;
            for row in &thread.calls {
                prop_assert!(row.depth <= room);
                room = row.depth + 1;
            }
        }
        write_tree(&recording, &TreeOptions::default(), &mut std::io::sink()).unwrap();
        for nearness in [None, Some(Nearness::Exact), Some(Nearness::TripCounts)] {
            let patterns = nearness.map(|nearness| Patterns::new(&recording, nearness));
            let mut out = Vec::new();
            write_json(&recording, patterns.as_ref(), JsonOptions::default(), &mut out).unwrap();
            prop_assert!(serde_json::from_slice::<Value>(&out).is_ok());
        }
    }
}
