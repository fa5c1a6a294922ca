//! All the calls that a node of a template stands for.

use super::nodes::{Call, Repeat};
use crate::recording::Row;

/// What an exact repeat makes of what stands in its template: so many copies, so many calls apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stride {
    count: usize,
    calls: usize,
}

impl Stride {
    /// `None` where repetitions differ: no call of the first has a counterpart in all.
    pub fn of(repeat: &Repeat<'_>) -> Option<Stride> {
        let count = repeat.repetitions().len();
        repeat.is_exact().then(|| Stride {
            count,
            calls: repeat.total_calls() / count,
        })
    }

    /// How many copies there are with all of these around, outer ones first.
    pub fn copies(strides: &[Stride]) -> usize {
        strides.iter().map(|stride| stride.count).product()
    }
}

/// How many positions further on each copy is, in order; the first is 0.
fn offsets(strides: &[Stride]) -> impl Iterator<Item = usize> + use<> {
    let strides = strides.to_vec();
    let mut turns = vec![0; strides.len()];
    let mut offset = Some(0);
    std::iter::from_fn(move || {
        let now = offset?;
        let mut next = now;
        offset = None;
        // The innermost turns fastest.
        for (turn, stride) in turns.iter_mut().zip(&strides).rev() {
            if *turn + 1 < stride.count {
                *turn += 1;
                offset = Some(next + stride.calls);
                break;
            }
            next -= *turn * stride.calls;
            *turn = 0;
        }
        Some(now)
    })
}

impl<'p> Call<'p> {
    /// Its row, and those of its copies in the repetitions of the repeats around it, outer ones first.
    pub fn copies(&self, strides: &[Stride]) -> impl Iterator<Item = &'p Row> + use<'p> {
        let (calls, position) = (self.calls(), self.position());
        offsets(strides).map(move |offset| calls.row(position + offset))
    }

    /// The same, each with how long it ran without what it called, in nanoseconds.
    pub fn timed_copies(
        &self,
        strides: &[Stride],
    ) -> impl Iterator<Item = (&'p Row, u64)> + use<'p> {
        let (calls, position) = (self.calls(), self.position());
        // Calls of one shape called the same, at the same distance.
        let callees: Vec<usize> = self
            .callees_unfolded()
            .map(|call| call.position())
            .collect();
        offsets(strides).map(move |offset| {
            let row = calls.row(position + offset);
            let below = callees
                .iter()
                .map(|callee| calls.row(callee + offset).duration);
            let below = below.fold(0u64, u64::saturating_add);
            // Other tools' calls may outlive their callers.
            (row, row.duration.saturating_sub(below))
        })
    }
}

impl<'p> Repeat<'p> {
    /// Of a repeat of one call: that call in each repetition, wherever the repeat stands for others.
    pub fn copies(&self, strides: &[Stride]) -> impl Iterator<Item = &'p Row> + use<'p> {
        let repeat = *self;
        let calls = repeat.calls();
        offsets(strides).flat_map(move |offset| {
            let starts = repeat.repetitions().map(|repetition| repetition.start);
            starts.map(move |position| calls.row(position + offset))
        })
    }

    /// The same, each with how long it ran without what it called, in nanoseconds. The first comes first.
    pub fn timed_copies(
        &self,
        strides: &[Stride],
    ) -> impl Iterator<Item = (&'p Row, u64)> + use<'p> {
        let (repetitions, strides) = match Stride::of(self) {
            Some(stride) => (1, [strides, &[stride]].concat()),
            None => (self.repetitions().len(), strides.to_vec()),
        };
        let repeat = *self;
        let calls = (0..repetitions).flat_map(move |index| repeat.repetition(index));
        calls.flat_map(move |call| call.timed_copies(&strides))
    }

    /// How long each repetition took, wherever the repeat stands for others, in nanoseconds.
    pub fn durations_of_copies(&self, strides: &[Stride]) -> impl Iterator<Item = u64> + use<'p> {
        let repeat = *self;
        let calls = repeat.calls();
        // Of these two one is empty.
        let (same, differing) = match Stride::of(self) {
            Some(stride) => (Some([strides, &[stride]].concat()), None),
            None => (None, Some(strides.to_vec())),
        };
        // Repetitions that are the same are so at the same distance.
        let siblings: Vec<usize> = match &same {
            Some(_) => repeat.repetition(0).map(|call| call.position()).collect(),
            None => Vec::new(),
        };
        let same = same.into_iter().flat_map(|strides| offsets(&strides));
        let same = same.map(move |offset| {
            let durations = siblings
                .iter()
                .map(|sibling| calls.row(sibling + offset).duration);
            durations.fold(0, u64::saturating_add)
        });
        let differing = differing.into_iter().flat_map(|strides| offsets(&strides));
        let differing = differing.flat_map(move |offset| {
            (0..repeat.repetitions().len()).map(move |index| {
                let durations = repeat
                    .repetition(index)
                    .map(|call| calls.row(call.position() + offset).duration);
                durations.fold(0, u64::saturating_add)
            })
        });
        same.chain(differing)
    }
}
