//! The order in which a thread's calls and repeats are drawn.

use crate::pattern::{Node, Nodes, Patterns, Stride};

/// A call or repeat, at its place in the drawing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'p> {
    pub(super) node: Node<'p>,
    /// How deep it stands; what a thread starts with, 0.
    pub(super) level: usize,
    /// Its index in its list.
    pub(super) index: usize,
    /// Whether nothing stands behind it in its list.
    pub(super) last: bool,
    /// Whether it is part of what repeats.
    pub(super) inside: bool,
    /// Of the repeats around it, those that multiply it: range of the walk's.
    strides: (usize, usize),
}

/// A list that is being drawn.
#[derive(Debug)]
struct Level<'p> {
    nodes: Nodes<'p>,
    index: usize,
    inside: bool,
    strides: (usize, usize),
}

/// Walks a thread: each call, each repeat with its first repetition, and what is below them.
#[derive(Debug)]
pub(super) struct Walk<'p> {
    levels: Vec<Level<'p>>,
    /// What is below the last step, which is next.
    below: Option<Level<'p>>,
    strides: Vec<Stride>,
}

impl<'p> Walk<'p> {
    pub(super) fn new(patterns: &'p Patterns<'_>, thread: usize) -> Self {
        Walk {
            levels: Vec::new(),
            below: Some(Level {
                nodes: patterns.thread(thread),
                index: 0,
                inside: false,
                strides: (0, 0),
            }),
            strides: Vec::new(),
        }
    }

    /// Leaves out what is below the last step.
    pub(super) fn skip_below(&mut self) {
        self.below = None;
    }

    /// Leaves out the rest of the list that the last step is in, itself included. Returns how many nodes
    /// of it that are, and how many calls.
    pub(super) fn skip_list(&mut self, step: &Step<'_>) -> (usize, usize) {
        self.below = None;
        let mut left_out = (1, calls_of(&step.node));
        if let Some(level) = self.levels.pop() {
            for node in level.nodes {
                left_out.0 += 1;
                left_out.1 += calls_of(&node);
            }
        }
        left_out
    }

    /// The exact repeats around a step, outer ones first.
    pub(super) fn strides(&self, step: &Step<'_>) -> &[Stride] {
        &self.strides[step.strides.0..step.strides.1]
    }

    fn level_below(
        &mut self,
        node: &Node<'p>,
        inside: bool,
        strides: (usize, usize),
    ) -> Option<Level<'p>> {
        self.strides.truncate(strides.1);
        let (nodes, inside, strides) = match node {
            Node::Gap(_) => return None,
            Node::Call(call) => (call.callees(), inside, strides),
            Node::Repeat(repeat) => {
                let strides = match Stride::of(repeat) {
                    Some(stride) => {
                        self.strides.push(stride);
                        (strides.0, self.strides.len())
                    }
                    // Repetitions that differ have no rows in common: the first stands for itself.
                    None => (self.strides.len(), self.strides.len()),
                };
                let nodes = match repeat.only_call() {
                    Some(call) => call.callees(),
                    None => repeat.body(),
                };
                (nodes, true, strides)
            }
        };
        Some(Level {
            nodes,
            index: 0,
            inside,
            strides,
        })
    }
}

impl<'p> Iterator for Walk<'p> {
    type Item = Step<'p>;

    fn next(&mut self) -> Option<Step<'p>> {
        self.levels.extend(self.below.take());
        loop {
            let depth = self.levels.len().checked_sub(1)?;
            let level = &mut self.levels[depth];
            let Some(node) = level.nodes.next() else {
                self.levels.pop();
                continue;
            };
            let step = Step {
                node,
                level: depth,
                index: level.index,
                last: level.nodes.is_empty(),
                inside: level.inside,
                strides: level.strides,
            };
            level.index += 1;
            self.below = self.level_below(&node, step.inside, step.strides);
            return Some(step);
        }
    }
}

/// How many calls a node is, with those below them.
fn calls_of(node: &Node<'_>) -> usize {
    match node {
        Node::Call(call) => call.rows().len(),
        Node::Repeat(repeat) => repeat.total_calls(),
        Node::Gap(_) => 0,
    }
}
