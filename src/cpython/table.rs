//! Finding the evaluator's dispatch table: the places of its opcode handlers by opcode number.
//!
//! The table is a local object (`opcode_targets` in `Python/opcode_targets.h`;
//! `INSTRUCTION_TABLE` where handlers are functions that call each other; a jump table of the
//! compiler's own where the evaluator is one `switch`), so a stripped file does not name it. What
//! gives it away is that all unassigned opcode numbers share one handler, and no assigned one has
//! that.

use std::ops::{Range, RangeInclusive};

use rustc_hash::FxHashSet;

use super::elf::Elf;
use super::flow::Flow;
use super::opcode::Opcodes;

/// Handlers by opcode number.
#[derive(Debug, Clone)]
pub(super) struct DispatchTable {
    /// Where it lies.
    address: u64,
    handlers: Vec<u64>,
    unknown: u64,
}

/// Fewer distinct handlers than any CPython has (3.6: some 120): the second, "tracing" table
/// of a 3.15 with a JIT has but two, and a window that is off by some entries few.
const DISTINCT_MIN: usize = 90;

/// Places that are examined at most, so that a file made of code pointers costs no more than
/// a moment. CPython has some 50,000.
const WINDOWS_MAX: usize = 1 << 20;

/// Tables that are compared at most.
const TABLES_MAX: usize = 64;

impl DispatchTable {
    /// Finds the table in the file's constant and initialised data.
    /// Of several the one that the evaluator refers to: a file that BOLT has rewritten keeps the old
    /// code and its tables.
    pub(super) fn find(elf: &Elf, opcodes: &Opcodes, evaluator: u64) -> Option<DispatchTable> {
        let mut search = Search {
            code: code_ranges(elf),
            opcodes,
            spans: spans(opcodes),
            windows_left: WINDOWS_MAX,
            found: Vec::new(),
        };
        for section in elf.sections() {
            if section.alloc && !section.executable {
                // Once enough has been looked at, what was found has to do.
                let looked = search
                    .pointers(section.address, &elf.words(section))
                    .and_then(|()| search.distances(section.address, elf.section_bytes(section)));
                if looked.is_none() {
                    break;
                }
            }
        }
        let mut found = search.found;
        let first = found.first().map(|(_, table)| table.address);
        let several = found.iter().any(|(_, table)| Some(table.address) != first);
        let flow = several.then(|| Flow::from(elf, [evaluator]));
        let refers = |table: &DispatchTable| {
            flow.as_ref()
                .is_none_or(|flow| flow.refers_to(table.address))
        };
        // The first of equals.
        found.reverse();
        let best = found
            .into_iter()
            .max_by_key(|(score, table)| (refers(table), *score));
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

/// Where instructions lie.
fn code_ranges(elf: &Elf) -> Vec<Range<u64>> {
    elf.sections()
        .iter()
        .filter(|section| section.executable && section.alloc)
        .map(|section| section.address..section.address.saturating_add(section.size))
        .collect()
}

/// Which opcodes a table may have entries for. A compiler's own leaves out what the `switch` has no
/// case for at both ends of the numbers, and checks for that first.
fn spans(opcodes: &Opcodes) -> Vec<RangeInclusive<u8>> {
    let assigned = |opcode: &u8| !opcodes.is_unassigned(*opcode);
    let first = (0..=255).find(assigned).unwrap_or(0);
    let last = (0..=255).rev().find(assigned).unwrap_or(255);
    let mut spans = Vec::new();
    for span in [0..=255, first..=255, 0..=last, first..=last] {
        if !spans.contains(&span) {
            spans.push(span);
        }
    }
    spans
}

/// A search for dispatch tables.
struct Search<'opcodes> {
    code: Vec<Range<u64>>,
    opcodes: &'opcodes Opcodes,
    spans: Vec<RangeInclusive<u8>>,
    windows_left: usize,
    /// What was found, with how many distinct handlers each has.
    found: Vec<(usize, DispatchTable)>,
}

impl Search<'_> {
    /// Tables of pointers: the handlers' addresses. `None` when enough has been looked at.
    fn pointers(&mut self, address: u64, words: &[u64]) -> Option<()> {
        self.tables(words, |at| address + 8 * at as u64, |_, word| Some(word))
    }

