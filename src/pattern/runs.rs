//! All maximal runs of a sequence: stretches that repeat themselves at least once, as long as they
//! go, with their smallest period. There are fewer of them than symbols.
//!
//! Every run has a Lyndon word as one of its rotations, and that word is the longest Lyndon word
//! from its start on, either in the order of the symbols or in the opposite one (Bannai et al., "The
//! runs theorem", 2017). So trying one word for each position and order finds all runs.

use super::lce::{Lce, common};

/// A maximal run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: u32,
    pub(super) end: u32,
    /// Its smallest period: length of what repeats.
    pub(super) period: u32,
    /// Where the Lyndon word is first: a rotation that all runs of this content share.
    pub(super) root: u32,
}

impl Run {
    /// The last position from which two copies fit.
    pub(super) fn last_square(&self) -> usize {
        (self.end - 2 * self.period) as usize
    }
}

/// All maximal runs, in no order.
pub(super) fn maximal_runs(lce: &Lce<'_>, symbols: &[u32]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut smaller = vec![0; symbols.len()];
    for opposite in [false, true] {
        runs_of_one_order(lce, symbols, opposite, &mut smaller, &mut runs);
    }
    runs
}

/// `smaller` gets for each position the next one from which on the rest of the sequence is smaller:
/// where the longest Lyndon word from there on ends.
fn runs_of_one_order(
    lce: &Lce<'_>,
    symbols: &[u32],
    opposite: bool,
    smaller: &mut [u32],
    runs: &mut Vec<Run>,
) {
    let len = symbols.len();
    let mut known = Known::new();
    for start in (0..len).rev() {
        let mut next = start + 1;
        let mut same = 0;
        while next < len {
            same = known.forward(lce, symbols, start, next);
            let behind = next + same;
            // The end is smaller than any symbol, in both orders.
            if behind == len || (symbols[behind] < symbols[start + same]) != opposite {
                break;
            }
            next = smaller[next] as usize;
        }
        smaller[start] = next as u32;
        // A run that ends with the sequence is found in both orders.
        if next == len || same == 0 || (opposite && next + same == len) {
            continue;
        }
        let period = next - start;
        let before = lce.backward(start, next, period);
        // Else it was found with the copy before this one, or will be.
        if before < period && before + same >= period {
            runs.push(Run {
                start: (start - before) as u32,
                end: (next + same) as u32,
                period: period as u32,
                root: start as u32,
            });
        }
    }
}

/// The last answer for each of some distances: comparing what a loop repeats asks for the same
/// distance again and again, each time a little further to the left.
struct Known {
    entries: Box<[(u32, u32, u32); Known::ENTRIES]>,
}

impl Known {
    const ENTRIES: usize = 256;
    /// How far from a known position a comparison up to it beats asking for hashes.
    const NEAR: usize = 256;

    fn new() -> Known {
        Known {
            entries: Box::new([(0, 0, 0); Known::ENTRIES]),
        }
    }

    fn forward(&mut self, lce: &Lce<'_>, symbols: &[u32], a: usize, b: usize) -> usize {
        if symbols[a] != symbols[b] {
            return 0;
        }
        let distance = b - a;
        let entry = &mut self.entries[distance % Known::ENTRIES];
        let (known_distance, position, known) = *entry;
        let gap = (position as usize).wrapping_sub(a);
        let same = if known_distance as usize == distance && gap <= Known::NEAR {
            match common(&symbols[a..], &symbols[b..], gap) {
                same if same == gap => same + known as usize,
                same => same,
            }
        } else {
            lce.forward(a, b)
        };
        *entry = (distance as u32, a as u32, same as u32);
        same
    }
}
