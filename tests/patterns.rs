//! Patterns in the traces of the test programs: nothing is lost, and whatever the flat search of
//! old would group is grouped, or better. Needs root.
//!
//! That search looked for 2 to 20 calls that are the same several times in a row. Let a *group* be
//! any such stretch of one list of callees: two or more consecutive copies of 2 to 20 siblings that
//! are the same by function and by all that they call. Then
//!
//! - with every [`Nearness`], a group has a sibling that is in a repeat;
//! - exactly folded, the nodes that a group touches have no more rows than if it were folded as a
//!   group and its surroundings were left alone. If it lies within one repetition of a repeat, that
//!   also holds for the body of the repeat, and so on inwards. So a group is given up only where it
//!   overlaps something better;
//! - no list has more rows with near repeats than exactly folded.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use pytrace::format::read;
use pytrace::pattern::{Call, Nearness, Node, Nodes, Patterns, Repeat};
use pytrace::recording::Recording;
use run::Place;

const ALL: [Nearness; 3] = [Nearness::Exact, Nearness::TripCounts, Nearness::Functions];

/// Lengths of what a group repeats.
const BODIES: std::ops::RangeInclusive<usize> = 2..=20;

/// What repeats in so many ways that its trace has every kind of group.
const LOOPS: &str = "
def a(): pass
def b(): pass
def c(): a(); b()
def step(times):
    c()
    for _ in range(times): a(); b()
    c()
def irregular(n):
    for i in range(n): [a, b, c][i * i % 7 % 3]()
def main():
    for times in (1, 2, 3, 3, 3, 2, 1): step(times); a(); step(times)
    for _ in range(4): c(); a(); a(); b(); a()
    for i in range(20): irregular(i)
    irregular(3000)
main()
";

/// Recordings of programs, each with what it is called.
fn recordings() -> Vec<(String, Recording)> {
    let place = Place::new();
    let loops = place.write("loops.py", LOOPS);
    let mut scripts = vec![loops];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for directory in ["tests/programs", "tests/programs/values", "examples"] {
        let files = root.join(directory).read_dir().unwrap();
        let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "py"));
        scripts.append(&mut files);
    }
    scripts.push(root.join("tests/programs/imports/main.py"));
    scripts.sort();
    let mut recordings = Vec::new();
    for script in scripts {
        let script = script.to_str().unwrap();
        // Whether the program ended well is another test's concern.
        place.run(place.python(&["--as-root", "--no-follow", "-o", "t.json", script]));
        let recording = read(&place.path("t.json")).unwrap();
        assert!(
            recording.footer.is_some(),
            "{script}: the trace is cut short"
        );
        std::fs::remove_file(place.path("t.json")).unwrap();
        recordings.push((script.to_owned(), recording));
    }
    recordings
}

/// Equal numbers for calls that are the same from there down; made without the code under test.
#[derive(Default)]
struct Trees(HashMap<(String, Vec<usize>), usize>);

impl Trees {
    /// For each row of a thread.
    fn numbers(&mut self, recording: &Recording, thread: usize) -> Vec<usize> {
        let rows = &recording.threads[thread].calls;
        let mut numbers = vec![0; rows.len()];
        // Callees of the calls to the right, from right to left, by depth.
        let mut callees: Vec<Vec<usize>> = Vec::new();
        for (row, number) in rows.iter().zip(&mut numbers).rev() {
            let depth = row.depth as usize;
            callees.resize(callees.len().max(depth + 2), Vec::new());
            let code = recording.code(row);
            let function = format!("{} {} {}", code.file, code.line, code.name);
            let next = self.0.len();
            let tree = (function, std::mem::take(&mut callees[depth + 1]));
            *number = *self.0.entry(tree).or_insert(next);
            callees[depth].push(*number);
        }
        numbers
    }
}

