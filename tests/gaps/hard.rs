//! Gaps of hostile files, a hundred thousand of them, and a disk that has no room for them.

use std::io::Cursor;

use pytrace::explore::{Explorer, Filter, GapQuery, Open, TimelineQuery};
use pytrace::format::{self, ChromeWriter, read_from};
use pytrace::pattern::{Nearness, Patterns};
use pytrace::recording::Recording;
use pytrace::trace::{Category, Kind, Sink};
use pytrace::view::TreeOptions;

use crate::{Event, collected, common, footer, gaps, loop_with_gaps, tree, written};

/// Each of them is looked at in all ways.
fn look_at_all(recording: &Recording) {
    for nearness in [Nearness::Exact, Nearness::TripCounts, Nearness::Functions] {
        Patterns::new(recording, nearness).summary(3);
    }
    tree(recording, &TreeOptions::default());
    let explorer = Explorer::new(recording);
    let filters = [
        Filter::default(),
        Filter {
            min_duration: 5_000,
            ..Filter::default()
        },
    ];
    for (thread, filter) in (0..recording.threads.len()).flat_map(|thread| {
        let filters = filters.iter();
        filters.map(move |filter| (thread, filter))
    }) {
        let view = explorer.view(thread, filter, Some(Nearness::default()));
        let all = Open::parse("all").unwrap();
        let total = view.rows(&all, 0, 300).total;
        for gap in [0, recording.threads[thread].gaps.len() / 2] {
            if let Some(reveal) = view.reveal_gap(&Open::default(), gap) {
                assert!(reveal.index.is_some_and(|index| index < reveal.total));
                assert!(total >= 1);
                assert!(explorer.gap(GapQuery::At { thread, gap }, filter).is_some());
            }
        }
        explorer.timeline(&TimelineQuery {
            threads: vec![thread],
            filter: *filter,
            grouping: None,
            from: 0,
            to: u64::MAX,
            width: 1000,
            depth: 0,
            levels: 20,
        });
    }
}

