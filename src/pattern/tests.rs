mod random;
mod trees;
mod vectors;

use super::nodes::{Node, Nodes};
use super::*;
use crate::recording::{Row, Selection, Thread, random_gaps};
use crate::trace::{Category, Code, Kind, Time};
use trees::{any_tree, tree};

use super::fold::sequences::{de_bruijn, fibonacci, loops, thue_morse};
use proptest::prelude::*;

const ALL: [Nearness; 3] = [Nearness::Exact, Nearness::TripCounts, Nearness::Functions];

/// A recording of one thread; for each call its depth and its function.
fn recording(calls: impl IntoIterator<Item = (u32, u32)>) -> Recording {
    let row = |(index, (depth, code))| Row {
        start: Time(index),
        duration: 1 + index % 7,
        number: index + 1,
        code,
        depth,
        ..Row::default()
    };
    let calls: Vec<Row> = (0..).zip(calls).map(row).collect();
    let codes = calls.iter().map(|row| row.code + 1).max().unwrap_or(0);
    let names = (0..codes).map(|code| format!("f{code}"));
    Recording {
        codes: names.map(|name| code(&name, Category::Internal)).collect(),
        threads: vec![Thread {
            calls,
            ..Thread::default()
        }],
        ..Recording::default()
    }
}

fn code(name: &str, category: Category) -> Code {
    Code {
        name: name.into(),
        file: "f.py".into(),
        line: 1,
        kind: Kind::Function,
        category,
    }
}

fn flat(symbols: &[u32]) -> Recording {
    recording(symbols.iter().map(|&symbol| (0, symbol)))
}

/// The function of a gap, where there is one for each line.
const GAP: u32 = u32::MAX;

/// The same with gaps.
fn recording_with_gaps(calls: Vec<(u32, u32)>, gaps: &[(f64, u32)]) -> Recording {
    let mut recording = recording(calls);
    random_gaps::add(&mut recording.threads[0], gaps);
    recording
}

/// Depth and function of all calls, from the folded form: each repeat is written out by its
/// repetitions, an exact one by copies of its template.
fn expand(patterns: &Patterns<'_>) -> Vec<(u32, u32)> {
    let mut calls: Vec<(u32, u32)> = Vec::new();
    let mut levels = vec![(patterns.thread(0), 0)];
    while let Some((nodes, depth)) = levels.last_mut() {
        let depth = *depth;
        match nodes.next() {
            None => {
                levels.pop();
            }
            Some(Node::Gap(gap)) => {
                assert_eq!(
                    gap.position,
                    calls.iter().filter(|call| call.1 != GAP).count()
                );
                calls.push((depth, GAP));
            }
            Some(Node::Call(call)) => {
                calls.push((depth, call.row().code));
                levels.push((call.callees(), depth + 1));
            }
            Some(Node::Repeat(repeat)) if repeat.is_exact() => {
                let count = repeat.count().single().unwrap();
                assert_eq!(repeat.repetitions().len(), count);
                levels.extend((0..count).map(|_| (repeat.body(), depth)));
            }
            Some(Node::Repeat(repeat)) => {
                // Calls of each repetition, unfolded.
                for index in 0..repeat.repetitions().len() {
                    for call in repeat.repetition(index) {
                        let rows = &patterns.recording.threads[0].calls[call.rows()];
                        let top = rows[0].depth;
                        calls.extend(rows.iter().map(|row| (row.depth - top + depth, row.code)));
                    }
                }
            }
        }
    }
    calls
}

fn assert_lossless(recording: &Recording) {
    let thread = &recording.threads[0];
    let mut calls = Vec::new();
    for index in 0..=thread.calls.len() {
        let gaps = thread.gaps.iter();
        let here = gaps.filter(|gap| gap.position(&thread.calls) == index);
        let mut depths: Vec<u32> = here.map(|gap| gap.depth).collect();
        depths.dedup();
        calls.extend(depths.iter().map(|&depth| (depth, GAP)));
        calls.extend(thread.calls.get(index).map(|row| (row.depth, row.code)));
    }
    for nearness in ALL {
        assert!(
            expand(&Patterns::new(recording, nearness)) == calls,
            "{nearness:?}"
        );
    }
}

