//! Gives each row its depth. No recursion: a depth of a million is a legal trace.

use std::cmp::Reverse;

use super::{Gap, Row};
use crate::trace::Time;

/// For rows in order of start that know how deep they were when they were recorded.
///
/// That is their depth already in a whole trace. Where ancestors are missing (lost, or not yet
/// ended when the file was cut short) what is left moves up to the nearest ancestor there is. An
/// ancestor has the smaller depth, and did not end before.
///
/// Gaps, in order of the calls that they come after, move with the calls that they stand below.
pub(super) fn by_depth(rows: &mut [Row], gaps: &mut [Gap]) {
    let mut open: Vec<(u32, Time)> = Vec::new();
    let mut gaps = gaps.iter_mut().peekable();
    let place = |gap: &mut Gap, open: &[(u32, Time)]| {
        let above = open.partition_point(|&(depth, end)| depth < gap.depth && end >= gap.since);
        gap.depth = saturate(above);
    };
    for row in rows {
        while let Some(gap) = gaps.next_if(|gap| gap.after_call < row.number) {
            place(gap, &open);
        }
        while open
            .last()
            .is_some_and(|&(depth, end)| depth >= row.depth || end < row.start)
        {
            open.pop();
        }
        open.push((row.depth, row.end()));
        row.depth = saturate(open.len() - 1);
    }
    for gap in gaps {
        place(gap, &open);
    }
}

/// For rows that only know their time: an ancestor is who was running at the start. Puts them in
/// order and numbers them.
pub(super) fn by_time(rows: &mut [Row]) {
    let in_order_of_end = is_in_order_of_end(rows);
    for (index, row) in rows.iter_mut().enumerate() {
        row.number = index as u64;
    }
    rows.sort_unstable_by_key(|row| {
        // Of two that take the same time, the caller is written first by who writes begins, last by
        // who writes ends. Those that take none may be siblings.
        let place = match in_order_of_end && row.duration > 0 {
            true => !row.number,
            false => row.number,
        };
        (row.start, Reverse(row.duration), place)
    });
    let mut open: Vec<Time> = Vec::new();
    for (index, row) in rows.iter_mut().enumerate() {
        while open.last().is_some_and(|&end| end <= row.start) {
            open.pop();
        }
        row.depth = saturate(open.len());
        row.number = index as u64 + 1;
        // Calls of sloppy clocks overlap. None outlives its caller here, so the ends on the stack
        // never grow, and looking at the topmost is enough.
        let end = open
            .last()
            .map_or(row.end(), |&caller| caller.min(row.end()));
        open.push(end);
    }
}

/// Whether a file wrote its calls as they ended, rather than as they began.
fn is_in_order_of_end(rows: &[Row]) -> bool {
    let descents = |time: fn(&Row) -> Time| {
        let pairs = rows.windows(2);
        pairs.filter(|pair| time(&pair[1]) < time(&pair[0])).count()
    };
    // Rounded times may be out of order as well.
    descents(|row| row.end()) < descents(|row| row.start)
}

fn saturate(depth: usize) -> u32 {
    u32::try_from(depth).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(start: u64, end: u64, number: u64, depth: u32) -> Row {
        Row {
            start: Time(start),
            duration: end - start,
            number,
            code: 0,
            depth,
            ..Row::default()
        }
    }

    fn depths(rows: &[Row]) -> Vec<u32> {
        rows.iter().map(|row| row.depth).collect()
    }

    #[test]
    fn a_whole_trace_keeps_its_depths() {
        let mut rows = [
            row(0, 9, 1, 0),
            row(1, 4, 2, 1),
            row(2, 3, 3, 2),
            row(5, 6, 4, 1),
        ];
        by_depth(&mut rows, &mut []);
        assert_eq!(depths(&rows), [0, 1, 2, 1]);
    }

    #[test]
    fn calls_without_their_callers_become_siblings() {
        let mut rows = [
            row(1, 2, 5, 5),
            row(3, 4, 6, 5),
            row(3, 4, 7, 6),
            row(6, 7, 9, 4),
        ];
        by_depth(&mut rows, &mut []);
        assert_eq!(depths(&rows), [0, 0, 1, 0]);
    }

    #[test]
    fn a_call_does_not_move_below_one_that_ended_before() {
        // The second's caller, of depth 1, is missing.
        let mut rows = [row(1, 2, 1, 1), row(5, 6, 3, 2)];
        by_depth(&mut rows, &mut []);
        assert_eq!(depths(&rows), [0, 0]);
    }

    #[test]
    fn a_gap_moves_with_the_calls_it_stands_below() {
        // The caller of the first two, of depth 0, is missing; that of the third is the second.
        let mut rows = [row(1, 2, 2, 1), row(3, 9, 3, 1), row(4, 5, 4, 2)];
        let gap = |after_call, depth, since| Gap {
            after_call,
            depth,
            since: Time(since),
            ..Gap::default()
        };
        let mut gaps = [
            gap(1, 1, 0),
            gap(2, 1, 2),
            gap(4, 2, 6),
            gap(4, 1, 9),
            gap(9, 7, 8),
        ];
        by_depth(&mut rows, &mut gaps);
        assert_eq!(depths(&rows), [0, 0, 1]);
        assert_eq!(gaps.map(|gap| gap.depth), [0, 0, 1, 0, 1]);
    }

    #[test]
    fn time_nests_and_numbers() {
        let mut rows = [
            row(5, 6, 0, 0),
            row(1, 2, 0, 0),
            row(0, 9, 0, 0),
            row(9, 12, 0, 0),
        ];
        by_time(&mut rows);
        assert_eq!(depths(&rows), [0, 1, 1, 0]);
        assert_eq!(rows.map(|row| row.number), [1, 2, 3, 4]);
    }

    #[test]
    fn a_call_that_outlives_its_caller_is_not_a_caller_of_what_follows() {
        let mut rows = [row(0, 4, 0, 0), row(1, 8, 0, 0), row(5, 6, 0, 0)];
        by_time(&mut rows);
        assert_eq!(depths(&rows), [0, 1, 0]);
    }

    #[test]
    fn a_million_deep() {
        let mut rows: Vec<Row> = (0..1_000_000)
            .map(|i| row(i, 2_000_000 - i, i, 0))
            .collect();
        by_time(&mut rows);
        by_depth(&mut rows, &mut []);
        assert_eq!(rows.last().map(|row| row.depth), Some(999_999));
    }
}
