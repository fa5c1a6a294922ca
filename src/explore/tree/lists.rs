//! Finding nodes in lists that may be long.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::positions;
use crate::pattern::{Lines, Mark, Node, Nodes};

/// Lists of more nodes are walked once, and then from the next waypoint.
const LONG: usize = 512;
/// How many nodes there are from one waypoint to the next.
const APART: usize = 256;

/// The long lists that were looked at, by their identity: good for the patterns they are of.
#[derive(Debug, Default)]
pub(in super::super) struct ListsCache(Mutex<FxHashMap<usize, Arc<Index>>>);

/// A long list.
#[derive(Debug)]
struct Index {
    measure: Measure,
    waypoints: Vec<Waypoint>,
}

/// A node of a long list.
#[derive(Debug)]
struct Waypoint {
    mark: Mark,
    /// How far its first call is behind that of the list.
    position: usize,
    /// Lines of the nodes before it.
    lines: usize,
}

/// How much a list is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) nodes: usize,
    /// With all that is below its nodes.
    pub(super) lines: usize,
}

/// What to look for in a list.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seek {
    /// The node of this index.
    Node(usize),
    /// The node that a call at this position belongs to.
    Position(usize),
    /// The node that has this line if everything is open.
    Line(usize),
}

/// A node that was found.
#[derive(Debug)]
pub(super) struct Found<'p> {
    pub(super) node: Node<'p>,
    /// What comes behind it in its list.
    pub(super) behind: Nodes<'p>,
    /// What comes before it.
    pub(super) before: Measure,
}

/// Knows how much lists are, and finds their nodes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lists<'v> {
    pub(super) lines: &'v Lines,
    pub(super) cache: &'v ListsCache,
}

impl Lists<'_> {
    /// How much a list is, from its begin.
    pub(super) fn measure(&self, list: &Nodes<'_>) -> Measure {
        match self.index(list) {
            Some(index) => index.measure,
            None => self.sum(list.clone()),
        }
    }

    /// Of a node, in lines, if everything is open.
    pub(super) fn of_node(&self, node: &Node<'_>) -> usize {
        1 + match node {
            Node::Call(call) => self.lines.below(call),
            Node::Gap(_) => 0,
            Node::Repeat(repeat) => match repeat.only_call() {
                Some(call) => self.lines.below(&call),
                None => self.measure(&repeat.body()).lines,
            },
        }
    }

    /// Finds a node of a list, which is given from its begin.
    pub(super) fn find<'p>(&self, list: &Nodes<'p>, seek: Seek) -> Option<Found<'p>> {
        let mut before = Measure::default();
        let mut behind = list.clone();
        if let Some(index) = self.index(list) {
            let first = list.position();
            let not_behind = index.waypoints.partition_point(|waypoint| match seek {
                Seek::Node(_) => true,
                Seek::Position(position) => waypoint.position + first <= position,
                Seek::Line(line) => waypoint.lines <= line,
            });
            let at = match seek {
                Seek::Node(node) => (node / APART).min(not_behind.saturating_sub(1)),
                _ => not_behind.saturating_sub(1),
            };
            let waypoint = &index.waypoints[at];
            behind = list.resume(waypoint.mark);
            before = Measure {
                nodes: at * APART,
                lines: waypoint.lines,
            };
        }
        loop {
            let node = behind.next()?;
            let lines = self.of_node(&node);
            let is_it = match seek {
                Seek::Node(index) => before.nodes == index,
                Seek::Position(position) => position < positions(&node).end,
                Seek::Line(line) => line < before.lines + lines,
            };
            if is_it {
                return Some(Found {
                    node,
                    behind,
                    before,
                });
            }
            before.nodes += 1;
            before.lines += lines;
        }
    }

    fn sum(&self, nodes: Nodes<'_>) -> Measure {
        let mut sum = Measure::default();
        for node in nodes {
            sum.nodes += 1;
            sum.lines += self.of_node(&node);
        }
        sum
    }

    /// `None` if the list is short.
    fn index(&self, list: &Nodes<'_>) -> Option<Arc<Index>> {
        list.clone().nth(LONG)?;
        let known = || self.cache.0.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = list.identity();
        if let Some(index) = known().get(&identity) {
            return Some(Arc::clone(index));
        }
        // Outside of the lock: bodies have lists of their own.
        let index = Arc::new(self.walk(list));
        known().insert(identity, Arc::clone(&index));
        Some(index)
    }

    fn walk(&self, list: &Nodes<'_>) -> Index {
        let first = list.position();
        let mut waypoints = Vec::new();
        let mut measure = Measure::default();
        let mut nodes = list.clone();
        loop {
            if measure.nodes.is_multiple_of(APART) && !nodes.is_empty() {
                waypoints.push(Waypoint {
                    mark: nodes.mark(),
                    position: nodes.position() - first,
                    lines: measure.lines,
                });
            }
            let Some(node) = nodes.next() else {
                return Index { measure, waypoints };
            };
            measure.nodes += 1;
            measure.lines += self.of_node(&node);
        }
    }
}
