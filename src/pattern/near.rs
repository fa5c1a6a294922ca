//! Repeats whose repetitions differ.
//!
//! Siblings get classes: with [`Nearness::TripCounts`] two calls are of one class when they are the
//! same after all numbers of repetitions are erased, with [`Nearness::Functions`] when they ran the
//! same function. In a list of classes, runs of one class are collapsed, then what repeats in what
//! that leaves, shortest bodies first, until nothing does. Each is collapsed as a whole, never split
//! to save a row elsewhere, and what it is collapsed to forgets how many there were: that is how
//! the loop around it is found although they vary.

mod template;

use super::Nearness;
use super::folds::{Folds, Packed, rows};
use super::lce::Lce;
use super::runs::maximal_runs;
use super::shapes::{Shape, Shapes};
use super::small::{SMALL, Small};

/// The function of a class that stands for a loop: what is below it is its body.
const LOOP: u32 = u32::MAX - 1;

/// Of an [`Atom`] that is one sibling.
const SINGLE: u32 = u32::MAX;

/// How often a list is collapsed at most. It gets shorter each time; what is not found by then only
/// stays unfolded.
const ROUNDS: usize = 64;

/// A sibling, or several that were collapsed.
#[derive(Debug, Clone, Copy)]
struct Atom {
    class: u32,
    /// Index of its first sibling.
    start: u32,
    /// Index behind its last sibling.
    end: u32,
    /// Index into [`NearFolder::loops`], or [`SINGLE`].
    repeats: u32,
}

/// What was collapsed to an [`Atom`].
#[derive(Debug, Clone, Copy)]
struct Loop {
    /// Where its atoms are in [`NearFolder::inner`]: the first repetition, then the second, ...
    first: u32,
    /// How many atoms a repetition has.
    body: u32,
    /// How many repetitions.
    count: u32,
}

/// Finds repeats that are not exact. Wants the lists of all shapes, in their order.
#[derive(Debug)]
pub(super) struct NearFolder {
    nearness: Nearness,
    classes: Shapes,
    /// The class of each shape so far.
    class_of: Vec<u32>,
    small: Small,
    /// The current list, as far as it is collapsed.
    atoms: Vec<Atom>,
    /// Atoms of loops.
    inner: Vec<Atom>,
    loops: Vec<Loop>,
}

impl NearFolder {
    /// `None` if only exact repeats are wanted.
    pub(super) fn new(nearness: Nearness) -> Option<NearFolder> {
        (nearness != Nearness::Exact).then(|| NearFolder {
            nearness,
            classes: Shapes::default(),
            class_of: Vec::new(),
            small: Small::default(),
            atoms: Vec::new(),
            inner: Vec::new(),
            loops: Vec::new(),
        })
    }

    /// Replaces `nodes`, the exact folding of the callees of `shape`, if that leaves fewer rows.
    pub(super) fn refine(
        &mut self,
        shapes: &Shapes,
        shape: Shape,
        nodes: &mut Vec<Packed>,
        folds: &mut Folds,
    ) {
        let siblings = shapes.list(shape);
        self.collapse(siblings);
        let below: &[u32] = match self.nearness {
            Nearness::Functions => &[],
            _ => &self.atoms.iter().map(|atom| atom.class).collect::<Vec<_>>(),
        };
        let class = self.classes.intern(shapes.key(shape), below);
        self.class_of.push(class.0);
        if !self.loops.is_empty() {
            let mut template = template::build(self, siblings, folds.near_len());
            if rows(&template.nodes) < rows(nodes) {
                template.locate(shapes.callees(shape).map(|callee| shapes.calls(callee)));
                *nodes = template.nodes;
                folds.extend_near(template.near);
            }
        }
    }

    fn collapse(&mut self, siblings: &[u32]) {
        self.atoms.clear();
        self.inner.clear();
        self.loops.clear();
        self.collapse_single_calls(siblings);
        for _ in 0..ROUNDS {
            if !self.collapse_once() {
                break;
            }
        }
    }