/// Positions of the calls of a folded list.
fn positions(nodes: Nodes<'_>) -> Vec<usize> {
    let of_node = |node: Node<'_>| match node {
        Node::Call(call) => vec![call.position()],
        Node::Gap(_) => vec![],
        Node::Repeat(repeat) => {
            let repetitions = 0..repeat.repetitions().len();
            let folded = repetitions.filter_map(|index| repeat.repetition_folded(index));
            folded.flat_map(positions).collect()
        }
    };
    nodes.flat_map(of_node).collect()
}

/// The rules that hold for every repeat, whatever it consists of.
fn assert_consistent(patterns: &Patterns<'_>) {
    let mut levels: Vec<Nodes<'_>> = vec![patterns.thread(0)];
    while let Some(nodes) = levels.last_mut() {
        match nodes.next() {
            None => {
                levels.pop();
            }
            Some(Node::Call(call)) => levels.push(call.callees()),
            Some(Node::Gap(_)) => {}
            Some(Node::Repeat(repeat)) => {
                let rows = repeat.rows();
                let mut end = rows.start;
                for repetition in repeat.repetitions() {
                    assert_eq!(repetition.start, end);
                    end = repetition.end;
                }
                assert_eq!(end, rows.end);
                let count = repeat.count();
                assert!((count.min..=count.max).contains(&repeat.repetitions().len()));
                assert!(count.max >= 2);
                let statistics = repeat.statistics();
                assert_eq!(statistics.total_calls, rows.len());
                assert_eq!(statistics.times.total, repeat.total_time());
                for (index, repetition) in repeat.repetitions().enumerate().take(4) {
                    let calls: Vec<_> = repeat
                        .repetition(index)
                        .map(|call| call.position())
                        .collect();
                    let folded = repeat.repetition_folded(index).unwrap();
                    assert_eq!(positions(folded), calls);
                    assert_eq!(repeat.repetition_of(repetition.end - 1), Some(index));
                }
                assert_eq!(repeat.repetition_of(rows.end), None);
                let slowest = repeat.durations().nth(statistics.times.slowest).unwrap();
                assert_eq!(slowest, statistics.times.max);
                levels.push(repeat.body());
            }
        }
    }
}

proptest! {
    #[test]
    fn trees_come_back_whole(calls in any_tree(300), gaps in random_gaps::any_places()) {
        let recording = recording_with_gaps(calls, &gaps);
        assert_lossless(&recording);
        for nearness in ALL {
            assert_consistent(&Patterns::new(&recording, nearness));
        }
    }

    #[test]
    fn loops_come_back_whole(list in loops(2000), gaps in random_gaps::any_places()) {
        let calls = list.iter().map(|&code| (0, code)).collect();
        let recording = recording_with_gaps(calls, &gaps);
        assert_lossless(&recording);
        for nearness in ALL {
            assert_consistent(&Patterns::new(&recording, nearness));
        }
    }

    #[test]
    fn periodic_lists_come_back_whole(
        body in prop::collection::vec(0u32..5, 1..300),
        count in 1usize..30,
        rest in 0usize..300,
    ) {
        let mut list = body.repeat(count);
        list.extend_from_slice(&body[..rest.min(body.len())]);
        assert_lossless(&flat(&list));
    }

    /// Calls that are left out in place repeat as they do after they are taken away.
    #[test]
    fn what_is_left_of_calls_is_folded_as_if_it_were_all(
        calls in any_tree(300),
        gaps in random_gaps::any_places(),
        min_duration in 1u64..8,
    ) {
        let mut recording = recording_with_gaps(calls, &gaps);
        let selection = Selection { min_duration, ..Selection::default() };
        let left = recording.calls(0, &selection);
        let in_place = ALL.map(|nearness| {
            let patterns = Patterns::of(&recording, vec![left.clone()], Some(nearness));
            assert_consistent(&patterns);
            trees::text(&patterns)
        });
        recording.select(&selection);
        let taken_away = ALL.map(|nearness| match recording.threads.is_empty() {
            true => String::new(),
            false => trees::text(&Patterns::new(&recording, nearness)),
        });
        prop_assert_eq!(in_place, taken_away);
    }

    /// Near repeats are only shown where they leave fewer rows.
    #[test]
    fn near_repeats_never_leave_more_rows(calls in any_tree(300)) {
        let recording = recording(calls);
        let rows = ALL.map(|nearness| {
            let patterns = Patterns::new(&recording, nearness);
            folds::rows(patterns.folds.list(patterns.roots[0].index()))
        });
        prop_assert!(rows[0] >= rows[1] && rows[0] >= rows[2]);
    }

    /// Whatever the definition of old groups, the same 2 to 20 calls at least twice in a row, is
    /// within a repeat or overlaps one.
    #[test]
    fn what_repeats_is_folded(list in loops(300)) {
        let recording = flat(&list);
        let patterns = Patterns::new(&recording, Nearness::Exact);
        let mut covered = vec![false; list.len()];
        for node in patterns.thread(0) {
            if let Node::Repeat(repeat) = node {
                covered[repeat.rows()].fill(true);
            }
        }
        for body in 2..=20 {
            for (start, pair) in list.windows(2 * body).enumerate() {
                if pair[..body] == pair[body..] {
                    prop_assert!(covered[start..start + 2 * body].contains(&true));
                }
            }
        }
    }
}

