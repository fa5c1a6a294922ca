//! What is said of a call, or of all the calls that one line stands for.

use crate::recording::{Flags, Recording, Row};
use crate::trace::{Category, Code};

/// A call's facts; of several calls those that they have in common.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) code: &'a Code,
    /// None: not recorded, or not the same parameters everywhere.
    pub(super) arguments: Option<Vec<Argument<'a>>>,
    pub(super) result: Option<Fact<'a>>,
    pub(super) exception: Option<Fact<'a>>,
    pub(super) message: Option<Fact<'a>>,
    pub(super) flags: Flags,
    /// How many calls these are.
    pub(super) count: usize,
    /// How many an exception left.
    pub(super) raised: usize,
    /// How many had not ended: their mean duration is but a bound.
    pub(super) unfinished: usize,
    /// Of all, in nanoseconds.
    pub(super) duration: u128,
}

/// An argument; with a value of `None` the calls differ in it.
pub(super) type Argument<'a> = (&'a str, Fact<'a>);

/// Something that all calls have, or in which they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact<'a> {
    Same(&'a str),
    Differs,
}

impl<'a> Shown<'a> {
    /// Of the first of these rows, and of as many others as there are.
    pub(super) fn of(
        recording: &'a Recording,
        first: &Row,
        others: impl Iterator<Item = &'a Row>,
    ) -> Self {
        let mut shown = Shown {
            code: recording.code(first),
            arguments: recording.arguments(first).map(|arguments| {
                let same = |(name, value)| (name, Fact::Same(value));
                arguments.iter().map(same).collect()
            }),
            result: recording.result(first).map(Fact::Same),
            exception: recording.exception(first).map(Fact::Same),
            message: recording.message(first).map(Fact::Same),
            flags: first.flags,
            count: 1,
            raised: usize::from(first.flags.has(Flags::RAISED)),
            unfinished: usize::from(first.flags.has(Flags::UNFINISHED)),
            duration: first.duration.into(),
        };
        for row in others {
            shown.meet(recording, first, row);
        }
        shown
    }

    /// The mean duration, in nanoseconds.
    pub(super) fn mean(&self) -> u64 {
        let count = self.count as u128;
        u64::try_from((self.duration + count / 2) / count).unwrap_or(u64::MAX)
    }

    /// Where it stands to the scope.
    pub(super) fn category(&self) -> Category {
        self.code.category
    }

    fn meet(&mut self, recording: &'a Recording, first: &Row, row: &Row) {
        self.count += 1;
        self.duration += u128::from(row.duration);
        self.flags = self.flags.common(row.flags);
        self.unfinished += usize::from(row.flags.has(Flags::UNFINISHED));
        // Most texts that are the same are so by index.
        if row.arguments != first.arguments {
            self.meet_arguments(recording, row);
        }
        if !row.flags.has(Flags::RAISED) {
            if self.raised == self.count - 1 {
                self.result = recording.result(row).map(Fact::Same);
            } else if row.outcome != first.outcome || row.flags != first.flags {
                meet(&mut self.result, recording.result(row));
            }
            return;
        }
        self.raised += 1;
        if self.raised == 1 {
            self.exception = recording.exception(row).map(Fact::Same);
            self.message = recording.message(row).map(Fact::Same);
        } else {
            meet(&mut self.exception, recording.exception(row));
            meet(&mut self.message, recording.message(row));
        }
    }

    fn meet_arguments(&mut self, recording: &'a Recording, row: &Row) {
        let Some(known) = &mut self.arguments else {
            return;
        };
        let mut found = recording
            .arguments(row)
            .into_iter()
            .flat_map(|list| list.iter());
        for (name, fact) in &mut *known {
            match found.next() {
                Some((same, value)) if same == *name => {
                    if *fact != Fact::Same(value) {
                        *fact = Fact::Differs;
                    }
                }
                _ => {
                    self.arguments = None;
                    return;
                }
            }
        }
        if found.next().is_some() {
            self.arguments = None;
        }
    }
}

/// What is left of a fact when there is another.
fn meet<'a>(known: &mut Option<Fact<'a>>, found: Option<&'a str>) {
    if *known != found.map(Fact::Same) {
        *known = Some(Fact::Differs);
    }
}
