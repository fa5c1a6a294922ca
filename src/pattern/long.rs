//! The best folding of a list of any length.
//!
//! From the right to the left, the best folding from each position on is either its first symbol
//! and the best of the rest, or a repeat in one of the maximal runs there and the best of what
//! follows it. What a repeat costs depends on its body, and a body can only hold repeats less than
//! half as long. So bodies are given their costs in the order of their lengths, doubling by
//! doubling, and only where they are: in a window for each that is not the same as another one.
//! Where the folding of a window from the start of a body comes by the start of its second copy,
//! what lies between is the best folding of the body. Where it does not, a body of up to [`SMALL`]
//! symbols is folded by itself; a longer one is taken to cost one row more than it must. That is
//! the only thing that is not exact.

mod foldings;
mod windows;

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use foldings::Foldings;
use windows::{Sweep, first_starts, windows};

use super::lce::Lce;
use super::runs::{Run, maximal_runs};
use super::small::{SMALL, Small};

/// Bodies shorter than this are all folded by themselves: most are the same as one before.
const SHORT: u32 = 16;

/// Of a body whose cost is not known yet.
const UNKNOWN: u32 = u32::MAX;
/// Marks a cost that is a guess.
const GUESS: u32 = 1 << 31;

/// A run whose bodies have costs.
struct Priced {
    run: Run,
    /// Where the costs of its bodies are: from there on, one for each rotation of what it repeats,
    /// the root being the first. Runs of the same content share them.
    costs: u32,
}

struct Long<'s, 'm> {
    symbols: &'s [u32],
    small: &'m mut Small,
    /// In order of their last square, from right to left.
    runs: Vec<Priced>,
    /// Rows of folded bodies.
    costs: Vec<u32>,
    foldings: Foldings,
    /// Starts and places of bodies that are still to be priced.
    left: Vec<(usize, usize)>,
}

/// The repeats of the best folding: start and end.
pub(super) fn repeats(symbols: &[u32], small: &mut Small) -> Vec<(u32, u32)> {
    let (runs, costs) = priced_runs(symbols);
    let mut long = Long {
        symbols,
        small,
        runs,
        costs,
        foldings: Foldings::new(symbols.len()),
        left: Vec::new(),
    };
    long.price_all();
    let coming = long
        .runs
        .iter()
        .map(|priced| (priced.run.last_square(), priced));
    long.foldings.fold(0..symbols.len(), coming, &long.costs);
    long.foldings.repeats()
}

fn priced_runs(symbols: &[u32]) -> (Vec<Priced>, Vec<u32>) {
    let lce = Lce::new(symbols);
    let mut runs = maximal_runs(&lce, symbols);
    runs.sort_unstable_by_key(|run| Reverse((run.last_square(), run.period)));
    let mut places = FxHashMap::default();
    let mut len = 0u32;
    let price = |run: Run| {
        let content = (run.period, lce.hash(run.root as usize, run.period as usize));
        let costs = *places.entry(content).or_insert_with(|| {
            let place = len;
            len += run.period;
            place
        });
        Priced { run, costs }
    };
    let runs = runs.into_iter().map(price).collect();
    (runs, vec![UNKNOWN; len as usize])
}

impl Long<'_, '_> {
    fn price_all(&mut self) {
        // Indices of runs, by the doubling of their period.
        let mut levels: Vec<Vec<u32>> = Vec::new();
        for index in 0..self.runs.len() {
            let period = self.runs[index].run.period;
            if period < SHORT {
                self.price(index);
            } else {
                let level = (period / SHORT).ilog2() as usize;
                levels.resize_with(levels.len().max(level + 1), Vec::new);
                levels[level].push(index as u32);
            }
        }
        let first_starts = first_starts(&self.runs);
        for (level, runs) in levels.into_iter().enumerate() {
            self.price_level(runs, &first_starts, SHORT << level);
        }
    }

