//! Where each line is.

use std::ops::Range;
use std::rc::Rc;

use super::super::open::{Base, NodeId, Open, State};
use super::around::Around;
use super::lists::{Found, Lists, Measure, Seek};
use super::{below, id, positions};
use crate::pattern::{Node, Nodes};
use crate::recording::Calls;

/// The lines of a tree as it is drawn, in stretches.
#[derive(Debug)]
pub(super) struct Layout<'p> {
    pub(super) segments: Vec<Segment<'p>>,
    /// How many lines there are.
    pub(super) total: usize,
    /// The first line of the node that was asked for, if it stands there.
    pub(super) target: Option<usize>,
}

/// Lines one behind the other: some nodes of one list.
#[derive(Debug)]
pub(super) struct Segment<'p> {
    /// Its first line.
    pub(super) line: usize,
    pub(super) lines: usize,
    pub(super) stretch: Stretch<'p>,
    pub(super) around: Rc<Around<'p>>,
}

/// How these nodes are drawn.
#[derive(Debug)]
pub(super) enum Stretch<'p> {
    /// One node, without what is below it.
    Node {
        node: Node<'p>,
        open: bool,
        step: Option<usize>,
        last: bool,
    },
    /// A line for each node, from this one of the list on.
    Closed { list: Nodes<'p>, first: usize },
    /// All that is below them is open. The list has so many lines before the first of them.
    Open { list: Nodes<'p>, before: usize },
}

/// What is said of nodes, by the positions that they stand at.
#[derive(Debug)]
pub(super) struct States {
    /// What holds for all others.
    pub(super) open: bool,
    /// In order of position and calls. `None`: nothing is said, but its line is asked for.
    said: Vec<(usize, NodeId, Option<State>)>,
    target: Option<NodeId>,
}

impl States {
    /// `target`: a node whose line is asked for.
    pub(super) fn new(open: &Open, calls: &Calls<'_>, target: Option<NodeId>) -> States {
        let said = open.states().iter().map(|&(id, state)| (id, Some(state)));
        let asked = target.map(|id| (id, None));
        let placed = said.chain(asked).filter_map(|(id, state)| {
            let position = calls.position(id.row)?;
            Some((position, id, state))
        });
        let mut said: Vec<_> = placed.collect();
        // Where something is said of the target, that comes first and counts.
        said.sort_by_key(|&(position, id, state)| (position, id, state.is_none()));
        States {
            open: open.base == Base::All,
            said,
            target,
        }
    }

    /// Whether a node is open, the repetition that it shows, and whether what is below it is open unless
    /// it says otherwise. `open`: whether this node is, unless it says otherwise.
    pub(super) fn of(
        &self,
        calls: &Calls<'_>,
        node: &Node<'_>,
        open: bool,
    ) -> (bool, Option<usize>, bool) {
        let said = self.said_of(calls, node);
        match said {
            None => (open, None, open),
            Some(State::Closed) => (false, None, false),
            Some(State::Open { step, all }) => (true, step, all),
        }
    }

    /// What is said of a node, if that can be.
    pub(super) fn said_of(&self, calls: &Calls<'_>, node: &Node<'_>) -> Option<State> {
        let id = id(calls, node)?;
        let key = (positions(node).start, id);
        let first = self
            .said
            .partition_point(|&(position, id, _)| (position, id) < key);
        let (_, found, state) = self.said.get(first)?;
        let fits = |state: &State| match (state, node) {
            (
                State::Open {
                    step: Some(step), ..
                },
                Node::Repeat(repeat),
            ) => *step < repeat.repetitions().len(),
            _ => true,
        };
        state.filter(|state| *found == id && fits(state))
    }

    /// The node whose line is asked for, if it starts at one of these positions, and nothing is said of
    /// any node that does.
    fn only_asked_for(&self, positions: &Range<usize>) -> Option<(usize, NodeId)> {
        let first = self.said.partition_point(|state| state.0 < positions.start);
        let within = self.said[first..]
            .iter()
            .take_while(|state| state.0 < positions.end);
        // Nothing is said of one node at most.
        match within.take(2).collect::<Vec<_>>()[..] {
            [&(position, id, None)] => Some((position, id)),
            _ => None,
        }
    }

    /// Whether it is this node whose line is asked for.
    fn is_target(&self, id: Option<NodeId>) -> bool {
        id.is_some() && self.target == id
    }

    /// The first position from `from` on of which something is said.
    fn next(&self, from: usize) -> Option<usize> {
        let next = self.said.partition_point(|state| state.0 < from);
        self.said.get(next).map(|state| state.0)
    }
}

/// A list that is being laid out.
struct Frame<'p> {
    list: Nodes<'p>,
    around: Rc<Around<'p>>,
    /// Whether its nodes are open unless they say otherwise.
    open: bool,
    /// What of it is laid out.
    done: Measure,
    /// Where the rest begins, and where all of it ends.
    positions: Range<usize>,
}

