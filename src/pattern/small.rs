//! The best folding of a short list, exactly.
//!
//! A square is a stretch that is twice the same; where one starts, a repeat may start. What a repeat
//! costs is what its body costs, so for each place where the body of a square ends, from left to
//! right, the foldings of all stretches that end there are found, from right to left: the squares
//! within them have bodies that end further to the left.

mod squares;

use squares::Squares;

/// The longest list that is folded here, and the longest body whose cost is always exact.
pub(super) const SMALL: usize = 128;

/// Where bodies of that length start and end: all rotations of one, side by side.
const WIDE: usize = 2 * SMALL - 1;

/// Rows above, nodes below: the smaller number is the better folding.
type Cost = u32;
const ROW: Cost = 1 << 16;
const NODE: Cost = 1;

/// Folds lists of up to [`SMALL`] symbols. Kept for the sake of its memory.
#[derive(Debug)]
pub(super) struct Small {
    squares: Squares,
    /// For each position, the cost of the best folding from there to the end.
    best: [Cost; WIDE + 1],
    /// For each position, where the first node of that folding ends, and its period, if it is a
    /// repeat.
    first: [(u8, u8); WIDE],
    /// For each square, where a repeat that starts with it had best end.
    ends: Vec<u8>,
    /// For each end of a body, the longest body that ends there and is to be folded.
    longest: [u8; WIDE + 1],
}

impl Default for Small {
    fn default() -> Self {
        Small {
            squares: Squares::default(),
            best: [0; WIDE + 1],
            first: [(0, 0); WIDE],
            ends: Vec::new(),
            longest: [0; WIDE + 1],
        }
    }
}

impl Small {
    /// Rows of the best folding.
    pub(super) fn rows(&mut self, symbols: &[u32]) -> u32 {
        self.solve(symbols);
        self.best[0] / ROW
    }

    /// Rows of the best foldings of stretches of one length, from each of `starts` on. Those have
    /// most in common.
    pub(super) fn rows_from<'a>(
        &'a mut self,
        symbols: &[u32],
        stretch: usize,
        starts: impl Iterator<Item = usize> + 'a,
    ) -> impl Iterator<Item = u32> + 'a {
        self.squares.find_up_to(symbols, stretch / 2);
        self.prepare(symbols.len());
        starts.map(move |start| {
            if self.squares.all.is_empty() {
                return stretch as u32;
            }
            self.fold(start, start + stretch);
            self.best[start] / ROW
        })
    }

    /// The repeats of the best folding: start, end and length of the body.
    pub(super) fn repeats(&mut self, symbols: &[u32], repeats: &mut Vec<(u32, u32, u32)>) {
        self.solve(symbols);
        let mut at = 0;
        while !self.squares.all.is_empty() && at < symbols.len() {
            let (end, period) = self.first[at];
            if period > 0 {
                repeats.push((at as u32, end.into(), period.into()));
            }
            at = end.into();
        }
    }

    /// The maximal runs: start, end and period.
    pub(super) fn runs(&mut self, symbols: &[u32]) -> Vec<(u32, u32, u32)> {
        self.squares.find_runs(symbols);
        let runs = self.squares.runs.iter();
        runs.map(|run| (run.start.into(), run.end.into(), run.period.into()))
            .collect()
    }

    fn solve(&mut self, symbols: &[u32]) {
        self.squares.find(symbols);
        self.prepare(symbols.len());
        if self.squares.all.is_empty() {
            self.best[0] = symbols.len() as Cost * (ROW + NODE);
        } else {
            self.fold(0, symbols.len());
        }
    }

    /// Once the squares of a list of that length are found.
    fn prepare(&mut self, len: usize) {
        self.ends.resize(self.squares.all.len(), 0);
        if !self.squares.all.is_empty() {
            self.price(len);
        }
    }

    /// Gives the bodies of all squares their costs.
    fn price(&mut self, len: usize) {
        self.longest[..=len].fill(0);
        for run in &self.squares.runs {
            // What is shorter than that and does not repeat itself has nothing to fold.
            if run.period > 2 {
                for start in run.start..=run.last_first() {
                    let longest = &mut self.longest[usize::from(start + run.period)];
                    *longest = run.period.max(*longest);
                }
            }
        }
        for end in 0..=len {
            let longest = usize::from(self.longest[end]);
            if longest > 0 {
                self.fold(end - longest, end);
                self.squares.price(end, longest, &self.best);
            }
        }
    }

    /// The best folding of the symbols from each position, `start` at least, to `end`.
    fn fold(&mut self, start: usize, end: usize) {
        self.best[end] = 0;
        for at in (start..end).rev() {
            let mut best = self.best[at + 1] + ROW + NODE;
            let mut first = (at as u8 + 1, 0);
            for index in self.squares.at(at) {
                let square = &self.squares.all[index];
                let period = usize::from(square.period);
                let mut to = at + 2 * period;
                if to > end {
                    // The others are longer.
                    break;
                }
                if square.next > 0 && to + period <= end {
                    let longer = usize::from(self.ends[usize::from(square.next)]);
                    if self.best[longer] <= self.best[to] {
                        to = longer;
                    }
                }
                self.ends[index] = to as u8;
                let rows = self.squares.rows(square);
                let cost = self.best[to] + rows * ROW + NODE;
                if cost < best || (cost == best && to > usize::from(first.0)) {
                    best = cost;
                    first = (to as u8, square.period);
                }
            }
            self.best[at] = best;
            self.first[at] = first;
        }
    }
}
