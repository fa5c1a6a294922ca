//! The table of patterns: the repeats that stand in no other.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};

use serde::{Serialize, Serializer};

use super::Explorer;
use super::cache::Weigh;
use super::filter::{Filter, Grouping};
use super::shown::{NAME, cut};
use super::threads::Threads;
use crate::pattern::{Count, Repeat};
use crate::recording::Calls;

/// How many repeats are kept: those that took longest.
const MOST_KEPT: usize = 10_000;

/// How many functions of a repetition are named.
const MOST_NAMES: usize = 8;

/// Which rows of the table of patterns, in which order.
#[derive(Debug, Clone, Copy)]
pub struct PatternsQuery {
    /// Whose calls.
    pub threads: Threads,
    /// Which of them.
    pub filter: Filter,
    /// How they are grouped.
    pub grouping: Grouping,
    /// What the rows are ordered by, the largest first.
    pub order: PatternOrder,
    /// The first row.
    pub from: usize,
    /// How many rows; at most 300.
    pub count: usize,
}

impl PatternsQuery {
    /// How many rows an answer has at most.
    pub const MOST_ROWS: usize = 300;
}

/// What the table of patterns is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatternOrder {
    /// How long all repetitions took.
    Total,
    /// How many calls all repetitions are.
    Calls,
    /// How many repetitions there are.
    Count,
    /// How long a repetition took.
    Mean,
}

impl PatternOrder {
    /// The one of this name.
    pub fn from_word(word: &str) -> Option<PatternOrder> {
        Some(match word {
            "total" => PatternOrder::Total,
            "calls" => PatternOrder::Calls,
            "count" => PatternOrder::Count,
            "mean" => PatternOrder::Mean,
            _ => return None,
        })
    }
}

/// Some rows of the table of patterns.
#[derive(Debug, Serialize)]
pub struct PatternRows<'r> {
    /// How many rows there are: at most 10,000, the repeats that took longest.
    pub total: usize,
    /// Those that were asked for.
    pub rows: Vec<PatternRow<'r>>,
    /// What folding made of all calls.
    pub summary: PatternSummary,
}

/// What folding made of some calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PatternSummary {
    /// How many calls the filter leaves.
    pub calls: usize,
    /// How many rows are left where each repeat is shown once.
    pub rows: usize,
    /// How many repeats there are in these rows.
    pub patterns: usize,
    /// How many repeats stand in each other, at most.
    pub deepest: usize,
    /// How many calls belong to a repeat, themselves or through a caller.
    pub calls_in_patterns: usize,
}

/// A repeat; times in nanoseconds.
#[derive(Debug, Serialize)]
pub struct PatternRow<'r> {
    /// Index of its thread.
    pub thread: usize,
    /// What it is called as a node of the tree.
    pub id: String,
    /// Row of its first call.
    pub row: usize,
    /// How often.
    #[serde(serialize_with = "range")]
    pub count: Count,
    /// Whether all repetitions are the same.
    pub exact: bool,
    /// How many calls a repetition is, with those below.
    #[serde(serialize_with = "range")]
    pub calls_per_repetition: Count,
    /// How many calls all repetitions are.
    pub calls: usize,
    /// The first eight functions of a repetition, cut.
    pub names: Vec<Cow<'r, str>>,
    /// How long all repetitions took.
    pub total: u64,
    /// The mean of the repetitions.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// `total` as a part of what the outermost calls took, 0 to 1.
    pub share: f64,
}

fn range<S: Serializer>(count: &Count, serializer: S) -> Result<S::Ok, S::Error> {
    [count.min, count.max].serialize(serializer)
}

/// The repeats of some threads.
#[derive(Debug, Default)]
pub(super) struct PatternTable {
    /// Those that took longest, in that order.
    repeats: Vec<Found>,
    summary: PatternSummary,
    /// What the outermost calls took, in nanoseconds.
    total: u64,
}

/// A repeat, without what it was found in.
#[derive(Debug, Clone)]
struct Found {
    thread: usize,
    row: usize,
    count: Count,
    exact: bool,
    calls_per_repetition: Count,
    calls: usize,
    /// Codes of the first functions.
    codes: Box<[u32]>,
    total: u64,
    mean: f64,
    deviation: f64,
}

