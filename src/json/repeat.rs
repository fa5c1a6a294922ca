//! The members of a repeat.

use serde::{Serialize, Serializer};

use crate::pattern::{Count, Repeat, RepeatStatistics};
use crate::recording::Row;

/// A repeat, but for its template.
#[derive(Serialize)]
pub(super) struct RepeatMembers {
    #[serde(serialize_with = "serialize_count")]
    repeat: Count,
    #[serde(skip_serializing_if = "Option::is_none")]
    exact: Option<bool>,
    /// Where `repeat` is a range: how often this one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    repetitions: Option<usize>,
    #[serde(serialize_with = "serialize_count")]
    calls_per_repetition: Count,
    first_call: u64,
    last_call: u64,
    total_calls: usize,
    #[serde(flatten)]
    times: TimeMembers,
}

/// Over the repetitions.
#[derive(Serialize)]
pub(super) struct TimeMembers {
    total_ns: u64,
    mean_ns: f64,
    min_ns: u64,
    max_ns: u64,
    stddev_ns: f64,
    slowest_repetition: usize,
    slowest_first_call: u64,
}

impl RepeatMembers {
    /// Of `repeat`, which is of a thread with these calls.
    pub(super) fn of(repeat: &Repeat<'_>, calls: &[Row]) -> Self {
        let statistics = repeat.statistics();
        let is_range = repeat.count().single().is_none();
        RepeatMembers {
            repeat: repeat.count(),
            exact: (!repeat.is_exact()).then_some(false),
            repetitions: is_range.then_some(statistics.times.count),
            calls_per_repetition: statistics.calls_per_repetition,
            first_call: statistics.first_call,
            last_call: statistics.last_call,
            total_calls: statistics.total_calls,
            times: TimeMembers::of(repeat, &statistics, calls),
        }
    }
}

impl TimeMembers {
    fn of(repeat: &Repeat<'_>, statistics: &RepeatStatistics, calls: &[Row]) -> Self {
        let slowest = repeat.repetitions().nth(statistics.times.slowest);
        let row = slowest.map_or(repeat.rows().start, |rows| rows.start);
        TimeMembers {
            total_ns: statistics.times.total,
            mean_ns: round(statistics.times.mean),
            min_ns: statistics.times.min,
            max_ns: statistics.times.max,
            stddev_ns: round(statistics.times.standard_deviation),
            slowest_repetition: statistics.times.slowest,
            slowest_first_call: calls[row].number,
        }
    }
}

/// To a thousandth of a nanosecond: more digits say nothing.
fn round(ns: f64) -> f64 {
    (ns * 1000.0).round() / 1000.0
}

/// A number; where it is not the same everywhere, the smallest and the largest.
fn serialize_count<S: Serializer>(count: &Count, serializer: S) -> Result<S::Ok, S::Error> {
    match count.single() {
        Some(count) => count.serialize(serializer),
        None => [count.min, count.max].serialize(serializer),
    }
}
