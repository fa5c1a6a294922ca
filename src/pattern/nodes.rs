//! What a reader walks: calls and repeats, list by list.

use std::ops::Range;

use super::count::Count;
use super::folds::{Anew, Folds, Kind, Near, Packed, Start, is_one_call, siblings};
use super::near::fold_anew;
use super::shapes::{Shape, Shapes};
use super::statistics::RepeatStatistics;
use crate::recording::{Calls, GapRun, Row};

/// A node of a folded list.
#[derive(Debug, Clone, Copy)]
pub enum Node<'p> {
    /// A call that does not repeat here.
    Call(Call<'p>),
    /// Consecutive calls that repeat.
    Repeat(Repeat<'p>),
    /// Where events are missing: of no call, and in no repeat.
    Gap(&'p GapRun),
}

/// Where all of it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'p> {
    pub(super) calls: &'p Calls<'p>,
    pub(super) shapes: &'p Shapes,
    pub(super) folds: &'p Folds,
}

impl<'p> Source<'p> {
    /// The folded callees of `shape`, the first of which is at the position `row`.
    pub(super) fn callees(self, shape: Shape, row: usize) -> Nodes<'p> {
        Nodes {
            list: List {
                source: self,
                shapes: self.shapes.list(shape),
                near: self.folds.all_near(),
                row,
            },
            nodes: self.folds.list(shape.index()),
            stretch: 0,
            sibling: 0,
            row,
        }
    }
}

/// Consecutive siblings, folded or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'p> {
    pub(super) source: Source<'p>,
    pub(super) shapes: &'p [u32],
    /// What their nodes refer to.
    near: &'p [Near],
    /// Position of the first of them.
    pub(super) row: usize,
}

impl List<'_> {
    /// How many rows these siblings are, with all below them.
    pub(super) fn rows(&self, siblings: Range<usize>) -> usize {
        let shapes = self.source.shapes;
        self.shapes[siblings]
            .iter()
            .map(|&shape| shapes.calls(Shape(shape)))
            .sum()
    }
}

/// A call, at its place.
#[derive(Debug, Clone, Copy)]
pub struct Call<'p> {
    source: Source<'p>,
    shape: Shape,
    row: usize,
}

impl<'p> Call<'p> {
    pub(super) fn new(source: Source<'p>, shape: Shape, row: usize) -> Self {
        Call { source, shape, row }
    }

    /// Its index into [`Thread::calls`](crate::recording::Thread::calls).
    pub fn index(&self) -> usize {
        self.source.calls.index(self.row)
    }

    /// Its position among the [`Calls`] that were looked at; the index, where that is all of a thread.
    pub fn position(&self) -> usize {
        self.row
    }

    /// Its row.
    pub fn row(&self) -> &'p Row {
        self.source.calls.row(self.row)
    }

    /// Itself and all calls below it, as positions.
    pub fn rows(&self) -> Range<usize> {
        self.row..self.row + self.source.shapes.calls(self.shape)
    }

    /// Equal for calls of one [`Patterns`](super::Patterns) that are the same from here down: same
    /// function, same calls below.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// What it called, folded.
    pub fn callees(&self) -> Nodes<'p> {
        self.source.callees(self.shape, self.row + 1)
    }

    pub(super) fn calls(&self) -> &'p Calls<'p> {
        self.source.calls
    }

    /// What it called, one by one.
    pub fn callees_unfolded(&self) -> impl Iterator<Item = Call<'p>> + use<'p> {
        let source = self.source;
        let mut row = self.row + 1;
        let callees = source.shapes.callees(self.shape);
        let callees = callees.filter(move |&shape| source.shapes.calls(shape) > 0);
        callees.map(move |shape| {
            let call = Call::new(source, shape, row);
            row += source.shapes.calls(shape);
            call
        })
    }
}

/// Consecutive calls that repeat: a loop, as far as one can tell from outside.
///
/// Inside a repeat this is the occurrence in the first repetition, which stands for the others:
/// rows, numbers and statistics are those of this occurrence. Only [`Repeat::count`] and
/// [`Repeat::is_exact`] tell of all.
#[derive(Debug, Clone, Copy)]
pub struct Repeat<'p> {
    list: List<'p>,
    body: &'p [Packed],
    count: Count,
    exact: bool,
    /// Where its repetitions are; `None`: each as long as the first.
    near: Option<&'p Near>,
    /// How many there are.
    repetitions: usize,
    /// The first sibling and how many, all repetitions together.
    siblings: (usize, usize),
    row: usize,
    /// How many rows, all repetitions together.
    rows: usize,
}

impl<'p> Repeat<'p> {
    /// How often. A range only inside of repeats that are not exact, where it may differ.
    pub fn count(&self) -> Count {
        self.count
    }

