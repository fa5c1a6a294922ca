//! Call shapes: equal subtrees under equal numbers.
//!
//! A shape is a function and the shapes of what it called, in order. Each distinct one is stored
//! once (hash consing), so two calls have the same number if and only if the trees below them are
//! the same. A hash only says where to look: what is found there is compared in full.

use std::ops::Range;

use crate::recording::Calls;

/// Number of a shape in [`Shapes`]. What a shape calls has smaller numbers than itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape(pub(super) u32);

impl Shape {
    /// As an index.
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The function of a root: what stands above the outermost calls of a thread.
const ROOT: u32 = u32::MAX;
/// The function of a gap: it is none, takes no call, and each has a number of its own.
const GAP: u32 = u32::MAX - 2;
/// An empty place of the table.
const FREE: u32 = u32::MAX;

/// The distinct call shapes of a recording.
///
/// Takes memory for the distinct shapes and the longest list of siblings, not for the calls.
#[derive(Debug)]
pub struct Shapes {
    keys: Vec<u32>,
    /// How many calls: itself and all below it.
    sizes: Vec<u32>,
    /// Where each shape's callees start in `callees`; one more than there are shapes.
    starts: Vec<u32>,
    callees: Vec<u32>,
    /// Open addressing over shape numbers; the length is a power of two.
    table: Vec<u32>,
    /// For each function, the shape that calls nothing: most calls are such.
    leaves: Vec<u32>,
    /// Each gap's number, in order, with its index among those of its thread.
    gaps: Vec<(u32, usize)>,
}

impl Default for Shapes {
    fn default() -> Self {
        Shapes {
            keys: Vec::new(),
            sizes: Vec::new(),
            starts: vec![0],
            callees: Vec::new(),
            table: vec![FREE; 16],
            leaves: Vec::new(),
            gaps: Vec::new(),
        }
    }
}

impl Shapes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Its function: what `keys` had for its call.
    pub fn key(&self, shape: Shape) -> u32 {
        self.keys[shape.index()]
    }

    /// How many calls it stands for: one and all below it. Of a root: all below it; of a gap: none.
    pub fn calls(&self, shape: Shape) -> usize {
        self.sizes[shape.index()] as usize
    }

    /// If it stands for a gap, which one: an index into [`Calls::gaps`] of its thread.
    pub(super) fn gap(&self, shape: Shape) -> Option<usize> {
        if self.keys[shape.index()] != GAP {
            return None;
        }
        let at = self.gaps.binary_search_by_key(&shape.0, |&(gap, _)| gap);
        at.ok().map(|at| self.gaps[at].1)
    }

