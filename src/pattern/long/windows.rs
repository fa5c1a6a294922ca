//! Stretches of a list that are folded by themselves, and the runs in them.

use std::cmp::Reverse;
use std::ops::Range;

use super::Priced;

/// How many runs are passed at once where none is in a window.
const BLOCK: usize = 64;

/// The ranges as few that do not touch, from right to left.
pub(super) fn windows(mut ranges: Vec<Range<u32>>) -> Vec<Range<u32>> {
    ranges.sort_unstable_by_key(|range| Reverse(range.end));
    let mut windows: Vec<Range<u32>> = Vec::new();
    for range in ranges {
        match windows.last_mut() {
            Some(last) if last.start <= range.end => last.start = last.start.min(range.start),
            _ => windows.push(range),
        }
    }
    windows
}

/// For each block of runs, the first start.
pub(super) fn first_starts(runs: &[Priced]) -> Vec<u32> {
    let blocks = runs
        .chunks(BLOCK)
        .map(|block| block.iter().map(|priced| priced.run.start).min());
    blocks.map(|first| first.unwrap_or(0)).collect()
}

/// Goes through the windows from right to left.
pub(super) struct Sweep<'r> {
    /// In order of their last square, from right to left.
    runs: &'r [Priced],
    first_starts: &'r [u32],
    /// Only runs of periods less than this are looked at.
    limit: u32,
    /// The first run that is not passed yet.
    next: usize,
    /// Those passed that go on to the left.
    open: Vec<u32>,
    /// Of the current window: where the last square in it is, and the run.
    coming: Vec<(u32, u32)>,
}

impl<'r> Sweep<'r> {
    pub(super) fn new(runs: &'r [Priced], first_starts: &'r [u32], limit: u32) -> Self {
        Sweep {
            runs,
            first_starts,
            limit,
            next: 0,
            open: Vec::new(),
            coming: Vec::new(),
        }
    }

    /// The runs that have a square in the window, by where their last one is, from right to left.
    pub(super) fn enter(
        &mut self,
        window: &Range<u32>,
    ) -> impl Iterator<Item = (usize, &'r Priced)> + use<'_, 'r> {
        self.coming.clear();
        let mut open = std::mem::take(&mut self.open);
        open.retain(|&index| self.offer(index, window));
        while let Some(priced) = self.runs.get(self.next) {
            if priced.run.last_square() < window.start as usize {
                break;
            }
            if self.is_block_behind(window) {
                self.next += BLOCK;
                continue;
            }
            let index = self.next as u32;
            if priced.run.period < self.limit && self.offer(index, window) {
                open.push(index);
            }
            self.next += 1;
        }
        self.open = open;
        // Most are in order already, which a stable sort makes use of.
        self.coming.sort_by_key(|&(last, _)| Reverse(last));
        let runs = self.runs;
        let coming = self.coming.iter();
        coming.map(move |&(last, index)| (last as usize, &runs[index as usize]))
    }

    /// Notes a run if it has a square in the window. Whether it may have one further to the left.
    fn offer(&mut self, index: u32, window: &Range<u32>) -> bool {
        let run = &self.runs[index as usize].run;
        let square = 2 * run.period;
        let last = (run.end.min(window.end)).checked_sub(square);
        if let Some(last) = last.filter(|&last| last >= window.start.max(run.start)) {
            self.coming.push((last, index));
        }
        run.start + square <= window.start
    }

    /// Whether the next runs are a block of such as start behind the window.
    fn is_block_behind(&self, window: &Range<u32>) -> bool {
        self.next.is_multiple_of(BLOCK)
            && self.next + BLOCK <= self.runs.len()
            && self.first_starts[self.next / BLOCK] >= window.end
    }
}
