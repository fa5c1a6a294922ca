//! `pytrace show --json`: valid JSON whatever was recorded, and all of it, compared with the
//! recording.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::{Command, Stdio};

use proptest::prelude::*;
use pytrace::format::read_from;
use pytrace::json::{JsonOptions, write_json};
use pytrace::pattern::{Nearness, Patterns};
use pytrace::recording::{Flags, Recording, Row};
use serde_json::{Map, Value, json};

const TRACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/everything.json");

/// The text for a recording; `None` for its plain tree.
fn text(recording: &Recording, nearness: Option<Nearness>, values: bool) -> String {
    let patterns = nearness.map(|nearness| Patterns::new(recording, nearness));
    let mut out = Vec::new();
    write_json(
        recording,
        patterns.as_ref(),
        JsonOptions {
            values,
            left_out: 0,
        },
        &mut out,
    )
    .unwrap();
    String::from_utf8(out).unwrap()
}

fn parsed(recording: &Recording, nearness: Option<Nearness>) -> Value {
    serde_json::from_str(&text(recording, nearness, true)).unwrap()
}

/// The members of a call, as `docs/show-json.md` has them, but for `self_ns` and `items`.
fn expected(recording: &Recording, row: &Row) -> Map<String, Value> {
    let code = recording.code(row);
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("call", row.number.into());
    put("name", code.name.clone().into());
    if !code.file.is_empty() {
        put("file", code.file.clone().into());
    }
    if code.line > 0 {
        put("line", code.line.into());
    }
    put("category", code.category.as_str().into());
    put("kind", code.kind.as_str().into());
    put("start_ns", row.start.0.into());
    put("dur_ns", row.duration.into());
    if let Some(arguments) = recording.arguments(row) {
        let object = arguments
            .iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        put("arguments", Value::Object(object));
    }
    for (name, text) in [
        ("return", recording.result(row)),
        ("exception", recording.exception(row)),
        ("message", recording.message(row)),
    ] {
        if let Some(text) = text {
            put(name, text.into());
        }
    }
    for (name, flag) in [
        ("yielded", Flags::YIELDED),
        ("resume", Flags::RESUMED),
        ("already_running", Flags::ALREADY_RUNNING),
        ("unfinished", Flags::UNFINISHED),
        ("end_inferred", Flags::END_INFERRED),
    ] {
        if row.flags.has(flag) {
            put(name, true.into());
        }
    }
    members
}

/// Depth, number and name of all calls, repeats written out: call `o` of repetition `i` has the
/// number of call `o` of the template plus `i` times the calls of a repetition.
fn expand(items: Option<&Value>, depth: u32, numbers_on: u64, calls: &mut Vec<(u32, u64, String)>) {
    for item in items
        .into_iter()
        .flat_map(|items| items.as_array().unwrap())
    {
        let items = item.get("items");
        if let Some(repeat) = item.get("repeat") {
            assert!(item.get("exact").is_none(), "{item}");
            let (count, each) = (repeat.as_u64().unwrap(), &item["calls_per_repetition"]);
            let begin = calls.len();
            for repetition in 0..count {
                let on = numbers_on + repetition * each.as_u64().unwrap();
                expand(items, depth, on, calls);
            }
            let total = (calls.len() - begin) as u64;
            assert_eq!(item["total_calls"], total);
            assert_eq!(
                item["first_call"].as_u64().unwrap() + numbers_on,
                calls[begin].1
            );
            assert_eq!(
                item["last_call"].as_u64().unwrap() + numbers_on,
                calls.last().unwrap().1
            );
        } else {
            let name = item["name"].as_str().unwrap().to_owned();
            calls.push((depth, item["call"].as_u64().unwrap() + numbers_on, name));
            expand(items, depth + 1, numbers_on, calls);
        }
    }
}

/// A trace of one thread, from a function and how many callers return before it starts.
fn trace(calls: &[(usize, usize)]) -> Recording {
    let mut depth = 0usize;
    let mut events = Vec::new();
    for (index, &(function, returns)) in calls.iter().enumerate() {
        depth = if index == 0 {
            0
        } else {
            (depth + 1).saturating_sub(returns)
        };
        let number = index + 1;
        events.push(
            json!({"ph": "X", "pid": 1, "tid": 1, "ts": index, "dur": 1000 - index,
            "name": format!("f{function}"),
            "args": {"call": number, "depth": depth, "file": "/p/f.py", "line": function + 1}}),
        );
    }
    read_from(serde_json::to_string(&events).unwrap().as_bytes()).unwrap()
}

