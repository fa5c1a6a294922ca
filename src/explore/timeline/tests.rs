use std::collections::BTreeMap;

use proptest::prelude::*;

use super::drawing::Run;
use super::*;
use crate::explore::random::{any_filter, any_recording, recording, row};
use crate::pattern::Nearness;
use crate::recording::{Calls, Recording, Row};

fn any_query() -> impl Strategy<Value = TimelineQuery> {
    let times = (
        prop_oneof![Just(0u64), 0u64..30_000],
        prop_oneof![0u64..40_000, any::<u64>()],
    );
    let levels = (prop_oneof![Just(0u32), 0u32..20], 0u32..70);
    let lanes = prop::collection::vec(0usize..5, 0..6);
    (lanes, any_filter(), times, 0usize..2000, levels).prop_map(
        |(threads, filter, (from, length), width, (depth, levels))| TimelineQuery {
            threads,
            filter,
            grouping: Some(Nearness::TripCounts),
            from,
            to: from.saturating_add(length),
            width,
            depth,
            levels,
        },
    )
}

/// What is seen of a thread: positions of slices, and of short calls how many start in each pixel
/// of each level.
type Seen = (Vec<usize>, BTreeMap<(u32, usize), u64>);

/// The same, call by call.
fn naive(calls: &Calls<'_>, scale: &Scale, query: &TimelineQuery, pixels: usize) -> Seen {
    let levels = query.depth..query.depth + query.levels.min(TimelineQuery::MOST_LEVELS);
    let mut slices = Vec::new();
    let mut short = BTreeMap::new();
    for position in 0..calls.len() {
        let (row, level) = (calls.row(position), calls.depth(position));
        let (start, end) = (row.start.0, row.end().0);
        if !levels.contains(&level) {
            continue;
        }
        let is_long = u128::from(row.duration) * scale.width as u128
            >= u128::from(scale.to - scale.from) * pixels as u128
            && row.duration > 0;
        let starts_here = scale.from <= start && start < scale.to;
        if is_long && (starts_here || (start < scale.to && end > scale.from)) {
            slices.push(position);
        } else if !is_long && starts_here {
            *short.entry((level, scale.pixel(start))).or_default() += 1;
        }
    }
    (slices, short)
}

fn assert_true(recording: &Recording, query: &TimelineQuery) {
    let explorer = Explorer::new(recording);
    let timeline = explorer.timeline(query);
    let origin = explorer.origin;
    let scale = Scale {
        from: origin + timeline.from,
        to: origin + timeline.to,
        width: query.width.clamp(1, TimelineQuery::MOST_WIDTH),
    };
    let exist = query
        .threads
        .iter()
        .filter(|&&thread| thread < recording.threads.len());
    assert!(timeline.lanes.iter().map(|lane| &lane.thread).eq(exist));
    for lane in &timeline.lanes {
        assert_eq!(lane.left_out, 0);
        let calls = explorer.calls(lane.thread, &query.filter);
        let (slices, short) = naive(&calls, &scale, query, timeline.pixels);
        let drawn = lane
            .slices
            .iter()
            .map(|slice| calls.position(slice.4).unwrap());
        assert!(
            drawn.eq(slices.iter().copied()),
            "each call is a slice once"
        );
        for &TimelineSlice(level, start, duration, code, row, _) in &lane.slices {
            let row = &recording.threads[lane.thread].calls[row];
            assert_eq!(
                level,
                calls.depth(calls.position(row.number as usize - 1).unwrap())
            );
            assert_eq!((duration, code), (row.duration, row.code));
            assert_eq!(
                start,
                clamped(i128::from(row.start.0) - i128::from(scale.from))
            );
            assert!(timeline.codes.contains_key(&code));
        }
        // Runs have all short calls, and nothing else; no pixel of one is empty but for the coarsest.
        let mut counted = 0;
        for &TimelineRun(level, x, pixels, count) in &lane.dense {
            let within = short.range((level, x)..(level, x + pixels));
            assert_eq!(within.map(|(_, calls)| calls).sum::<u64>(), count);
            assert!(count > 0 && x + pixels <= scale.width);
            counted += count;
        }
        assert_eq!(counted, short.values().sum::<u64>());
        for band in &lane.bands {
            assert!(calls.position(band.4).is_some() && band.3 >= 2);
        }
    }
}

proptest! {
    /// Each call of a pixel or more that is seen is a slice, once; each shorter one that starts in the
    /// window is counted in the pixel in which it starts.
    #[test]
    fn each_call_is_drawn_once(recording in any_recording(), query in any_query()) {
        assert_true(&recording, &query);
    }

    #[test]
    fn later_times_have_no_smaller_pixels(from in any::<u64>(), length in 1u64.., width in 1usize..5000, times: [u64; 2]) {
        let from = from.min(u64::MAX - 1);
        let scale = Scale { from, to: from.saturating_add(length), width };
        let mut times = times.map(|time| from + time % (scale.to - scale.from));
        times.sort_unstable();
        let pixels = times.map(|time| scale.pixel(time));
        prop_assert!(pixels[0] <= pixels[1] && pixels[1] < width);
        prop_assert_eq!(scale.pixel(from), 0);
    }
}

/// Each of so many calls lasts a nanosecond and stands a nanosecond behind the one before.
fn side_by_side(count: u64) -> Vec<Row> {
    let calls = (0..count).map(|at| Row {
        number: at + 1,
        ..row(0, 2 * at, 1)
    });
    calls.collect()
}

