//! Repeats whose repetitions differ.
//!
//! Siblings get classes: with [`Nearness::TripCounts`] two calls are of one class when they are the
//! same after all numbers of repetitions are erased, with [`Nearness::Functions`] when they ran the
//! same function. In a list of classes, runs of one class are collapsed, then what repeats in what
//! that leaves, shortest bodies first, until nothing does. Each is collapsed as a whole, never split
//! to save a row elsewhere, and what it is collapsed to forgets how many there were: that is how
//! the loop around it is found although they vary.

mod template;

use std::collections::HashMap;
use std::ops::Range;

use rustc_hash::FxHashSet;

use super::Nearness;
use super::fold::Folder;
use super::folds::{Folds, Near, Packed, rows};
use super::lce::Lce;
use super::runs::maximal_runs;
use super::shapes::{Shape, Shapes};
use super::small::{SMALL, Small};

/// The function of a class that stands for a loop: what is below it is its body.
const LOOP: u32 = u32::MAX - 1;

/// Of an [`Atom`] that is one sibling.
const SINGLE: u32 = u32::MAX;

/// How often a list is collapsed at most.
const ROUNDS: usize = 64;
/// How many atoms are looked at in all rounds together: so many for each sibling, and some. A list
/// gets shorter each time, so this ends only where each round finds little in much. What is not found
/// by then only stays unfolded.
const LOOKS: usize = 4;
const LOOKS_ALWAYS: usize = 1 << 20;

/// A sibling, or several that were collapsed. Small: there may be as many as calls.
#[derive(Debug, Clone, Copy)]
struct Atom {
    /// Index of its first sibling.
    start: u32,
    /// Index into [`Collapsed::loops`], or [`SINGLE`].
    repeats: u32,
}

/// What was collapsed to an [`Atom`].
#[derive(Debug, Clone, Copy)]
struct Loop {
    /// Where its atoms are in [`Collapsed::inner`]: the first repetition, then the second, ...
    first: u32,
    /// How many atoms a repetition has.
    body: u32,
    /// How many repetitions.
    count: u32,
    /// Index behind its last sibling.
    end: u32,
}

/// Finds repeats that are not exact. Wants the lists of all shapes, in their order.
#[derive(Debug)]
pub(super) struct NearFolder {
    nearness: Nearness,
    /// The class of each shape so far. A class is a shape too, that of the erased form: most have
    /// nothing to erase and are their own.
    class_of: Vec<u32>,
    /// The shapes so far that are a gap or have one below them.
    with_gap: FxHashSet<u32>,
    list: Collapsed,
}

impl NearFolder {
    /// `None` if only exact repeats are wanted.
    pub(super) fn new(nearness: Nearness) -> Option<NearFolder> {
        (nearness != Nearness::Exact).then(|| NearFolder {
            nearness,
            class_of: Vec::new(),
            with_gap: FxHashSet::default(),
            list: Collapsed::default(),
        })
    }

    /// Replaces `nodes`, the exact folding of the callees of `shape`, if that leaves fewer rows.
    /// Adds shapes that no call has, for classes.
    pub(super) fn refine(
        &mut self,
        shapes: &mut Shapes,
        shape: Shape,
        nodes: &mut Vec<Packed>,
        folds: &mut Folds,
    ) {
        self.list
            .collapse_single_calls(shapes.list(shape), &self.class_of);
        self.list.collapse(|body| shapes.intern(LOOP, body).0);
        let is_gap = shapes.gap(shape).is_some();
        let has_gap = is_gap || self.has_gap(shapes.list(shape));
        if has_gap {
            self.with_gap.insert(shape.0);
        }
        let below: &[u32] = match self.nearness {
            Nearness::Functions if !has_gap => &[],
            _ => &self.list.classes,
        };
        // A gap is in a class of its own, and so is what it stands in.
        let class = match is_gap {
            true => shape,
            false => shapes.intern(shapes.key(shape), below),
        };
        self.class_of.push(class.0);
        let siblings = shapes.list(shape);
        if let Some(near) = self.list.refine(shapes, siblings, nodes, folds.near_len()) {
            folds.extend_near(near);
        }
    }