/// Calls of `x`, so many of `a`, `y`, for each of `trips`, below a caller.
fn loops(trips: &[usize]) -> Recording {
    let mut calls = vec![(0, 0)];
    for (index, &trips) in trips.iter().enumerate() {
        calls.push((1, usize::from(index > 0)));
        calls.extend(std::iter::repeat_n((2, 1), trips));
        calls.push((3, 1));
    }
    trace(&calls)
}

/// Depth and members of all calls of a plain tree.
fn flatten<'v>(items: Option<&'v Value>, depth: u32, calls: &mut Vec<(u32, &'v Value)>) {
    for item in items
        .into_iter()
        .flat_map(|items| items.as_array().unwrap())
    {
        calls.push((depth, item));
        flatten(item.get("items"), depth + 1, calls);
    }
}

proptest! {
    #[test]
    fn whatever_was_recorded_is_valid_json_with_every_call(calls in common::calls()) {
        let recording = read_from(&common::written(&calls)[..]).unwrap();
        let value = parsed(&recording, None);
        prop_assert_eq!(&value["grouping"], "none");
        prop_assert_eq!(&value["recording"]["command"], &json!(common::footer().command));
        let threads = recording.threads.len();
        let stats = json!({"threads": threads, "calls": calls.len(), "lost": 0, "truncated": false});
        prop_assert_eq!(&value["stats"], &stats);
        prop_assert_eq!(value["threads"].as_array().unwrap().len(), threads);
        for (thread, written) in recording.threads.iter().zip(value["threads"].as_array().unwrap()) {
            prop_assert_eq!(&written["pid"], &json!(thread.id.pid));
            prop_assert_eq!(&written["tid"], &json!(thread.id.tid));
            prop_assert_eq!(written["process"].as_str(), Some(&*thread.process_name));
            prop_assert_eq!(written["name"].as_str().unwrap_or_default(), &thread.name);
            let mut found = Vec::new();
            flatten(written.get("items"), 0, &mut found);
            prop_assert_eq!(found.len(), thread.calls.len());
            for (row, (depth, call)) in thread.calls.iter().zip(found) {
                let mut call = call.as_object().unwrap().clone();
                call.remove("items");
                prop_assert_eq!(depth, row.depth);
                prop_assert!(call.remove("self_ns").unwrap().as_u64().unwrap() <= row.duration);
                prop_assert_eq!(call, expected(&recording, row));
            }
        }
    }

    #[test]
    fn whatever_was_recorded_is_grouped_to_valid_json(calls in common::calls()) {
        let recording = read_from(&common::written(&calls)[..]).unwrap();
        for nearness in [Nearness::Exact, Nearness::TripCounts, Nearness::Functions] {
            let value = parsed(&recording, Some(nearness));
            prop_assert_eq!(&value["stats"]["calls"], &json!(calls.len()));
            prop_assert!(value["stats"]["rows"].as_u64().unwrap() <= calls.len() as u64);
            let bare = text(&recording, Some(nearness), false);
            prop_assert!(serde_json::from_str::<Value>(&bare).is_ok());
            prop_assert!(!bare.contains("\n\"arguments\":") && !bare.contains(",\"return\":"));
        }
    }

    #[test]
    fn writing_the_repeats_out_gives_back_every_call(
        calls in prop::collection::vec((0..2usize, 0..3usize), 0..60)
    ) {
        let recording = trace(&calls);
        let value = parsed(&recording, Some(Nearness::Exact));
        let threads = value["threads"].as_array().unwrap();
        prop_assert_eq!(threads.len(), recording.threads.len());
        for (thread, written) in recording.threads.iter().zip(threads) {
            let rows = thread.calls.iter();
            let recorded = rows.map(|row| (row.depth, row.number, recording.code(row).name.clone()));
            let mut found = Vec::new();
            expand(written.get("items"), 0, 0, &mut found);
            prop_assert_eq!(found, recorded.collect::<Vec<_>>());
        }
    }
}

/// The items below the first call of the first thread.
fn below_first(value: &Value) -> &Vec<Value> {
    value["threads"][0]["items"][0]["items"].as_array().unwrap()
}

