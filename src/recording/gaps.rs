//! Where a thread's events are missing.

use super::{Flags, Row};
use crate::trace::{self, Time};

/// A place in a thread's calls where events could not be recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gap {
    /// Number of the last call that started before it; 0: none.
    pub after_call: u64,
    /// How many of the thread's calls were running before it and still are behind it. Between the depth
    /// of the call behind it and one more than that of the call before it.
    pub depth: u32,
    /// When the first of the missing events happened.
    pub since: Time,
    /// When events could be recorded again; not before `since`.
    pub until: Time,
    /// How many starts and resumptions of calls are missing.
    pub starts: u64,
    /// How many ends and suspensions of calls are missing.
    pub ends: u64,
}

impl Gap {
    /// How many events are missing.
    pub fn lost(&self) -> u64 {
        self.starts.saturating_add(self.ends)
    }

    /// How many of the calls `rows`, in order of their numbers, started before it.
    pub(crate) fn position(&self, rows: &[Row]) -> usize {
        rows.partition_point(|row| row.number <= self.after_call)
    }
}

impl From<&trace::Gap> for Gap {
    fn from(gap: &trace::Gap) -> Gap {
        Gap {
            after_call: gap.after_call,
            depth: gap.depth,
            since: gap.since,
            until: gap.until.max(gap.since),
            starts: gap.starts,
            ends: gap.ends,
        }
    }
}

/// What several gaps are together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GapSum {
    /// How many there are.
    pub gaps: usize,
    /// When the first of the missing events happened.
    pub since: Time,
    /// When the last of the gaps ended.
    pub until: Time,
    /// How many starts and resumptions of calls are missing.
    pub starts: u64,
    /// How many ends and suspensions of calls are missing.
    pub ends: u64,
}

impl GapSum {
    /// How many events are missing.
    pub fn lost(&self) -> u64 {
        self.starts.saturating_add(self.ends)
    }

    /// From the first of the missing events to the end of the last gap, in nanoseconds.
    pub fn duration(&self) -> u64 {
        self.until.0.saturating_sub(self.since.0)
    }

    /// Adds one more; it may be out of order in time.
    pub(crate) fn add(&mut self, gap: &Gap) {
        self.gaps += 1;
        self.since = self.since.min(gap.since);
        self.until = self.until.max(gap.until);
        self.starts = self.starts.saturating_add(gap.starts);
        self.ends = self.ends.saturating_add(gap.ends);
    }
}

impl From<&Gap> for GapSum {
    fn from(gap: &Gap) -> GapSum {
        GapSum {
            gaps: 1,
            since: gap.since,
            until: gap.until,
            starts: gap.starts,
            ends: gap.ends,
        }
    }
}

/// Gaps of a list of siblings with no call between them: what is shown as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GapRun {
    /// Position of the call behind them, among those that are looked at.
    pub position: usize,
    /// How many of these calls they stand below.
    pub depth: u32,
    /// Index of the first of them into [`Thread::gaps`](super::Thread::gaps).
    pub first: usize,
    /// Number of the last call before the first of them; 0: none.
    pub after_call: u64,
    /// What they are together.
    pub sum: GapSum,
}

impl GapRun {
    /// Puts together gaps that are given in order, each with the position of the call behind it and how
    /// many calls it stands below.
    pub(super) fn collect<'g>(
        placed: impl Iterator<Item = (usize, usize, u32, &'g Gap)>,
    ) -> Vec<GapRun> {
        let mut runs: Vec<GapRun> = Vec::new();
        for (first, position, depth, gap) in placed {
            match runs.last_mut() {
                Some(run) if (run.position, run.depth) == (position, depth) => run.sum.add(gap),
                _ => runs.push(GapRun {
                    position,
                    depth,
                    first,
                    after_call: gap.after_call,
                    sum: gap.into(),
                }),
            }
        }
        runs
    }
}

/// With each gap its position among `rows`, see [`Gap::position`]: in one pass.
pub(super) fn with_positions<'g>(
    rows: &[Row],
    gaps: &'g [Gap],
) -> impl Iterator<Item = (usize, &'g Gap)> {
    let mut position = 0;
    gaps.iter().map(move |gap| {
        let rest = &rows[position..];
        // Most gaps are near the one before them, a few are far from it.
        let mut step = 1;
        while rest
            .get(step - 1)
            .is_some_and(|row| row.number <= gap.after_call)
        {
            step *= 2;
        }
        let within = &rest[..step.min(rest.len())];
        position += gap.position(within);
        (position, gap)
    })
}

