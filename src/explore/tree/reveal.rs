//! Opening what stands above a call.

use serde::Serialize;

use super::super::View;
use super::super::gaps::{GapId, run_of};
use super::super::open::{NodeId, Open, State};
use super::layout::{Layout, States};
use super::lists::Seek;
use super::rows::{LineId, serialize_open};
use super::{auto, below, id};
use crate::pattern::Node;
use crate::recording::{Calls, GapRun};
use crate::trace::Category;

/// How long the states of nodes above a call may be together, in bytes of text. What is below the last
/// of these is opened as a whole.
const ROOM: usize = 12 * 1024;
/// Why there is no line.
const TOO_DEEP: &str = "it stands below more repeats than can be gone through";

/// What is said of nodes.
type Said = Vec<(NodeId, State)>;

/// How a call or a gap is made to stand there: the answer to `/api/reveal`.
#[derive(Debug, Serialize)]
pub struct Reveal {
    /// What is open then.
    #[serde(serialize_with = "serialize_open")]
    pub open: Open,
    /// What has the line: a node that is the call, or stands for it.
    pub id: LineId,
    /// Index of the line; `None`: it is left out.
    pub index: Option<usize>,
    /// How many lines there are.
    pub total: usize,
    /// Why it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<&'static str>,
}

impl View<'_> {
    /// Opens what has to be for the call of this index to have a line. `None` if the thread has no such
    /// call.
    pub fn reveal(&self, open: &Open, row: usize) -> Option<Reveal> {
        if row >= self.recording().threads[self.thread()].calls.len() {
            return None;
        }
        let mut open = auto::resolved(self, open).into_owned();
        let position = self.calls().position(row);
        let id = match position.and_then(|position| self.path(&open, position)) {
            Some((id, states)) => {
                open.say(states);
                id
            }
            None => NodeId { row, calls: None },
        };
        let states = States::new(&open, self.calls(), position.map(|_| id));
        let layout = Layout::new(self.outermost(), self.calls(), &states, self.lists());
        let hidden = match (position, layout.target) {
            (None, _) => Some(self.why_left_out(row)),
            (Some(_), None) => Some(TOO_DEEP),
            (Some(_), Some(_)) => None,
        };
        Some(Reveal {
            open,
            id: LineId::Node(id),
            index: layout.target,
            total: layout.total,
            hidden,
        })
    }

    /// Opens what has to be for the gap of this index to have a line. `None` if the thread has no such gap.
    pub fn reveal_gap(&self, open: &Open, gap: usize) -> Option<Reveal> {
        let (calls, thread) = (self.calls(), &self.recording().threads[self.thread()]);
        let mut open = auto::resolved(self, open).into_owned();
        let place = thread.gaps.get(gap)?;
        let Some(at) = run_of(calls, thread, gap) else {
            let row = place.position(&thread.calls);
            let states = States::new(&open, calls, None);
            let layout = Layout::new(self.outermost(), calls, &states, self.lists());
            return Some(Reveal {
                open,
                id: LineId::Gap(GapId { row, gap }),
                index: None,
                total: layout.total,
                hidden: Some("the filters leave out what it stands in"),
            });
        };
        let run = &calls.gaps()[at];
        let (behind, states) = self.path_to_gap(&open, run)?;
        open.say(states);
        let states = States::new(&open, calls, behind);
        let layout = Layout::new(self.outermost(), calls, &states, self.lists());
        // Nothing is between the gap and what is behind it but other gaps, which stand less deep.
        let there = calls.gaps()[at..].iter();
        let gaps = there.take_while(|other| other.position == run.position);
        let end = match behind {
            Some(_) => layout.target,
            None => Some(layout.total),
        };
        let index = end.and_then(|end| end.checked_sub(gaps.count()));
        Some(Reveal {
            open,
            id: LineId::Gap(self.gap_id(run)),
            index,
            total: layout.total,
            hidden: index.is_none().then_some(TOO_DEEP),
        })
    }

    /// The node that has the line of the call at a position, and what is to be said of those above it.
    fn path(&self, open: &Open, position: usize) -> Option<(NodeId, Said)> {
        let (calls, lists) = (self.calls(), self.lists());
        let states = States::new(open, calls, None);
        let mut above = Above::new(&states);
        let mut list = self.outermost();
        loop {
            let node = lists.find(&list, Seek::Position(position))?.node;
            let id = id(calls, &node)?;
            let (_, shown, _) = states.of(calls, &node, above.open);
            let (step, is_it) = match &node {
                Node::Call(call) => (None, call.position() == position),
                // It has no position, so that it is not found by one.
                Node::Gap(_) => return None,
                Node::Repeat(repeat) => {
                    let index = repeat.repetition_of(position)?;
                    let first = repeat.repetition(index).next()?;
                    let is_it = repeat.is_of_one_call() && first.position() == position;
                    // The template is that of the first.
                    let step = match index {
                        0 => shown.filter(|shown| *shown == 0),
                        _ => Some(index),
                    };
                    (step, is_it)
                }
            };
            if is_it && step == shown {
                return Some((id, above.said));
            }
            above.pass(calls, &node, id, step);
            if is_it {
                return Some((id, above.said));
            }
            list = below(&node, step)?.0;
        }
    }

    /// The node that begins behind a gap, and what is to be said of the calls that the gap stands in.
    fn path_to_gap(&self, open: &Open, run: &GapRun) -> Option<(Option<NodeId>, Said)> {
        let (calls, lists) = (self.calls(), self.lists());
        let states = States::new(open, calls, None);
        let mut above = Above::new(&states);
        let mut list = self.outermost();
        let level_behind = (run.position < calls.len()).then(|| calls.depth(run.position));
        let mut behind = None;
        for level in 0..=run.depth {
            if level_behind == Some(level) {
                let found = lists.find(&list, Seek::Position(run.position))?;
                behind = id(calls, &found.node);
            }
            if level < run.depth {
                // A call: it is like no other, having the gap in it.
                let before = run.position.checked_sub(1)?;
                let node = lists.find(&list, Seek::Position(before))?.node;
                above.pass(calls, &node, id(calls, &node)?, None);
                list = below(&node, None)?.0;
            }
        }
        Some((behind, above.said))
    }

    fn why_left_out(&self, row: usize) -> &'static str {
        let (recording, filter) = (self.recording(), self.filter());
        let row = &recording.threads[self.thread()].calls[row];
        match recording.code(row).category {
            Category::Import if filter.hide_imports => "imports are hidden",
            Category::External if filter.hide_external => "calls outside of the scope are hidden",
            _ if row.duration < filter.min_duration => "shorter calls are hidden",
            _ => "calls that no exception left are hidden",
        }
    }
}

/// What is to be said of the nodes above something, from the outermost on.
struct Above<'s> {
    states: &'s States,
    said: Said,
    /// Bytes that are left for it.
    room: usize,
    /// Whether the next node is open unless something is said of it.
    open: bool,
}

impl<'s> Above<'s> {
    fn new(states: &'s States) -> Self {
        Above {
            states,
            said: Vec::new(),
            room: ROOM,
            open: states.open,
        }
    }

    /// Opens a node; `step`: of a repeat, which repetition is shown.
    fn pass(&mut self, calls: &Calls<'_>, node: &Node<'_>, id: NodeId, step: Option<usize>) {
        let (is_open, _, all) = self.states.of(calls, node, self.open);
        let out_of_room = self.room == 0;
        let all = (is_open && all) || out_of_room;
        let state = State::Open { step, all };
        // What holds without a word is left unsaid.
        if self.states.said_of(calls, node).is_some() || !self.open || step.is_some() {
            self.room = self.room.saturating_sub(format!("{id}{state},").len());
            self.said.push((id, state));
        }
        self.open = all;
    }
}
