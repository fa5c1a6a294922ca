//! All that is twice the same in a short list.

use std::ops::Range;

use super::{Cost, ROW, SMALL, WIDE};

/// A stretch that repeats itself, as long as it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) start: u8,
    pub(super) end: u8,
    /// Its smallest period.
    pub(super) period: u8,
    /// Where the costs of its bodies are in [`Squares::costs`]: one for each rotation.
    costs: u16,
}

impl Run {
    /// The last position from which two copies fit.
    fn last(&self) -> u8 {
        self.end - 2 * self.period
    }

    /// The last position where a body starts that none before it is the same as.
    pub(super) fn last_first(&self) -> u8 {
        self.last().min(self.start + (self.period - 1))
    }
}

/// A square of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Square {
    pub(super) period: u8,
    /// Where the cost of its body is in [`Squares::costs`].
    cost: u16,
    /// The square of the same run that starts where its second half does; 0: none.
    pub(super) next: u16,
}

impl Square {
    const NONE: Square = Square {
        period: 0,
        cost: 0,
        next: 0,
    };
}

/// All squares of a list. Kept for the sake of its memory.
#[derive(Debug, Default)]
pub(super) struct Squares {
    /// In order of their periods.
    pub(super) runs: Vec<Run>,
    /// In order of their starts, then of their periods. The first one is none.
    pub(super) all: Vec<Square>,
    /// For each position its squares in `all`: from where on. One more than there are positions.
    starts: Vec<u16>,
    /// Rows of folded bodies.
    costs: Vec<u32>,
    /// For each symbol that occurs, where.
    places: Vec<u128>,
}

impl Squares {
    /// The squares at a position.
    pub(super) fn at(&self, position: usize) -> Range<usize> {
        self.starts[position].into()..self.starts[position + 1].into()
    }

    /// Rows of a repeat of this body.
    pub(super) fn rows(&self, square: &Square) -> u32 {
        match square.period {
            1 => 1,
            _ => 1 + self.costs[usize::from(square.cost)],
        }
    }

    /// Enters the costs of all bodies that end at `end` and start up to `longest` before that.
    pub(super) fn price(&mut self, end: usize, longest: usize, best: &[Cost]) {
        let stretch = end - longest..end - 1;
        for (start, best) in stretch.clone().zip(&best[stretch]) {
            for index in self.at(start) {
                let square = self.all[index];
                if start + usize::from(square.period) == end {
                    self.costs[usize::from(square.cost)] = best / ROW;
                }
            }
        }
    }

    /// Finds them; costs are those of bodies in which nothing repeats.
    pub(super) fn find(&mut self, symbols: &[u32]) {
        self.find_runs(symbols);
        self.index(symbols.len());
    }

    /// The same for those of bodies up to a length, in a list that may be twice as long.
    pub(super) fn find_up_to(&mut self, symbols: &[u32], most: usize) {
        debug_assert!(symbols.len() <= WIDE);
        self.runs.clear();
        for period in 1..=most.min(symbols.len() / 2) {
            // How many symbols up to here are what is a period later.
            let mut same = 0;
            for end in period..=symbols.len() {
                if end < symbols.len() && symbols[end - period] == symbols[end] {
                    same += 1;
                    continue;
                }
                if same >= period {
                    let start = end - period - same;
                    self.push_run(start as u8, end as u8, period as u8);
                }
                same = 0;
            }
        }
        self.index(symbols.len());
    }

    fn index(&mut self, len: usize) {
        self.all.clear();
        if self.runs.is_empty() {
            return;
        }
        self.costs.clear();
        self.starts.clear();
        self.starts.resize(len + 2, 0);
        // Counts, shifted by two so that filling in shifts them to their place.
        for run in &mut self.runs {
            run.costs = self.costs.len() as u16;
            let bodies = usize::from(run.last_first() - run.start) + 1;
            self.costs
                .resize(self.costs.len() + bodies, run.period.into());
            for start in run.start..=run.last() {
                self.starts[usize::from(start) + 2] += 1;
            }
        }
        self.starts[1] = 1;
        self.starts[0] = 1;
        for position in 2..self.starts.len() {
            self.starts[position] += self.starts[position - 1];
        }
        let squares = self.starts[self.starts.len() - 1];
        self.all.resize(squares.into(), Square::NONE);
        for index in 0..self.runs.len() {
            self.fill(self.runs[index]);
        }
        self.starts.pop();
    }

    /// Enters the squares of a run. Of each position, `starts` has where its next one belongs, one
    /// behind its own place.
    fn fill(&mut self, run: Run) {
        let mut known = [0u16; WIDE];
        for start in (run.start..=run.last()).rev() {
            let place = &mut self.starts[usize::from(start) + 1];
            let next = usize::from(start) + usize::from(run.period);
            self.all[usize::from(*place)] = Square {
                period: run.period,
                cost: run.costs + u16::from((start - run.start) % run.period),
                next: known.get(next).copied().unwrap_or(0),
            };
            known[usize::from(start)] = *place;
            *place += 1;
        }
    }

    /// Finds the runs.
    pub(super) fn find_runs(&mut self, symbols: &[u32]) {
        debug_assert!(symbols.len() <= SMALL);
        self.find_places(symbols);
        self.runs.clear();
        for period in 1..=symbols.len() / 2 {
            // One bit for each position: whether what is a period later is the same.
            let same = self
                .places
                .iter()
                .fold(0, |same, places| same | (places & (places >> period)));
            // Those with as many in a row as a period has.
            let (mut whole, mut len) = (same, 1);
            while len < period {
                let step = len.min(period - len);
                whole &= whole >> step;
                len += step;
            }
            while whole != 0 {
                let start = whole.trailing_zeros();
                let stretch = (!(same >> start)).trailing_zeros();
                let end = start + stretch + period as u32;
                whole &= u128::MAX.checked_shl(start + stretch).unwrap_or(0);
                self.push_run(start as u8, end as u8, period as u8);
            }
        }
    }

    fn push_run(&mut self, start: u8, end: u8, period: u8) {
        // A multiple of the smallest period repeats over the same stretch.
        let is_known = |run: &Run| run.start == start && run.end == end;
        if !self.runs.iter().any(is_known) {
            self.runs.push(Run {
                start,
                end,
                period,
                costs: 0,
            });
        }
    }

    fn find_places(&mut self, symbols: &[u32]) {
        // Open addressing: more than enough places for each symbol to have its own.
        let mut table = [u8::MAX; 2 * SMALL];
        self.places.clear();
        let mut known: [u32; SMALL] = [0; SMALL];
        for (position, &symbol) in symbols.iter().enumerate() {
            let mut at = (symbol.wrapping_mul(0x9e37_79b9) >> 24) as usize;
            let index = loop {
                match usize::from(table[at]) {
                    free if free == usize::from(u8::MAX) => {
                        table[at] = self.places.len() as u8;
                        known[self.places.len()] = symbol;
                        self.places.push(0);
                        break self.places.len() - 1;
                    }
                    index if known[index] == symbol => break index,
                    _ => at = (at + 1) % table.len(),
                }
            };
            self.places[index] |= 1 << position;
        }
        self.places.retain(|places| places.count_ones() > 1);
    }
}
