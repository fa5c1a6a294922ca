use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::recording::Row;
use crate::trace::{Category, Code, Kind, ThreadId, Time};

/// A recording of one thread: depth and name of each call, from number `first` on. Each lasts so many
/// microseconds as it has letters.
fn recording(first: u64, calls: &[(u32, &str)]) -> Recording {
    let names: BTreeSet<&str> = calls.iter().map(|&(_, name)| name).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let code = |name: &&str| Code {
        name: (*name).into(),
        file: format!("/p/{name}.py"),
        line: 7,
        kind: Kind::Function,
        category: Category::Internal,
    };
    let row = |(index, (depth, name)): (usize, &(u32, &str))| Row {
        start: Time(0),
        duration: 1000 * name.len() as u64,
        number: first + index as u64,
        code: names.binary_search(name).unwrap() as u32,
        depth: *depth,
        ..Row::default()
    };
    Recording {
        threads: vec![Thread {
            calls: calls.iter().enumerate().map(row).collect(),
            ..Thread::default()
        }],
        codes: names.iter().map(code).collect(),
        ..Recording::default()
    }
}

fn drawn(recording: &Recording, options: &TreeOptions) -> String {
    let mut out = Vec::new();
    write_tree(recording, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The lines between the heading and the summary.
fn tree(recording: &Recording, options: &TreeOptions) -> String {
    let text = drawn(recording, options);
    let tree = text.split_once('\n').unwrap().1;
    tree.split("\n\n").next().unwrap().trim_end().to_owned()
}

fn bare() -> TreeOptions {
    TreeOptions {
        times: false,
        ..TreeOptions::default()
    }
}

#[test]
fn repeats_are_drawn_in_the_known_form() {
    let round = [
        (0, "scaled_dot_product_attention"),
        (0, "get"),
        (0, "forward"),
        (0, "layer_name"),
        (0, "forward"),
        (0, "layer_name"),
    ];
    let recording = recording(22388, &round.repeat(6));
    assert_eq!(
        tree(&recording, &bare()),
        "\
🔄 Repeating Pattern: 6x repetitions of 6 calls (calls #22388-#22423, total: 36 calls)
  📋 Pattern template (repeated 6 times):
    ├── scaled_dot_product_attention [scaled_dot_product_attention.py:7]
    ├── get [get.py:7]
    └── 🔄 Nested Pattern: 2x repetitions of 2 calls
        ├── forward [forward.py:7]
        └── layer_name [layer_name.py:7]"
    );
    let ascii = TreeOptions {
        style: Style::Ascii,
        ..bare()
    };
    assert_eq!(
        tree(&recording, &ascii),
        "\
Repeating Pattern: 6x repetitions of 6 calls (calls #22388-#22423, total: 36 calls)
  Pattern template (repeated 6 times):
    |-- scaled_dot_product_attention [scaled_dot_product_attention.py:7]
    |-- get [get.py:7]
    `-- Nested Pattern: 2x repetitions of 2 calls
        |-- forward [forward.py:7]
        `-- layer_name [layer_name.py:7]"
    );
}

#[test]
fn callees_stand_below_callers_and_times_behind() {
    let step = [(1, "step"), (2, "get"), (2, "get"), (1, "log")];
    let mut calls = vec![(0, "main")];
    calls.extend(step.repeat(3));
    calls.push((1, "end"));
    let mut recording = recording(1, &calls);
    // The second step takes longer.
    recording.threads[0].calls[5].duration = 10_000;
    assert_eq!(
        tree(&recording, &TreeOptions::default()),
        "\
main [main.py:7]  4.00 µs
├── 🔄 Repeating Pattern: 3x repetitions of 4 calls (calls #2-#13, total: 12 calls)  27.0 µs, mean 9.00 µs ± 2.83 µs, 7.00 µs to 13.0 µs, slowest: repetition 2
│     📋 Pattern template (repeated 3 times):
│       ├── step [step.py:7]  mean 6.00 µs
│       │   └── 🔄 2x get [get.py:7]  18.0 µs, mean 3.00 µs ± 0 ns, 3.00 µs to 3.00 µs
│       └── log [log.py:7]  mean 3.00 µs
└── end [end.py:7]  3.00 µs"
    );
    let text = drawn(&recording, &TreeOptions::default());
    let (_, summary) = text.split_once("\n\n").unwrap();
    assert_eq!(
        summary,
        "\
14 calls in 6 rows: 2 patterns, up to 2 deep, with 85.7 % of the calls
Those that took longest:
  27.0 µs in 3x 4 calls, calls #2-#13 of thread 0: step, log
"
    );
    let plain = TreeOptions {
        patterns: None,
        ..bare()
    };
    let text = drawn(&recording, &plain);
    assert_eq!(text.lines().count(), 15, "{text}");
    assert!(text.contains("├── step [step.py:7]\n│   ├── get [get.py:7]\n│   └── get"));
}

#[test]
fn repetitions_that_differ_say_so() {
    let round = |gets: usize| {
        let mut calls = vec![(1, "step")];
        calls.extend([(1, "get")].repeat(gets));
        calls.push((1, "log"));
        calls
    };
    let mut calls = vec![(0, "main")];
    calls.extend([2, 5, 3].map(round).concat());
    let recording = recording(1, &calls);
    assert_eq!(
        tree(&recording, &bare()),
        "\
main [main.py:7]
└── 🔄 Repeating Pattern: 3x similar repetitions of 4..7 calls (calls #2-#17, total: 16 calls)
      📋 Pattern template (repeated 3 times): the first repetition, others differ
        ├── step [step.py:7]
        ├── 🔄 2..5x similar get [get.py:7]
        └── log [log.py:7]"
    );
    let calls = [2, 5, 3].map(|gets| {
        let mut calls = vec![(0, "step")];
        calls.extend([(1, "get")].repeat(gets));
        calls
    });
    let of_one_call = tree(&super::tests::recording(1, &calls.concat()), &bare());
    assert_eq!(
        of_one_call,
        "\
🔄 3x similar step [step.py:7] (calls #1-#13, total: 13 calls) (below: the first, others differ)
└── 🔄 2x get [get.py:7]"
    );
    let exact = TreeOptions {
        patterns: Some(Nearness::Exact),
        ..bare()
    };
    assert!(!tree(&recording, &exact).contains("similar"));
}

#[test]
fn of_many_lines_the_upper_levels_are_drawn() {
    // 100 callees that all differ, each of which has one; the last has two.
    let names: Vec<String> = (0..100).map(|index| format!("f{index}")).collect();
    let mut calls = vec![(0, "main")];
    for name in &names {
        calls.extend([(1, &**name), (2, "g")]);
    }
    calls.push((2, "h"));
    let recording = recording(1, &calls);
    let limited = |limit| TreeOptions {
        limit: Some(limit),
        whole: "Ask.",
        ..bare()
    };
    assert!(!drawn(&recording, &limited(300)).contains("Ask."));
    let drawn = |limit| tree(&recording, &limited(limit));
    let levels = drawn(150);
    assert_eq!(levels.lines().count(), 101);
    assert!(
        levels.contains("├── f3 [f3.py:7] (+1 call below)\n"),
        "{levels}"
    );
    assert!(levels.ends_with("└── f99 [f99.py:7] (+2 calls below)"));
    assert_eq!(
        drawn(5),
        "\
main [main.py:7]
├── f0 [f0.py:7] (+1 call below)
├── f1 [f1.py:7] (+1 call below)
└── … 98 more, 197 calls in all"
    );
    let one = drawn(4);
    assert!(
        one.ends_with("├── f0 [f0.py:7] (+1 call below)\n└── … 99 more, 199 calls in all"),
        "{one}"
    );
    assert_eq!(drawn(3), "main [main.py:7] (+201 calls below)");
}

#[test]
fn of_many_threads_the_first_are_drawn() {
    let mut recording = recording(1, &[(0, "f"), (1, "g"), (1, "h")]);
    let thread = |tid| Thread {
        id: ThreadId { pid: 1, tid },
        calls: recording.threads[0].calls.clone(),
        ..Thread::default()
    };
    recording.threads = (1..=10).map(thread).collect();
    for (limit, threads, lines) in [(49, 10, 49), (48, 10, 29), (20, 5, 16), (2, 1, 4)] {
        let options = TreeOptions {
            limit: Some(limit),
            patterns: None,
            ..bare()
        };
        let text = drawn(&recording, &options);
        let (tree, _) = text.split_once("\nThe upper").unwrap_or((&text, ""));
        assert_eq!(tree.matches("Thread ").count(), threads, "{text}");
        assert_eq!(tree.trim_end().lines().count(), lines, "{text}");
        assert_eq!(tree.contains(" more thread"), threads < 10, "{text}");
    }
}

#[test]
fn a_line_stays_short_a_million_deep() {
    let mut recording = recording(1, &[(0, "f")]);
    let row = recording.threads[0].calls[0];
    let deeper = |depth| Row { depth, ..row };
    recording.threads[0].calls = (0..1_000_000).map(deeper).collect();
    let text = tree(&recording, &bare());
    assert_eq!(text.lines().count(), 1_000_000);
    assert!(text.lines().all(|line| line.len() < 300));
    assert!(text.ends_with("└── f [f.py:7]"));
}

proptest! {
    /// Every call of a plain tree has its line, and each line the guides of those above it.
    #[test]
    fn a_tree_is_as_deep_as_its_calls(steps in prop::collection::vec(0u32..6, 1..60)) {
        let mut depth = 0u32;
        let calls: Vec<(u32, &str)> = steps.iter().enumerate().map(|(index, &step)| {
            depth = if index == 0 { 0 } else { (depth + 1).saturating_sub(step) };
            (depth, "f")
        }).collect();
        let plain = TreeOptions { patterns: None, ..bare() };
        let text = tree(&recording(1, &calls), &plain);
        let lines: Vec<&str> = text.lines().collect();
        prop_assert_eq!(lines.len(), calls.len());
        for (index, &(depth, _)) in calls.iter().enumerate() {
            let guides: Vec<char> = lines[index].chars().take_while(|&c| c != 'f').collect();
            prop_assert_eq!(guides.len(), 4 * depth as usize);
            for (level, guide) in guides.chunks(4).enumerate() {
                // Whether something stands behind it, at the level of this guide.
                let behind = calls[index + 1..].iter().find(|(next, _)| *next <= level as u32 + 1);
                let goes_on = behind.is_some_and(|(next, _)| *next == level as u32 + 1);
                let own = level + 1 == depth as usize;
                let expected = match (own, goes_on) {
                    (true, true) => "├── ",
                    (true, false) => "└── ",
                    (false, true) => "│   ",
                    (false, false) => "    ",
                };
                prop_assert_eq!(guide.iter().collect::<String>(), expected);
            }
        }
    }

    #[test]
    fn no_tree_is_longer_than_its_limit(
        steps in prop::collection::vec((0u32..4, 0usize..3), 1..80),
        limit in 4usize..60,
    ) {
        let mut depth = 0u32;
        let calls: Vec<(u32, &str)> = steps.iter().enumerate().map(|(index, &(step, name))| {
            depth = if index == 0 { 0 } else { (depth + 1).saturating_sub(step) };
            (depth, ["f", "g", "h"][name])
        }).collect();
        let options = TreeOptions { limit: Some(limit), whole: "Ask.", ..bare() };
        let text = tree(&recording(1, &calls), &options);
        prop_assert!(text.lines().count() <= limit, "{}", text);
    }
}