fn whole(to: u64, width: usize) -> TimelineQuery {
    TimelineQuery {
        threads: vec![0],
        filter: Filter::default(),
        grouping: None,
        from: 0,
        to,
        width,
        depth: 0,
        levels: 40,
    }
}

#[test]
fn where_slices_are_too_many_wider_ones_are_drawn() {
    // 4,000 a level, each of a pixel; the levels above are wider.
    let mut rows = Vec::new();
    for at in 0..4000u64 {
        if at % 8 == 0 {
            rows.push(row(0, at * 10, 80));
        }
        if at % 4 == 0 {
            rows.push(row(1, at * 10, 40));
        }
        rows.extend([
            row(2, at * 10, 10),
            row(3, at * 10, 10),
            row(4, at * 10, 10),
        ]);
    }
    for (row, number) in rows.iter_mut().zip(1..) {
        row.number = number;
    }
    let recording = recording([rows]);
    let query = whole(40_000, 4000);
    assert_true(&recording, &query);
    let timeline = Explorer::new(&recording).timeline(&query);
    assert_eq!(timeline.pixels, 2);
    assert_eq!(timeline.lanes[0].slices.len(), 1500);
    let runs = &timeline.lanes[0].dense;
    assert_eq!(
        *runs,
        [2, 3, 4].map(|level| TimelineRun(level, 0, 4000, 4000))
    );
}

#[test]
fn calls_at_the_same_time_are_drawn_as_far_as_they_are_not_too_many() {
    let rows = (0..20_000).map(|_| row(0, 5, u64::MAX)).collect();
    let recording = recording([rows, side_by_side(10)]);
    let explorer = Explorer::new(&recording);
    let timeline = explorer.timeline(&TimelineQuery {
        threads: vec![0, 1],
        ..whole(100, 300)
    });
    let lane = &timeline.lanes[0];
    assert_eq!(lane.slices.len() + lane.left_out, 20_000);
    assert!(lane.slices.len() > 1000 && lane.dense.is_empty());
    let short: u64 = timeline.lanes[1].dense.iter().map(|run| run.3).sum();
    assert_eq!(short, 10);
}

#[test]
fn runs_that_are_too_many_are_counted_in_wider_pixels() {
    // Every second pixel of 4,000, on three levels, is empty.
    let mut rows = Vec::new();
    for at in 0..2000 {
        for level in 0..4 {
            rows.push(row(level, at * 2000, 0));
        }
    }
    let recording = recording([rows]);
    let timeline = Explorer::new(&recording).timeline(&whole(4_000_000, 4000));
    let runs = &timeline.lanes[0].dense;
    assert_eq!(
        *runs,
        [0, 1, 2, 3].map(|level| TimelineRun(level, 0, 4000, 2000))
    );
}

#[test]
fn short_calls_are_runs_of_pixels() {
    let run = |x, pixels, calls| Run {
        level: 0,
        x,
        pixels,
        calls,
    };
    let mut drawing = Drawing::new(
        Scale {
            from: 0,
            to: 1000,
            width: 100,
        },
        0..1,
    );
    let recording = recording([[0, 1, 10, 500, 990].map(|start| row(0, start, 3)).to_vec()]);
    let calls = recording.calls(0, &Filter::default().selection());
    drawing.add(&TimeIndex::new(&calls), &calls);
    assert_eq!(
        drawing.runs(),
        [[run(0, 2, 3), run(50, 1, 1), run(99, 1, 1)]]
    );
}

/// Twice: f, then 100 times g which calls h twice; times are as their number.
fn loops() -> Recording {
    let mut rows = Vec::new();
    for outer in 0..2 {
        let start = outer * 10_000;
        rows.push(row(0, start, 1000));
        for inner in 0..100 {
            let start = start + 1000 + inner * 90;
            rows.push(row(0, start, 80));
            rows.extend([row(1, start, 30), row(1, start + 40, 40)]);
        }
    }
    for (row, number) in rows.iter_mut().zip(1..) {
        row.number = number;
        row.code = [1, 2][usize::from(row.duration < 1000)];
        if row.depth == 1 {
            row.code = 4;
        }
    }
    recording([rows])
}

#[test]
fn repeats_are_bands_at_the_level_of_their_calls() {
    let recording = loops();
    let explorer = Explorer::new(&recording);
    let bands = |from, to, width| {
        let timeline = explorer.timeline(&TimelineQuery {
            grouping: Some(Nearness::TripCounts),
            from,
            to,
            ..whole(0, width)
        });
        timeline.lanes[0].bands.clone()
    };
    // The whole: twice all, in each repetition the loop; what is in the loop is too narrow.
    let all = TimelineBand(0, 0, 19_990, 2, 0, 602);
    let first = TimelineBand(0, 1000, 8990, 100, 1, 300);
    let second = TimelineBand(0, 11_000, 8990, 100, 302, 300);
    assert_eq!(bands(0, 20_000, 500), [all, first, second]);
    // A call of the second repetition.
    let (start, row) = (11_000 + 90 * 50, 302 + 150);
    let seen = bands(start, start + 100, 500);
    let all = TimelineBand(0, -(start as i64), 19_990, 2, 0, 602);
    let second = TimelineBand(0, 11_000 - start as i64, 8990, 100, 302, 300);
    let inner = TimelineBand(1, 0, 80, 2, row + 1, 2);
    assert_eq!(seen[..3], [all, second, inner]);
    // The next one is seen too narrowly, but it is wide.
    assert_eq!(seen[3..], [TimelineBand(1, 90, 80, 2, row + 4, 2)]);
    assert_eq!(bands(0, 20_000, 2), []);
}
