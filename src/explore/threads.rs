//! Whose calls, and of which functions.

use std::ops::Range;

use super::Explorer;
use super::cache::Weigh;
use super::filter::Filter;
use crate::pattern::function_keys;
use crate::recording::{Calls, Recording, Thread};
use crate::trace::Code;

/// Calls of a thread that are as fast to filter as to find: what is left of them is not kept.
const FEW: usize = 4096;

/// Whose calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// Everybody's.
    All,
    /// Those of the thread with this index; nobody's if there is none.
    One(usize),
}

impl Threads {
    /// Their indices.
    pub(super) fn indices(self, recording: &Recording) -> Range<usize> {
        let count = recording.threads.len();
        match self {
            Threads::All => 0..count,
            Threads::One(thread) => thread.min(count)..thread.saturating_add(1).min(count),
        }
    }
}

/// The functions of a recording: what is the same by name, file and line has one number.
#[derive(Debug)]
pub(super) struct Functions {
    /// By code.
    numbers: Vec<u32>,
    /// By function: the first of its codes, which names it.
    codes: Vec<u32>,
}

impl Functions {
    fn new(codes: &[Code]) -> Self {
        let numbers = function_keys(codes);
        let mut first = Vec::new();
        for (code, &number) in (0..).zip(&numbers) {
            if number as usize == first.len() {
                first.push(code);
            }
        }
        Functions {
            numbers,
            codes: first,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.codes.len()
    }

    /// That of a code, which must exist.
    pub(super) fn of(&self, code: u32) -> u32 {
        self.numbers[code as usize]
    }

    /// That of a code, if it exists.
    pub(super) fn find(&self, code: u32) -> Option<u32> {
        self.numbers.get(code as usize).copied()
    }

    /// The code that names a function.
    pub(super) fn code(&self, function: u32) -> u32 {
        self.codes[function as usize]
    }
}

impl Weigh for Calls<'_> {
    fn weight(&self) -> usize {
        let kept = if self.is_all() { 0 } else { self.len() * 8 };
        kept + size_of_val(self.gaps())
    }
}

impl<'r> Explorer<'r> {
    /// The calls that a filter leaves of the thread with this index, which must exist.
    pub fn calls(&self, thread: usize, filter: &Filter) -> Calls<'r> {
        let find = || self.recording.calls(thread, &filter.selection());
        let Thread { calls, gaps, .. } = &self.recording.threads[thread];
        let is_cheap = calls.len() <= FEW || *filter == Filter::default();
        match is_cheap && gaps.len() <= FEW {
            true => find(),
            false => Calls::clone(&self.calls.get((thread, *filter), find)),
        }
    }

    /// The functions of the recording.
    pub(super) fn functions(&self) -> &Functions {
        self.functions
            .get_or_init(|| Functions::new(&self.recording.codes))
    }
}
