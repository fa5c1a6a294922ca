//! Numbers about the whole.

use serde::Serialize;

use super::JsonOptions;
use super::repeat::RepeatMembers;
use crate::pattern::{Patterns, TopPattern};
use crate::recording::Recording;

/// How many patterns are named.
const TOP: usize = 10;

#[derive(Serialize)]
pub(super) struct StatisticsMembers<'r> {
    threads: usize,
    calls: usize,
    #[serde(skip_serializing_if = "is_zero")]
    left_out: u64,
    #[serde(flatten)]
    patterns: Option<PatternMembers<'r>>,
    lost: u64,
    #[serde(skip_serializing_if = "no_gaps")]
    gaps: usize,
    truncated: bool,
}

/// What folding made of it.
#[derive(Serialize)]
struct PatternMembers<'r> {
    rows: usize,
    patterns: usize,
    deepest_nesting: usize,
    calls_in_patterns: usize,
    share_in_patterns: f64,
    top_patterns: Vec<TopMembers<'r>>,
}

/// A repeat, where it is, and the function that it begins with.
#[derive(Serialize)]
struct TopMembers<'r> {
    pid: u32,
    tid: u32,
    name: &'r str,
    #[serde(flatten)]
    repeat: RepeatMembers,
}

impl<'r> StatisticsMembers<'r> {
    pub(super) fn of(
        recording: &'r Recording,
        patterns: Option<&Patterns<'_>>,
        options: JsonOptions,
    ) -> Self {
        let calls = recording.threads.iter().map(|thread| thread.calls.len());
        StatisticsMembers {
            threads: recording.threads.len(),
            calls: calls.sum(),
            left_out: options.left_out,
            patterns: patterns.map(|patterns| PatternMembers::of(recording, patterns)),
            lost: recording.lost(),
            gaps: recording
                .threads
                .iter()
                .map(|thread| thread.gaps.len())
                .sum(),
            truncated: recording.truncated,
        }
    }
}

impl<'r> PatternMembers<'r> {
    fn of(recording: &'r Recording, patterns: &Patterns<'_>) -> Self {
        let summary = patterns.summary(TOP);
        let top = summary.top.iter().map(|top| TopMembers::of(recording, top));
        PatternMembers {
            rows: summary.rows,
            patterns: summary.patterns,
            deepest_nesting: summary.deepest,
            calls_in_patterns: summary.calls_in_patterns,
            share_in_patterns: summary.share_in_patterns(),
            top_patterns: top.collect(),
        }
    }
}

impl<'r> TopMembers<'r> {
    fn of(recording: &'r Recording, top: &TopPattern<'_>) -> Self {
        let thread = &recording.threads[top.thread];
        let first = &thread.calls[top.repeat.rows().start];
        TopMembers {
            pid: thread.id.pid,
            tid: thread.id.tid,
            name: &recording.code(first).name,
            repeat: RepeatMembers::of(&top.repeat, &thread.calls),
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn no_gaps(gaps: &usize) -> bool {
    *gaps == 0
}
