//! Opening what stands above a call.

use serde::Serialize;

use super::super::View;
use super::super::open::{NodeId, Open, State};
use super::layout::{Layout, States};
use super::lists::Seek;
use super::rows::{serialize_id, serialize_open};
use super::{auto, below, id};
use crate::pattern::Node;
use crate::trace::Category;

/// How long the states of nodes above a call may be together, in bytes of text. What is below the last
/// of these is opened as a whole.
const ROOM: usize = 12 * 1024;

/// How a call is made to stand there: the answer to `/api/reveal`.
#[derive(Debug, Serialize)]
pub struct Reveal {
    /// What is open then.
    #[serde(serialize_with = "serialize_open")]
    pub open: Open,
    /// The node that has the call's line.
    #[serde(serialize_with = "serialize_id")]
    pub id: NodeId,
    /// Index of the line; `None`: the call is left out.
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
            (Some(_), None) => Some("it stands below more repeats than can be gone through"),
            (Some(_), Some(_)) => None,
        };
        Some(Reveal {
            open,
            id,
            index: layout.target,
            total: layout.total,
            hidden,
        })
    }

    /// The node that has the line of the call at a position, and what is to be said of those above it.
    fn path(&self, open: &Open, position: usize) -> Option<(NodeId, Vec<(NodeId, State)>)> {
        let (calls, lists) = (self.calls(), self.lists());
        let states = States::new(open, calls, None);
        let mut said: Vec<(NodeId, State)> = Vec::new();
        let mut room = ROOM;
        let mut default = states.open;
        let mut list = self.outermost();
        loop {
            let node = lists.find(&list, Seek::Position(position))?.node;
            let id = id(calls, &node);
            let (is_open, shown, all) = states.of(calls, &node, default);
            let (step, is_it) = match &node {
                Node::Call(call) => (None, call.position() == position),
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
                return Some((id, said));
            }
            let out_of_room = room == 0;
            let all = (is_open && all) || out_of_room;
            let state = State::Open { step, all };
            // What holds without a word is left unsaid.
            if states.said_of(calls, &node).is_some() || !default || step.is_some() {
                room = room.saturating_sub(format!("{id}{state},").len());
                said.push((id, state));
            }
            if is_it {
                return Some((id, said));
            }
            default = all;
            list = below(&node, step)?.0;
        }
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
