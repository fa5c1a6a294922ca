//! The paths of functions that calls stand on, merged to a tree.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::explore::cache::Weigh;
use crate::explore::threads::Functions;
use crate::recording::Calls;

/// How many paths are told apart. A program that recurses a million deep has as many.
const MOST: usize = 500_000;

/// Above the outermost nodes; also a node that is left out.
pub(super) const NONE: u32 = u32::MAX;

/// The tree of paths.
#[derive(Debug)]
pub(in crate::explore) struct Paths {
    /// Parents before their children.
    nodes: Vec<Node>,
    /// All nodes by their parents, of these the heaviest first.
    order: Vec<u32>,
    /// Where each node's children start in `order`; behind those of the last, where the outermost
    /// nodes do, and the end.
    starts: Vec<u32>,
    left_out: u64,
}

/// Calls that stand on the same path; times in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) function: u32,
    parent: u32,
    pub(super) total: u64,
    /// `total` without what they called.
    pub(super) own: u64,
    pub(super) calls: u64,
}

impl Weigh for Paths {
    fn weight(&self) -> usize {
        self.nodes.len() * (size_of::<Node>() + 2 * size_of::<u32>())
    }
}

impl Paths {
    /// Of the calls of some threads.
    pub(super) fn new<'r>(
        functions: &Functions,
        threads: impl Iterator<Item = usize>,
        calls: impl Fn(usize) -> Calls<'r>,
    ) -> Self {
        Paths::bounded(MOST, functions, threads, calls)
    }

    /// The same, of so many paths at most.
    pub(super) fn bounded<'r>(
        most: usize,
        functions: &Functions,
        threads: impl Iterator<Item = usize>,
        calls: impl Fn(usize) -> Calls<'r>,
    ) -> Self {
        let mut pass = Pass {
            most,
            ..Pass::default()
        };
        for thread in threads {
            pass.add(&calls(thread), functions);
        }
        pass.finish()
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How many calls are in no node.
    pub(super) fn calls_left_out(&self) -> u64 {
        self.left_out
    }

    /// The node of a number, which must exist.
    pub(super) fn node(&self, number: u32) -> &Node {
        &self.nodes[number as usize]
    }

    /// The nodes below one, the heaviest first; below [`NONE`], the outermost ones.
    pub(super) fn children(&self, number: u32) -> &[u32] {
        let at = (number as usize).min(self.nodes.len());
        &self.order[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    /// How many nodes and calls these nodes and those below them are.
    pub(super) fn below(&self, roots: &[u32]) -> (usize, u64) {
        let mut ahead = roots.to_vec();
        let (mut nodes, mut calls) = (0, 0);
        while let Some(number) = ahead.pop() {
            nodes += 1;
            calls += self.node(number).calls;
            ahead.extend(self.children(number));
        }
        (nodes, calls)
    }
}

/// A pass over all calls.
#[derive(Default)]
struct Pass {
    most: usize,
    nodes: Vec<Node>,
    /// Keyed by a random hash: what is in there may come from a hostile file.
    known: HashMap<(u32, u32), u32>,
    /// By node, the child that was called last: mostly, it is the same again.
    last: Vec<u32>,
    /// The same for the outermost calls.
    last_root: Option<u32>,
    path: Vec<Active>,
    left_out: u64,
}

/// A call in progress.
struct Active {
    /// [`NONE`]: it is left out.
    node: u32,
    /// What is left of its duration without its callees so far.
    own: u64,
}

impl Pass {
    fn add(&mut self, calls: &Calls<'_>, functions: &Functions) {
        for position in 0..calls.len() {
            let row = calls.row(position);
            self.close(calls.depth(position) as usize);
            let function = functions.of(row.code);
            let node = match self.path.last_mut() {
                Some(caller) => {
                    // Other tools' calls may outlive their callers.
                    caller.own = caller.own.saturating_sub(row.duration);
                    match caller.node {
                        // What is below something left out is left out.
                        NONE => NONE,
                        parent => self.child(parent, function),
                    }
                }
                None => self.child(NONE, function),
            };
            match self.nodes.get_mut(node as usize) {
                Some(node) => {
                    node.calls += 1;
                    node.total = node.total.saturating_add(row.duration);
                }
                None => self.left_out += 1,
            }
            self.path.push(Active {
                node,
                own: row.duration,
            });
        }
        self.close(0);
    }

    fn close(&mut self, depth: usize) {
        while self.path.len() > depth {
            let Some(ended) = self.path.pop() else { break };
            if let Some(node) = self.nodes.get_mut(ended.node as usize) {
                node.own = node.own.saturating_add(ended.own);
            }
        }
    }

    fn child(&mut self, parent: u32, function: u32) -> u32 {
        let last = match parent {
            NONE => self.last_root.unwrap_or(NONE),
            parent => self.last[parent as usize],
        };
        let is_function = |node: &Node| node.function == function;
        if self.nodes.get(last as usize).is_some_and(is_function) {
            return last;
        }
        let next = self.nodes.len();
        let child = match self.known.get(&(parent, function)) {
            Some(&known) => known,
            None if next < self.most => {
                self.known.insert((parent, function), next as u32);
                self.last.push(NONE);
                self.nodes.push(Node {
                    function,
                    parent,
                    total: 0,
                    own: 0,
                    calls: 0,
                });
                next as u32
            }
            None => return NONE,
        };
        match parent {
            NONE => self.last_root = Some(child),
            parent => self.last[parent as usize] = child,
        }
        child
    }

    fn finish(self) -> Paths {
        let nodes = self.nodes;
        let end = nodes.len();
        // Outermost nodes come behind all others.
        let place = |node: &Node| (node.parent as usize).min(end);
        let mut order: Vec<u32> = (0..end as u32).collect();
        order.sort_unstable_by_key(|&number| {
            let node = &nodes[number as usize];
            (place(node), Reverse(node.total), number)
        });
        let mut starts = vec![0; end + 2];
        for node in &nodes {
            starts[place(node) + 1] += 1;
        }
        for at in 0..=end {
            starts[at + 1] += starts[at];
        }
        Paths {
            nodes,
            order,
            starts,
            left_out: self.left_out,
        }
    }
}
