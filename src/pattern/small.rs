//! The best folding of a short list, exactly.

/// The longest list that is folded here, and the longest body whose cost is always exact.
pub(super) const SMALL: usize = 128;

/// Rows above, nodes below: the smaller number is the better folding.
type Cost = u32;
const ROW: Cost = 1 << 16;
const NODE: Cost = 1;

/// A maximal run of the list.
#[derive(Debug, Clone, Copy)]
struct Run {
    start: usize,
    end: usize,
    period: usize,
    /// Where its costs are: for each position from `start` on, up to a period of them, the rows of
    /// the folded body that starts there.
    costs: usize,
}

/// Folds lists of up to [`SMALL`] symbols. Kept for the sake of its memory.
#[derive(Debug, Default)]
pub(super) struct Small {
    runs: Vec<Run>,
    costs: Vec<u32>,
    /// For each position, the cost of the best folding from there to the end.
    best: Vec<Cost>,
    /// For each position, where the first node of that folding ends.
    next: Vec<u8>,
    /// For each position and run, the best end of a repeat in that run.
    ends: Vec<u8>,
    /// For each position, the period of its first node; 0: a single call.
    periods: Vec<u8>,
}

impl Small {
    /// Rows of the best folding.
    pub(super) fn rows(&mut self, symbols: &[u32]) -> u32 {
        self.solve(symbols);
        self.best[0] / ROW
    }

    /// The repeats of the best folding: start, end and length of the body.
    pub(super) fn repeats(&mut self, symbols: &[u32], repeats: &mut Vec<(u32, u32, u32)>) {
        self.solve(symbols);
        let mut at = 0;
        while at < symbols.len() {
            let (end, period) = (self.next[at], self.periods[at]);
            if period > 0 {
                repeats.push((at as u32, end.into(), period.into()));
            }
            at = end.into();
        }
    }

    /// The maximal runs: start, end and period.
    pub(super) fn runs(&mut self, symbols: &[u32]) -> Vec<(u32, u32, u32)> {
        self.find_runs(symbols);
        let runs = self.runs.iter();
        runs.map(|run| (run.start as u32, run.end as u32, run.period as u32))
            .collect()
    }

    fn solve(&mut self, symbols: &[u32]) {
        debug_assert!(symbols.len() <= SMALL);
        self.find_runs(symbols);
        self.ends.resize(self.runs.len() * (SMALL + 1), 0);
        for index in 0..self.runs.len() {
            let run = self.runs[index];
            // Shorter periods come first.
            let inner = self.runs[..index].partition_point(|inner| inner.period * 2 <= run.period);
            let phases = (run.end - 2 * run.period + 1 - run.start).min(run.period);
            for start in run.start..run.start + phases {
                let rows = if inner == 0 {
                    run.period as u32
                } else {
                    self.fold(start, start + run.period, inner);
                    self.best[start] / ROW
                };
                self.costs.push(rows);
            }
        }
        self.fold(0, symbols.len(), self.runs.len());
    }

    fn find_runs(&mut self, symbols: &[u32]) {
        self.runs.clear();
        self.costs.clear();
        let mut costs = 0;
        for period in 1..=symbols.len() / 2 {
            // How many in a row are what they are a period later.
            let mut same = 0;
            let pairs = symbols.iter().zip(&symbols[period..]);
            for (at, same_here) in pairs.map(|(a, b)| a == b).chain([false]).enumerate() {
                if same_here {
                    same += 1;
                    continue;
                }
                if same >= period {
                    let (start, end) = (at - same, at + period);
                    // A multiple of the smallest period repeats over the same stretch.
                    let is_known = |run: &Run| run.start == start && run.end == end;
                    if !self.runs.iter().any(is_known) {
                        self.runs.push(Run {
                            start,
                            end,
                            period,
                            costs,
                        });
                        costs += (end - 2 * period + 1 - start).min(period);
                    }
                }
                same = 0;
            }
        }
    }

    /// The best folding of the symbols from `start` to `end`, with repeats in the first `runs`
    /// only.
    fn fold(&mut self, start: usize, end: usize, runs: usize) {
        if self.best.is_empty() {
            self.best.resize(SMALL + 1, 0);
            self.next.resize(SMALL, 0);
            self.periods.resize(SMALL, 0);
        }
        self.best[end] = 0;
        for at in (start..end).rev() {
            let mut best = self.best[at + 1] + ROW + NODE;
            let mut next = at + 1;
            let mut period = 0;
            for (index, run) in self.runs[..runs].iter().enumerate() {
                let last = run.end.min(end);
                let mut to = at + 2 * run.period;
                if at < run.start || to > last {
                    continue;
                }
                let ends = &mut self.ends[index * (SMALL + 1)..];
                if to + run.period <= last {
                    let longer = ends[at + run.period].into();
                    if self.best[longer] <= self.best[to] {
                        to = longer;
                    }
                }
                ends[at] = to as u8;
                let rows = match run.period {
                    1 => 1,
                    period => 1 + self.costs[run.costs + (at - run.start) % period],
                };
                let cost = self.best[to] + rows * ROW + NODE;
                if cost < best || (cost == best && to > next) {
                    (best, next, period) = (cost, to, run.period);
                }
            }
            self.best[at] = best;
            self.next[at] = next as u8;
            self.periods[at] = period as u8;
        }
    }
}