    /// What it called, in order.
    pub fn callees(&self, shape: Shape) -> impl ExactSizeIterator<Item = Shape> + '_ {
        self.list(shape).iter().map(|&callee| Shape(callee))
    }

    /// What it called, in order, as numbers.
    pub(super) fn list(&self, shape: Shape) -> &[u32] {
        &self.callees[self.range(shape)]
    }

    /// All shapes, callees before callers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Shape> + use<> {
        (0..self.keys.len() as u32).map(Shape)
    }

    fn range(&self, shape: Shape) -> Range<usize> {
        self.starts[shape.index()] as usize..self.starts[shape.index() + 1] as usize
    }

    /// Adds the shapes of a thread's calls. The answer is its root, which is no call: its callees
    /// are the thread's outermost calls.
    ///
    /// `keys` has the function of each code.
    pub fn add_thread(&mut self, calls: &Calls<'_>, keys: &[u32]) -> Shape {
        // What is still open, and where its callees start in `done`.
        let mut open: Vec<(u32, usize)> = Vec::new();
        // Shapes whose caller is still open, outer ones first.
        let mut done: Vec<u32> = Vec::new();
        let mut gaps = calls.gaps().iter().enumerate().peekable();
        for position in 0..calls.len() {
            while let Some((index, gap)) = gaps.next_if(|(_, gap)| gap.position <= position) {
                self.close_to(gap.depth as usize, &mut open, &mut done);
                done.push(self.add_gap(index).0);
            }
            let key = keys[calls.row(position).code as usize];
            // One more than the open ones at most, whatever the rows say.
            let depth = (calls.depth(position) as usize).min(open.len());
            let next = match position + 1 < calls.len() {
                true => calls.depth(position + 1) as usize,
                false => 0,
            };
            // A gap in this call is below it as a call would be.
            let next = match gaps.peek() {
                Some((_, gap)) if gap.position == position + 1 => next.max(gap.depth as usize),
                _ => next,
            };
            self.close_to(depth, &mut open, &mut done);
            if next > depth {
                open.push((key, done.len()));
            } else {
                let leaf = self.leaf(key);
                done.push(leaf.0);
            }
        }
        for (index, gap) in gaps {
            self.close_to(gap.depth as usize, &mut open, &mut done);
            done.push(self.add_gap(index).0);
        }
        self.close_to(0, &mut open, &mut done);
        self.intern(ROOT, &done)
    }

    /// Closes what is open beyond this depth.
    fn close_to(&mut self, depth: usize, open: &mut Vec<(u32, usize)>, done: &mut Vec<u32>) {
        while open.len() > depth {
            if let Some((key, start)) = open.pop() {
                let shape = self.intern(key, &done[start..]);
                done.truncate(start);
                done.push(shape.0);
            }
        }
    }

    /// Like no other: it is not found again.
    fn add_gap(&mut self, index: usize) -> Shape {
        let shape = self.push(GAP, 0, &[]);
        self.gaps.push((shape.0, index));
        shape
    }

    fn leaf(&mut self, key: u32) -> Shape {
        match self.leaves.get(key as usize) {
            Some(&leaf) if leaf != FREE => Shape(leaf),
            _ => {
                let leaf = self.intern(key, &[]);
                if self.leaves.len() <= key as usize {
                    self.leaves.resize(key as usize + 1, FREE);
                }
                self.leaves[key as usize] = leaf.0;
                leaf
            }
        }
    }

    /// The shape of these callees under this function.
    pub(super) fn intern(&mut self, key: u32, callees: &[u32]) -> Shape {
        let mut at = hash(key, callees) as usize & (self.table.len() - 1);
        while self.table[at] != FREE {
            let found = Shape(self.table[at]);
            if self.is(found, key, callees) {
                return found;
            }
            at = (at + 1) & (self.table.len() - 1);
        }
        self.insert(at, key, callees)
    }

    fn is(&self, shape: Shape, key: u32, callees: &[u32]) -> bool {
        let range = self.range(shape);
        self.keys[shape.index()] == key
            && range.len() == callees.len()
            // Comparing two empty slices costs a call of memcmp.
            && (range.is_empty() || self.callees[range] == *callees)
    }

    fn insert(&mut self, at: usize, key: u32, callees: &[u32]) -> Shape {
        let below: u32 = callees
            .iter()
            .map(|callee| self.sizes[*callee as usize])
            .sum();
        let shape = self.push(key, below + u32::from(key != ROOT), callees);
        self.table[at] = shape.0;
        if self.keys.len() * 2 > self.table.len() {
            self.grow();
        }
        shape
    }

    fn push(&mut self, key: u32, size: u32, callees: &[u32]) -> Shape {
        let shape = Shape(self.keys.len() as u32);
        self.keys.push(key);
        self.sizes.push(size);
        self.callees.extend_from_slice(callees);
        self.starts.push(self.callees.len() as u32);
        shape
    }

    fn grow(&mut self) {
        let mask = self.table.len() * 2 - 1;
        let mut table = vec![FREE; mask + 1];
        for shape in self.iter() {
            if self.key(shape) == GAP {
                continue;
            }
            let mut at = hash(self.key(shape), self.list(shape)) as usize & mask;
            while table[at] != FREE {
                at = (at + 1) & mask;
            }
            table[at] = shape.0;
        }
        self.table = table;
    }
}

fn hash(key: u32, callees: &[u32]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = u64::from(key).wrapping_add(1).wrapping_mul(FACTOR);
    for callee in callees {
        hash = (hash.rotate_left(23) ^ u64::from(*callee)).wrapping_mul(FACTOR);
    }
    hash ^ (hash >> 32)
}
