//! The tree of values that lies breadth first in the bytes captured.

use std::ops::Range;

use crate::event::{Value, values};

/// A value and where its children are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) value: Value,
    first: u32,
    present: u32,
}

/// Captured values with their children. One is reused for all that is decoded.
#[derive(Debug, Default)]
pub(super) struct Nodes(Vec<Node>);

impl Nodes {
    /// Takes what was captured of `roots` values. Every node but a root is the child of exactly
    /// one that comes before it, whatever the bytes are: so whoever walks them comes to an end.
    pub(super) fn read(&mut self, bytes: &[u8], roots: usize) {
        self.0.clear();
        let mut next = roots;
        let claimed = values(bytes).enumerate().map_while(|(index, value)| {
            // What nobody claims is nothing.
            (index < next).then(|| {
                let first = next;
                next += usize::from(value.children);
                Node {
                    value,
                    first: first as u32,
                    present: 0,
                }
            })
        });
        self.0.extend(claimed);
        let count = self.0.len() as u32;
        for node in &mut self.0 {
            node.present = count
                .saturating_sub(node.first)
                .min(u32::from(node.value.children));
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<&Node> {
        self.0.get(index)
    }
}

impl Node {
    /// Those of its children that there was room for.
    pub(super) fn children(&self) -> Range<usize> {
        self.first as usize..(self.first + self.present) as usize
    }
}
