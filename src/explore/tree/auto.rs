//! What is open where nobody has said so.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::super::View;
use super::super::open::{Base, Open, State};
use super::layout::States;
use super::{below, id};
use crate::pattern::Nodes;

/// How many lines there are at most: a screen or two.
const LINES: usize = 120;

/// The same, but that nothing is left to be opened by itself.
pub(super) fn resolved<'o>(view: &View<'_>, open: &'o Open) -> Cow<'o, Open> {
    match open.base {
        Base::Auto => Cow::Owned(opened(view, open)),
        Base::All | Base::None => Cow::Borrowed(open),
    }
}

/// Opens level by level what has room.
fn opened(view: &View<'_>, open: &Open) -> Open {
    let (calls, lists) = (view.calls(), view.lists());
    let states = States::new(open, calls, None);
    let mut opened = Vec::new();
    // With whether all below is open, where nothing is to be done.
    let mut level: VecDeque<Nodes<'_>> = VecDeque::from([view.outermost()]);
    let mut lines = lists.measure(&view.outermost()).nodes;
    while let Some(list) = level.pop_front() {
        // Lists that are longer have no room for anything.
        for node in list.take(LINES) {
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
            if said.is_none() && lines + more > LINES {
                continue;
            }
            lines += more;
            if said.is_none() {
                let state = State::Open { step, all };
                opened.push((id(calls, &node), state));
            }
            if !all {
                level.push_back(list);
            }
        }
    }
    let mut open = Open::of(Base::None, open.states().to_vec());
    open.say(opened);
    open
}
