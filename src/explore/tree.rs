//! The tree of a thread's calls, any stretch of its lines.
//!
//! ```text
//! Open ─► Layout: stretches of lists and single nodes ─► Line: a node at its place ─► Row
//!            └─ Lists: what is at a line, a position ─┘      └─ Figures: of all it stands for
//! ```
//!
//! Nothing here grows with the number of lines but what is asked for, and nothing recurses: a list may
//! have ten million nodes, and calls may stand a million deep.

mod around;
mod auto;
mod figures;
mod layout;
mod lists;
mod members;
mod reveal;
mod rows;
mod window;

pub use members::CallMembers;
pub use reveal::Reveal;
pub use rows::{Rows, TreeRow};

use super::open::NodeId;
use crate::pattern::{Node, Nodes};
use crate::recording::Calls;

pub(super) use figures::FiguresCache;
pub(super) use lists::ListsCache;
pub(super) use members::{Cut, Placed};

use figures::Figures;
use lists::Lists;

use super::View;

impl<'r> View<'r> {
    fn outermost(&self) -> Nodes<'_> {
        self.patterns().thread(0)
    }

    fn lists(&self) -> Lists<'_> {
        Lists {
            lines: self.patterns().lines(),
            cache: &self.known_lists,
        }
    }

    fn figures(&self) -> Figures<'_, 'r> {
        Figures {
            recording: self.recording(),
            cache: &self.known_figures,
        }
    }
}

/// What the page calls a node.
fn id(calls: &Calls<'_>, node: &Node<'_>) -> NodeId {
    match node {
        Node::Call(call) => NodeId {
            row: call.index(),
            calls: None,
        },
        Node::Repeat(repeat) => NodeId {
            row: calls.index(repeat.rows().start),
            calls: Some(repeat.total_calls()),
        },
    }
}

/// What stands below a node, and the position behind its last call. `step`: of a repeat, which of its
/// repetitions; there must be one of this index.
fn below<'p>(node: &Node<'p>, step: Option<usize>) -> Option<(Nodes<'p>, usize)> {
    let repeat = match node {
        Node::Call(call) => return Some((call.callees(), call.rows().end)),
        Node::Repeat(repeat) => repeat,
    };
    if repeat.is_of_one_call() {
        let call = repeat.repetition(step.unwrap_or(0)).next()?;
        return Some((call.callees(), call.rows().end));
    }
    let end = repeat.repetitions().nth(step.unwrap_or(0))?.end;
    let nodes = match step {
        Some(step) => repeat.repetition_folded(step)?,
        None => repeat.body(),
    };
    Some((nodes, end))
}

/// Positions of all calls that a node is.
fn positions(node: &Node<'_>) -> std::ops::Range<usize> {
    match node {
        Node::Call(call) => call.rows(),
        Node::Repeat(repeat) => repeat.rows(),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::recording;