/// A list of callees, or a repetition of some.
struct Folded<'p> {
    nodes: Nodes<'p>,
    /// Its siblings as numbers of [`Trees`].
    siblings: Vec<usize>,
    /// What its siblings are, by their row.
    places: HashMap<usize, usize>,
}

/// Rows that `nodes` take, where callees are not shown.
fn rows(nodes: Nodes<'_>) -> usize {
    nodes.map(|node| rows_of(&node)).sum()
}

fn rows_of(node: &Node<'_>) -> usize {
    match node {
        Node::Repeat(repeat) if !repeat.is_of_one_call() => 1 + rows(repeat.body()),
        _ => 1,
    }
}

/// All calls of `nodes`, with their numbers, by the repeats' own account of their repetitions.
fn unfolded<'p>(nodes: Nodes<'p>) -> Vec<Call<'p>> {
    let calls = nodes.map(|node| match node {
        Node::Call(call) => vec![call],
        Node::Gap(_) => vec![],
        Node::Repeat(repeat) => {
            let each = (0..repeat.repetitions().len()).map(|index| repeat.repetition(index));
            each.flatten().collect()
        }
    });
    calls.flatten().collect()
}

impl<'p> Folded<'p> {
    fn new(nodes: Nodes<'p>, numbers: &[usize]) -> Self {
        let calls = unfolded(nodes.clone());
        let places = calls
            .iter()
            .enumerate()
            .map(|(place, call)| (call.index(), place));
        Folded {
            nodes,
            siblings: calls.iter().map(|call| numbers[call.index()]).collect(),
            places: places.collect(),
        }
    }

    /// The groups: start, end, length of what repeats; from each place the shortest and the longest
    /// for each of these lengths.
    fn groups(&self) -> Vec<(usize, usize, usize)> {
        let mut groups = Vec::new();
        for body in BODIES {
            for start in 0..self.siblings.len() {
                let mut copies = self.siblings[start..].chunks_exact(body);
                let first = copies.next();
                let count = 1 + copies.take_while(|&copy| Some(copy) == first).count();
                if count >= 2 {
                    groups.push((start, start + 2 * body, body));
                    groups.push((start, start + count * body, body));
                }
            }
        }
        groups
    }

