//! Numbers about a repeat and about a whole recording.

use super::nodes::{Count, Repeat};

/// Times over the repetitions of a [`Repeat`], in nanoseconds.
///
/// A repetition lasts as long as its calls together: the sum of the durations of the siblings it
/// consists of, without what the caller did between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RepeatStatistics {
    /// How many repetitions these are.
    pub repetitions: usize,
    /// How many calls each is, with those below it.
    pub calls_per_repetition: Count,
    /// Number of the first call.
    pub first_call: u64,
    /// Number of the last call of the last repetition.
    pub last_call: u64,
    /// How many calls all are, with those below them.
    pub total_calls: usize,
    /// All repetitions together.
    pub total: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// Of the fastest.
    pub min: u64,
    /// Of the slowest.
    pub max: u64,
    /// Of the population: all repetitions are known, none is a sample.
    pub standard_deviation: f64,
    /// Index of the slowest repetition; of equals, the first.
    pub slowest: usize,
}

impl RepeatStatistics {
    pub(super) fn of(repeat: &Repeat<'_>) -> RepeatStatistics {
        let mut statistics = RepeatStatistics {
            repetitions: 0,
            calls_per_repetition: repeat.calls_per_repetition(),
            first_call: repeat.first_call(),
            last_call: repeat.last_call(),
            total_calls: repeat.total_calls(),
            total: 0,
            mean: 0.0,
            min: u64::MAX,
            max: 0,
            standard_deviation: 0.0,
            slowest: 0,
        };
        // Welford's: squares of nanoseconds would lose the small digits.
        let mut squares = 0.0;
        for (index, duration) in repeat.durations().enumerate() {
            statistics.repetitions += 1;
            statistics.total = statistics.total.saturating_add(duration);
            let off = duration as f64 - statistics.mean;
            statistics.mean += off / statistics.repetitions as f64;
            squares += off * (duration as f64 - statistics.mean);
            statistics.min = statistics.min.min(duration);
            if index == 0 || duration > statistics.max {
                statistics.max = duration;
                statistics.slowest = index;
            }
        }
        statistics.standard_deviation = (squares / statistics.repetitions as f64).sqrt();
        statistics
    }
}
