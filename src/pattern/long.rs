//! The best folding of a list of any length.
//!
//! From the right to the left, the best folding from each position on is either its first symbol
//! and the best of the rest, or a repeat in one of the maximal runs there and the best of what
//! follows it. What a repeat costs depends on its body, and a body can only hold repeats less than
//! half as long. So the list is gone through once for each doubling of the periods that occur, and
//! each pass gives the bodies of the next one their costs: where the folding from the start of
//! a body comes by the start of its second copy, what lies between is the best folding of the body.
//! Where it does not, a body of up to [`SMALL`] symbols is folded by itself; a longer one is taken
//! to cost one row more than it must. That is the only thing that is not exact.

use rustc_hash::FxHashMap;

use super::lce::Lce;
use super::runs::{Run, maximal_runs};
use super::small::{SMALL, Small};

/// Rows above, nodes below: the smaller number is the better folding.
type Cost = u64;
const ROW: Cost = 1 << 32;
const NODE: Cost = 1;

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
    /// For each position, the cost of the best folding from there to the end.
    best: Vec<Cost>,
    /// For each position, where the first node of that folding ends.
    next: Vec<u32>,
}

/// The repeats of the best folding: start and end.
pub(super) fn repeats(symbols: &[u32], small: &mut Small) -> Vec<(u32, u32)> {
    let (runs, costs) = priced_runs(symbols);
    let mut long = Long {
        symbols,
        small,
        runs,
        costs,
        best: Vec::new(),
        next: Vec::new(),
    };
    long.solve();
    long.repeats()
}

fn priced_runs(symbols: &[u32]) -> (Vec<Priced>, Vec<u32>) {
    let lce = Lce::new(symbols);
    let mut runs = maximal_runs(&lce, symbols);
    runs.sort_unstable_by_key(|run| std::cmp::Reverse((run.last_square(), run.period)));
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

/// A run while the fold goes through it. Small: they come and go.
struct Active {
    start: u32,
    end: u32,
    period: u32,
    costs: u32,
    /// Rotation of what starts at the current position.
    phase: u32,
    /// For each rotation, the best end of a repeat that starts with the last copy of it. Empty
    /// where there is no room for three copies.
    ends: Box<[u32]>,
}

impl Long<'_, '_> {
    fn solve(&mut self) {
        let mut limit = SHORT;
        for index in 0..self.runs.len() {
            if self.runs[index].run.period < limit {
                self.price_short(index);
            }
        }
        loop {
            self.fold(limit);
            let periods = self.runs.iter().map(|priced| priced.run.period);
            let Some(least) = periods.filter(|&period| period >= limit).min() else {
                return;
            };
            let from = limit;
            // The next power of two.
            limit = 1 << (u32::BITS - least.leading_zeros());
            for index in 0..self.runs.len() {
                if (from..limit).contains(&self.runs[index].run.period) {
                    self.price(index);
                }
            }
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

    fn price_short(&mut self, index: usize) {
        let period = self.runs[index].run.period as usize;
        for start in self.starts(index) {
            let place = self.place(index, start);
            if self.costs[place] == UNKNOWN {
                self.costs[place] = self.small.rows(&self.symbols[start..start + period]);
            }
        }
    }

    fn price(&mut self, index: usize) {
        let period = self.runs[index].run.period as usize;
        self.price_along_the_folding(index);
        for start in self.starts(index) {
            let place = self.place(index, start);
            if self.costs[place] != UNKNOWN {
                continue;
            }
            let end = start + period;
            self.costs[place] = if period > SMALL {
                (self.between(start, end).max(2) + 1) | GUESS
            } else if self.first_boundary(start, end) == end {
                self.between(start, end)
            } else {
                self.small.rows(&self.symbols[start..end])
            };
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
            end = self.first_boundary(end, start + period);
            if end == start + period {
                let place = self.place(index, start);
                self.costs[place] = self.between(start, end);
            }
            start = self.next[start] as usize;
        }
    }

    /// The first node of the best folding from `at` on that starts at `from` or later.
    fn first_boundary(&self, mut at: usize, from: usize) -> usize {
        while at < from {
            at = self.next[at] as usize;
        }
        at
    }

    /// Rows between two positions, if a folding comes by both. Else they are fewer than it takes.
    fn between(&self, start: usize, end: usize) -> u32 {
        let (start, end) = (self.best[start] / ROW, self.best[end] / ROW);
        start.saturating_sub(end) as u32
    }

    /// The best folding with repeats of less than `limit` only.
    fn fold(&mut self, limit: u32) {
        let len = self.symbols.len();
        self.best.resize(len + 1, 0);
        self.next.resize(len, 0);
        let mut active: Vec<Active> = Vec::new();
        let mut coming = self.runs.iter().peekable();
        for at in (0..len).rev() {
            while let Some(priced) = coming.next_if(|priced| priced.run.last_square() == at) {
                if priced.run.period < limit {
                    active.push(Active::new(priced, at));
                }
            }
            let mut best = self.best[at + 1] + ROW + NODE;
            let mut next = at + 1;
            let mut index = 0;
            while let Some(run) = active.get_mut(index) {
                if at < run.start as usize {
                    active.swap_remove(index);
                    continue;
                }
                let end = run.best_end(at, &self.best);
                let rows = match run.period {
                    1 => 1,
                    _ => 1 + (self.costs[(run.costs + run.phase) as usize] & !GUESS),
                };
                let cost = self.best[end] + Cost::from(rows) * ROW + NODE;
                if cost < best || (cost == best && end > next) {
                    (best, next) = (cost, end);
                }
                run.phase = run.phase.checked_sub(1).unwrap_or(run.period - 1);
                index += 1;
            }
            self.best[at] = best;
            self.next[at] = next as u32;
        }
    }

    fn repeats(&self) -> Vec<(u32, u32)> {
        let mut repeats = Vec::new();
        let mut at = 0;
        while at < self.symbols.len() {
            let end = self.next[at];
            if end > at as u32 + 1 {
                repeats.push((at as u32, end));
            }
            at = end as usize;
        }
        repeats
    }
}

impl Active {
    fn new(priced: &Priced, at: usize) -> Active {
        let run = &priced.run;
        let copies = (run.end - run.start) / run.period;
        let ends = if copies >= 3 { run.period } else { 0 };
        Active {
            start: run.start,
            end: run.end,
            period: run.period,
            costs: priced.costs,
            phase: rotation(run, at) as u32,
            ends: vec![0; ends as usize].into_boxed_slice(),
        }
    }

    /// Where a repeat that starts at `at` had best end; of equals, the furthest.
    fn best_end(&mut self, at: usize, best: &[Cost]) -> usize {
        let mut end = at as u32 + 2 * self.period;
        if let Some(kept) = self.ends.get_mut(self.phase as usize) {
            if end + self.period <= self.end && best[*kept as usize] <= best[end as usize] {
                end = *kept;
            }
            *kept = end;
        }
        end as usize
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
