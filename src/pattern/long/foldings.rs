//! The best foldings from each position of a list on, given what bodies of repeats cost.

use std::ops::Range;

use super::{GUESS, Priced, rotation};

/// Rows above, nodes below: the smaller number is the better folding.
type Cost = u64;
const ROW: Cost = 1 << 32;
const NODE: Cost = 1;

/// The best foldings of the windows that were last folded.
pub(super) struct Foldings {
    /// For each position, the cost of the best folding from there to the end.
    best: Vec<Cost>,
    /// For each position, where the first node of that folding ends.
    next: Vec<u32>,
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

impl Foldings {
    pub(super) fn new(len: usize) -> Self {
        Foldings {
            best: vec![0; len + 1],
            next: vec![0; len],
        }
    }

    /// Where the node that starts at `at` ends.
    pub(super) fn next(&self, at: usize) -> usize {
        self.next[at] as usize
    }

    /// The first node of the best folding from `at` on that starts at `from` or later.
    pub(super) fn first_boundary(&self, mut at: usize, from: usize) -> usize {
        while at < from {
            at = self.next[at] as usize;
        }
        at
    }

    /// Rows between two positions, if a folding comes by both. Else they are fewer than it takes.
    pub(super) fn between(&self, start: usize, end: usize) -> u32 {
        let (start, end) = (self.best[start] / ROW, self.best[end] / ROW);
        start.saturating_sub(end) as u32
    }

    /// Folds a window with these repeats: runs by where their last square in the window is, from
    /// right to left.
    pub(super) fn fold<'r>(
        &mut self,
        window: Range<usize>,
        coming: impl Iterator<Item = (usize, &'r Priced)>,
        costs: &[u32],
    ) {
        let mut active: Vec<Active> = Vec::new();
        let mut coming = coming.peekable();
        self.best[window.end] = 0;
        for at in window.clone().rev() {
            while let Some((_, priced)) = coming.next_if(|&(last, _)| last == at) {
                active.push(Active::new(priced, at, window.end));
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
                    _ => 1 + (costs[(run.costs + run.phase) as usize] & !GUESS),
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

    /// The repeats of the folding of the whole list: start and end.
    pub(super) fn repeats(&self) -> Vec<(u32, u32)> {
        let mut repeats = Vec::new();
        let mut at = 0;
        while at < self.next.len() {
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
    fn new(priced: &Priced, at: usize, window_end: usize) -> Active {
        let run = &priced.run;
        let end = run.end.min(window_end as u32);
        let copies = (end - run.start) / run.period;
        let ends = if copies >= 3 { run.period } else { 0 };
        Active {
            start: run.start,
            end,
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