    /// Makes an atom of each run of one class.
    fn collapse_single_calls(&mut self, siblings: &[u32]) {
        let class_of = |sibling: &u32| self.class_of[*sibling as usize];
        let mut start = 0;
        for run in siblings.chunk_by(|a, b| class_of(a) == class_of(b)) {
            let class = class_of(&run[0]);
            let end = start + run.len() as u32;
            let mut repeats = SINGLE;
            if run.len() > 1 {
                repeats = self.loops.len() as u32;
                self.loops.push(Loop {
                    first: self.inner.len() as u32,
                    body: 1,
                    count: end - start,
                });
                self.inner.extend((start..end).map(|start| Atom {
                    class,
                    start,
                    end: start + 1,
                    repeats: SINGLE,
                }));
            }
            self.atoms.push(Atom {
                class,
                start,
                end,
                repeats,
            });
            start = end;
        }
    }

    /// Collapses what repeats, shorter bodies first, as far as it doesn't overlap. False if nothing
    /// does.
    fn collapse_once(&mut self) -> bool {
        let classes: Vec<u32> = self.atoms.iter().map(|atom| atom.class).collect();
        // Start, end, length of the body.
        let mut runs = if classes.len() <= SMALL {
            self.small.runs(&classes)
        } else {
            let runs = maximal_runs(&Lce::new(&classes), &classes).into_iter();
            runs.map(|run| (run.start, run.end, run.period)).collect()
        };
        runs.sort_unstable_by_key(|&(start, _, body)| (body, start));
        let mut taken = vec![false; classes.len()];
        runs.retain(|&(start, end, body)| {
            // Whole copies only. Whoever is in the way is shorter, so it covers an end of this or
            // lies within; where it lies within, it comes first in the next round.
            let end = end - (end - start) % body;
            let stretch = &mut taken[start as usize..end as usize];
            let free = stretch.iter().all(|taken| !taken) && is_repeat(&classes, start, end, body);
            if free {
                stretch.fill(true);
            }
            free
        });
        runs.sort_unstable();
        let atoms = std::mem::take(&mut self.atoms);
        let mut at = 0;
        for &(start, end, body) in &runs {
            let end = end - (end - start) % body;
            self.atoms.extend(&atoms[at..start as usize]);
            let atom = self.repeat(&atoms[start as usize..end as usize], body);
            self.atoms.push(atom);
            at = end as usize;
        }
        self.atoms.extend(&atoms[at..]);
        !runs.is_empty()
    }

    /// One atom for copies of a body.
    fn repeat(&mut self, copies: &[Atom], body: u32) -> Atom {
        let first = self.inner.len() as u32;
        let (class, body) = match (body, copies[0]) {
            // Loops of one class, one behind the other, are one loop.
            (1, Atom { class, repeats, .. }) => {
                for copy in copies {
                    match self.loops.get(copy.repeats as usize).copied() {
                        Some(inner) => {
                            let from = inner.first as usize;
                            let len = (inner.body * inner.count) as usize;
                            self.inner.extend_from_within(from..from + len);
                        }
                        None => self.inner.push(*copy),
                    }
                }
                let inner = self.loops.get(repeats as usize);
                (class, inner.map_or(1, |inner| inner.body))
            }
            (_, _) => {
                self.inner.extend_from_slice(copies);
                let classes = copies[..body as usize].iter().map(|atom| atom.class);
                let classes: Vec<u32> = classes.collect();
                (self.classes.intern(LOOP, &classes).0, body)
            }
        };
        self.loops.push(Loop {
            first,
            body,
            count: (self.inner.len() as u32 - first) / body,
        });
        Atom {
            class,
            start: copies[0].start,
            end: copies[copies.len() - 1].end,
            repeats: self.loops.len() as u32 - 1,
        }
    }
}

/// Compares what was found with hashes.
fn is_repeat(classes: &[u32], start: u32, end: u32, body: u32) -> bool {
    let (start, end, body) = (start as usize, end as usize, body as usize);
    classes[start..end - body] == classes[start + body..end]
}