struct Builder<'v, 'p> {
    lists: Lists<'v>,
    calls: &'p Calls<'p>,
    states: &'v States,
    layout: Layout<'p>,
    /// Outer ones first, without those of which nothing is left.
    frames: Vec<Frame<'p>>,
}

impl<'p> Layout<'p> {
    /// Of the list of a thread's outermost calls.
    pub(super) fn new(
        list: Nodes<'p>,
        calls: &'p Calls<'p>,
        states: &States,
        lists: Lists<'_>,
    ) -> Layout<'p> {
        let mut builder = Builder {
            lists,
            calls,
            states,
            layout: Layout {
                segments: Vec::new(),
                total: 0,
                target: None,
            },
            frames: Vec::new(),
        };
        builder.frames.push(Frame {
            positions: list.position()..calls.len(),
            list,
            around: Rc::new(Around::top()),
            open: states.open,
            done: Measure::default(),
        });
        while let Some(frame) = builder.frames.pop() {
            builder.frame(frame);
        }
        builder.layout
    }

    /// The index of the segment that a line is in.
    pub(super) fn segment(&self, line: usize) -> usize {
        self.segments
            .partition_point(|segment| segment.line + segment.lines <= line)
    }
}

impl<'p> Builder<'_, 'p> {
    /// Lays out a list up to the next node of which something is said, and that node.
    fn frame(&mut self, mut frame: Frame<'p>) {
        if frame.open
            && let Some((position, id)) = self.states.only_asked_for(&frame.positions)
        {
            // It may stand a million deep: that takes no stretch for each level.
            if let Some(line) = self.line(&frame, position, id) {
                self.layout.target = Some(self.layout.total + line - frame.done.lines);
            }
            let all = self.lists.measure(&frame.list);
            self.stretch(&frame, all);
            return;
        }
        let next = self.states.next(frame.positions.start);
        let next = next.filter(|next| *next < frame.positions.end);
        let found = next.and_then(|next| self.lists.find(&frame.list, Seek::Position(next)));
        let Some(Found {
            node,
            behind,
            before,
        }) = found
        else {
            let all = self.lists.measure(&frame.list);
            self.stretch(&frame, all);
            return;
        };
        self.stretch(&frame, before);
        let (open, step, all) = self.states.of(self.calls, &node, frame.open);
        let last = behind.is_empty();
        let below = below(&node, step).filter(|(list, _)| !list.is_empty());
        if self.states.is_target(id(self.calls, &node)) {
            self.layout.target = Some(self.layout.total);
        }
        self.push(
            1,
            Stretch::Node {
                node,
                open: open && below.is_some(),
                step,
                last,
            },
            &frame.around,
        );
        let around = Rc::clone(&frame.around);
        if !last {
            frame.done = Measure {
                nodes: before.nodes + 1,
                lines: before.lines + self.lists.of_node(&node),
            };
            frame.positions.start = positions(&node).end;
            self.frames.push(frame);
        }
        if let Some((list, end)) = below.filter(|_| open) {
            self.frames.push(Frame {
                positions: list.position()..end,
                list,
                around: Rc::new(around.below(&node, step)),
                open: all,
                done: Measure::default(),
            });
        }
    }

    /// The line of a node, from the begin of a list of which all is open, also below.
    fn line(&self, frame: &Frame<'p>, position: usize, target: NodeId) -> Option<usize> {
        let (mut list, mut positions) = (frame.list.clone(), frame.positions.clone());
        let mut line = 0;
        while positions.contains(&position) {
            let Found { node, before, .. } = self.lists.find(&list, Seek::Position(position))?;
            line += before.lines;
            if id(self.calls, &node) == Some(target) {
                return Some(line);
            }
            line += 1;
            let end;
            (list, end) = below(&node, None)?;
            positions = list.position()..end;
        }
        None
    }

    /// The nodes of a list up to so many of which nothing is said.
    fn stretch(&mut self, frame: &Frame<'p>, up_to: Measure) {
        let list = frame.list.clone();
        let done = frame.done;
        let (lines, stretch) = match frame.open {
            true => {
                let before = done.lines;
                (up_to.lines - before, Stretch::Open { list, before })
            }
            false => {
                let first = done.nodes;
                (up_to.nodes - first, Stretch::Closed { list, first })
            }
        };
        if lines > 0 {
            self.push(lines, stretch, &frame.around);
        }
    }

    fn push(&mut self, lines: usize, stretch: Stretch<'p>, around: &Rc<Around<'p>>) {
        self.layout.segments.push(Segment {
            line: self.layout.total,
            lines,
            stretch,
            around: Rc::clone(around),
        });
        self.layout.total += lines;
    }
}
