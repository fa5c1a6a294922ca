//! Tables of functions: what their calls took, who called them, whom they called.

mod detail;
mod percentiles;
mod profile;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use serde::Serialize;

use super::Explorer;
use super::filter::Filter;
use super::search::Needle;
use super::shown::{NAME, cut};
use super::threads::Threads;
use crate::recording::Recording;
use crate::trace::Code;
pub(super) use detail::CallsOfFunction;
pub use detail::{FunctionDetail, NamedPlace, Neighbour, OtherPlace, SlowestCall};
pub(super) use profile::Profile;
use profile::Sums;

/// Which rows of the table of functions, in which order.
#[derive(Debug, Clone)]
pub struct FunctionsQuery {
    /// Whose calls.
    pub threads: Threads,
    /// Which of them.
    pub filter: Filter,
    /// Only functions that have this text in their name or the path of their file, found as
    /// [`Explorer::search`] does; empty: all.
    pub text: String,
    /// What they are ordered by.
    pub column: Column,
    /// Whether the largest come first.
    pub descending: bool,
    /// The first row.
    pub from: usize,
    /// How many rows; at most 1,000.
    pub count: usize,
}

impl FunctionsQuery {
    /// How many rows an answer has at most.
    pub const MOST_ROWS: usize = 1000;
}

/// A column of the table of functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in FunctionRow")]
pub enum Column {
    Code,
    Name,
    File,
    Line,
    Category,
    Kind,
    Calls,
    Total,
    Own,
    Mean,
    P50,
    P95,
    Max,
    Raised,
}

impl Column {
    /// The one that [`FunctionRow`] has under this name as JSON.
    pub fn from_word(word: &str) -> Option<Column> {
        Some(match word {
            "code" => Column::Code,
            "name" => Column::Name,
            "file" => Column::File,
            "line" => Column::Line,
            "category" => Column::Category,
            "kind" => Column::Kind,
            "calls" => Column::Calls,
            "total" => Column::Total,
            // All shares are of one whole.
            "self" | "share" => Column::Own,
            "mean" => Column::Mean,
            "p50" => Column::P50,
            "p95" => Column::P95,
            "max" => Column::Max,
            "raised" => Column::Raised,
            _ => return None,
        })
    }
}

/// Some rows of the table of functions.
#[derive(Debug, Serialize)]
pub struct FunctionRows<'r> {
    /// How many rows there are.
    pub total: usize,
    /// Those that were asked for.
    pub rows: Vec<FunctionRow<'r>>,
}

/// A function and its calls; times in nanoseconds.
#[derive(Debug, Serialize)]
pub struct FunctionRow<'r> {
    /// Index of the code that names it.
    pub code: u32,
    /// Its name, cut.
    pub name: Cow<'r, str>,
    /// The last component of its file, cut.
    pub file: Cow<'r, str>,
    /// Its first line.
    pub line: u32,
    /// Where it stands with respect to the scope.
    pub category: &'static str,
    /// What kind of code it is.
    pub kind: &'static str,
    /// How many calls.
    pub calls: u64,
    /// Durations of the calls that do not stand below another one of the same function.
    pub total: u64,
    /// What all took without the calls they made.
    #[serde(rename = "self")]
    pub own: u64,
    /// The mean duration.
    pub mean: f64,
    /// The duration that half of the calls do not exceed.
    pub p50: u64,
    /// The duration that 95 % of the calls do not exceed.
    pub p95: u64,
    /// The longest.
    pub max: u64,
    /// How many an exception left.
    pub raised: u64,
    /// `own` as a part of what the outermost calls took, 0 to 1.
    pub share: f64,
}

impl<'r> Explorer<'r> {
    /// Rows of the table of functions that were called.
    pub fn function_rows(&self, query: &FunctionsQuery) -> FunctionRows<'r> {
        let profile = self.profile(query.threads, &query.filter);
        let functions = self.functions();
        let code = |function: u32| &self.recording.codes[functions.code(function) as usize];
        let needle = Needle::new(&query.text);
        let is_asked_for = |code: &Code| {
            let needle = needle.as_ref();
            needle.is_none_or(|needle| needle.is_in(&code.name) || needle.is_in(&code.file))
        };
        let mut listed: Vec<u32> = (0..)
            .zip(&profile.functions)
            .filter(|&(function, sums)| sums.calls > 0 && is_asked_for(code(function)))
            .map(|(function, _)| function)
            .collect();
        let sums = |function: u32| &profile.functions[function as usize];
        listed.sort_unstable_by(|&a, &b| {
            let order = compare(query.column, (code(a), sums(a)), (code(b), sums(b)));
            let order = match query.descending {
                true => order.reverse(),
                false => order,
            };
            // Where they are equal, in the order in which they are known.
            order.then(a.cmp(&b))
        });
        let total = listed.len();
        let asked = listed.into_iter().skip(query.from);
        let rows = asked
            .take(query.count.min(FunctionsQuery::MOST_ROWS))
            .map(|function| {
                FunctionRow::new(
                    self.recording,
                    functions.code(function),
                    sums(function),
                    profile.total,
                )
            });
        FunctionRows {
            total,
            rows: rows.collect(),
        }
    }

    /// The sums of some calls, found out once.
    pub(super) fn profile(&self, threads: Threads, filter: &Filter) -> Arc<Profile> {
        self.profiles.get((threads, *filter), || {
            let indices = threads.indices(self.recording);
            Profile::new(self.functions(), indices, |thread| {
                self.calls(thread, filter)
            })
        })
    }
}

impl<'r> FunctionRow<'r> {
    fn new(recording: &'r Recording, index: u32, sums: &Sums, total: u64) -> Self {
        let code = &recording.codes[index as usize];
        FunctionRow {
            code: index,
            name: cut(&code.name, NAME),
            file: cut(code.file_name(), NAME),
            line: code.line,
            category: code.category.as_str(),
            kind: code.kind.as_str(),
            calls: sums.calls,
            total: sums.total,
            own: sums.own,
            mean: mean(sums),
            p50: sums.median,
            p95: sums.p95,
            max: sums.max,
            raised: sums.raised,
            share: (sums.own as f64 / total.max(1) as f64).min(1.0),
        }
    }
}

fn mean(sums: &Sums) -> f64 {
    sums.sum as f64 / sums.calls.max(1) as f64
}

fn compare(column: Column, a: (&Code, &Sums), b: (&Code, &Sums)) -> Ordering {
    let (code, sums) = a;
    let (other_code, other) = b;
    match column {
        Column::Code => Ordering::Equal,
        Column::Name => code.name.cmp(&other_code.name),
        Column::File => code.file_name().cmp(other_code.file_name()),
        Column::Line => code.line.cmp(&other_code.line),
        Column::Category => {
            let word = code.category.as_str();
            word.cmp(other_code.category.as_str())
        }
        Column::Kind => code.kind.as_str().cmp(other_code.kind.as_str()),
        Column::Calls => sums.calls.cmp(&other.calls),
        Column::Total => sums.total.cmp(&other.total),
        Column::Own => sums.own.cmp(&other.own),
        Column::Mean => mean(sums).total_cmp(&mean(other)),
        Column::P50 => sums.median.cmp(&other.median),
        Column::P95 => sums.p95.cmp(&other.p95),
        Column::Max => sums.max.cmp(&other.max),
        Column::Raised => sums.raised.cmp(&other.raised),
    }
}

#[cfg(test)]
mod tests;