    /// Tables of the handlers' distances from the table itself, 4 bytes each, which compilers prefer
    /// in code that may be loaded anywhere.
    fn distances(&mut self, address: u64, bytes: &[u8]) -> Option<()> {
        let words: Vec<i32> = bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|word| i32::from_le_bytes(*word))
            .collect();
        let target = |table: u64, distance: i32| table.checked_add_signed(i64::from(distance));
        self.tables(&words, |at| address + 4 * at as u64, target)
    }

    /// Tables among the words of a section: `address` is that of a word, and `target` that of the
    /// handler which a word of a table means.
    fn tables<Word: Copy + Eq>(
        &mut self,
        words: &[Word],
        address: impl Fn(usize) -> u64,
        target: impl Fn(u64, Word) -> Option<u64>,
    ) -> Option<()> {
        for span in self.spans.clone() {
            for (at, window) in words.windows(span.len()).enumerate() {
                let Some(unknown) = shared_by_unassigned(window, &span, self.opcodes) else {
                    continue;
                };
                let table = address(at);
                let handler = |word: Word| {
                    target(table, word)
                        .filter(|at| self.code.iter().any(|range| range.contains(at)))
                };
                let Some(unknown) = handler(unknown) else {
                    continue;
                };
                self.windows_left = self.windows_left.checked_sub(1)?;
                let inside = window.iter().map(|word| handler(*word));
                let Some(mut handlers) = inside.collect::<Option<Vec<u64>>>() else {
                    continue;
                };
                handlers.splice(0..0, (0..*span.start()).map(|_| unknown));
                handlers.resize(256, unknown);
                if let Some(score) = score(&handlers, unknown, self.opcodes)
                    && self.found.len() < TABLES_MAX
                {
                    self.found.push((
                        score,
                        DispatchTable {
                            address: table,
                            handlers,
                            unknown,
                        },
                    ));
                }
            }
        }
        Some(())
    }
}

/// The entry that all unassigned numbers share, if they do.
fn shared_by_unassigned<Word: Copy + Eq>(
    window: &[Word],
    span: &RangeInclusive<u8>,
    opcodes: &Opcodes,
) -> Option<Word> {
    let first = usize::from(*span.start());
    let mut entries = opcodes
        .unassigned
        .iter()
        .flat_map(|range| usize::from(*range.start())..=usize::from(*range.end()))
        .filter_map(|opcode| window.get(opcode.checked_sub(first)?));
    let unknown = *entries.next()?;
    // Most of what is no table shows here at once: zeros, above all.
    let raise = usize::from(opcodes.raise).checked_sub(first)?;
    if window.get(raise) == Some(&unknown) {
        return None;
    }
    entries.all(|entry| *entry == unknown).then_some(unknown)
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
    use super::super::tests::library;
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
        assert_eq!(
            shared_by_unassigned(&table, &(0..=255), opcodes()),
            Some(UNKNOWN)
        );
        assert_eq!(score(&table, UNKNOWN, opcodes()), Some(256 - 44));
    }

    /// A `switch` of 256 cases, as compilers make one of the evaluator without computed gotos.
    #[test]
    fn a_table_of_distances_is_found() {
        let cases: String = (0..=255u8)
            .filter(|opcode| !opcodes().is_unassigned(*opcode))
            .map(|opcode| {
                format!("case {opcode}: sum ^= f({opcode}, sum); sum += {opcode}; break;")
            })
            .collect();
        let unassigned: String = (0..=255u8)
            .filter(|opcode| opcodes().is_unassigned(*opcode))
            .map(|opcode| format!("case {opcode}:"))
            .collect();
        let source = format!(
            "long f(int, long);\n\
             long run(const unsigned char *next, long sum) {{ for (;;) switch (*next++) {{\n\
             {cases} {unassigned} return f(-1, sum); }} }}"
        );
        let elf = library(&source, &["-Wl,--unresolved-symbols=ignore-all"]);
        let run = elf.symbol("run").expect("a function").address;
        let table = DispatchTable::find(&elf, opcodes(), run).expect("a table");
        assert!(table.handlers().len() > 200);
        assert!(
            table
                .handlers()
                .into_iter()
                .all(|handler| elf.is_code(handler))
        );
        assert_eq!(table.handler(130), None, "an unassigned opcode");
    }

    #[test]
    fn a_table_may_lack_both_ends() {
        let opcodes = Opcodes::of(9).expect("3.9 is supported");
        assert_eq!(spans(opcodes), [0..=255, 1..=255, 0..=165, 1..=165]);
    }

    #[test]
    fn a_table_that_starts_elsewhere_is_not_one() {
        let mut shifted = table();
        shifted.rotate_left(1);
        assert_eq!(shared_by_unassigned(&shifted, &(0..=255), opcodes()), None);
    }

    #[test]
    fn a_table_of_one_handler_is_not_one() {
        // The table that 3.15 records traces with.
        assert_eq!(score(&[UNKNOWN; 256], UNKNOWN, opcodes()), None);
    }
}