    /// Whether all repetitions are the same from here down, everywhere that this stands for.
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// The first repetition, folded: the template. Where this is not exact, what its calls called
    /// may have been different in other repetitions: see [`Repeat::repetition`].
    pub fn body(&self) -> Nodes<'p> {
        Nodes {
            list: self.list,
            nodes: self.body,
            stretch: 0,
            sibling: self.siblings.0,
            row: self.row,
        }
    }

    /// Whether its body is one call: then it is one row, `5x a`.
    pub fn is_of_one_call(&self) -> bool {
        is_one_call(self.body)
    }

    /// All its calls and what is below them, as positions.
    pub fn rows(&self) -> Range<usize> {
        self.row..self.row + self.rows
    }

    /// Number of its first call.
    pub fn first_call(&self) -> u64 {
        self.list.source.calls.row(self.row).number
    }

    /// Number of the last call of the last repetition.
    pub fn last_call(&self) -> u64 {
        self.list.source.calls.row(self.row + self.rows - 1).number
    }

    /// How many calls all repetitions are, with those below them.
    pub fn total_calls(&self) -> usize {
        self.rows
    }

    /// How many calls a repetition is, with those below it.
    pub fn calls_per_repetition(&self) -> Count {
        if self.near.is_none() {
            return Count::one(self.rows / self.repetitions);
        }
        let mut count = Count {
            min: usize::MAX,
            max: 0,
        };
        for repetition in self.repetitions() {
            count.min = count.min.min(repetition.len());
            count.max = count.max.max(repetition.len());
        }
        count
    }

    /// Each repetition, in order: its calls and what is below them, as positions.
    pub fn repetitions(&self) -> impl ExactSizeIterator<Item = Range<usize>> + use<'p> {
        let repeat = *self;
        (0..self.repetitions).map(move |index| repeat.start(index).1..repeat.start(index + 1).1)
    }

    /// The calls of one repetition, one by one; none if there is no repetition of this index.
    pub fn repetition(&self, index: usize) -> impl Iterator<Item = Call<'p>> + use<'p> {
        let index = index.min(self.repetitions);
        let (start, mut row) = self.start(index);
        let (end, _) = self.start(self.repetitions.min(index + 1));
        let source = self.list.source;
        self.list.shapes[start..end].iter().map(move |&shape| {
            let shape = Shape(shape);
            let call = Call::new(source, shape, row);
            row += source.shapes.calls(shape);
            call
        })
    }

    /// Times over its repetitions.
    pub fn statistics(&self) -> RepeatStatistics {
        RepeatStatistics::of(self)
    }

    pub(super) fn calls(&self) -> &'p Calls<'p> {
        self.list.source.calls
    }

    /// The call that it consists of, if its body is but one: that of the first repetition.
    pub fn only_call(&self) -> Option<Call<'p>> {
        let first = self.repetition(0).next();
        first.filter(|_| self.is_of_one_call())
    }

    /// The index of the repetition that a call is in, itself or through a caller; `None` if it is in
    /// none.
    pub fn repetition_of(&self, position: usize) -> Option<usize> {
        let calls = self.rows();
        if !calls.contains(&position) {
            return None;
        }
        let from_first = position - self.row;
        match self.starts() {
            None => Some(from_first / (self.rows / self.repetitions)),
            Some(starts) => {
                let behind =
                    starts.partition_point(|start| start.row - starts[0].row <= from_first as u32);
                Some(behind - 1)
            }
        }
    }

    /// A repetition, folded: of an exact repeat the body where it is again, of others folded for itself
    /// when it is first looked at. `None` if there is no repetition of this index.
    pub fn repetition_folded(&self, index: usize) -> Option<Nodes<'p>> {
        if index >= self.repetitions {
            return None;
        }
        let ((sibling, row), (end, _)) = (self.start(index), self.start(index + 1));
        let Some(near) = self.near else {
            let (first, _) = self.start(0);
            let mut list = self.list;
            // So that what the body says of siblings is true there, too.
            list.shapes = &list.shapes[sibling - first..];
            list.row += row - self.row;
            return Some(Nodes {
                list,
                nodes: self.body,
                stretch: 0,
                sibling: first,
                row,
            });
        };
        let source = self.list.source;
        let shapes = &self.list.shapes[sibling..end];
        let anew = near.anew(index, || {
            let (nodes, near) = fold_anew(shapes, source.shapes, &source.folds.class_of);
            Anew { nodes, near }
        });
        Some(Nodes {
            list: List {
                source,
                shapes,
                near: &anew.near,
                row,
            },
            nodes: &anew.nodes,
            stretch: 0,
            sibling: 0,
            row,
        })
    }

    /// How long all repetitions took together, in nanoseconds, see [`RepeatStatistics`].
    pub fn total_time(&self) -> u64 {
        self.durations().fold(0, u64::saturating_add)
    }

    /// How long each repetition took, in nanoseconds, see [`RepeatStatistics`].
    pub fn durations(&self) -> impl ExactSizeIterator<Item = u64> + use<'p> {
        let repeat = *self;
        (0..self.repetitions).map(move |index| {
            let durations = repeat.repetition(index).map(|call| call.row().duration);
            durations.fold(0, u64::saturating_add)
        })
    }

    fn starts(&self) -> Option<&'p [Start]> {
        self.near.map(|near| &*near.starts)
    }

    /// The first sibling and the first row of a repetition, or of what is behind the last one.
    fn start(&self, index: usize) -> (usize, usize) {
        match self.starts() {
            Some(starts) => {
                let Start { sibling, row } = starts[index];
                (sibling as usize, self.list.row + row as usize)
            }
            None => {
                let (first, len) = self.siblings;
                let siblings = len / self.repetitions * index;
                (
                    first + siblings,
                    self.row + self.rows / self.repetitions * index,
                )
            }
        }
    }
}

