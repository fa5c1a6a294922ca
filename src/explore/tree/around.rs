//! What a list stands in.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::pattern::{Node, Stride};

/// What is true for all nodes of a list.
#[derive(Debug, Clone)]
pub(super) struct Around<'p> {
    /// How deep they stand; the outermost, 0.
    pub(super) level: usize,
    /// Levels of the repeats of more than one call around them.
    pub(super) boxes: Rc<[usize]>,
    /// The repeats that multiply them, outer ones first.
    pub(super) strides: Rc<[Stride]>,
    /// What they stand below.
    pub(super) above: Option<Above<'p>>,
    /// How long that took, in nanoseconds, once somebody asked.
    pub(super) above_took: OnceCell<u64>,
}

/// The line that a list stands below.
#[derive(Debug, Clone)]
pub(super) struct Above<'p> {
    pub(super) node: Node<'p>,
    /// The repetition that is shown.
    pub(super) step: Option<usize>,
    pub(super) strides: Rc<[Stride]>,
}

impl<'p> Around<'p> {
    /// Of a thread's outermost calls.
    pub(super) fn top() -> Self {
        Around {
            level: 0,
            boxes: Rc::new([]),
            strides: Rc::new([]),
            above: None,
            above_took: OnceCell::new(),
        }
    }

    /// Of what stands below a node of such a list.
    pub(super) fn below(&self, node: &Node<'p>, step: Option<usize>) -> Self {
        let mut strides = Rc::clone(&self.strides);
        if let Node::Repeat(repeat) = node {
            match Stride::of(repeat) {
                Some(stride) if step.is_none() => strides = with(&strides, stride),
                Some(_) => {}
                // What differs has no counterparts elsewhere.
                None => strides = Rc::new([]),
            }
        }
        Around {
            level: self.level + 1,
            boxes: self.boxes_of(node),
            strides,
            above: Some(Above {
                node: *node,
                step,
                strides: Rc::clone(&self.strides),
            }),
            above_took: OnceCell::new(),
        }
    }

    /// The boxes that are drawn around a node of such a list, its own as the last.
    pub(super) fn boxes_of(&self, node: &Node<'_>) -> Rc<[usize]> {
        match node {
            Node::Repeat(repeat) if !repeat.is_of_one_call() => with(&self.boxes, self.level),
            _ => Rc::clone(&self.boxes),
        }
    }
}

fn with<T: Clone>(list: &[T], last: T) -> Rc<[T]> {
    list.iter().cloned().chain([last]).collect()
}
