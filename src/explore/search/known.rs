//! What a search has found out so far.

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};

use super::{Direction, Fields, Needle, SearchQuery};
use crate::explore::cache::Weigh;
use crate::recording::{Calls, Flags, Recording, Row};

/// How many calls are counted, and skipped, as one.
pub(super) const BLOCK: usize = 1024;

/// A search, and what it found out.
///
/// Many may search at once. What they find out is the same, so that it does not matter who is
/// first, nor in which order others get to see it.
#[derive(Debug)]
pub(in crate::explore) struct Search {
    /// `None`: nothing is found.
    needle: Option<Needle>,
    fields: Fields,
    names: Flagged,
    files: Flagged,
    exceptions: Flagged,
    texts: Flagged,
    /// By thread, the hits of each [`BLOCK`] of the calls that are left; plus one, 0: not known yet.
    blocks: Vec<Vec<AtomicU16>>,
}

impl Weigh for Search {
    fn weight(&self) -> usize {
        let flagged = [&self.names, &self.files, &self.exceptions, &self.texts];
        let flags = flagged.iter().map(|flagged| flagged.0.len());
        let blocks = self.blocks.iter().map(|blocks| 24 + 2 * blocks.len());
        flags.sum::<usize>() + blocks.sum::<usize>()
    }
}

/// For each of some texts, whether it has what is looked for.
#[derive(Debug)]
struct Flagged(Vec<AtomicU8>);

impl Flagged {
    const UNKNOWN: u8 = 0;
    const NO: u8 = 1;
    const YES: u8 = 2;

    /// Nothing is known yet; no memory if there is no need.
    fn new(texts: usize, is_needed: bool) -> Self {
        let texts = if is_needed { texts } else { 0 };
        Flagged(
            (0..texts)
                .map(|_| AtomicU8::new(Flagged::UNKNOWN))
                .collect(),
        )
    }

    fn get(&self, index: usize, find: impl FnOnce() -> bool) -> bool {
        let Some(flag) = self.0.get(index) else {
            return false;
        };
        match flag.load(Ordering::Relaxed) {
            Flagged::UNKNOWN => {
                let found = find();
                let known = if found { Flagged::YES } else { Flagged::NO };
                flag.store(known, Ordering::Relaxed);
                found
            }
            known => known == Flagged::YES,
        }
    }
}

impl Search {
    /// `calls`: how many there are of each thread, filters or no filters.
    pub(super) fn new(
        query: &SearchQuery,
        recording: &Recording,
        calls: impl Iterator<Item = usize>,
    ) -> Self {
        let needle = Needle::new(&query.text);
        let fields = query.fields;
        let is_needed = |field: bool| field && needle.is_some();
        let blocks = |calls: usize| {
            (0..calls.div_ceil(BLOCK))
                .map(|_| AtomicU16::new(0))
                .collect()
        };
        Search {
            fields,
            names: Flagged::new(recording.codes.len(), is_needed(fields.names)),
            files: Flagged::new(recording.codes.len(), is_needed(fields.files)),
            exceptions: Flagged::new(recording.exceptions.len(), is_needed(fields.values)),
            texts: Flagged::new(recording.texts.len(), is_needed(fields.values)),
            blocks: calls.map(blocks).collect(),
            needle,
        }
    }

    fn is_hit(&self, recording: &Recording, row: &Row) -> bool {
        let Some(needle) = &self.needle else {
            return false;
        };
        let index = row.code as usize;
        let code = || &recording.codes[index];
        let has_text = |text: Option<NonZeroU32>| {
            text.is_some_and(|text| {
                let find = || needle.is_in(recording.texts.get(text));
                self.texts.get(text.get() as usize - 1, find)
            })
        };
        let is_exception = |exception: NonZeroU32| {
            let index = exception.get() as usize - 1;
            self.exceptions
                .get(index, || needle.is_in(&recording.exceptions[index]))
        };
        self.names.get(index, || needle.is_in(&code().name))
            || self.files.get(index, || needle.is_in(&code().file))
            || has_text(row.arguments)
            || has_text(row.outcome)
            || row.exception.is_some_and(is_exception)
    }

    /// What of a call has the text, all of that, and where in it.
    pub(super) fn find<'r>(
        &self,
        recording: &'r Recording,
        row: &Row,
    ) -> Option<(&'static str, &'r str, Range<usize>)> {
        let needle = self.needle.as_ref()?;
        let code = recording.code(row);
        let arguments = recording.arguments(row).map(|arguments| arguments.text());
        let outcome = match row.flags.has(Flags::RAISED) {
            true => ("message", recording.message(row)),
            false => ("result", recording.result(row)),
        };
        let texts = [
            (self.fields.names, "name", Some(&*code.name)),
            (self.fields.files, "file", Some(&*code.file)),
            (self.fields.values, "arguments", arguments),
            (self.fields.values, outcome.0, outcome.1),
            (self.fields.values, "exception", recording.exception(row)),
        ];
        texts.into_iter().find_map(|(is_asked, place, text)| {
            let text = text.filter(|_| is_asked)?;
            needle.find(text).map(|found| (place, text, found))
        })
    }

    /// Calls `hit` for the hits among some calls of a block. The position at which that said that
    /// this is enough.
    pub(super) fn scan_block(
        &self,
        recording: &Recording,
        calls: &Calls<'_>,
        thread: usize,
        positions: Range<usize>,
        direction: Direction,
        hit: &mut dyn FnMut(usize) -> bool,
    ) -> Option<usize> {
        let known = &self.blocks[thread][positions.start / BLOCK];
        if known.load(Ordering::Relaxed) == 1 {
            return None;
        }
        let is_whole = is_whole(&positions, calls);
        let mut found = 0;
        for step in 0..positions.len() {
            let position = match direction {
                Direction::Next => positions.start + step,
                Direction::Previous => positions.end - 1 - step,
            };
            if self.is_hit(recording, calls.row(position)) {
                found += 1;
                if !hit(position) {
                    return Some(position);
                }
            }
        }
        if is_whole {
            known.store(found + 1, Ordering::Relaxed);
        }
        None
    }

    /// How many hits are among some calls of a block.
    pub(super) fn count_block(
        &self,
        recording: &Recording,
        calls: &Calls<'_>,
        thread: usize,
        positions: Range<usize>,
    ) -> usize {
        if positions.is_empty() {
            return 0;
        }
        let known = self.blocks[thread][positions.start / BLOCK].load(Ordering::Relaxed);
        if known > 0 && is_whole(&positions, calls) {
            return usize::from(known) - 1;
        }
        let mut found = 0;
        self.scan_block(
            recording,
            calls,
            thread,
            positions,
            Direction::Next,
            &mut |_| {
                found += 1;
                true
            },
        );
        found
    }
}

fn is_whole(positions: &Range<usize>, calls: &Calls<'_>) -> bool {
    let start = positions.start / BLOCK * BLOCK;
    *positions == (start..calls.len().min(start + BLOCK))
}