#[test]
fn a_repeat_tells_of_its_repetitions() {
    let value = parsed(&loops(&[1; 6]), Some(Nearness::default()));
    assert_eq!(value["grouping"], "near");
    let [repeat] = &below_first(&value)[..] else {
        panic!("{value}");
    };
    let mut members = repeat.as_object().unwrap().clone();
    let items = members.remove("items").unwrap();
    // Calls last 999 µs, 998 µs, ...
    let expected = json!({
        "repeat": 6, "calls_per_repetition": 3, "first_call": 2, "last_call": 19, "total_calls": 18,
        "total_ns": 17_829_000, "mean_ns": 2_971_500.0, "min_ns": 2_949_000, "max_ns": 2_994_000,
        "stddev_ns": 15_370.426, "slowest_repetition": 0, "slowest_first_call": 2,
    });
    assert_eq!(Value::Object(members.clone()), expected);
    let names: Vec<_> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["name"])
        .collect();
    assert_eq!(names, ["f1", "f2", "f3"]);

    let stats = &value["stats"];
    assert_eq!(
        (&stats["calls"], &stats["rows"], &stats["patterns"]),
        (&json!(19), &json!(5), &json!(1))
    );
    assert_eq!(
        (&stats["calls_in_patterns"], &stats["deepest_nesting"]),
        (&json!(18), &json!(1))
    );
    assert!((stats["share_in_patterns"].as_f64().unwrap() - 18.0 / 19.0).abs() < 1e-9);
    let mut top = stats["top_patterns"][0].as_object().unwrap().clone();
    for (name, value) in [("pid", json!(1)), ("tid", json!(1)), ("name", json!("f1"))] {
        assert_eq!(top.remove(name), Some(value));
    }
    assert_eq!(top, members);
}

#[test]
fn repetitions_that_differ_are_ranges() {
    let recording = loops(&[3, 5, 2]);
    let value = parsed(&recording, Some(Nearness::TripCounts));
    let [outer] = &below_first(&value)[..] else {
        panic!("{value}");
    };
    assert_eq!(
        (&outer["repeat"], &outer["exact"]),
        (&json!(3), &json!(false))
    );
    assert_eq!(outer["calls_per_repetition"], json!([4, 7]));
    assert_eq!(
        (&outer["first_call"], &outer["last_call"]),
        (&json!(2), &json!(17))
    );
    assert!(outer.get("repetitions").is_none());
    let inner = &outer["items"][1];
    assert_eq!(
        (&inner["repeat"], &inner["exact"]),
        (&json!([2, 5]), &json!(false))
    );
    // What stands here is the first of them.
    assert_eq!(
        (&inner["repetitions"], &inner["total_calls"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(
        (&inner["first_call"], &inner["last_call"]),
        (&json!(3), &json!(5))
    );

    let exact = text(&recording, Some(Nearness::Exact), true);
    assert!(!exact.contains("\"exact\":false"), "{exact}");
}

#[test]
fn depth_is_no_danger() {
    // A test's thread has a stack of 2 MB.
    const DEPTH: usize = 100_000;
    let events = (0..DEPTH).map(|index| {
        let dur = 2 * (DEPTH - index);
        format!("{{\"ph\":\"X\",\"ts\":{index},\"dur\":{dur},\"name\":\"f\"}}")
    });
    let events = events.collect::<Vec<_>>().join(",");
    let recording = read_from(format!("[{events}]").as_bytes()).unwrap();
    for nearness in [None, Some(Nearness::Exact), Some(Nearness::TripCounts)] {
        let text = text(&recording, nearness, true);
        assert_eq!(text.matches("{\"call\":").count(), DEPTH);
        assert!(text.contains(&format!("{}{}", "]}".repeat(DEPTH), "\n],\n\"stats\":{")));
    }
}

fn show(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pytrace"));
    command.args(["show", TRACE, "--json"]).args(options);
    command.stdin(Stdio::null());
    command
}

#[test]
fn what_is_left_out_is_counted() {
    let output = show(&["--depth", "1", "--no-patterns"]).output().unwrap();
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let recording = pytrace::format::read(TRACE.as_ref()).unwrap();
    let rows = || recording.threads.iter().flat_map(|thread| &thread.calls);
    let outermost = rows().filter(|row| row.depth == 0).count();
    assert_eq!(value["stats"]["calls"], outermost);
    assert_eq!(value["stats"]["left_out"], rows().count() - outermost);
}

#[test]
fn options_choose_what_is_written() {
    let recording = pytrace::format::read(TRACE.as_ref()).unwrap();
    for (options, nearness, values) in [
        (&[][..], Some(Nearness::TripCounts), true),
        (&["--exact-patterns"], Some(Nearness::Exact), true),
        (&["--no-patterns", "--no-values"], None, false),
    ] {
        let output = show(options).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stderr, b"");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed, text(&recording, nearness, values), "{options:?}");
        assert!(serde_json::from_str::<Value>(&printed).is_ok());
    }
}
