//! What is written can be read: whole, cut short, damaged, by us and by others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::io::Cursor;

use proptest::prelude::*;
use pytrace::format::{self, Compression, OutputFile, ReadError, read_from};
use pytrace::recording::{Collector, Flags, Recording, Row};
use pytrace::trace::{Call, Category, Code, Kind, Sink, ThreadId};
use serde_json::Value;

/// A call's code, row and texts.
type Known = (Code, Row, Texts);

/// Exception, arguments, result and message.
type Texts = (
    Option<String>,
    Option<Vec<(String, String)>>,
    Option<String>,
    Option<String>,
);

/// Every row by thread and number, free of indices.
fn rows(recording: &Recording) -> BTreeMap<(ThreadId, u64), Known> {
    let rows = recording.threads.iter().flat_map(|thread| {
        thread.calls.iter().map(|row| {
            let plain = Row {
                code: 0,
                exception: None,
                arguments: None,
                outcome: None,
                ..*row
            };
            let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            let texts = (
                recording.exception(row).map(str::to_owned),
                recording
                    .arguments(row)
                    .map(|arguments| arguments.iter().map(owned).collect()),
                recording.result(row).map(str::to_owned),
                recording.message(row).map(str::to_owned),
            );
            (
                (thread.id, row.number),
                (recording.code(row).clone(), plain, texts),
            )
        })
    });
    rows.collect()
}

fn collected(calls: &[Call]) -> Recording {
    let mut collector = Collector::new();
    for call in calls {
        collector.call(call).unwrap();
    }
    collector.finish(common::footer())
}

