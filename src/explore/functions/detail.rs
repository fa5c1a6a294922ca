//! One function: its callers, its callees, its times.

use std::borrow::Cow;
use std::cmp::Reverse;

use serde::Serialize;

use super::FunctionRow;
use super::profile::{Edge, NOBODY};
use crate::explore::Explorer;
use crate::explore::cache::Weigh;
use crate::explore::filter::Filter;
use crate::explore::shown::{NAME, cut};
use crate::explore::threads::Threads;

/// How many callers and callees are named.
const MOST_NEIGHBOURS: usize = 100;

/// How many classes of durations are told apart.
const MOST_CLASSES: usize = 40;

/// How many bytes of JSON a path may take.
const PATH: usize = 8192;

/// All that is known of a function.
#[derive(Debug, Serialize)]
pub struct FunctionDetail<'r> {
    /// The function.
    pub function: NamedPlace<'r>,
    /// Who called it, those first who did it longest.
    pub callers: Vec<Neighbour<'r>>,
    /// How many of its calls are of other callers.
    pub callers_left_out: u64,
    /// Whom it called, the longest first.
    pub callees: Vec<Neighbour<'r>>,
    /// How many calls it made of others.
    pub callees_left_out: u64,
    /// Its longest call; of equals, the first.
    pub slowest: SlowestCall,
    /// The call that started first.
    pub first: OtherPlace,
    /// How many calls took how long, from the shortest to the longest: `from` and `to`, which is
    /// not part of it, in nanoseconds, and how many. Each class is twice as wide as the one before.
    pub histogram: Vec<(u64, u64, u64)>,
}

/// A function and the whole path of its file.
#[derive(Debug, Serialize)]
pub struct NamedPlace<'r> {
    /// As in the table.
    #[serde(flatten)]
    pub row: FunctionRow<'r>,
    /// The path of its file, cut at 8 KiB.
    pub path: Cow<'r, str>,
}

/// A caller or a callee.
#[derive(Debug, Serialize)]
pub struct Neighbour<'r> {
    /// Index of the code that names it; `None`: nobody, at the top.
    pub code: Option<u32>,
    /// Its name, cut.
    pub name: Cow<'r, str>,
    /// The last component of its file, cut.
    pub file: Cow<'r, str>,
    /// Its first line.
    pub line: u32,
    /// How many calls between the two.
    pub calls: u64,
    /// What they took, in nanoseconds; those below one of the same two functions not counted.
    pub total: u64,
}

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OtherPlace {
    /// Index of its thread.
    pub thread: usize,
    /// Its index there.
    pub row: usize,
}

/// A call and what it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SlowestCall {
    /// Which one.
    #[serde(flatten)]
    pub place: OtherPlace,
    /// Its duration, in nanoseconds.
    pub duration: u64,
}

/// What a pass over all calls tells of one function.
#[derive(Debug, Clone)]
pub(in crate::explore) struct CallsOfFunction {
    /// When the first one started, and which it is.
    first: (u64, OtherPlace),
    slowest: SlowestCall,
    /// How many took 0 ns; 1; 2 or 3; 4 to 7; ...
    classes: [u64; 65],
}

impl Weigh for Option<CallsOfFunction> {
    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

impl<'r> Explorer<'r> {
    /// The function that has the code with this index; `None` if there is none, or if none of its
    /// calls is left.
    pub fn function(
        &self,
        code: u32,
        threads: Threads,
        filter: &Filter,
    ) -> Option<FunctionDetail<'r>> {
        let function = self.functions().find(code)?;
        let key = (threads, *filter, function);
        let calls = self
            .function_calls
            .get(key, || self.calls_of(function, threads, filter));
        let calls = Option::as_ref(&calls)?;
        let profile = self.profile(threads, filter);
        let sums = &profile.functions[function as usize];
        let code = self.functions().code(function);
        let edges = || profile.edges.iter();
        let (callers, from_callers) = self
            .neighbours(edges().filter(|edge| edge.callee == function), |edge| {
                edge.caller
            });
        let (callees, to_callees) = self
            .neighbours(edges().filter(|edge| edge.caller == function), |edge| {
                edge.callee
            });
        Some(FunctionDetail {
            function: NamedPlace {
                row: FunctionRow::new(self.recording, code, sums, profile.total),
                path: cut(&self.recording.codes[code as usize].file, PATH),
            },
            callers,
            callers_left_out: sums.calls - from_callers,
            callees,
            callees_left_out: sums.made - to_callees,
            slowest: calls.slowest,
            first: calls.first.1,
            histogram: histogram(&calls.classes),
        })
    }

