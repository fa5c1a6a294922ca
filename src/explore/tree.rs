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
pub use rows::{LineId, Rows, TreeRow};

use super::gaps::GapId;
use super::open::NodeId;
use crate::pattern::{Call, Node, Nodes, Repeat};
use crate::recording::{Calls, GapRun};

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

    /// What the page calls the line of a node.
    fn line_id(&self, node: &Node<'_>) -> LineId {
        match node {
            Node::Call(call) => LineId::Node(id_of_call(call)),
            Node::Repeat(repeat) => LineId::Node(id_of_repeat(self.calls(), repeat)),
            Node::Gap(run) => LineId::Gap(self.gap_id(run)),
        }
    }

    /// What the page calls gaps.
    fn gap_id(&self, run: &GapRun) -> GapId {
        let rows = self.recording().threads[self.thread()].calls.len();
        GapId::of(run, self.calls(), rows)
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

/// What the page calls a node; `None` for a gap, of which nothing can be said.
fn id(calls: &Calls<'_>, node: &Node<'_>) -> Option<NodeId> {
    match node {
        Node::Call(call) => Some(id_of_call(call)),
        Node::Repeat(repeat) => Some(id_of_repeat(calls, repeat)),
        Node::Gap(_) => None,
    }
}

fn id_of_call(call: &Call<'_>) -> NodeId {
    NodeId {
        row: call.index(),
        calls: None,
    }
}

fn id_of_repeat(calls: &Calls<'_>, repeat: &Repeat<'_>) -> NodeId {
    NodeId {
        row: calls.index(repeat.rows().start),
        calls: Some(repeat.total_calls()),
    }
}

/// What stands below a node, and the position behind its last call. `step`: of a repeat, which of its
/// repetitions; there must be one of this index.
fn below<'p>(node: &Node<'p>, step: Option<usize>) -> Option<(Nodes<'p>, usize)> {
    let repeat = match node {
        Node::Call(call) => return Some((call.callees(), call.rows().end)),
        Node::Gap(_) => return None,
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

/// Positions of all calls that a node is; of a gap, none.
fn positions(node: &Node<'_>) -> std::ops::Range<usize> {
    match node {
        Node::Call(call) => call.rows(),
        Node::Repeat(repeat) => repeat.rows(),
        Node::Gap(gap) => gap.position..gap.position,
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::recording;