impl Weigh for PatternTable {
    fn weight(&self) -> usize {
        self.repeats.len() * (size_of::<Found>() + MOST_NAMES * size_of::<u32>())
    }
}

impl<'r> Explorer<'r> {
    /// Rows of the table of patterns.
    pub fn pattern_rows(&self, query: &PatternsQuery) -> PatternRows<'r> {
        let key = (query.threads, query.filter, query.grouping);
        let table = self.pattern_tables.get(key, || self.pattern_table(query));
        let mut ordered: Vec<&Found> = table.repeats.iter().collect();
        // Of equals, the one that took longer comes first, as before.
        ordered.sort_by(|a, b| compare(query.order, a, b).reverse());
        let asked = ordered.into_iter().skip(query.from);
        let rows = asked.take(query.count.min(PatternsQuery::MOST_ROWS));
        PatternRows {
            total: table.repeats.len(),
            rows: rows
                .map(|found| self.pattern_row(found, table.total))
                .collect(),
            summary: table.summary,
        }
    }

    fn pattern_table(&self, query: &PatternsQuery) -> PatternTable {
        let mut table = PatternTable::default();
        for thread in query.threads.indices(self.recording) {
            // The patterns of a thread are gone before those of the one after the next are there, if there
            // are too many to be kept.
            let view = self.view(thread, &query.filter, query.grouping);
            let summary = view.patterns().summary(MOST_KEPT);
            let calls = view.calls();
            let found = summary.top.iter();
            table
                .repeats
                .extend(found.map(|top| Found::new(thread, &top.repeat, calls)));
            if table.repeats.len() >= 2 * MOST_KEPT {
                table.keep_longest();
            }
            let all = &mut table.summary;
            all.calls += summary.calls;
            all.rows += summary.rows;
            all.patterns += summary.patterns;
            all.deepest = all.deepest.max(summary.deepest);
            all.calls_in_patterns += summary.calls_in_patterns;
            let positions = 0..calls.len();
            let outermost = positions.filter(|&position| calls.depth(position) == 0);
            let durations = outermost.map(|position| calls.row(position).duration);
            table.total = durations.fold(table.total, u64::saturating_add);
        }
        table.keep_longest();
        table
    }

    fn pattern_row(&self, found: &Found, total: u64) -> PatternRow<'r> {
        let codes = found.codes.iter();
        let names = codes.map(|&code| &self.recording.codes[code as usize].name);
        PatternRow {
            thread: found.thread,
            id: format!("r{}.{}", found.row, found.calls),
            row: found.row,
            count: found.count,
            exact: found.exact,
            calls_per_repetition: found.calls_per_repetition,
            calls: found.calls,
            names: names.map(|name| cut(name, NAME)).collect(),
            total: found.total,
            mean: found.mean,
            deviation: found.deviation,
            share: (found.total as f64 / total.max(1) as f64).min(1.0),
        }
    }
}

impl PatternTable {
    /// Of equals, those of the threads that come first.
    fn keep_longest(&mut self) {
        self.repeats.sort_by_key(|found| Reverse(found.total));
        self.repeats.truncate(MOST_KEPT);
        self.repeats.shrink_to_fit();
    }
}

impl Found {
    fn new(thread: usize, repeat: &Repeat<'_>, calls: &Calls<'_>) -> Self {
        let statistics = repeat.statistics();
        let first = repeat.repetition(0).take(MOST_NAMES);
        Found {
            thread,
            row: calls.index(repeat.rows().start),
            count: repeat.count(),
            exact: repeat.is_exact(),
            calls_per_repetition: statistics.calls_per_repetition,
            calls: statistics.total_calls,
            codes: first.map(|call| call.row().code).collect(),
            total: statistics.times.total,
            mean: statistics.times.mean,
            deviation: statistics.times.standard_deviation,
        }
    }
}

fn compare(order: PatternOrder, a: &Found, b: &Found) -> Ordering {
    match order {
        PatternOrder::Total => a.total.cmp(&b.total),
        PatternOrder::Calls => a.calls.cmp(&b.calls),
        PatternOrder::Count => a.count.max.cmp(&b.count.max),
        PatternOrder::Mean => a.mean.total_cmp(&b.mean),
    }
}

#[cfg(test)]
mod tests;
