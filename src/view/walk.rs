//! The order in which a thread's calls and repeats are drawn.

use crate::pattern::{Call, Node, Nodes, Patterns, Repeat, Times};
use crate::recording::Row;

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
    /// Of the repeats around it, those that multiply it: range of [`Walk::strides`].
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

/// An exact repeat: how often, and how many rows each time.
#[derive(Debug, Clone, Copy)]
struct Stride {
    count: usize,
    rows: usize,
}

/// Walks a thread: each call, each repeat with its first repetition, and what is below them.
#[derive(Debug)]
pub(super) struct Walk<'p> {
    rows: &'p [Row],
    levels: Vec<Level<'p>>,
    /// What is below the last step, which is next.
    below: Option<Level<'p>>,
    strides: Vec<Stride>,
}

impl<'p> Walk<'p> {
    pub(super) fn new(patterns: &'p Patterns<'_>, thread: usize) -> Self {
        Walk {
            rows: &patterns.recording().threads[thread].calls,
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

    /// The rows that a call stands for, behind its own.
    pub(super) fn others(&self, step: &Step<'_>, call: &Call<'_>) -> impl Iterator<Item = &'p Row> {
        let (rows, row) = (self.rows, call.index());
        self.offsets(step)
            .skip(1)
            .map(move |offset| &rows[row + offset])
    }

    /// The rows that a repeat of one call stands for, behind the first.
    pub(super) fn others_of_repeat(
        &self,
        step: &Step<'_>,
        repeat: &Repeat<'p>,
    ) -> impl Iterator<Item = &'p Row> {
        let (rows, repeat) = (self.rows, *repeat);
        let all = self.offsets(step).flat_map(move |offset| {
            let starts = repeat.repetitions().map(|repetition| repetition.start);
            starts.map(move |row| &rows[row + offset])
        });
        all.skip(1)
    }

    /// The times of a repeat's repetitions, wherever it stands for others.
    pub(super) fn times(&self, step: &Step<'_>, repeat: &Repeat<'p>) -> Times {
        let (rows, repeat) = (self.rows, *repeat);
        Times::of(self.offsets(step).flat_map(move |offset| {
            (0..repeat.repetitions().len()).map(move |index| {
                let calls = repeat.repetition(index);
                calls.fold(0u64, |sum, call| {
                    sum.saturating_add(rows[call.index() + offset].duration)
                })
            })
        }))
    }

    /// How many rows further on each copy of a step is, in order; the first is 0.
    fn offsets(&self, step: &Step<'_>) -> impl Iterator<Item = usize> + use<'p> {
        let strides = self.strides[step.strides.0..step.strides.1].to_vec();
        let mut turns = vec![0; strides.len()];
        let mut offset = Some(0);
        std::iter::from_fn(move || {
            let now = offset?;
            let mut next = now;
            offset = None;
            // The innermost turns fastest.
            for (turn, stride) in turns.iter_mut().zip(&strides).rev() {
                if *turn + 1 < stride.count {
                    *turn += 1;
                    offset = Some(next + stride.rows);
                    break;
                }
                next -= *turn * stride.rows;
                *turn = 0;
            }
            Some(now)
        })
    }

    fn level_below(&mut self, node: &Node<'p>, inside: bool, strides: (usize, usize)) -> Level<'p> {
        self.strides.truncate(strides.1);
        let (nodes, inside, strides) = match node {
            Node::Call(call) => (call.callees(), inside, strides),
            Node::Repeat(repeat) => {
                let strides = if repeat.is_exact() {
                    let count = repeat.repetitions().len();
                    let rows = repeat.total_calls() / count;
                    self.strides.push(Stride { count, rows });
                    (strides.0, self.strides.len())
                } else {
                    // Repetitions that differ have no rows in common: the first stands for itself.
                    (self.strides.len(), self.strides.len())
                };
                let nodes = match only_call(repeat) {
                    Some(call) => call.callees(),
                    None => repeat.body(),
                };
                (nodes, true, strides)
            }
        };
        Level {
            nodes,
            index: 0,
            inside,
            strides,
        }
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
            self.below = Some(self.level_below(&node, step.inside, step.strides));
            return Some(step);
        }
    }
}

/// The call that a repeat consists of, if it is but one.
pub(super) fn only_call<'p>(repeat: &Repeat<'p>) -> Option<Call<'p>> {
    match repeat.body().next() {
        Some(Node::Call(call)) if repeat.is_of_one_call() => Some(call),
        _ => None,
    }
}

/// How many calls a node is, with those below them.
fn calls_of(node: &Node<'_>) -> usize {
    match node {
        Node::Call(call) => call.rows().len(),
        Node::Repeat(repeat) => repeat.total_calls(),
    }
}