#[test]
fn gaps_of_hostile_files_do_no_harm() {
    let x = |call: u64, depth: u64| {
        format!(
            r#"{{"ph":"X","pid":1,"tid":1,"ts":{call},"dur":{},"name":"f","cat":"internal","args":{{"call":{call},"depth":{depth}}}}}"#,
            100 - depth
        )
    };
    let calls = [x(1, 0), x(2, 1), x(3, 2), x(9, 1)];
    let gap = |tid: &str, ts: &str, args: &str| {
        format!(
            r#"{{"ph":"i","s":"t","pid":1,"tid":{tid},"ts":{ts},"name":"x","cat":"gap","args":{{{args}}}}}"#
        )
    };
    let args = |after: &str, depth: &str, until: &str, starts: &str| {
        format!(
            r#""after_call":{after},"depth":{depth},"until":{until},"starts":{starts},"ends":18446744073709551615"#
        )
    };
    let huge = "18446744073709551615";
    for (extra, kept) in [
        // Beyond the end, deeper than anything, of endless times, losing more than can be counted.
        (gap("1", "1e300", &args(huge, "4294967295", "0", huge)), 1),
        (gap("1", "-5", &args("2", "7", huge, "1")), 1),
        (gap("1", "3", &args("2", "0", "1", "1")), 1),
        // Of a thread without calls, and of one with a name for an id.
        (gap("77", "3", &args("5", "3", "4", "1")), 1),
        (gap("\"x\"", "3", &args("5", "3", "4", "1")), 1),
        // Not gaps of ours: numbers that are none, or are missing.
        (gap("1", "3", &args("-1", "0", "1", "1")), 0),
        (gap("1", "3", &args("1", "4294967296", "1", "1")), 0),
        (
            gap("1", "3", &args("18446744073709551616", "1", "1", "1")),
            0,
        ),
        (gap("1", "\"\"", &args("1", "1", "1", "1")), 0),
        (gap("1", "3", r#""after_call":1,"depth":1"#), 0),
        (gap("1", "3", ""), 0),
    ] {
        // In any order, and twice.
        let extra = std::slice::from_ref(&extra);
        let text = [extra, &calls, extra].concat();
        let recording = read_from(format!("[{}]", text.join(",")).as_bytes()).unwrap();
        assert_eq!(gaps(&recording).len(), 2 * kept, "{extra:?}");
        let rows = &recording.threads.iter().find(|it| !it.calls.is_empty());
        let depths = rows.unwrap().calls.iter().map(|row| row.depth);
        assert_eq!(depths.collect::<Vec<_>>(), [0, 1, 2, 1], "{extra:?}");
        look_at_all(&recording);
    }
    // Calls without numbers have no places for gaps.
    let other = r#"{"ph":"X","pid":1,"tid":1,"ts":1,"dur":5,"name":"f"}"#;
    let mine = gap("1", "3", &args("1", "0", "4", "1"));
    let recording = read_from(format!("[{other},{mine}]").as_bytes()).unwrap();
    assert_eq!(gaps(&recording), []);
}

/// A hundred thousand gaps, in one list and each at a depth of its own.
#[test]
fn many_gaps_are_no_burden() {
    let code = common::code("f", "/p/f.py", 1, Kind::Function, Category::Internal);
    let gaps = 100_000;
    let mut wide = Vec::new();
    for number in 1..=gaps {
        let at = number * 100;
        let call = common::call(812, number, 0, &code, at, at + 10);
        let gap = common::gap(812, (number, 0), (at + 20, at + 50), (1, 1));
        wide.extend([Event::Call(call), Event::Gap(gap)]);
    }
    let recording = read_from(&written(&wide)[..]).unwrap();
    assert_eq!(recording.threads[0].gaps.len(), gaps as usize);
    assert_eq!(recording.lost(), 2 * gaps);
    look_at_all(&recording);

    let mut deep = Vec::new();
    for depth in 0..gaps {
        let gap = common::gap(
            812,
            (depth + 1, depth as u32 + 1),
            (depth, depth + 1),
            (1, 1),
        );
        deep.push(Event::Gap(gap));
    }
    for depth in (0..gaps).rev() {
        let call = common::call(812, depth + 1, depth as u32, &code, depth, 3 * gaps - depth);
        deep.push(Event::Call(call));
    }
    let recording = collected(&deep);
    let depths = recording.threads[0].gaps.iter().map(|gap| gap.depth);
    assert!(depths.eq(1..=gaps as u32));
    look_at_all(&recording);
}

/// What no file could be written of is counted, and what gaps had lost is not counted twice.
#[test]
fn a_full_disk_keeps_count_of_gaps() {
    for capacity in (2_500..8_000).step_by(41) {
        let mut disk = common::Disk {
            bytes: Cursor::default(),
            capacity,
        };
        let mut writer = ChromeWriter::new(format::OutputFile::new(
            &mut disk,
            format::Compression::None,
        ));
        let events = loop_with_gaps();
        let mut calls = 0;
        for event in &events {
            // The first call that notices says so.
            let _ = match event {
                Event::Call(call) => {
                    calls += 1;
                    writer.call(call)
                }
                Event::Gap(gap) => writer.gap(gap),
            };
            let _ = writer.flush();
        }
        let said = footer(&events);
        let ended = writer.finish(&said).unwrap();
        let recording = read_from(&disk.bytes.get_ref()[..]).unwrap();
        let kept: usize = recording.threads.iter().map(|it| it.calls.len()).sum();
        assert_eq!(kept as u64 + ended.unwritten, calls);
        let found = recording.footer.unwrap();
        assert_eq!(found.lost, said.lost + ended.unwritten);
        let sum: u64 = found.lost_by_thread.iter().map(|lost| lost.count).sum();
        assert_eq!(sum, found.lost);
        assert_eq!(found.lost_by_thread.len(), 2);
        assert_eq!(found.lost_by_thread[0].gaps, 3);
    }
}