/// Makes gaps fit to the calls around them, whatever a file says: those of one place stand in order of
/// depth, none below a call that is not open there. Marks the calls that began in one.
pub(super) fn settle(rows: &mut [Row], gaps: &mut [Gap]) {
    let positions: Vec<usize> = with_positions(rows, gaps).map(|(at, _)| at).collect();
    // Position and depth of the gap behind.
    let mut behind = None;
    for (gap, &position) in gaps.iter_mut().zip(&positions).rev() {
        let least = match behind {
            Some((same, depth)) if same == position => depth,
            _ => rows.get(position).map_or(0, |row| row.depth),
        };
        gap.depth = gap.depth.max(least);
        behind = Some((position, gap.depth));
    }
    // A thread's first stack is reported with its first event; any later one behind a gap.
    let Some(&first) = positions.iter().find(|&&position| position > 0) else {
        return;
    };
    for row in &mut rows[first..] {
        let is_running = row.flags.has(Flags::ALREADY_RUNNING);
        row.flags.set(Flags::BEGAN_IN_GAP, is_running);
    }
}

#[cfg(test)]
pub(crate) mod random {
    //! Gaps at any place, in tests.

    use proptest::prelude::*;

    use super::{Gap, settle};
    use crate::recording::Thread;
    use crate::trace::Time;

    /// Of each gap how far through a thread's calls it is, and its depth.
    pub(crate) type Places = Vec<(f64, u32)>;

    /// As many as there are of a program that loses nothing, or some.
    pub(crate) fn any_places() -> impl Strategy<Value = Places> {
        let place = (0.0..=1.0f64, 0u32..5);
        let some = prop::collection::vec(place, 1..12);
        prop_oneof![Just(Vec::new()), some]
    }

    /// Puts gaps into a thread whose calls are there.
    pub(crate) fn add(thread: &mut Thread, places: &[(f64, u32)]) {
        let rows = &mut thread.calls;
        let gap = |&(share, depth): &(f64, u32)| {
            let position = (share * rows.len() as f64) as usize;
            let before = position.checked_sub(1).map(|last| &rows[last]);
            Gap {
                after_call: before.map_or(0, |row| row.number),
                depth: depth.min(before.map_or(0, |row| row.depth + 1)),
                since: Time(before.map_or(0, |row| row.start.0)),
                until: Time(before.map_or(1, |row| row.start.0 + 1)),
                starts: 1 + u64::from(depth),
                ends: position as u64,
            }
        };
        let mut gaps: Vec<Gap> = places.iter().map(gap).collect();
        gaps.sort_by_key(|gap| (gap.after_call, std::cmp::Reverse(gap.depth)));
        settle(rows, &mut gaps);
        thread.gaps = gaps;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u64, depth: u32) -> Row {
        Row {
            number,
            depth,
            ..Row::default()
        }
    }

    fn gap(after_call: u64, depth: u32) -> Gap {
        Gap {
            after_call,
            depth,
            ..Gap::default()
        }
    }

    #[test]
    fn positions_are_found_near_and_far() {
        let numbers = [2, 3, 5, 8, 13, 21, 34, 55, 89];
        let rows = numbers.map(|number| row(number, 0));
        let gaps = [0, 1, 2, 2, 4, 60, 60, 89, u64::MAX].map(|after| gap(after, 0));
        let found = with_positions(&rows, &gaps).map(|(position, _)| position);
        let expected = gaps.map(|gap| gap.position(&rows));
        assert_eq!(expected, [0, 0, 1, 1, 2, 8, 8, 9, 9]);
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn gaps_stand_below_calls_that_are_open_only() {
        let mut rows = [row(1, 0), row(2, 1), row(3, 2), row(4, 1), row(5, 0)];
        rows[3].flags.set(Flags::ALREADY_RUNNING, true);
        let mut gaps = [gap(0, 0), gap(3, 3), gap(3, 0), gap(5, 1), gap(5, 0)];
        settle(&mut rows, &mut gaps);
        assert_eq!(gaps.map(|gap| gap.depth), [0, 3, 1, 1, 0]);
        let began = rows.map(|row| row.flags.has(Flags::BEGAN_IN_GAP));
        assert_eq!(began, [false, false, false, true, false]);
    }

    #[test]
    fn what_ran_before_the_first_event_did_not_begin_in_a_gap() {
        let mut rows = [row(1, 0)];
        rows[0].flags.set(Flags::ALREADY_RUNNING, true);
        settle(&mut rows, &mut [gap(0, 0), gap(1, 0)]);
        assert!(!rows[0].flags.has(Flags::BEGAN_IN_GAP));
    }
}
