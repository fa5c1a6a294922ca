//! Events that were lost, from the recorder's sink to what is shown: each gap at its place, each
//! loss counted. The traces are made by hand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/blessed.rs"]
mod blessed;
#[path = "../common/mod.rs"]
mod common;
mod hard;

use blessed::check;
use pytrace::explore::{Direction, Explorer, Filter, GapQuery, Place, TimelineQuery};
use pytrace::format::{self, ChromeWriter, read_from};
use pytrace::json::{JsonOptions, write_json};
use pytrace::pattern::{Nearness, Patterns};
use pytrace::recording::{Collector, Flags, Footer, Recording, Selection};
use pytrace::trace::{Call, Category, Gap, Kind, Losses, Sink};
use pytrace::view::{Style, TreeOptions, write_tree};
use regex::Regex;
use serde_json::{Value, json};

/// What the recorder hands over, in its order.
enum Event {
    Call(Call),
    Gap(Gap),
}

fn hand_over(events: &[Event], sink: &mut impl Sink) {
    for event in events {
        match event {
            Event::Call(call) => sink.call(call).unwrap(),
            Event::Gap(gap) => sink.gap(gap).unwrap(),
        }
    }
}

/// What the recorder says at the end, of these and nothing else.
fn footer(events: &[Event]) -> Footer {
    let mut losses = Losses::default();
    for event in events {
        if let Event::Gap(gap) = event {
            losses.add(gap);
        }
    }
    Footer {
        lost: losses.iter().map(|loss| loss.count).sum(),
        lost_by_thread: losses.iter().map(Into::into).collect(),
        ..common::footer()
    }
}

fn written(events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ChromeWriter::new(&mut bytes);
    hand_over(events, &mut writer);
    writer.finish(&footer(events)).unwrap();
    bytes
}

fn collected(events: &[Event]) -> Recording {
    let mut collector = Collector::new();
    hand_over(events, &mut collector);
    collector.finish(footer(events))
}

/// A loop of 100 rounds, of which the ring had no room for the 41st to the 60th; what it calls then
/// goes on in one that began unseen. A second thread has lost all it had.
fn loop_with_gaps() -> Vec<Event> {
    let code = |name: &str, line| {
        common::code(
            name,
            "/p/train.py",
            line,
            Kind::Function,
            Category::Internal,
        )
    };
    let (main, step, load, found) = (
        code("main", 1),
        code("step", 88),
        code("load", 12),
        code("found", 40),
    );
    let mut events = Vec::new();
    let mut number = 1;
    let mut rounds = |events: &mut Vec<Event>, rounds: std::ops::Range<u64>| {
        for round in rounds {
            let start = 1_000 + round * 1_000;
            let inner = common::call(812, number + 2, 2, &load, start + 100, start + 500);
            let outer = common::call(812, number + 1, 1, &step, start, start + 900);
            number += 2;
            events.extend([inner, outer].map(Event::Call));
        }
        number
    };
    let last = rounds(&mut events, 0..40);
    events.push(Event::Gap(common::gap(
        812,
        (last, 1),
        (41_000, 61_000),
        (42, 40),
    )));
    // Two that began in the gap: one in the other.
    let mut outer = common::call(812, last + 1, 1, &found, 61_000, 80_000);
    let mut inner = common::call(812, last + 2, 2, &found, 61_000, 70_000);
    (outer.already_running, inner.already_running) = (true, true);
    events.push(Event::Call(inner));
    // Nothing began between these: they are one line.
    for (since, starts, ends) in [(71_000, 3, 3), (73_000, 1, 1)] {
        let times = (since, since + 1_000);
        let gap = common::gap(812, (last + 2, 2), times, (starts, ends));
        events.push(Event::Gap(gap));
    }
    events.push(Event::Call(outer));
    let mut number = last + 2;
    for round in 80..120 {
        let start = 1_000 + round * 1_000;
        let inner = common::call(812, number + 2, 2, &load, start + 100, start + 500);
        let outer = common::call(812, number + 1, 1, &step, start, start + 900);
        number += 2;
        events.extend([inner, outer].map(Event::Call));
    }
    let whole = common::call(812, 1, 0, &main, 0, 200_000);
    events.push(Event::Call(whole));
    events.push(Event::Gap(common::gap(
        813,
        (0, 0),
        (50_000, 60_000),
        (2_464, 2_463),
    )));
    events
}

