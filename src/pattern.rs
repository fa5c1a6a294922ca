//! Repeating patterns: what a program did over and over, folded and counted.
//!
//! Per thread, the calls are a tree, and each call's callees are a list. Consecutive stretches of
//! such a list that are the same, all calls below included, become one [`Repeat`] with its count;
//! repeats nest. Two calls are the same when they ran the same function (file, first line, name)
//! and called the same, in the same order; arguments and times do not take part. Expanding what is
//! folded gives back the exact tree. A gap, where events are missing, is like no other: what it stands
//! between is never folded together, nor are the calls that it stands in with others.
//!
//! ```text
//! Recording ─► Shapes: equal subtrees, equal numbers ─► Folds: one for each distinct list
//!                                                          │
//!            Call::callees, Repeat::body ◄─ Nodes ◄────────┘
//! ```
//!
//! # How to use it
//!
//! [`Patterns::new`] does all the work; what comes after only looks. [`Patterns::thread`] has a
//! thread's outermost calls as [`Nodes`], an iterator of [`Node`]: a [`Call`], which has its
//! row and its callees as [`Nodes`] again, a [`Repeat`], which has its body as [`Nodes`], the
//! rows of each repetition, its numbers and times, or a [`GapRun`](crate::recording::GapRun). Lists are made up while they are walked, so a
//! reader that skips or limits pays for what it looks at. Calls nest as deep as the recording (a
//! million is legal): walk them with a stack of `Nodes`, not by recursion. Bodies of repeats nest
//! at most 32 deep.
//!
//! # What is grouped
//!
//! Of all foldings of a list the one with the fewest rows, where a call is one row, a repeat of one
//! call is one row, and any other repeat is one row and those of its body. Of these the one with the
//! fewest nodes; of these the one whose nodes are longest from the left. That determines it.
//! [`Nearness`] says what else is grouped.
//!
//! Pure: no BPF, no file system, no clock.

mod copies;
mod count;
mod fold;
mod folds;
mod keys;
mod lce;
mod lines;
mod long;
mod near;
mod nodes;
mod runs;
mod shapes;
mod small;
mod statistics;
mod summary;

pub use copies::Stride;
pub use count::Count;
pub(crate) use keys::function_keys;
pub use lines::Lines;
pub(crate) use nodes::Mark;
pub use nodes::{Call, Node, Nodes, Repeat};
pub use shapes::{Shape, Shapes};
pub use statistics::{RepeatStatistics, Times};
pub use summary::{Summary, TopPattern};

use std::sync::OnceLock;

use fold::Folder;
use folds::{Folds, Packed};
use near::NearFolder;
use nodes::Source;

use crate::recording::{Calls, Recording};

/// What counts as a repetition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Nearness {
    /// Only what is the same in every call.
    Exact,
    /// Also what differs in how often something repeats, at any depth: `x a a y x a a a y` is
    /// twice `x, 2 to 3 times a, y`. Where that makes no list shorter, it is left exact.
    #[default]
    TripCounts,
    /// Also what differs in anything below the calls: the same functions, one after the other.
    Functions,
}

impl Nearness {
    /// The word that JSON has for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Nearness::Exact => "exact",
            Nearness::TripCounts => "near",
            Nearness::Functions => "functions",
        }
    }
}

/// The repeating patterns of a recording.
#[derive(Debug)]
pub struct Patterns<'r> {
    recording: &'r Recording,
    nearness: Nearness,
    /// What was looked at of each thread.
    calls: Vec<Calls<'r>>,
    /// Of the calls; behind them, some that no call has.
    shapes: Shapes,
    /// Of the shapes of calls.
    folds: Folds,
    /// For each thread, see [`Shapes::add_thread`].
    roots: Vec<Shape>,
    lines: OnceLock<Lines>,
}

impl<'r> Patterns<'r> {
    /// Finds them.
    pub fn new(recording: &'r Recording, nearness: Nearness) -> Self {
        Patterns::of(recording, all_calls(recording), Some(nearness))
    }