    fn has_gap(&self, siblings: &[u32]) -> bool {
        let mut siblings = siblings.iter();
        !self.with_gap.is_empty() && siblings.any(|sibling| self.with_gap.contains(sibling))
    }

    /// The class of each shape.
    pub(super) fn into_classes(self) -> Vec<u32> {
        self.class_of
    }
}

/// The folded form of siblings that have no list of their own. `class_of` has the class of each shape.
pub(super) fn fold_anew(
    siblings: &[u32],
    shapes: &Shapes,
    class_of: &[u32],
) -> (Vec<Packed>, Vec<Near>) {
    let mut nodes = Vec::new();
    Folder::default().fold(siblings, &mut nodes);
    // Loops get classes that no shape has.
    let mut loops: HashMap<Vec<u32>, u32> = HashMap::new();
    let mut list = Collapsed::default();
    list.collapse_single_calls(siblings, class_of);
    list.collapse(|body| {
        let next = u32::MAX - loops.len() as u32;
        *loops.entry(body.to_vec()).or_insert(next)
    });
    let near = list.refine(shapes, siblings, &mut nodes, 0);
    (nodes, near.unwrap_or_default())
}

/// A list, as far as it is collapsed. Kept for the sake of its memory.
#[derive(Debug, Default)]
struct Collapsed {
    small: Small,
    atoms: Vec<Atom>,
    /// For each of them.
    classes: Vec<u32>,
    /// Atoms of loops.
    inner: Vec<Atom>,
    loops: Vec<Loop>,
}

impl Collapsed {
    /// Replaces `nodes` if that leaves fewer rows; the answer is what they refer to, from the index
    /// `first` on.
    fn refine(
        &self,
        shapes: &Shapes,
        siblings: &[u32],
        nodes: &mut Vec<Packed>,
        first: usize,
    ) -> Option<Vec<Near>> {
        if self.loops.is_empty() {
            return None;
        }
        let mut template = template::build(self, siblings, first);
        if rows(&template.nodes) >= rows(nodes) {
            return None;
        }
        template.locate(siblings.iter().map(|&callee| shapes.calls(Shape(callee))));
        *nodes = template.nodes;
        Some(template.near)
    }

    /// Collapses what repeats until nothing does; `class` gives one to a loop whose body has these.
    fn collapse(&mut self, mut class: impl FnMut(&[u32]) -> u32) {
        let mut looks = self.siblings() * LOOKS + LOOKS_ALWAYS;
        for _ in 0..ROUNDS {
            // What is collapsed anew holds what it was before, too.
            let inner = self.inner.len();
            match looks.checked_sub(self.atoms.len()) {
                Some(left) if self.collapse_once(&mut class) => {
                    looks = left.saturating_sub(self.inner.len() - inner);
                }
                _ => break,
            }
        }
    }

    fn siblings(&self) -> usize {
        self.atoms.last().map_or(0, |&last| self.end(last) as usize)
    }

    /// Begins with a list: makes an atom of each run of one class.
    fn collapse_single_calls(&mut self, siblings: &[u32], class_of: &[u32]) {
        self.atoms.clear();
        self.classes.clear();
        self.inner.clear();
        self.loops.clear();
        let class_of = |sibling: &u32| class_of[*sibling as usize];
        let single = |start| Atom {
            start,
            repeats: SINGLE,
        };
        let mut start = 0;
        for run in siblings.chunk_by(|a, b| class_of(a) == class_of(b)) {
            let end = start + run.len() as u32;
            let mut atom = single(start);
            if run.len() > 1 {
                atom.repeats = self.loops.len() as u32;
                self.loops.push(Loop {
                    first: self.inner.len() as u32,
                    body: 1,
                    count: end - start,
                    end,
                });
                self.inner.extend((start..end).map(single));
            }
            self.atoms.push(atom);
            self.classes.push(class_of(&run[0]));
            start = end;
        }
    }

