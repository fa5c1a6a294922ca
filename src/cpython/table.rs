//! Finding the evaluator's dispatch table: 256 pointers to opcode handlers.
//!
//! The table is a local object (`opcode_targets` in `Python/opcode_targets.h`;
//! `INSTRUCTION_TABLE` where handlers are functions that call each other), so a stripped file
//! does not name it. What gives it away is that all unassigned opcode numbers share one
//! handler, and no assigned one has that.

use rustc_hash::FxHashSet;

use super::elf::Elf;
use super::opcode::Opcodes;

/// Handlers by opcode number.
#[derive(Debug, Clone)]
pub(super) struct DispatchTable {
    handlers: Vec<u64>,
    unknown: u64,
}

/// Fewer distinct handlers than any CPython has (3.6: some 120): the second, "tracing" table
/// of a 3.15 with a JIT has but two, and a window that is off by some entries few.
const DISTINCT_MIN: usize = 90;

/// Places that are examined at most, so that a file made of code pointers costs no more than
/// a moment. CPython has some 50,000.
const WINDOWS_MAX: usize = 1 << 20;

impl DispatchTable {
    /// Finds the table in the file's constant and initialised data.
    pub(super) fn find(elf: &Elf, opcodes: &Opcodes) -> Option<DispatchTable> {
        let mut windows_left = WINDOWS_MAX;
        let mut best: Option<(usize, DispatchTable)> = None;
        for section in elf.sections() {
            if !section.alloc || section.executable || section.size < 8 * 256 {
                continue;
            }
            let words = elf.words(section);
            for window in code_runs(elf, &words)
                .into_iter()
                .flat_map(|run| run.windows(256))
            {
                windows_left = windows_left.checked_sub(1)?;
                let Some(unknown) = shared_by_unassigned(window, opcodes) else {
                    continue;
                };
                if let Some(score) = score(window, unknown, opcodes)
                    && best.as_ref().is_none_or(|(least, _)| score > *least)
                {
                    best = Some((
                        score,
                        DispatchTable {
                            handlers: window.to_vec(),
                            unknown,
                        },
                    ));
                }
            }
        }
        best.map(|(_, table)| table)
    }

    /// The handler of an opcode that is assigned.
    pub(super) fn handler(&self, opcode: u8) -> Option<u64> {
        let handler = self.handlers.get(usize::from(opcode)).copied()?;
        (handler != self.unknown).then_some(handler)
    }

    /// Every handler once, in order of opcode.
    pub(super) fn handlers(&self) -> Vec<u64> {
        let mut seen = FxHashSet::default();
        self.handlers
            .iter()
            .copied()
            .filter(|handler| seen.insert(*handler))
            .collect()
    }
}

/// The maximal runs of at least 256 pointers to code.
fn code_runs<'words>(elf: &Elf, words: &'words [u64]) -> Vec<&'words [u64]> {
    let code: Vec<_> = elf
        .sections()
        .iter()
        .filter(|section| section.executable && section.alloc)
        .map(|section| section.address..section.address.saturating_add(section.size))
        .collect();
    words
        .split(|word| !code.iter().any(|range| range.contains(word)))
        .filter(|run| run.len() >= 256)
        .collect()
}

/// The handler that all unassigned numbers share, if they do.
fn shared_by_unassigned(window: &[u64], opcodes: &Opcodes) -> Option<u64> {
    let mut handlers = opcodes
        .unassigned
        .iter()
        .flat_map(|range| window.get(usize::from(*range.start())..=usize::from(*range.end())))
        .flatten();
    let unknown = *handlers.next()?;
    handlers
        .all(|handler| *handler == unknown)
        .then_some(unknown)
}

/// How many distinct handlers the window has, if it is a dispatch table at all.
fn score(window: &[u64], unknown: u64, opcodes: &Opcodes) -> Option<usize> {
    let (mut distinct, mut strangers) = (FxHashSet::default(), 0);
    for (opcode, handler) in (0..=255u8).zip(window) {
        let is_unknown = *handler == unknown;
        if opcodes.is_unassigned(opcode) != is_unknown {
            strangers += 1;
        }
        if !is_unknown {
            distinct.insert(*handler);
        }
    }
    // Up to 3.10 scattered numbers are unassigned too, besides the ranges that are listed.
    let tolerated = if opcodes.resumes.is_empty() { 32 } else { 2 };
    (strangers <= tolerated && distinct.len() >= DISTINCT_MIN).then_some(distinct.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNKNOWN: u64 = 0x9000;

    fn opcodes() -> &'static Opcodes {
        Opcodes::of(13).expect("3.13 is supported")
    }

    fn table() -> Vec<u64> {
        (0..=255u8)
            .map(|opcode| match opcodes().is_unassigned(opcode) {
                true => UNKNOWN,
                false => 0x1000 + u64::from(opcode),
            })
            .collect()
    }

    #[test]
    fn a_dispatch_table_is_known_by_its_unassigned_opcodes() {
        let table = table();
        assert_eq!(shared_by_unassigned(&table, opcodes()), Some(UNKNOWN));
        assert_eq!(score(&table, UNKNOWN, opcodes()), Some(256 - 44));
    }

    #[test]
    fn a_table_that_starts_elsewhere_is_not_one() {
        let mut shifted = table();
        shifted.rotate_left(1);
        assert_eq!(shared_by_unassigned(&shifted, opcodes()), None);
    }

    #[test]
    fn a_table_of_one_handler_is_not_one() {
        // The table that 3.15 records traces with.
        assert_eq!(score(&[UNKNOWN; 256], UNKNOWN, opcodes()), None);
    }
}