/// An event as the format describes it, whoever reads it.
fn check_event(event: &Value) {
    let object = event.as_object().unwrap();
    assert!(object["pid"].is_u64() && object["tid"].is_u64() && object["name"].is_string());
    assert!(object["args"].is_object());
    match object["ph"].as_str().unwrap() {
        "M" => assert!(object["args"]["name"].is_string()),
        "X" => {
            assert!(object["ts"].is_f64() && object["dur"].is_f64() && object["cat"].is_string());
            let args = object["args"].as_object().unwrap();
            assert!(args["call"].as_u64().unwrap() > 0 && args["depth"].is_u64());
            assert!(args["file"].is_string() && args["line"].is_u64() && args["kind"].is_string());
            for flag in ["unfinished", "yielded", "already_running", "resume"] {
                assert!(
                    args.get(flag)
                        .is_none_or(|value| *value == Value::Bool(true))
                );
            }
            if let Some(arguments) = args.get("arguments") {
                assert!(
                    arguments
                        .as_object()
                        .unwrap()
                        .values()
                        .all(Value::is_string)
                );
                assert!(!args.contains_key("resume"));
            }
            for text in ["return", "message", "exception"] {
                assert!(args.get(text).is_none_or(Value::is_string));
            }
            assert!(args.contains_key("return") || !args.contains_key("yielded"));
            assert!(args.contains_key("exception") || !args.contains_key("message"));
            let resumed = object["cat"].as_str().unwrap().ends_with(",resume");
            assert_eq!(resumed, args.contains_key("resume"));
        }
        phase => panic!("an event of phase {phase}"),
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read(calls in common::calls()) {
        let bytes = common::written(&calls);
        let recording = read_from(&bytes[..]).unwrap();
        prop_assert!(!recording.truncated);
        prop_assert_eq!(recording.footer.as_ref(), Some(&common::footer()));
        prop_assert_eq!(rows(&recording), rows(&collected(&calls)));
        prop_assert_eq!(rows(&read_from(&common::gzipped(&bytes)[..]).unwrap()), rows(&recording));
        let depths: BTreeMap<_, _> = calls.iter().map(|c| ((c.thread, c.number), c.depth)).collect();
        for (key, (_, row, _)) in rows(&recording) {
            prop_assert_eq!(row.depth, depths[&key]);
        }
    }

    #[test]
    fn what_was_read_is_written_again(calls in common::calls()) {
        let recording = read_from(&common::written(&calls)[..]).unwrap();
        let mut again = Vec::new();
        format::write(&recording, &mut again).unwrap();
        let again = read_from(&again[..]).unwrap();
        prop_assert_eq!(rows(&again), rows(&recording));
        prop_assert_eq!(&again.footer, &recording.footer);
        let names = |recording: &Recording| -> Vec<_> {
            let threads = recording.threads.iter();
            threads.map(|thread| (thread.name.clone(), thread.process_name.clone())).collect()
        };
        prop_assert_eq!(names(&again), names(&recording));
    }

    #[test]
    fn every_file_is_a_chrome_trace(calls in common::calls()) {
        let text = String::from_utf8(common::written(&calls)).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        let events = file["traceEvents"].as_array().unwrap();
        prop_assert_eq!(events.len(), calls.len() + 2);
        events.iter().for_each(check_event);
        prop_assert_eq!(&file["displayTimeUnit"], "ns");
        // One line for each event, and two around them.
        prop_assert_eq!(text.lines().count(), events.len() + 2);
        let (head, end) = ("{\"traceEvents\":[\n{", "\n],\"displayTimeUnit\":\"ns\",\"pytrace\":{");
        prop_assert!(text.starts_with(head), "{}", text);
        prop_assert!(text.contains(end), "{}", text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text in "[\\[\\]{}\":,a-z0-9\\\\ ]{0,60}") {
        let _ = read_from(&bytes[..]);
        let _ = read_from(text.as_bytes());
        let _ = read_from(&[&[0x1f, 0x8b, 8, 0][..], &bytes].concat()[..]);
        let _ = read_from(&[b"{\"traceEvents\":[", &bytes[..]].concat()[..]);
        let _ = read_from(format!("{{\"traceEvents\":[{{{text}").as_bytes());
        let arguments = format!("[{{\"ph\":\"X\",\"ts\":1,\"args\":{{\"arguments\":{{{text}}}}}}}]");
        let _ = read_from(arguments.as_bytes());
        let event = format!("[{{\"ph\":\"X\",\"ts\":{text},\"dur\":1,\"args\":{{\"call\":1,{text}}}}}]");
        let _ = read_from(event.as_bytes());
    }

    #[test]
    fn a_changed_byte_does_no_harm(calls in common::calls(), at: prop::sample::Index, byte: u8) {
        let mut bytes = common::written(&calls);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = read_from(&bytes[..]);
    }
}

fn small() -> Vec<Call> {
    let step = common::code(
        "Trainer.step",
        "/p/train.py",
        88,
        Kind::Method,
        Category::Internal,
    );
    let dumps = common::code(
        "dumps\n\u{1f600}",
        "/lib/json.py",
        1,
        Kind::Function,
        Category::External,
    );
    (0..12)
        .flat_map(|i| {
            let start = i * 100_000 + 7;
            [
                common::call(812, 2 * i + 2, 1, &dumps, start + 1, start + 9_000),
                common::call(812, 2 * i + 1, 0, &step, start, start + 90_000),
            ]
        })
        .collect()
}

/// Cuts `bytes` everywhere and expects the events up to there.
fn check_cuts(bytes: &[u8], text: impl Fn(&[u8]) -> Vec<u8>) {
    let all = small();
    for cut in 0..bytes.len() {
        let visible = String::from_utf8_lossy(&text(&bytes[..cut])).into_owned();
        // Complete events end with two braces; so does no other part of the events.
        let events = visible
            .lines()
            .filter(|line| line.trim_end_matches(',').ends_with("}}"));
        let calls = events.filter(|line| line.contains("\"ph\":\"X\"")).count();
        match read_from(&bytes[..cut]) {
            Ok(recording) => {
                let found = rows(&recording);
                assert_eq!(found.len(), calls, "cut at {cut}");
                let prefix = collected(&all[..calls]);
                for (key, (code, row, _)) in rows(&prefix) {
                    assert_eq!(found[&key].0, code, "cut at {cut}");
                    assert_eq!(found[&key].1.start, row.start, "cut at {cut}");
                }
                let whole = visible.ends_with("}\n") || visible.ends_with("}}");
                assert!(recording.truncated || whole, "cut at {cut}");
            }
            Err(ReadError::NotATrace(_)) => assert!(visible.len() < 17, "cut at {cut}: {visible}"),
            Err(error) => panic!("cut at {cut}: {error}"),
        }
    }
}

#[test]
fn a_file_cut_anywhere_opens() {
    check_cuts(&common::written(&small()), <[u8]>::to_vec);
}

#[test]
fn a_compressed_file_cut_anywhere_opens() {
    let mut storage = Memory::default();
    common::write_to(OutputFile::new(&mut storage, Compression::Gzip), &small());
    check_cuts(storage.0.get_ref(), |bytes| {
        let mut text = Vec::new();
        let _ =
            std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(bytes), &mut text);
        text
    });
}

/// A file in memory.
#[derive(Debug, Default)]
struct Memory(Cursor<Vec<u8>>);

impl std::io::Write for &mut Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl std::io::Seek for &mut Memory {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

impl pytrace::format::Storage for &mut Memory {
    fn set_len(&mut self, length: u64) -> std::io::Result<()> {
        self.0.get_mut().truncate(length as usize);
        Ok(())
    }
}

#[test]
fn a_file_by_name_is_compressed_by_its_ending() {
    let directory = tempfile::tempdir().unwrap();
    for (name, magic) in [("t.json", &b"{\""[..]), ("t.json.gz", &[0x1f, 0x8b])] {
        let path = directory.path().join(name);
        common::write_to(OutputFile::create(&path).unwrap(), &small());
        assert!(std::fs::read(&path).unwrap().starts_with(magic));
        let recording = pytrace::format::read(&path).unwrap();
        assert!(!recording.truncated);
        assert_eq!(rows(&recording), rows(&collected(&small())));
    }
}

#[test]
fn other_files_are_refused_with_a_reason() {
    for (text, reason) in [
        ("", "it is empty"),
        ("import os\n", "it is not JSON"),
        ("{\"a\": [1, 2, {}]}", "it has no traceEvents"),
        ("{\"traceEvents\": 5}", "it holds no events"),
        ("[1, 2]", "it holds no events"),
        ("[{\"id\": 1}]", "its objects are no events"),
    ] {
        let error = read_from(text.as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("not a trace file: {reason}"),
            "{text}"
        );
    }
}

fn only_thread(text: &str) -> (Recording, Vec<(String, u32, u64, u64)>) {
    let recording = read_from(text.as_bytes()).unwrap();
    assert_eq!(recording.threads.len(), 1);
    let calls = recording.threads[0].calls.iter();
    let rows = calls
        .map(|row| {
            (
                recording.code(row).name.clone(),
                row.depth,
                row.start.0,
                row.duration,
            )
        })
        .collect();
    (recording, rows)
}

#[test]
fn viztracer_files_are_read() {
    let (recording, rows) = only_thread(include_str!("data/viztracer.json"));
    let expected = [
        ("<module>", 0, 100_500, 900_125),
        ("C.f", 1, 200_000, 300_250),
        ("print", 2, 250_000, 10_000),
    ];
    assert_eq!(
        rows,
        expected.map(|(name, depth, ts, dur)| (name.to_owned(), depth, ts, dur))
    );
    let row = &recording.threads[0].calls[1];
    let arguments: Vec<_> = recording.arguments(row).unwrap().iter().collect();
    assert_eq!(arguments, [("self", "<C>"), ("x", "[1, \"}\"]")]);
    assert_eq!(recording.result(row), Some("None"));
    let code = recording.code(row);
    assert_eq!((&*code.file, code.line), ("/p/a (b).py", 12));
    assert_eq!(recording.threads[0].name, "MainThread");
    assert!(recording.footer.is_none() && !recording.truncated);
}

#[test]
fn begin_and_end_events_are_paired() {
    let (recording, rows) = only_thread(
        r#"[{"ph":"B","pid":"p","tid":140735340871680,"ts":1,"name":"a"},
            {"ph":"B","pid":"p","tid":140735340871680,"ts":2,"name":"b"},
            {"ph":"E","pid":"p","tid":140735340871680,"ts":3},
            {"ph":"B","pid":"p","tid":140735340871680,"ts":4,"name":"c"},
            {"ph":"E","pid":"p","tid":140735340871680,"ts":5},"#,
    );
    let expected = [
        ("a", 0, 1_000, 4_000),
        ("b", 1, 2_000, 1_000),
        ("c", 1, 4_000, 1_000),
    ];
    assert_eq!(
        rows,
        expected.map(|(name, depth, ts, dur)| (name.to_owned(), depth, ts, dur))
    );
    assert!(recording.truncated);
    assert!(recording.threads[0].calls[0].flags.has(Flags::UNFINISHED));
}

/// Found by fuzzing: ends that exclude each other, and a place without a file.
#[test]
fn contradictions_are_written_as_they_are_read() {
    let ends = ["unfinished", "end_inferred", "yielded"].map(|end| format!("\"{end}\":true"));
    let texts = ["\"exception\":\"E\"", "\"return\":\"1\""];
    let members: Vec<&str> = texts
        .into_iter()
        .chain(ends.iter().map(|it| &**it))
        .collect();
    let events = (0..1 << members.len()).map(|choice| {
        let chosen = members.iter().enumerate().filter(|(at, _)| choice >> at & 1 != 0);
        let chosen: String = chosen.map(|(_, member)| format!(",{member}")).collect();
        format!(
            r#"{{"ph":"X","ts":{choice},"dur":1,"name":"f (:3)","args":{{"call":{},"depth":0{chosen}}}}}"#,
            choice + 1
        )
    });
    let events: Vec<String> = events.collect();
    let begun =
        r#"{"ph":"B","tid":1,"ts":1,"dur":1,"name":"f","args":{"return":"1","yielded":true}}"#;
    let text = format!("[{},{begun}]", events.join(","));
    let recording = read_from(text.as_bytes()).unwrap();
    let mut again = Vec::new();
    format::write(&recording, &mut again).unwrap();
    assert_eq!(rows(&read_from(&again[..]).unwrap()), rows(&recording));
}

#[test]
fn depth_is_no_danger() {
    let deep = "[".repeat(1 << 20);
    let event =
        format!("[{{\"ph\":\"X\",\"ts\":1,\"dur\":1,\"name\":\"a\",\"args\":{{\"x\":{deep}");
    assert!(read_from(event.as_bytes()).unwrap().truncated);
    let member = format!("{{\"x\":{deep}");
    assert!(matches!(
        read_from(member.as_bytes()),
        Err(ReadError::NotATrace(_))
    ));
}
