//! What is open where nobody has said so.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::super::View;
use super::super::open::{Base, NodeId, Open, State};
use super::layout::States;
use super::{below, id};
use crate::pattern::Nodes;

/// How many lines there are at most: a screen or two.
const LINES: usize = 120;

/// The same, but that nothing is left to be opened by itself.
pub(super) fn resolved<'o>(view: &View<'_>, open: &'o Open) -> Cow<'o, Open> {
    match open.base {
        Base::Auto => {
            let opened = opened(view, open, LINES);
            let mut open = Open::of(Base::None, open.states().to_vec());
            open.say(opened);
            Cow::Owned(open)
        }
        Base::All | Base::None => Cow::Borrowed(open),
    }
}

impl View<'_> {
    /// What to open, level by level, so that there are so many lines at most where there are not more
    /// to begin with; and how many there are with all of it open.
    pub fn open_up_to(&self, lines: usize) -> (Open, usize) {
        let all = self.lists().measure(&self.outermost()).lines;
        let open = match all <= lines {
            true => Open::of(Base::All, Vec::new()),
            false => Open::of(Base::None, opened(self, &Open::default(), lines)),
        };
        (open, all)
    }
}

/// Opens level by level what has room, beside what is open: what, and how.
fn opened(view: &View<'_>, open: &Open, most: usize) -> Vec<(NodeId, State)> {
    let (calls, lists) = (view.calls(), view.lists());
    let states = States::new(open, calls, None);
    let mut opened = Vec::new();
    // With whether all below is open, where nothing is to be done.
    let mut level: VecDeque<Nodes<'_>> = VecDeque::from([view.outermost()]);
    let mut lines = lists.measure(&view.outermost()).nodes;
    while let Some(list) = level.pop_front() {
        // Lists that are longer have no room for anything.
        for node in list.take(most) {
            let said = states.said_of(calls, &node);
            let (step, all) = match said {
                None => (None, false),
                Some(State::Closed) => continue,
                Some(State::Open { step, all }) => (step, all),
            };
            let Some((list, _)) = below(&node, step).filter(|(list, _)| !list.is_empty()) else {
                continue;
            };
            let measure = lists.measure(&list);
            let more = if all { measure.lines } else { measure.nodes };
            if said.is_none() && lines + more > most {
                continue;
            }
            lines += more;
            if said.is_none()
                && let Some(id) = id(calls, &node)
            {
                opened.push((id, State::Open { step, all }));
            }
            if !all {
                level.push_back(list);
            }
        }
    }
    opened
}