/// As far as a gap is from it, a repetition is folded as if there were none.
#[test]
fn a_gap_parts_what_repeats_at_its_level_and_above() {
    // Twice: f, in which g calls h a hundred times.
    let mut calls = Vec::new();
    for _ in 0..2 {
        calls.extend([(0, 0), (1, 1)]);
        calls.extend([(2, 2)].repeat(100));
    }
    for (gap, expected) in [
        ((1.0, 0), "2x(f0 (f1 100xf2)) !"),
        ((0.5, 0), "(f0 (f1 100xf2)) ! (f0 (f1 100xf2))"),
        ((0.5, 2), "(f0 (f1 100xf2 !)) (f0 (f1 100xf2))"),
        // After 40 calls of h.
        (
            (42.1 / 204.0, 2),
            "(f0 (f1 40xf2 ! 60xf2)) (f0 (f1 100xf2))",
        ),
        ((0.0, 0), "! 2x(f0 (f1 100xf2))"),
    ] {
        let recording = recording_with_gaps(calls.clone(), &[gap]);
        for nearness in ALL {
            assert_eq!(trees::text(&Patterns::new(&recording, nearness)), expected);
        }
    }
}

#[test]
fn hard_lists_come_back_whole() {
    for list in [
        fibonacci(100_000),
        thue_morse(100_000),
        de_bruijn(2, 15),
        (0..100_000).map(|at: u32| at.trailing_zeros()).collect(),
        (0..70_000).collect(),
    ] {
        assert_lossless(&flat(&list));
    }
}

#[test]
fn a_long_list_of_loops_is_folded_to_its_loops() {
    // 2,000 epochs of 47 calls and an evaluation, some 100,000 siblings in one list.
    let mut list = vec![100];
    for epoch in 1..=2000 {
        list.push(0);
        for _ in 0..6 {
            list.extend([1, 2, 3, 4, 3, 4]);
        }
        list.extend([5, 6, 7]);
        if epoch % 50 == 0 {
            list.extend([8; 30]);
        }
    }
    list.push(101);
    let recording = flat(&list);
    let patterns = Patterns::new(&recording, Nearness::Exact);
    assert_eq!(
        trees::text(&patterns),
        "f100 40x[50x[f0 6x[f1 f2 2x[f3 f4]] f5 f6 f7] 30xf8] f101"
    );
}

#[test]
fn long_bodies_are_folded_with_what_is_in_them() {
    // None of these bodies is folded by itself.
    let inner: Vec<u32> = (0..150).collect();
    let middle = [inner.repeat(2), (200..250).collect()].concat();
    let outer = [middle.repeat(3), vec![300]].concat();
    for list in [
        outer.repeat(4),
        [vec![7], outer.repeat(40), vec![8, 9]].concat(),
        [outer[400..].to_vec(), outer.repeat(4)].concat(),
    ] {
        let recording = flat(&list);
        let patterns = Patterns::new(&recording, Nearness::Exact);
        let repeats = patterns.thread(0).filter_map(|node| match node {
            Node::Repeat(repeat) => Some(repeat),
            Node::Call(_) | Node::Gap(_) => None,
        });
        let longest = repeats.max_by_key(Repeat::total_calls).unwrap();
        assert_eq!(longest.calls_per_repetition().single(), Some(outer.len()));
        let edges = list.len() - longest.total_calls();
        let rows = folds::rows(patterns.folds.list(patterns.roots[0].index()));
        assert!(
            rows <= 3 + 150 + 50 + 1 + edges,
            "{rows} rows, {edges} of them outside"
        );
    }
}

