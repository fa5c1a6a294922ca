//! Folding a list of symbols.

use super::folds::Packed;
use super::long;
use super::small::{SMALL, Small};

/// Folds lists. Kept for the sake of its memory.
#[derive(Debug)]
pub(super) struct Folder {
    small: Small,
    /// Up to which length lists are left to `small`.
    small_up_to: usize,
    /// Start, end and period of the repeats of all lists that are being written, outer ones first.
    repeats: Vec<(u32, u32, u32)>,
}

impl Default for Folder {
    fn default() -> Self {
        Folder {
            small: Small::default(),
            small_up_to: SMALL,
            repeats: Vec::new(),
        }
    }
}

impl Folder {
    /// Adds the folded form of `symbols` to `out`.
    pub(super) fn fold(&mut self, symbols: &[u32], out: &mut Vec<Packed>) {
        let first = self.repeats.len();
        self.find_repeats(symbols);
        let mut at = 0;
        for index in first..self.repeats.len() {
            let (start, end, period) = self.repeats[index];
            push_calls(start - at, out);
            let head = out.len();
            let count = (end - start) / period;
            out.push(Packed::exact(count as usize, 0));
            // Bodies get shorter by half at least: this goes no deeper than 32.
            self.fold(&symbols[start as usize..(start + period) as usize], out);
            out[head] = Packed::exact(count as usize, out.len() - head - 1);
            at = end;
        }
        push_calls(symbols.len() as u32 - at, out);
        self.repeats.truncate(first);
    }

    fn find_repeats(&mut self, symbols: &[u32]) {
        match symbols {
            [] | [_] => {}
            _ if symbols.len() <= self.small_up_to => {
                self.small.repeats(symbols, &mut self.repeats)
            }
            _ => {
                for (start, end) in long::repeats(symbols, &mut self.small) {
                    // Found with hashes, so compare: if they lied there is no such repeat.
                    let stretch = &symbols[start as usize..end as usize];
                    if let Some(period) = period(stretch) {
                        self.repeats.push((start, end, period));
                    }
                }
            }
        }
    }
}

fn push_calls(siblings: u32, out: &mut Vec<Packed>) {
    if siblings > 0 {
        out.push(Packed::calls(siblings as usize));
    }
}

/// Length of the shortest body that gives `symbols` when repeated, at least twice.
fn period(symbols: &[u32]) -> Option<u32> {
    // For each prefix, the longest other one that it ends with (Knuth, Morris and Pratt).
    let mut borders: Vec<u32> = Vec::with_capacity(symbols.len());
    let mut border = 0;
    borders.push(0);
    for &symbol in &symbols[1..] {
        while border > 0 && symbols[border] != symbol {
            border = borders[border - 1] as usize;
        }
        border += usize::from(symbols[border] == symbol);
        borders.push(border as u32);
    }
    let period = symbols.len() - border;
    (border > 0 && symbols.len().is_multiple_of(period)).then_some(period as u32)
}

#[cfg(test)]
pub(super) mod sequences;
#[cfg(test)]
mod tests;