    /// Collapses what repeats, shorter bodies first, as far as it doesn't overlap. False if nothing
    /// does.
    fn collapse_once(&mut self, class: &mut impl FnMut(&[u32]) -> u32) -> bool {
        let runs = self.disjoint_runs();
        let (mut len, mut at) = (0, 0);
        for &(start, end, body) in &runs {
            let (start, end) = (start as usize, end as usize);
            len = self.shift(at..start, len);
            (self.classes[len], self.atoms[len]) = self.repeat(class, start..end, body);
            len += 1;
            at = end;
        }
        len = self.shift(at..self.atoms.len(), len);
        self.atoms.truncate(len);
        self.classes.truncate(len);
        !runs.is_empty()
    }

    /// Start, end and length of the body of what is to be collapsed next, from left to right.
    fn disjoint_runs(&mut self) -> Vec<(u32, u32, u32)> {
        let classes = &self.classes;
        let mut runs: Vec<_> = if classes.len() <= SMALL {
            self.small.runs(classes)
        } else {
            let runs = maximal_runs(&Lce::new(classes), classes).into_iter();
            runs.map(|run| (run.start, run.end, run.period)).collect()
        };
        for (start, end, body) in &mut runs {
            // Whole copies only.
            *end -= (*end - *start) % *body;
        }
        runs.sort_unstable_by_key(|&(start, _, body)| (body, start));
        let mut taken = vec![false; classes.len()];
        runs.retain(|&(start, end, body)| {
            // Whoever is in the way is shorter, so it covers an end of this or lies within; where
            // it lies within, it comes first in the next round.
            let stretch = &mut taken[start as usize..end as usize];
            let free = stretch.iter().all(|taken| !taken) && is_repeat(classes, start, end, body);
            if free {
                stretch.fill(true);
            }
            free
        });
        runs.sort_unstable();
        runs
    }

    /// Moves atoms to the left; returns where they end.
    fn shift(&mut self, atoms: Range<usize>, to: usize) -> usize {
        let end = to + atoms.len();
        if atoms.start != to {
            self.atoms.copy_within(atoms.clone(), to);
            self.classes.copy_within(atoms, to);
        }
        end
    }

    /// One atom, with its class, for copies of a body.
    fn repeat(
        &mut self,
        class: &mut impl FnMut(&[u32]) -> u32,
        copies: Range<usize>,
        body: u32,
    ) -> (u32, Atom) {
        let first = self.inner.len() as u32;
        let Atom { start, repeats } = self.atoms[copies.start];
        let end = self.end(self.atoms[copies.end - 1]);
        let (class, body) = if body == 1 {
            // Loops of one class, one behind the other, are one loop.
            for copy in copies.clone() {
                let copy = self.atoms[copy];
                match self.loops.get(copy.repeats as usize) {
                    Some(inner) => {
                        let from = inner.first as usize;
                        let len = (inner.body * inner.count) as usize;
                        self.inner.extend_from_within(from..from + len);
                    }
                    None => self.inner.push(copy),
                }
            }
            let inner = self.loops.get(repeats as usize);
            (
                self.classes[copies.start],
                inner.map_or(1, |inner| inner.body),
            )
        } else {
            self.inner.extend_from_slice(&self.atoms[copies.clone()]);
            let body_classes = &self.classes[copies.start..copies.start + body as usize];
            (class(body_classes), body)
        };
        let repeats = self.loops.len() as u32;
        self.loops.push(Loop {
            first,
            body,
            count: (self.inner.len() as u32 - first) / body,
            end,
        });
        (class, Atom { start, repeats })
    }

    /// The index behind its last sibling.
    fn end(&self, atom: Atom) -> u32 {
        let repeats = self.loops.get(atom.repeats as usize);
        repeats.map_or(atom.start + 1, |repeats| repeats.end)
    }
}

/// Compares what was found with hashes.
fn is_repeat(classes: &[u32], start: u32, end: u32, body: u32) -> bool {
    let (start, end, body) = (start as usize, end as usize, body as usize);
    classes[start..end - body] == classes[start + body..end]
}
