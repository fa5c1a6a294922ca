//! The lines of a window.

use std::collections::VecDeque;
use std::rc::Rc;

use super::around::Around;
use super::below;
use super::layout::{Layout, Segment, Stretch};
use super::lists::{Lists, Seek};
use crate::pattern::{Node, Nodes};

/// A line of a tree.
#[derive(Debug, Clone)]
pub(super) struct Line<'p> {
    pub(super) node: Node<'p>,
    pub(super) around: Rc<Around<'p>>,
    /// Whether what is below it stands there; only where there is something.
    pub(super) open: bool,
    /// The repetition that a repeat shows.
    pub(super) step: Option<usize>,
    /// Whether nothing stands behind it in its list.
    pub(super) last: bool,
}

impl<'p> Layout<'p> {
    /// Up to `count` lines from the line `from` on.
    pub(super) fn window(&self, from: usize, count: usize, lists: Lists<'_>) -> Vec<Line<'p>> {
        let mut lines = Vec::new();
        for segment in &self.segments[self.segment(from)..] {
            let left = count - lines.len();
            if left == 0 {
                break;
            }
            let skip = from.saturating_sub(segment.line);
            let wanted = left.min(segment.lines - skip);
            segment.lines(skip, wanted, lists, &mut lines);
        }
        lines
    }
}

impl<'p> Segment<'p> {
    fn lines(&self, skip: usize, count: usize, lists: Lists<'_>, lines: &mut Vec<Line<'p>>) {
        match &self.stretch {
            &Stretch::Node {
                node,
                open,
                step,
                last,
            } => lines.push(Line {
                node,
                around: Rc::clone(&self.around),
                open,
                step,
                last,
            }),
            Stretch::Closed { list, first } => {
                let Some(found) = lists.find(list, Seek::Node(first + skip)) else {
                    return;
                };
                let mut nodes = found.behind;
                let mut next = Some(found.node);
                for _ in 0..count {
                    let Some(node) = next else {
                        return;
                    };
                    lines.push(Line {
                        node,
                        around: Rc::clone(&self.around),
                        open: false,
                        step: None,
                        last: nodes.is_empty(),
                    });
                    next = nodes.next();
                }
            }
            Stretch::Open { list, before } => {
                let mut walk = Walk {
                    lists,
                    lists_around: VecDeque::new(),
                    wanted: count,
                    lines,
                };
                walk.from(list.clone(), &self.around, before + skip);
            }
        }
    }
}

/// Walks lists of which everything is open.
struct Walk<'w, 'p> {
    lists: Lists<'w>,
    /// What is left of the lists around, outer ones first: of as many as may be reached.
    lists_around: VecDeque<(Nodes<'p>, Rc<Around<'p>>)>,
    /// How many lines are still wanted.
    wanted: usize,
    lines: &'w mut Vec<Line<'p>>,
}

impl<'p> Walk<'_, 'p> {
    /// Walks from a line of a list on.
    fn from(&mut self, list: Nodes<'p>, around: &Rc<Around<'p>>, mut line: usize) {
        let mut list = list;
        let mut around = Rc::clone(around);
        while let Some(found) = self.lists.find(&list, Seek::Line(line)) {
            line -= found.before.lines;
            if line == 0 {
                let last = found.behind.is_empty();
                self.push(found.behind, &around);
                self.node(found.node, around, last);
                break;
            }
            // What is before the line in question, down to the list that it is in.
            line -= 1;
            let Some((inner, _)) = below(&found.node, None) else {
                break;
            };
            let inside = Rc::new(around.below(&found.node, None));
            self.push(found.behind, &around);
            (list, around) = (inner, inside);
        }
        while self.wanted > 0
            && let Some((mut nodes, around)) = self.lists_around.pop_back()
        {
            if let Some(node) = nodes.next() {
                let last = nodes.is_empty();
                self.push(nodes, &around);
                self.node(node, around, last);
            }
        }
    }

    /// Keeps the rest of a list for later.
    fn push(&mut self, nodes: Nodes<'p>, around: &Rc<Around<'p>>) {
        if nodes.is_empty() {
            return;
        }
        // Each has a line at least, so that the outer ones of more lists are out of reach.
        if self.lists_around.len() > self.wanted {
            self.lists_around.pop_front();
        }
        self.lists_around.push_back((nodes, Rc::clone(around)));
    }

    /// A line, and what is below it for later.
    fn node(&mut self, node: Node<'p>, around: Rc<Around<'p>>, last: bool) {
        let list = below(&node, None).map(|(list, _)| list);
        let list = list.filter(|list| !list.is_empty());
        if let Some(list) = &list {
            let inside = Rc::new(around.below(&node, None));
            self.push(list.clone(), &inside);
        }
        self.lines.push(Line {
            node,
            around,
            open: list.is_some(),
            step: None,
            last,
        });
        self.wanted -= 1;
    }
}