    /// Prices the bodies of these runs, whose periods are from `least` on to twice that.
    fn price_level(&mut self, mut runs: Vec<u32>, first_starts: &[u32], least: u32) {
        // Of those that are the same from their starts on the longest has all their bodies.
        let place = |&index: &u32| {
            let start = self.runs[index as usize].run.start;
            self.place(index as usize, start as usize)
        };
        runs.sort_unstable_by_key(|index| {
            let run = &self.runs[*index as usize].run;
            (place(index), Reverse(run.end - run.start), *index)
        });
        runs.dedup_by_key(|index| place(index));
        let ranges = runs.iter().map(|&index| {
            let run = &self.runs[index as usize].run;
            run.start..run.end.min(run.start + 3 * run.period)
        });
        let mut sweep = Sweep::new(&self.runs, first_starts, least);
        for window in windows(ranges.collect()) {
            let coming = sweep.enter(&window);
            let window = window.start as usize..window.end as usize;
            self.foldings.fold(window, coming, &self.costs);
        }
        for &index in &runs {
            self.price_along_the_folding(index as usize);
        }
        for index in runs {
            self.price(index as usize);
        }
    }

    /// Where the costs of a run's body that starts at `at` are.
    fn place(&self, index: usize, at: usize) -> usize {
        let Priced { run, costs } = &self.runs[index];
        *costs as usize + rotation(run, at)
    }

    /// The starts of a run's different bodies.
    fn starts(&self, index: usize) -> std::ops::RangeInclusive<usize> {
        let run = &self.runs[index].run;
        let last = run.last_square();
        run.start as usize..=last.min((run.start + run.period) as usize - 1)
    }

    fn price(&mut self, index: usize) {
        let period = self.runs[index].run.period as usize;
        let starts = self.starts(index);
        let mut left = std::mem::take(&mut self.left);
        for start in starts {
            let place = self.place(index, start);
            if self.costs[place] != UNKNOWN {
                continue;
            }
            let end = start + period;
            if period > SMALL {
                self.costs[place] = (self.foldings.between(start, end).max(2) + 1) | GUESS;
            } else if period as u32 >= SHORT && self.foldings.first_boundary(start, end) == end {
                self.costs[place] = self.foldings.between(start, end);
            } else {
                left.push((start, place));
            }
        }
        self.price_by_themselves(&left, period);
        left.clear();
        self.left = left;
    }

    /// Prices the bodies at these places, from left to right.
    fn price_by_themselves(&mut self, bodies: &[(usize, usize)], period: usize) {
        match *bodies {
            [] => {}
            [(start, place)] => {
                self.costs[place] = self.small.rows(&self.symbols[start..start + period]);
            }
            [(first, _), .., (last, _)] => {
                let starts = bodies.iter().map(|(start, _)| start - first);
                let stretch = &self.symbols[first..last + period];
                let rows = self.small.rows_from(stretch, period, starts);
                for (rows, (_, place)) in rows.zip(bodies) {
                    self.costs[*place] = rows;
                }
            }
        }
    }

    /// Prices the bodies that start at the nodes of the best folding from the start of the run on.
    fn price_along_the_folding(&mut self, index: usize) {
        let run = self.runs[index].run;
        let period = run.period as usize;
        let last = run.last_square().min((run.start + 2 * run.period) as usize);
        let mut start = run.start as usize;
        let mut end = start;
        while start <= last {
            end = self.foldings.first_boundary(end, start + period);
            if end == start + period {
                let place = self.place(index, start);
                self.costs[place] = self.foldings.between(start, end);
            }
            start = self.foldings.next(start);
        }
    }
}

/// How far `at` is behind a root of the run.
fn rotation(run: &Run, at: usize) -> usize {
    let (root, period) = (run.root as usize, run.period as usize);
    match at.checked_sub(root) {
        Some(behind) => behind % period,
        None => (period - (root - at) % period) % period,
    }
}
