//! The flame graph: calls merged by their path of functions.

mod paths;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::Explorer;
use super::filter::Filter;
use super::shown::{NamedFunction, code_names};
use super::threads::Threads;
use paths::NONE;
pub(super) use paths::Paths;

/// How many nodes an answer has at most.
const MOST_NODES: usize = 6000;

/// What of the flame graph is shown.
#[derive(Debug, Clone, Copy)]
pub struct FlameQuery {
    /// Whose calls.
    pub threads: Threads,
    /// Which of them.
    pub filter: Filter,
    /// The number of the node that is to be the whole, which an answer to the same threads and
    /// filter had; `None`: everything.
    pub at: Option<u32>,
    /// Nodes whose total is less than this part of the whole, 0 to 1, are left out.
    pub min: f64,
}

/// Some of the flame graph.
#[derive(Debug, Serialize)]
pub struct Flame<'r> {
    /// What all that is shown took, in nanoseconds.
    pub total: u64,
    /// How many calls are merged into all nodes, those left out with them.
    pub calls: u64,
    /// In order of depth first, siblings from the heaviest on.
    pub nodes: Vec<FlameNode>,
    /// The functions by the code that names them.
    pub codes: FxHashMap<u32, NamedFunction<'r>>,
    /// How many nodes are left out: below `min`, or too many for an answer.
    pub left_out: usize,
    /// How many calls, of all of these threads, are in no node, because there are more than half a
    /// million paths.
    pub calls_left_out: u64,
}

/// Depth, code, total, self, calls, parent, number. Times in nanoseconds; `parent` is the index of a
/// node of the same answer, -1 at the top; the number is what the graph can be asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FlameNode(
    pub u32,
    pub u32,
    pub u64,
    pub u64,
    pub u64,
    pub i64,
    pub u32,
);

impl<'r> Explorer<'r> {
    /// The flame graph of some calls; `None` if there is no such node.
    pub fn flame(&self, query: &FlameQuery) -> Option<Flame<'r>> {
        let functions = self.functions();
        let paths = self.paths.get((query.threads, query.filter), || {
            let indices = query.threads.indices(self.recording);
            Paths::new(functions, indices, |thread| {
                self.calls(thread, &query.filter)
            })
        });
        if query.at.is_some_and(|at| at as usize >= paths.len()) {
            return None;
        }
        let roots = match query.at {
            Some(at) => vec![at],
            None => paths.children(NONE).to_vec(),
        };
        let totals = roots.iter().map(|&root| paths.node(root).total);
        let total = totals.fold(0, u64::saturating_add);
        let least = (total as f64 * query.min.clamp(0.0, 1.0)).ceil() as u64;
        let chosen = heaviest(&paths, &roots, least);

        let mut nodes: Vec<FlameNode> = Vec::with_capacity(chosen.len());
        // Nodes to come, each with its depth and the index of its parent.
        let mut ahead: Vec<(u32, u32, i64)> = Vec::new();
        ahead.extend(roots.iter().rev().map(|&root| (root, 0, -1)));
        while let Some((number, depth, parent)) = ahead.pop() {
            if !chosen.contains_key(&number) {
                continue;
            }
            let node = paths.node(number);
            let index = nodes.len() as i64;
            nodes.push(FlameNode(
                depth,
                functions.code(node.function),
                node.total,
                node.own,
                node.calls,
                parent,
                number,
            ));
            let children = paths.children(number).iter().rev();
            ahead.extend(children.map(|&child| (child, depth + 1, index)));
        }
        let (all, calls) = paths.below(&roots);
        Some(Flame {
            total,
            calls,
            left_out: all - nodes.len(),
            codes: code_names(nodes.iter().map(|node| node.1), |code, most| {
                NamedFunction::new(&self.recording.codes[code as usize], most)
            }),
            nodes,
            calls_left_out: paths.calls_left_out(),
        })
    }
}

/// The heaviest nodes below `roots`, as many as an answer holds; nodes come with those above them.
fn heaviest(paths: &Paths, roots: &[u32], least: u64) -> FxHashMap<u32, ()> {
    let rank = |&number: &u32| (paths.node(number).total, Reverse(number));
    let mut ahead = BinaryHeap::new();
    let is_heavy = |number: &&u32| paths.node(**number).total >= least;
    // Children are in order, so that the others behind the ones that are too light are as well.
    ahead.extend(roots.iter().take_while(is_heavy).map(rank));
    let mut chosen = FxHashMap::default();
    while chosen.len() < MOST_NODES
        && let Some((_, Reverse(number))) = ahead.pop()
    {
        chosen.insert(number, ());
        let children = paths.children(number).iter();
        ahead.extend(children.take_while(is_heavy).map(rank));
    }
    chosen
}

#[cfg(test)]
mod tests;
