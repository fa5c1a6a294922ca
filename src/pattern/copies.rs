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

    /// How long it and its copies ran together without what they called, in nanoseconds.
    pub fn self_time(&self, strides: &[Stride]) -> u128 {
        let (calls, position) = (self.calls(), self.position());
        // Calls of one shape called the same, at the same distance.
        let callees: Vec<usize> = self
            .callees_unfolded()
            .map(|call| call.position())
            .collect();
        let self_time = |offset| {
            let below = callees
                .iter()
                .map(|callee| calls.row(callee + offset).duration);
            let below = below.fold(0u64, u64::saturating_add);
            // Other tools' calls may outlive their callers.
            calls.row(position + offset).duration.saturating_sub(below)
        };
        offsets(strides)
            .map(|offset| u128::from(self_time(offset)))
            .sum()
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

    /// How long each repetition took, wherever the repeat stands for others, in nanoseconds.
    pub fn durations_of_copies(&self, strides: &[Stride]) -> impl Iterator<Item = u64> + use<'p> {
        let repeat = *self;
        let calls = repeat.calls();
        offsets(strides).flat_map(move |offset| {
            (0..repeat.repetitions().len()).map(move |index| {
                let durations = repeat
                    .repetition(index)
                    .map(|call| calls.row(call.position() + offset).duration);
                durations.fold(0, u64::saturating_add)
            })
        })
    }

    /// Of a repeat of one call: how long the calls of all repetitions ran together without what they
    /// called, wherever the repeat stands for others, in nanoseconds.
    pub fn self_time(&self, strides: &[Stride]) -> u128 {
        if let Some(stride) = Stride::of(self) {
            let strides = [strides, &[stride]].concat();
            return self
                .repetition(0)
                .map(|call| call.self_time(&strides))
                .sum();
        }
        let calls = (0..self.repetitions().len()).flat_map(|index| self.repetition(index));
        calls.map(|call| call.self_time(strides)).sum()
    }
}