    /// Each node with its first sibling and that behind it.
    fn spans(&self) -> Vec<(Node<'p>, usize, usize)> {
        let mut starts: Vec<(Node<'_>, usize)> = Vec::new();
        for node in self.nodes.clone() {
            let row = match &node {
                Node::Call(call) => call.index(),
                Node::Repeat(repeat) => repeat.rows().start,
                Node::Gap(_) => continue,
            };
            starts.push((node, self.places[&row]));
        }
        let ends = starts.iter().skip(1).map(|(_, start)| *start);
        let ends: Vec<usize> = ends.chain([self.siblings.len()]).collect();
        let spans = starts.into_iter().zip(ends);
        spans
            .map(|((node, start), end)| (node, start, end))
            .collect()
    }

    /// Checks the groups of this list; returns how many.
    fn check(&self, nearness: Nearness, numbers: &[usize]) -> usize {
        let spans = self.spans();
        let groups = self.groups();
        for &(start, end, body) in &groups {
            let touched = spans
                .iter()
                .filter(|(_, from, to)| *from < end && start < *to);
            let touched: Vec<_> = touched.collect();
            let is_repeat = |node: &Node<'_>| matches!(node, Node::Repeat(_));
            assert!(
                touched.iter().any(|(node, ..)| is_repeat(node)),
                "{start}..{end} of {:?} is not folded",
                self.siblings
            );
            if nearness == Nearness::Exact {
                let (from, to) = (touched[0].1, touched[touched.len() - 1].2);
                let ours: usize = touched.iter().map(|(node, ..)| rows_of(node)).sum();
                let theirs = (start - from) + 1 + body + (to - end);
                assert!(
                    ours <= theirs,
                    "{ours} rows, not {theirs}, for {from}..{to} of {:?}",
                    self.siblings
                );
            }
        }
        if nearness == Nearness::Exact {
            for (node, ..) in spans {
                // What repeats within a repetition is one of the groups of its body.
                if let Node::Repeat(repeat) = node {
                    Folded::new(repeat.body(), numbers).check(nearness, numbers);
                }
            }
        }
        groups.len()
    }
}

/// Depth and number of all calls as the folded form has them: an exact repeat by copies of its
/// template.
fn expanded(nodes: Nodes<'_>, numbers: &[usize]) -> Vec<(usize, usize)> {
    let mut calls = Vec::new();
    let mut levels = vec![(nodes, 0)];
    while let Some((nodes, depth)) = levels.last_mut() {
        let depth = *depth;
        match nodes.next() {
            None => drop(levels.pop()),
            Some(Node::Call(call)) => {
                calls.push((depth, numbers[call.index()]));
                levels.push((call.callees(), depth + 1));
            }
            Some(Node::Repeat(repeat)) if repeat.is_exact() => {
                let count = repeat.count().single().unwrap();
                levels.extend((0..count).map(|_| (repeat.body(), depth)));
            }
            Some(Node::Gap(_)) => {}
            Some(Node::Repeat(repeat)) => varying(&repeat, depth, numbers, &mut calls),
        }
    }
    calls
}

/// Repetitions that are not all as the template.
fn varying(repeat: &Repeat<'_>, depth: usize, numbers: &[usize], calls: &mut Vec<(usize, usize)>) {
    for index in 0..repeat.repetitions().len() {
        let mut levels: Vec<(Call<'_>, usize)> = Vec::new();
        for call in repeat.repetition(index) {
            levels.push((call, depth));
            while let Some((call, depth)) = levels.pop() {
                calls.push((depth, numbers[call.index()]));
                let mut callees: Vec<_> = call.callees_unfolded().collect();
                callees.reverse();
                levels.extend(callees.into_iter().map(|call| (call, depth + 1)));
            }
        }
    }
}

/// All lists of a thread that differ from each other.
fn lists<'p>(patterns: &'p Patterns<'_>, thread: usize) -> Vec<Nodes<'p>> {
    let mut known = HashSet::new();
    let mut lists = vec![patterns.thread(thread)];
    let mut next = 0;
    while let Some(list) = lists.get(next) {
        next += 1;
        for call in unfolded(list.clone()) {
            if known.insert(call.shape()) {
                lists.push(call.callees());
            }
        }
    }
    lists
}

#[test]
#[ignore = "needs root and eBPF"]
fn traces_of_programs_are_folded_as_far_as_they_were_and_come_back_whole() {
    let mut groups = 0;
    for (name, recording) in recordings() {
        let mut trees = Trees::default();
        let threads = 0..recording.threads.len();
        let numbers: Vec<Vec<usize>> = threads
            .clone()
            .map(|thread| trees.numbers(&recording, thread))
            .collect();
        let all = ALL.map(|nearness| Patterns::new(&recording, nearness));
        for thread in threads {
            let numbers = &numbers[thread];
            let depths = recording.threads[thread]
                .calls
                .iter()
                .map(|row| row.depth as usize);
            let calls: Vec<_> = depths.zip(numbers.iter().copied()).collect();
            let exact_rows: Vec<usize> = lists(&all[0], thread).into_iter().map(rows).collect();
            for patterns in &all {
                let nearness = patterns.nearness();
                let expanded = expanded(patterns.thread(thread), numbers);
                assert!(expanded == calls, "{name}: {nearness:?} changes calls");
                for (list, exact) in lists(patterns, thread).into_iter().zip(&exact_rows) {
                    assert!(
                        rows(list.clone()) <= *exact,
                        "{name}: {nearness:?} has more rows"
                    );
                    groups += Folded::new(list, numbers).check(nearness, numbers);
                }
            }
        }
    }
    println!("{groups} groups");
    // Else this has tested nothing.
    assert!(groups > 10_000, "{groups} groups");
}