    /// The heaviest of these, and how many calls they are.
    fn neighbours<'p>(
        &self,
        edges: impl Iterator<Item = &'p Edge>,
        other: impl Fn(&Edge) -> u32,
    ) -> (Vec<Neighbour<'r>>, u64) {
        let mut edges: Vec<&Edge> = edges.collect();
        edges.sort_unstable_by_key(|edge| (Reverse(edge.total), Reverse(edge.calls), other(edge)));
        edges.truncate(MOST_NEIGHBOURS);
        let calls = edges.iter().map(|edge| edge.calls).sum();
        let named = edges.iter().map(|edge| {
            let function = Some(other(edge)).filter(|&function| function != NOBODY);
            let index = function.map(|function| self.functions().code(function));
            let code = index.map(|index| &self.recording.codes[index as usize]);
            Neighbour {
                code: index,
                name: code.map_or_else(Cow::default, |code| cut(&code.name, NAME)),
                file: code.map_or_else(Cow::default, |code| cut(code.file_name(), NAME)),
                line: code.map_or(0, |code| code.line),
                calls: edge.calls,
                total: edge.total,
            }
        });
        (named.collect(), calls)
    }

    fn calls_of(
        &self,
        function: u32,
        threads: Threads,
        filter: &Filter,
    ) -> Option<CallsOfFunction> {
        let functions = self.functions();
        let mut found: Option<CallsOfFunction> = None;
        for thread in threads.indices(self.recording) {
            let calls = self.calls(thread, filter);
            for position in 0..calls.len() {
                let row = calls.row(position);
                if functions.of(row.code) != function {
                    continue;
                }
                let place = OtherPlace {
                    thread,
                    row: calls.index(position),
                };
                let call = SlowestCall {
                    place,
                    duration: row.duration,
                };
                let known = found.get_or_insert(CallsOfFunction {
                    first: (row.start.0, place),
                    slowest: call,
                    classes: [0; 65],
                });
                if row.start.0 < known.first.0 {
                    known.first = (row.start.0, place);
                }
                if row.duration > known.slowest.duration {
                    known.slowest = call;
                }
                known.classes[class(row.duration)] += 1;
            }
        }
        found
    }
}

/// Number of the class of a duration: how many binary digits it has.
fn class(duration: u64) -> usize {
    (u64::BITS - duration.leading_zeros()) as usize
}

/// The classes from the shortest call to the longest; where they are too many, the lowest are one.
fn histogram(classes: &[u64; 65]) -> Vec<(u64, u64, u64)> {
    let is_used = |calls: &u64| *calls > 0;
    let Some(lowest) = classes.iter().position(is_used) else {
        return Vec::new();
    };
    let highest = classes.iter().rposition(is_used).unwrap_or(lowest);
    // Durations of a class have as many digits as its number.
    let start = |class: usize| match class {
        0 => 0,
        class => 1u64.checked_shl(class as u32 - 1).unwrap_or(u64::MAX),
    };
    let first = lowest.max((highest + 1).saturating_sub(MOST_CLASSES));
    let mut histogram: Vec<_> = (first..=highest)
        .map(|class| (start(class), start(class + 1), classes[class]))
        .collect();
    if first > lowest {
        histogram[0].0 = start(lowest);
        histogram[0].2 += classes[lowest..first].iter().sum::<u64>();
    }
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_duration_is_in_one_class(durations in prop::collection::vec(any::<(u64, u32)>(), 1..50)) {
            let durations: Vec<u64> = durations.iter().map(|&(digits, shift)| digits >> (shift % 64)).collect();
            let mut classes = [0; 65];
            for &duration in &durations {
                classes[class(duration)] += 1;
            }
            let histogram = histogram(&classes);
            prop_assert!(histogram.len() <= MOST_CLASSES);
            for pair in histogram.windows(2) {
                prop_assert_eq!(pair[0].1, pair[1].0);
            }
            for (index, &(from, to, calls)) in histogram.iter().enumerate() {
                // Nothing is longer than the end of the last class, which is the end of all numbers.
                let is_within = |duration: &&u64| (from..to).contains(*duration) || (to == u64::MAX && **duration == to);
                prop_assert_eq!(durations.iter().filter(is_within).count() as u64, calls, "class {}", index);
            }
        }
    }
}