    /// Looks for none: all lists are as they are, for who walks both kinds.
    pub fn unfolded(recording: &'r Recording) -> Self {
        Patterns::of(recording, all_calls(recording), None)
    }

    /// Those of some of a recording's calls, each of `calls` taken for a thread. Without a `nearness`
    /// it looks for none.
    pub fn of(recording: &'r Recording, calls: Vec<Calls<'r>>, nearness: Option<Nearness>) -> Self {
        let keys = function_keys(&recording.codes);
        let mut shapes = Shapes::default();
        let add = |calls: &Calls<'_>| shapes.add_thread(calls, &keys);
        let roots = calls.iter().map(add).collect();
        let folds = match nearness {
            Some(nearness) => fold_all(&mut shapes, nearness),
            None => unfolded(&shapes),
        };
        Patterns {
            recording,
            nearness: nearness.unwrap_or(Nearness::Exact),
            calls,
            shapes,
            folds,
            roots,
            lines: OnceLock::new(),
        }
    }

    /// Whose they are.
    pub fn recording(&self) -> &'r Recording {
        self.recording
    }

    /// What they were found by.
    pub fn nearness(&self) -> Nearness {
        self.nearness
    }

    /// The outermost calls of the thread with this index in [`Recording::threads`] or, of
    /// [`Patterns::of`], in what it was given.
    pub fn thread(&self, thread: usize) -> Nodes<'_> {
        self.source(thread).callees(self.roots[thread], 0)
    }

    /// The call at a position of a thread's calls. Looks through the lists above it.
    pub fn call(&self, thread: usize, row: usize) -> Option<Call<'_>> {
        let source = self.source(thread);
        let mut list = self.roots[thread];
        let mut first = 0;
        loop {
            let mut next = first;
            let shape = self.shapes.callees(list).find(|&shape| {
                next += self.shapes.calls(shape);
                row < next
            })?;
            let start = next - self.shapes.calls(shape);
            if start == row {
                return Some(Call::new(source, shape, row));
            }
            list = shape;
            first = start + 1;
        }
    }

    /// How many lines everything takes. The first time counts them.
    pub fn lines(&self) -> &Lines {
        self.lines
            .get_or_init(|| Lines::count(&self.shapes, &self.folds))
    }

    /// Numbers about the whole; `top` is how many patterns to name. Walks what is shown where each
    /// repeat is shown once.
    pub fn summary(&self, top: usize) -> Summary<'_> {
        summary::summarize(self, top)
    }

    fn source(&self, thread: usize) -> Source<'_> {
        Source {
            calls: &self.calls[thread],
            shapes: &self.shapes,
            folds: &self.folds,
        }
    }
}

fn all_calls(recording: &Recording) -> Vec<Calls<'_>> {
    let threads = recording.threads.iter();
    threads.map(Calls::all).collect()
}

/// Folds the list of each shape.
fn fold_all(shapes: &mut Shapes, nearness: Nearness) -> Folds {
    let mut folds = Folds::default();
    let mut folder = Folder::default();
    let mut near = NearFolder::new(nearness);
    let mut nodes = Vec::new();
    for shape in shapes.iter() {
        nodes.clear();
        folder.fold(shapes.list(shape), &mut nodes);
        if let Some(near) = &mut near {
            near.refine(shapes, shape, &mut nodes, &mut folds);
        }
        folds.push(&nodes);
    }
    if let Some(near) = near {
        folds.class_of = near.into_classes();
    }
    folds
}

fn unfolded(shapes: &Shapes) -> Folds {
    let mut folds = Folds::default();
    for shape in shapes.iter() {
        match shapes.list(shape).len() {
            0 => folds.push(&[]),
            siblings => folds.push(&[Packed::calls(siblings)]),
        }
    }
    folds
}

#[cfg(test)]
mod tests;