/// A place in a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    /// How many nodes are left, with those of bodies.
    nodes: u32,
    /// Single calls that come before these.
    stretch: u32,
    sibling: u32,
    /// From the first of the list.
    row: u32,
}

/// The nodes of a list, from left to right. Folding is done by then: this only looks.
#[derive(Debug, Clone)]
pub struct Nodes<'p> {
    list: List<'p>,
    nodes: &'p [Packed],
    /// Single calls that come before `nodes`.
    stretch: usize,
    sibling: usize,
    row: usize,
}

impl<'p> Iterator for Nodes<'p> {
    type Item = Node<'p>;

    fn next(&mut self) -> Option<Node<'p>> {
        if self.stretch == 0 {
            let (&node, behind) = self.nodes.split_first()?;
            match node.kind() {
                Kind::Calls(stretch) => {
                    self.nodes = behind;
                    self.stretch = stretch;
                }
                Kind::Exact { count, nodes } => {
                    let (body, behind) = behind.split_at(nodes);
                    self.nodes = behind;
                    return Some(self.exact(count, body));
                }
                Kind::Near { index, nodes } => {
                    let (body, behind) = behind.split_at(nodes);
                    self.nodes = behind;
                    return Some(self.near(index, body));
                }
            }
        }
        self.stretch -= 1;
        let source = self.list.source;
        let shape = Shape(self.list.shapes[self.sibling]);
        let call = Call::new(source, shape, self.row);
        self.sibling += 1;
        let calls = source.shapes.calls(shape);
        if calls == 0
            && let Some(gap) = source.shapes.gap(shape)
        {
            return Some(Node::Gap(&source.calls.gaps()[gap]));
        }
        self.row += calls;
        Some(Node::Call(call))
    }
}

impl<'p> Nodes<'p> {
    /// Position of the first call, or behind all calls where only gaps are left.
    pub fn position(&self) -> usize {
        self.row
    }

    /// Where it has come to, for a list that [`Nodes::resume`] is called on.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            nodes: self.nodes.len() as u32,
            stretch: self.stretch as u32,
            sibling: self.sibling as u32,
            row: (self.row - self.list.row) as u32,
        }
    }

    /// The same list, from where another of it had come to.
    pub(crate) fn resume(&self, mark: Mark) -> Nodes<'p> {
        let behind = self.nodes.len() - mark.nodes as usize;
        Nodes {
            list: self.list,
            nodes: &self.nodes[behind..],
            stretch: mark.stretch as usize,
            sibling: mark.sibling as usize,
            row: self.list.row + mark.row as usize,
        }
    }

    /// The same number for the same list, and for it in other repetitions of a repeat: as long as the
    /// patterns are there, and as long as nothing was taken from it.
    pub(crate) fn identity(&self) -> usize {
        self.nodes.as_ptr() as usize
    }

    /// What is to come: how many calls that do not repeat, the nodes behind these, the shapes of all and
    /// what the nodes refer to.
    pub(super) fn rest(&self) -> (usize, &'p [Packed], &'p [u32], &'p [Near]) {
        let shapes = &self.list.shapes[self.sibling..];
        (self.stretch, self.nodes, shapes, self.list.near)
    }

    /// Whether there are no more.
    pub fn is_empty(&self) -> bool {
        self.stretch == 0 && self.nodes.is_empty()
    }

    fn exact(&mut self, count: usize, body: &'p [Packed]) -> Node<'p> {
        let each = siblings(body, self.list.near);
        let rows = self.list.rows(self.sibling..self.sibling + each);
        self.repeat(Repeat {
            list: self.list,
            body,
            count: Count::one(count),
            exact: true,
            near: None,
            repetitions: count,
            siblings: (self.sibling, each * count),
            row: self.row,
            rows: rows * count,
        })
    }

    fn near(&mut self, index: usize, body: &'p [Packed]) -> Node<'p> {
        let near = &self.list.near[index];
        let starts = &*near.starts;
        let repetitions = starts.len() - 1;
        let siblings = (starts[repetitions].sibling - starts[0].sibling) as usize;
        self.repeat(Repeat {
            list: self.list,
            body,
            count: Count {
                min: near.count.0 as usize,
                max: near.count.1 as usize,
            },
            exact: false,
            near: Some(near),
            repetitions,
            siblings: (self.sibling, siblings),
            row: self.row,
            rows: (starts[repetitions].row - starts[0].row) as usize,
        })
    }

    fn repeat(&mut self, repeat: Repeat<'p>) -> Node<'p> {
        self.sibling += repeat.siblings.1;
        self.row += repeat.rows;
        Node::Repeat(repeat)
    }
}
