//! Numbers about the patterns of a whole recording.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Patterns;
use super::nodes::{Node, Nodes, Repeat};

/// What folding made of a recording.
#[derive(Debug, Clone)]
pub struct Summary<'p> {
    /// How many calls were recorded.
    pub calls: usize,
    /// How many rows are left where each repeat is shown once: a row for each call, and one for
    /// each repeat of more than one call.
    pub rows: usize,
    /// How many repeats there are in these rows.
    pub patterns: usize,
    /// How many repeats stand in each other, at most: in bodies and below calls.
    pub deepest: usize,
    /// How many calls belong to a repeat, themselves or through a caller.
    pub calls_in_patterns: usize,
    /// The repeats that took longest, see [`Repeat::total_time`], longest first: of those that stand
    /// in no other.
    pub top: Vec<TopPattern<'p>>,
}

/// A repeat and where it is.
#[derive(Debug, Clone, Copy)]
pub struct TopPattern<'p> {
    /// Index of the thread.
    pub thread: usize,
    /// The repeat.
    pub repeat: Repeat<'p>,
    /// How long it took, in nanoseconds.
    pub total: u64,
}

impl Summary<'_> {
    /// Share of the calls that belong to a repeat, from 0 to 1.
    pub fn share_in_patterns(&self) -> f64 {
        match self.calls {
            0 => 0.0,
            calls => self.calls_in_patterns as f64 / calls as f64,
        }
    }
}

/// A list on the way, and how many repeats it stands in.
struct Level<'p> {
    nodes: Nodes<'p>,
    nesting: usize,
}

pub(super) fn summarize<'p>(patterns: &'p Patterns<'_>, top: usize) -> Summary<'p> {
    let mut summary = Summary {
        calls: 0,
        rows: 0,
        patterns: 0,
        deepest: 0,
        calls_in_patterns: 0,
        top: Vec::new(),
    };
    let mut longest = BinaryHeap::new();
    let mut kept = Vec::new();
    // A call tree may be a million deep. Lists of which nothing is left are not kept: in most recursions,
    // that is all of them.
    let mut levels = Vec::new();
    for (thread, calls) in patterns.calls.iter().enumerate() {
        summary.calls += calls.len();
        let nodes = patterns.thread(thread);
        levels.push(Level { nodes, nesting: 0 });
        while let Some(Level { mut nodes, nesting }) = levels.pop() {
            let Some(node) = nodes.next() else {
                continue;
            };
            if !nodes.is_empty() {
                levels.push(Level { nodes, nesting });
            }
            let repeat = match node {
                Node::Call(call) => {
                    summary.rows += 1;
                    let nodes = call.callees();
                    levels.push(Level { nodes, nesting });
                    continue;
                }
                Node::Gap(_) => continue,
                Node::Repeat(repeat) => repeat,
            };
            let nesting = nesting + 1;
            summary.rows += usize::from(!repeat.is_of_one_call());
            summary.patterns += 1;
            summary.deepest = summary.deepest.max(nesting);
            let nodes = repeat.body();
            levels.push(Level { nodes, nesting });
            // Those within others are a part of these; their own figures are of the first only.
            if nesting > 1 {
                continue;
            }
            summary.calls_in_patterns += repeat.total_calls();
            let total = repeat.total_time();
            if top > 0 && (longest.len() < top || is_longer(&longest, total)) {
                // Of equals the first one wins: later ones rank lower.
                longest.push(Reverse((total, Reverse(kept.len()))));
                kept.push(TopPattern {
                    thread,
                    repeat,
                    total,
                });
                if longest.len() > top {
                    longest.pop();
                }
            }
        }
    }
    let ranked = longest.into_sorted_vec();
    let indices = ranked.iter().map(|Reverse((_, Reverse(index)))| *index);
    summary.top = indices.map(|index| kept[index]).collect();
    summary
}

/// Whether `total` is more than the least of `longest`.
fn is_longer(longest: &BinaryHeap<Reverse<(u64, Reverse<usize>)>>, total: u64) -> bool {
    longest
        .peek()
        .is_some_and(|Reverse((least, _))| total > *least)
}
