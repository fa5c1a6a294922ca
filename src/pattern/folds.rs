//! The folded form of sibling lists, packed.
//!
//! One [`Packed`] of 8 bytes stands for a stretch of siblings that do not repeat, or for the head
//! of a repeat, whose body follows it. So a list costs memory for what is left after folding.

use std::sync::OnceLock;

/// A node of a folded list. Its siblings are known from its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packed {
    /// How often; 0: a stretch of single calls; with [`Packed::NEAR`], an index into
    /// [`Folds::near`].
    head: u32,
    /// Of a stretch: how many siblings. Of a repeat: how many nodes follow it that are its body.
    len: u32,
}

/// What a [`Packed`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Siblings that do not repeat.
    Calls(usize),
    /// A body, so many times, every time the same.
    Exact { count: usize, nodes: usize },
    /// A body whose repetitions differ: an index into [`Folds::near`].
    Near { index: usize, nodes: usize },
}

impl Packed {
    const NEAR: u32 = 1 << 31;

    pub(super) fn calls(siblings: usize) -> Packed {
        Packed {
            head: 0,
            len: siblings as u32,
        }
    }

    /// A repeat whose body comes to `nodes`.
    pub(super) fn exact(count: usize, nodes: usize) -> Packed {
        Packed {
            head: (count as u32).min(Packed::NEAR - 1),
            len: nodes as u32,
        }
    }

    pub(super) fn near(index: usize, nodes: usize) -> Packed {
        Packed {
            head: Packed::NEAR | index as u32,
            len: nodes as u32,
        }
    }

    pub(super) fn kind(self) -> Kind {
        let len = self.len as usize;
        match self.head {
            0 => Kind::Calls(len),
            head if head & Packed::NEAR == 0 => Kind::Exact {
                count: head as usize,
                nodes: len,
            },
            head => Kind::Near {
                index: (head & !Packed::NEAR) as usize,
                nodes: len,
            },
        }
    }
}

/// What there is to know of a repeat whose repetitions differ.
///
/// It may occur inside a repeat, once in each of its repetitions. The counts are over all of these
/// occurrences, the rest is of the first.
#[derive(Debug)]
pub(super) struct Near {
    /// Fewest and most repetitions.
    pub(super) count: (u32, u32),
    /// Where each repetition starts, and behind them where the last one ends.
    pub(super) starts: Box<[Start]>,
    /// Each repetition by itself, as far as somebody looked.
    pub(super) anew: OnceLock<Box<[OnceLock<Anew>]>>,
}

/// Siblings of a list, folded for themselves.
#[derive(Debug)]
pub(super) struct Anew {
    pub(super) nodes: Vec<Packed>,
    /// What the nodes refer to.
    pub(super) near: Vec<Near>,
}

impl Near {
    /// Folds a repetition by itself, the first time; `fold` does it.
    pub(super) fn anew(&self, repetition: usize, fold: impl FnOnce() -> Anew) -> &Anew {
        let repetitions = self.starts.len() - 1;
        let all = self
            .anew
            .get_or_init(|| (0..repetitions).map(|_| OnceLock::new()).collect());
        all[repetition].get_or_init(fold)
    }
}

/// A place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// Index of the sibling.
    pub(super) sibling: u32,
    /// How many rows its row is behind that of the first sibling.
    pub(super) row: u32,
}

/// The folded lists of all shapes: for each, its callees.
#[derive(Debug)]
pub(super) struct Folds {
    nodes: Vec<Packed>,
    /// Where each list starts in `nodes`; one more than there are lists.
    starts: Vec<u32>,
    near: Vec<Near>,
    /// The class of each shape; empty where only exact repeats are wanted.
    pub(super) class_of: Vec<u32>,
}

impl Default for Folds {
    fn default() -> Self {
        Folds {
            nodes: Vec::new(),
            starts: vec![0],
            near: Vec::new(),
            class_of: Vec::new(),
        }
    }
}

impl Folds {
    /// How many lists there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The nodes of a list.
    pub(super) fn list(&self, index: usize) -> &[Packed] {
        &self.nodes[self.starts[index] as usize..self.starts[index + 1] as usize]
    }

    /// What [`Packed::near`] refers to in these lists.
    pub(super) fn all_near(&self) -> &[Near] {
        &self.near
    }

    /// Adds a list.
    pub(super) fn push(&mut self, nodes: &[Packed]) {
        self.nodes.extend_from_slice(nodes);
        self.starts.push(self.nodes.len() as u32);
    }

    /// The index of what is added next.
    pub(super) fn near_len(&self) -> usize {
        self.near.len()
    }

    /// Adds what [`Packed::near`] refers to.
    pub(super) fn extend_near(&mut self, near: Vec<Near>) {
        self.near.extend(near);
    }
}

/// How many siblings `nodes` stand for, all repetitions counted.
pub(super) fn siblings(nodes: &[Packed], near: &[Near]) -> usize {
    let mut total = 0;
    let mut at = 0;
    while let Some(&node) = nodes.get(at) {
        at += 1;
        match node.kind() {
            Kind::Calls(siblings) => total += siblings,
            // Repeats nest as deep as their lengths double: no deeper than 32.
            Kind::Exact { count, nodes: len } => {
                total += count * siblings(&nodes[at..at + len], near);
                at += len;
            }
            Kind::Near { index, nodes: len } => {
                let starts = &near[index].starts;
                total += (starts[starts.len() - 1].sibling - starts[0].sibling) as usize;
                at += len;
            }
        }
    }
    total
}

/// How many rows a reader sees: one for each call, and one for each repeat of more than one call.
pub(super) fn rows(nodes: &[Packed]) -> usize {
    let heads = nodes
        .iter()
        .enumerate()
        .map(|(at, node)| match node.kind() {
            Kind::Calls(siblings) => siblings,
            Kind::Exact { nodes: len, .. } | Kind::Near { nodes: len, .. } => {
                let body = &nodes[at + 1..at + 1 + len];
                usize::from(!is_one_call(body))
            }
        });
    heads.sum()
}

/// Whether a body is one call.
pub(super) fn is_one_call(body: &[Packed]) -> bool {
    matches!(body, [node] if node.kind() == Kind::Calls(1))
}
