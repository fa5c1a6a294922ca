//! Where events are missing.

use std::fmt::{self, Display, Formatter};

use serde::{Serialize, Serializer};

use super::call::Caller;
use super::filter::Filter;
use super::search::{Direction, Place};
use super::{Explorer, Threads};
use crate::recording::{Calls, GapRun, GapSum, Thread};

/// Gaps of a thread, with no call between them: `g<row>.<gap>` of `docs/serve-api.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GapId {
    /// Index of the call behind them; of those behind all calls, how many these are.
    pub row: usize,
    /// Index of the first of them into the gaps of its thread.
    pub gap: usize,
}

impl GapId {
    pub(super) fn of(run: &GapRun, calls: &Calls<'_>, rows: usize) -> GapId {
        GapId {
            row: match run.position < calls.len() {
                true => calls.index(run.position),
                false => rows,
            },
            gap: run.first,
        }
    }
}

/// Among the gaps of some of a thread's calls, which ones its gap of an index is among, if it is left.
pub(super) fn run_of(calls: &Calls<'_>, thread: &Thread, gap: usize) -> Option<usize> {
    let position = thread.gaps.get(gap)?.position(&thread.calls);
    let runs = calls.gaps();
    let behind = runs.partition_point(|run| run.first <= gap);
    let last = behind.checked_sub(1)?;
    (runs[last].position == calls.first_from(position)).then_some(last)
}

impl Display for GapId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "g{}.{}", self.row, self.gap)
    }
}

impl Serialize for GapId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is known of gaps: `gap` of `docs/serve-api.md`.
#[derive(Debug, Serialize)]
pub struct GapMembers {
    after_call: u64,
    gaps: usize,
    lost: u64,
    starts: u64,
    ends: u64,
    since: u64,
    until: u64,
}

impl GapMembers {
    /// `origin`: when the first call of the recording started.
    pub(super) fn of(run: &GapRun, origin: u64) -> GapMembers {
        let GapSum {
            gaps, since, until, ..
        } = run.sum;
        GapMembers {
            after_call: run.after_call,
            gaps,
            lost: run.sum.lost(),
            starts: run.sum.starts,
            ends: run.sum.ends,
            since: since.0.saturating_sub(origin),
            until: until.0.saturating_sub(origin),
        }
    }
}

/// Which gaps are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapQuery {
    /// Those that this one is among: of a thread, the one with this index.
    At {
        /// Index of the thread.
        thread: usize,
        /// Index into its gaps.
        gap: usize,
    },
    /// The nearest ones behind a call or before it; of all, where there is no call.
    From(Option<Place>, Direction),
}

/// Gaps, where they stand, and where others are: the answer to `/api/gap`.
#[derive(Debug, Serialize)]
pub struct GapInWhole {
    /// Index of the thread.
    pub thread: usize,
    /// Their line.
    pub id: GapId,
    gap: GapMembers,
    /// The calls that were running before and behind them, the outermost first: the innermost of them.
    above: Vec<Caller>,
    /// Index of the last call that started before them.
    before: Option<usize>,
    /// Index of the first call behind them.
    behind: Option<usize>,
    /// The nearest others.
    next: Option<GapPlace>,
    previous: Option<GapPlace>,
}

/// Where gaps are.
#[derive(Debug, Serialize)]
struct GapPlace {
    thread: usize,
    id: GapId,
}

impl Explorer<'_> {
    /// The gaps that are asked for, if a filter leaves them.
    pub fn gap(&self, query: GapQuery, filter: &Filter) -> Option<GapInWhole> {
        let (thread, at) = match query {
            GapQuery::At { thread, gap } => {
                let of_gap = self.recording.threads.get(thread)?;
                let calls = self.calls(thread, filter);
                (thread, run_of(&calls, of_gap, gap)?)
            }
            GapQuery::From(None, direction) => self.gap_beyond(None, direction, filter)?,
            GapQuery::From(Some(Place { thread, row }), direction) => {
                self.recording.threads.get(thread)?;
                let calls = self.calls(thread, filter);
                let (runs, last) = (calls.gaps(), calls.first_from(row.saturating_add(1)));
                let found = match direction {
                    Direction::Next => {
                        let behind = runs.partition_point(|run| run.position < last);
                        Some(behind).filter(|behind| *behind < runs.len())
                    }
                    Direction::Previous => runs
                        .partition_point(|run| run.position <= calls.first_from(row))
                        .checked_sub(1),
                };
                match found {
                    Some(at) => (thread, at),
                    None => self.gap_beyond(Some(thread), direction, filter)?,
                }
            }
        };
        let calls = self.calls(thread, filter);
        let run = calls.gaps().get(at)?;
        let rows = &self.recording.threads[thread].calls;
        let gap = &self.recording.threads[thread].gaps[run.first];
        let position = gap.position(rows);
        Some(GapInWhole {
            thread,
            id: GapId::of(run, &calls, rows.len()),
            gap: GapMembers::of(run, self.origin),
            above: self.callers(thread, position, gap.depth),
            before: position.checked_sub(1),
            behind: Some(position).filter(|position| *position < rows.len()),
            next: self.neighbour(thread, Some(at + 1), Direction::Next, filter),
            previous: self.neighbour(thread, at.checked_sub(1), Direction::Previous, filter),
        })
    }

    /// Those at an index of a thread's, or else the nearest in other threads.
    fn neighbour(
        &self,
        thread: usize,
        at: Option<usize>,
        direction: Direction,
        filter: &Filter,
    ) -> Option<GapPlace> {
        let here = self.calls(thread, filter);
        let (thread, at) = match at.filter(|at| *at < here.gaps().len()) {
            Some(at) => (thread, at),
            None => self.gap_beyond(Some(thread), direction, filter)?,
        };
        let calls = self.calls(thread, filter);
        let rows = self.recording.threads[thread].calls.len();
        let id = GapId::of(calls.gaps().get(at)?, &calls, rows);
        Some(GapPlace { thread, id })
    }

    /// The first ones of the threads behind this one, or the last ones of those before: thread and index.
    fn gap_beyond(
        &self,
        thread: Option<usize>,
        direction: Direction,
        filter: &Filter,
    ) -> Option<(usize, usize)> {
        let all = Threads::All.indices(self.recording);
        let has_any = |thread: &usize| !self.recording.threads[*thread].gaps.is_empty();
        let mut last = |thread: usize| {
            let count = self.calls(thread, filter).gaps().len();
            count.checked_sub(1).map(|last| (thread, last))
        };
        match direction {
            Direction::Next => {
                let behind = thread.map_or(0, |thread| thread + 1)..all.end;
                let mut found = behind.filter(has_any).filter_map(&mut last);
                found.next().map(|(thread, _)| (thread, 0))
            }
            Direction::Previous => {
                let before = 0..thread.unwrap_or(all.end);
                before.rev().filter(has_any).find_map(&mut last)
            }
        }
    }
}