fn tree(recording: &Recording, options: &TreeOptions) -> String {
    let mut out = Vec::new();
    write_tree(recording, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The places of all gaps: thread, call before, depth, starts, ends.
fn gaps(recording: &Recording) -> Vec<(u32, u64, u32, u64, u64)> {
    let threads = recording.threads.iter();
    let gaps = threads.flat_map(|thread| {
        let gaps = thread.gaps.iter();
        gaps.map(|gap| {
            let tid = thread.id.tid;
            (tid, gap.after_call, gap.depth, gap.starts, gap.ends)
        })
    });
    gaps.collect()
}

const PLACES: [(u32, u64, u32, u64, u64); 4] = [
    (812, 81, 1, 42, 40),
    (812, 83, 2, 3, 3),
    (812, 83, 2, 1, 1),
    (813, 0, 0, 2_464, 2_463),
];

#[test]
fn gaps_are_written_and_read() {
    let events = loop_with_gaps();
    let file = written(&events);
    let text = std::str::from_utf8(&file).unwrap();
    assert!(text.contains(
        "{\"ph\":\"i\",\"s\":\"t\",\"pid\":812,\"tid\":812,\"ts\":41.000,\"name\":\"82 events lost\",\
         \"cat\":\"gap\",\"args\":{\"after_call\":81,\"depth\":1,\"starts\":42,\"ends\":40,\"until\":61.000}}"
    ));
    let parsed: Value = serde_json::from_str(text).unwrap();
    let lost = json!([
        {"pid": 812, "tid": 812, "count": 90, "near_call": 81, "starts": 46, "ends": 44, "gaps": 3},
        {"pid": 812, "tid": 813, "count": 4927, "near_call": 0, "starts": 2464, "ends": 2463, "gaps": 1},
    ]);
    assert_eq!(parsed["pytrace"]["lost_by_thread"], lost);
    let read = read_from(&file[..]).unwrap();
    assert_eq!(gaps(&read), PLACES);
    assert_eq!(gaps(&collected(&events)), PLACES);
    let mut again = Vec::new();
    format::write(&read, &mut again).unwrap();
    let again = read_from(&again[..]).unwrap();
    assert_eq!(gaps(&again), PLACES);
    assert_eq!(again.footer, read.footer);
    let times = |recording: &Recording| -> Vec<_> {
        let gaps = recording.threads[0].gaps.iter();
        gaps.map(|gap| (gap.since.0, gap.until.0)).collect()
    };
    assert_eq!(times(&again), times(&read));
}

/// What is promised: calls that began while recorded, and those that began in gaps, are all there were.
#[test]
fn starts_add_up() {
    let recording = collected(&loop_with_gaps());
    let thread = &recording.threads[0];
    let seen = thread.calls.iter();
    let seen = seen.filter(|row| !row.flags.has(Flags::ALREADY_RUNNING));
    let missing: u64 = thread.gaps.iter().map(|gap| gap.starts).sum();
    // main, 80 rounds of two calls; 42, 3 and 1.
    assert_eq!(seen.count() as u64 + missing, 1 + 160 + 46);
    let began = thread.calls.iter();
    let began = began.filter(|row| row.flags.has(Flags::BEGAN_IN_GAP));
    let began: Vec<u64> = began.map(|row| row.number).collect();
    assert_eq!(began, [82, 83]);
}

#[test]
fn gaps_stand_at_their_places_in_the_tree() {
    let recording = read_from(&written(&loop_with_gaps())[..]).unwrap();
    check("gaps.tree.txt", &tree(&recording, &TreeOptions::default()));
    let ascii = TreeOptions {
        style: Style::Ascii,
        times: false,
        ..TreeOptions::default()
    };
    check("gaps.ascii.txt", &tree(&recording, &ascii));
}

#[test]
fn gaps_are_items_of_the_json() {
    let recording = collected(&loop_with_gaps());
    for nearness in [None, Some(Nearness::Exact), Some(Nearness::TripCounts)] {
        let patterns = nearness.map(|nearness| Patterns::new(&recording, nearness));
        let mut out = Vec::new();
        let options = JsonOptions {
            values: true,
            left_out: 0,
        };
        write_json(&recording, patterns.as_ref(), options, &mut out).unwrap();
        let value: Value = serde_json::from_slice(&out).unwrap();
        let below = value["threads"][0]["items"][0]["items"].as_array().unwrap();
        let gap = below.iter().position(|item| item["lost"].is_number());
        let expected = json!({
            "lost": 82, "starts": 42, "ends": 40, "gaps": 1, "after_call": 81,
            "since_ns": 41_000, "until_ns": 61_000,
        });
        assert_eq!(below[gap.unwrap()], expected);
        let found = &below[gap.unwrap() + 1];
        assert_eq!(found["began_in_gap"], true);
        let inner = &found["items"][1];
        assert_eq!((&inner["lost"], &inner["gaps"]), (&json!(8), &json!(2)));
        let other = &value["threads"][1];
        assert_eq!(other["calls"], 0);
        assert_eq!(other["items"][0]["lost"], 4927);
        assert_eq!(value["stats"]["lost"], 5017);
        assert_eq!(value["stats"]["gaps"], 4);
        if nearness.is_some() {
            assert_eq!(gap, Some(1));
            assert_eq!(below[0]["repeat"], 40);
            assert_eq!(below[3]["repeat"], 40);
        }
    }
}

#[test]
fn a_file_cut_anywhere_has_the_gaps_up_to_there() {
    let file = written(&loop_with_gaps());
    for cut in (1_000..file.len()).step_by(37) {
        let text = &file[..cut];
        let lines = std::str::from_utf8(text).unwrap().lines();
        let whole = lines.filter(|line| line.trim_end_matches(',').ends_with("}}"));
        let written = whole
            .filter(|line| line.contains("\"cat\":\"gap\""))
            .count();
        let recording = read_from(text).unwrap();
        let found = gaps(&recording);
        assert_eq!(found.len(), written, "cut at {cut}");
        if recording.footer.is_none() && written == 3 {
            assert_eq!(recording.lost(), 90);
            // What has not ended is not there, and gaps stand below what is.
            let calls = &recording.threads[0].calls;
            let is_there = |number| u32::from(calls.iter().any(|row| row.number == number));
            let (main, outer) = (is_there(1), is_there(82));
            let depths: Vec<u32> = found.iter().map(|gap| gap.2).collect();
            assert_eq!(depths, [main, main + outer, main + outer]);
        }
    }
}

#[test]
fn filters_leave_gaps_that_lie_in_what_is_shown() {
    let left = |selection: Selection| {
        let mut recording = collected(&loop_with_gaps());
        recording.select(&selection);
        let places = gaps(&recording).into_iter();
        places.map(|gap| (gap.0, gap.1, gap.2)).collect::<Vec<_>>()
    };
    let function = |pattern| Selection {
        function: Some(Regex::new(pattern).unwrap()),
        ..Selection::default()
    };
    let threads = vec!["813".to_owned()];
    assert_eq!(
        left(Selection {
            threads,
            ..Selection::default()
        }),
        [(813, 0, 0)]
    );
    assert_eq!(left(function("^found$")), [(812, 83, 1), (812, 83, 1)]);
    assert_eq!(left(function("^load$")), []);
    let depth = Selection {
        depth: Some(2),
        ..Selection::default()
    };
    assert_eq!(left(depth), [(812, 81, 1), (813, 0, 0)]);
    // Those of calls that are too short stand below what is left.
    let long = Selection {
        min_duration: 100_000,
        ..Selection::default()
    };
    let below_main = [(812, 81, 1), (812, 83, 1), (812, 83, 1), (813, 0, 0)];
    assert_eq!(left(long), below_main);
    let raised = Selection {
        only_exceptions: true,
        ..Selection::default()
    };
    assert_eq!(left(raised), [(813, 0, 0)]);
}

#[test]
fn the_explorer_goes_from_gap_to_gap() {
    let recording = collected(&loop_with_gaps());
    let explorer = Explorer::new(&recording);
    let filter = Filter::default();
    let asked = |query| explorer.gap(query, &filter).map(|gap| json!(gap));
    let first = asked(GapQuery::From(None, Direction::Next)).unwrap();
    assert_eq!(
        (&first["thread"], &first["id"]),
        (&json!(0), &json!("g81.0"))
    );
    let gap = json!({
        "after_call": 81, "gaps": 1, "lost": 82, "starts": 42, "ends": 40, "since": 41_000, "until": 61_000,
    });
    assert_eq!(first["gap"], gap);
    assert_eq!(first["above"][0]["name"], "main");
    assert_eq!(
        (&first["before"], &first["behind"]),
        (&json!(80), &json!(81))
    );
    assert_eq!(first["next"], json!({"thread": 0, "id": "g83.1"}));
    assert_eq!(first["previous"], Value::Null);
    let second = asked(GapQuery::At { thread: 0, gap: 2 }).unwrap();
    assert_eq!(second["id"], "g83.1");
    assert_eq!(second["next"], json!({"thread": 1, "id": "g0.0"}));
    let last = asked(GapQuery::From(None, Direction::Previous)).unwrap();
    assert_eq!(
        (&last["thread"], &last["behind"]),
        (&json!(1), &Value::Null)
    );
    for (row, direction, id) in [
        (80, Direction::Next, Some("g81.0")),
        (81, Direction::Next, Some("g83.1")),
        (100, Direction::Next, Some("g0.0")),
        (81, Direction::Previous, Some("g81.0")),
        (80, Direction::Previous, None),
    ] {
        let place = Some(Place { thread: 0, row });
        let found = asked(GapQuery::From(place, direction));
        let found = found.map(|found| found["id"].as_str().unwrap().to_owned());
        assert_eq!(found.as_deref(), id, "{row}, {direction:?}");
    }
    let timeline = json!(explorer.timeline(&TimelineQuery {
        threads: vec![0, 1],
        filter,
        grouping: None,
        from: 0,
        to: 200_000,
        width: 200,
        depth: 0,
        levels: 10,
    }));
    // Those of a line are one mark.
    let marks = json!([[1, 41_000, 20_000, 82, 81, 0], [2, 71_000, 3_000, 8, 83, 1]]);
    assert_eq!(timeline["lanes"][0]["gaps"], marks);
    assert_eq!(
        timeline["lanes"][1]["gaps"],
        json!([[0, 50_000, 10_000, 4927, 0, 0]])
    );
}

#[test]
fn files_of_former_versions_open() {
    let file = written(&[]);
    let text = String::from_utf8(file).unwrap();
    let text = text.replace(
        "\"lost\":0",
        "\"lost\":7,\"lost_by_thread\":[{\"pid\":1,\"tid\":2,\"count\":3,\"near_call\":4},\
         {\"pid\":1,\"tid\":2,\"count\":4,\"near_call\":9}]",
    );
    let recording = read_from(text.as_bytes()).unwrap();
    let shown = tree(&recording, &TreeOptions::default());
    assert!(
        shown.contains("7 events lost\n  thread 2: 3, from near call #4\n"),
        "{shown}"
    );
}
