//! What there is to say of a call, or of several at once.

use super::{Flags, Recording, Row};
use crate::trace::{Category, Code};

/// A call's facts; of several calls those that they have in common.
#[derive(Debug)]
pub struct Facts<'a> {
    /// What the first of them ran.
    pub code: &'a Code,
    /// By the names of parameters. None: not recorded, or not the same parameters everywhere.
    pub arguments: Option<Vec<Argument<'a>>>,
    /// What they returned or yielded: of those that no exception left, if there are any.
    pub result: Option<Fact<'a>>,
    /// The type of the exception: of those that one left, as is the message.
    pub exception: Option<Fact<'a>>,
    /// The message of the exception.
    pub message: Option<Fact<'a>>,
    /// What all have.
    pub flags: Flags,
    /// How many calls these are.
    pub count: usize,
    /// How many an exception left.
    pub raised: usize,
    /// How many had not ended: their mean duration is but a bound.
    pub unfinished: usize,
    /// Of all, in nanoseconds.
    pub duration: u128,
    /// Of the shortest, in nanoseconds.
    pub min: u64,
    /// Of the longest, in nanoseconds.
    pub max: u64,
}

/// An argument; with a value of `None` the calls differ in it.
pub type Argument<'a> = (&'a str, Fact<'a>);

/// Something that all calls have, or in which they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact<'a> {
    /// All have this.
    Same(&'a str),
    /// They do not all have the same.
    Differs,
}

impl<'a> Facts<'a> {
    /// Of the first of these rows, and of as many others as there are.
    pub fn of<'b>(
        recording: &'a Recording,
        first: &Row,
        others: impl Iterator<Item = &'b Row>,
    ) -> Self {
        let mut facts = Facts {
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
            min: first.duration,
            max: first.duration,
        };
        for row in others {
            facts.meet(recording, first, row);
        }
        facts
    }

    /// The mean duration, in nanoseconds.
    pub fn mean(&self) -> u64 {
        let count = self.count as u128;
        u64::try_from((self.duration + count / 2) / count).unwrap_or(u64::MAX)
    }

    /// Where it stands to the scope.
    pub fn category(&self) -> Category {
        self.code.category
    }

    fn meet(&mut self, recording: &'a Recording, first: &Row, row: &Row) {
        self.count += 1;
        self.duration += u128::from(row.duration);
        self.min = self.min.min(row.duration);
        self.max = self.max.max(row.duration);
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
