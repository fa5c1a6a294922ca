//! Where events are missing, of some threads in a stretch of time.

use super::super::gaps::GapId;
use super::drawing::Scale;
use crate::recording::Calls;

/// How many marks all lanes have together, at most: with what else there is, an answer has less than a
/// megabyte.
const MOST_MARKS: usize = 4000;

/// A gap, or several that are too near to each other to be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The least deep level that calls may be missing on.
    pub(super) level: u32,
    pub(super) since: u64,
    pub(super) until: u64,
    pub(super) lost: u64,
    /// The first of them.
    pub(super) id: GapId,
}

/// The gaps of a thread that are seen, one of `lanes` threads that are drawn. `rows`: how many calls the
/// thread has. Looks at all of its gaps.
pub(super) fn marks(scale: Scale, lanes: usize, calls: &Calls<'_>, rows: usize) -> Vec<Mark> {
    let most = MOST_MARKS / lanes.max(1);
    // Marks of a lane begin so far from each other that there is room for all.
    let apart = scale.duration(scale.width.div_ceil(most));
    let mut marks: Vec<Mark> = Vec::new();
    for run in calls.gaps() {
        let (since, until) = (run.sum.since.0, run.sum.until.0);
        if until < scale.from || since >= scale.to {
            continue;
        }
        match marks.last_mut() {
            Some(last) if since <= last.since.saturating_add(apart).max(last.until) => {
                last.level = last.level.min(run.depth);
                last.since = last.since.min(since);
                last.until = last.until.max(until);
                last.lost = last.lost.saturating_add(run.sum.lost());
            }
            _ => marks.push(Mark {
                level: run.depth,
                since,
                until,
                lost: run.sum.lost(),
                id: GapId::of(run, calls, rows),
            }),
        }
    }
    // More than that there are only where gaps are out of order in time.
    marks.truncate(most.max(1));
    marks
}