#[test]
fn a_call_may_be_a_million_deep() {
    let recording = recording((0..1_000_000).map(|depth| (depth, depth % 3)));
    assert_lossless(&recording);
    let patterns = Patterns::new(&recording, Nearness::TripCounts);
    assert_eq!(patterns.summary(5).rows, 1_000_000);
    assert_eq!(patterns.call(0, 999_999).unwrap().index(), 999_999);
}

#[test]
fn a_function_is_the_same_under_two_categories() {
    let mut recording = flat(&[0, 1, 0, 1]);
    recording.codes = vec![code("f", Category::Internal), code("f", Category::External)];
    let patterns = Patterns::new(&recording, Nearness::Exact);
    assert_eq!(trees::text(&patterns), "4xf");
}

#[test]
fn threads_have_lists_of_their_own() {
    let mut recording = flat(&[0, 0]);
    let calls = recording.threads[0].calls.clone();
    for calls in [calls, Vec::new()] {
        recording.threads.push(Thread {
            calls,
            ..Thread::default()
        });
    }
    let patterns = Patterns::new(&recording, Nearness::Exact);
    let nodes: Vec<_> = (0..3)
        .map(|thread| patterns.thread(thread).count())
        .collect();
    assert_eq!(nodes, [1, 1, 0]);
    assert_eq!(patterns.summary(1).patterns, 2);
}

#[test]
fn a_call_is_found_by_its_row() {
    let recording = tree("(main {4: (epoch {10: (step fwd bwd)} eval)} save)");
    let patterns = Patterns::new(&recording, Nearness::Exact);
    for row in 0..recording.threads[0].calls.len() {
        assert_eq!(patterns.call(0, row).unwrap().index(), row);
    }
    assert!(patterns.call(0, recording.threads[0].calls.len()).is_none());
}

#[test]
fn statistics_are_those_of_the_repetitions() {
    let mut recording = tree("a {3: (f g) h}");
    let rows = &mut recording.threads[0].calls;
    for (row, duration) in rows.iter_mut().zip([9, 10, 5, 1, 20, 6, 2, 30, 7, 3]) {
        row.duration = duration;
    }
    let patterns = Patterns::new(&recording, Nearness::Exact);
    let Some(Node::Repeat(repeat)) = patterns.thread(0).nth(1) else {
        panic!("no repeat");
    };
    let statistics = repeat.statistics();
    // What g took is part of f.
    assert_eq!(repeat.durations().collect::<Vec<_>>(), [11, 22, 33]);
    assert_eq!(
        (
            statistics.times.min,
            statistics.times.max,
            statistics.times.total
        ),
        (11, 33, 66)
    );
    assert_eq!((statistics.times.count, statistics.times.slowest), (3, 2));
    assert!((statistics.times.mean - 22.0).abs() < 1e-9);
    assert!((statistics.times.standard_deviation - (242.0f64 / 3.0).sqrt()).abs() < 1e-9);
    assert_eq!((statistics.first_call, statistics.last_call), (2, 10));
    assert_eq!(statistics.calls_per_repetition.single(), Some(3));
}

#[test]
fn a_summary_counts_what_is_shown() {
    let recording = tree("start {4: (epoch {10: (step fwd bwd)} eval)} {5: a b} save");
    let patterns = Patterns::new(&recording, Nearness::Exact);
    let summary = patterns.summary(2);
    assert_eq!(summary.calls, 1 + 4 * 32 + 10 + 1);
    // start; epoch, step, fwd, bwd, eval; 5x, a, b; save
    assert_eq!(summary.rows, 1 + 5 + 3 + 1);
    assert_eq!((summary.patterns, summary.deepest), (3, 2));
    assert_eq!(summary.calls_in_patterns, 4 * 32 + 10);
    assert!(summary.top[0].total >= summary.top[1].total);
    assert_eq!(summary.top.len(), 2);
}
