//! Numbers about a repeat and about a whole recording.

use super::count::Count;
use super::nodes::Repeat;

/// A [`Repeat`] in figures.
///
/// A repetition lasts as long as its calls together: the sum of the durations of the siblings it
/// consists of, without what the caller did between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RepeatStatistics {
    /// How many calls each is, with those below it.
    pub calls_per_repetition: Count,
    /// Number of the first call.
    pub first_call: u64,
    /// Number of the last call of the last repetition.
    pub last_call: u64,
    /// How many calls all are, with those below them.
    pub total_calls: usize,
    /// How long the repetitions took.
    pub times: Times,
}

impl RepeatStatistics {
    pub(super) fn of(repeat: &Repeat<'_>) -> RepeatStatistics {
        RepeatStatistics {
            calls_per_repetition: repeat.calls_per_repetition(),
            first_call: repeat.first_call(),
            last_call: repeat.last_call(),
            total_calls: repeat.total_calls(),
            times: Times::of(repeat.durations()),
        }
    }
}

/// Durations in figures, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// How many there are.
    pub count: usize,
    /// All together.
    pub total: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The shortest.
    pub min: u64,
    /// The longest.
    pub max: u64,
    /// Of the population: all are known, none is a sample.
    pub standard_deviation: f64,
    /// Index of the longest; of equals, the first.
    pub slowest: usize,
}

impl Times {
    /// The figures of these; all 0 if there are none.
    pub fn of(durations: impl IntoIterator<Item = u64>) -> Times {
        let mut times = Times {
            count: 0,
            total: 0,
            mean: 0.0,
            min: 0,
            max: 0,
            standard_deviation: 0.0,
            slowest: 0,
        };
        // Welford's: squares of nanoseconds would lose the small digits.
        let mut squares = 0.0;
        for (index, duration) in durations.into_iter().enumerate() {
            times.count += 1;
            times.total = times.total.saturating_add(duration);
            let off = duration as f64 - times.mean;
            times.mean += off / times.count as f64;
            squares += off * (duration as f64 - times.mean);
            if index == 0 || duration < times.min {
                times.min = duration;
            }
            if index == 0 || duration > times.max {
                times.max = duration;
                times.slowest = index;
            }
        }
        times.standard_deviation = (squares / times.count.max(1) as f64).sqrt();
        times
    }
}
