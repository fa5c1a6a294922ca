//! How many lines it takes to show everything.

use super::folds::{Folds, Kind, Near, Packed, is_one_call, siblings};
use super::nodes::{Call, Node, Nodes};
use super::shapes::{Shape, Shapes};

/// For each shape, the lines of what is below a call of it.
///
/// A call is a line, and so are gaps with no call between them. So is a repeat of one call, below which stands what that called; any other repeat
/// is a line and those of its first repetition.
#[derive(Debug)]
pub struct Lines {
    /// No more than there are calls: nothing is folded that takes more lines then.
    below: Vec<u32>,
}

impl Lines {
    pub(super) fn count(shapes: &Shapes, folds: &Folds) -> Lines {
        let mut lines = Lines {
            below: Vec::with_capacity(folds.len()),
        };
        for shape in shapes.iter().take(folds.len()) {
            let nodes = folds.list(shape.index());
            let count = lines.of(nodes, shapes.list(shape), folds.all_near());
            lines.below.push(u32::try_from(count).unwrap_or(u32::MAX));
        }
        lines
    }

    /// Of what `call` called, in lines.
    pub fn below(&self, call: &Call<'_>) -> usize {
        self.of_shape(call.shape())
    }

    /// Of what is left of a list, in lines. Looks at all of it.
    pub fn of_list(&self, nodes: &Nodes<'_>) -> usize {
        let (single, nodes, shapes, near) = nodes.rest();
        let (first, rest) = shapes.split_at(single);
        self.of_calls(first) + self.of(nodes, rest, near)
    }

    /// Of a node, in lines, with all below it.
    pub fn of_node(&self, node: &Node<'_>) -> usize {
        match node {
            Node::Call(call) => 1 + self.below(call),
            Node::Gap(_) => 1,
            Node::Repeat(repeat) => match repeat.only_call() {
                Some(call) => 1 + self.below(&call),
                None => 1 + self.of_list(&repeat.body()),
            },
        }
    }

    fn of_shape(&self, shape: Shape) -> usize {
        self.below[shape.index()] as usize
    }

    fn of_calls(&self, shapes: &[u32]) -> usize {
        let below = shapes.iter().map(|&shape| self.of_shape(Shape(shape)));
        below.sum::<usize>() + shapes.len()
    }

    fn of(&self, nodes: &[Packed], shapes: &[u32], near: &[Near]) -> usize {
        let mut lines = 0;
        let mut rest = nodes;
        let mut sibling = 0;
        while let Some((node, behind)) = rest.split_first() {
            let (len, first, all) = match node.kind() {
                Kind::Calls(stretch) => {
                    lines += self.of_calls(&shapes[sibling..sibling + stretch]);
                    sibling += stretch;
                    rest = behind;
                    continue;
                }
                Kind::Exact { count, nodes } => {
                    let each = siblings(&behind[..nodes], near);
                    (nodes, each, each * count)
                }
                Kind::Near { index, nodes } => {
                    let starts = &near[index].starts;
                    let (first, last) = (starts[0], starts[starts.len() - 1]);
                    let each = starts[1].sibling - first.sibling;
                    (
                        nodes,
                        each as usize,
                        (last.sibling - first.sibling) as usize,
                    )
                }
            };
            let (body, behind) = behind.split_at(len);
            // Bodies nest no deeper than 32.
            lines += match is_one_call(body) {
                true => 1 + self.of_shape(Shape(shapes[sibling])),
                false => 1 + self.of(body, &shapes[sibling..sibling + first], near),
            };
            sibling += all;
            rest = behind;
        }
        lines
    }
}
