//! The timeline: the calls of a stretch of time, as much of them as can be seen.

mod bands;
mod drawing;
mod gaps;
mod index;

use rustc_hash::FxHashMap;
use std::borrow::Cow;

use serde::Serialize;

use super::Explorer;
use super::filter::{Filter, Grouping};
use super::shown::{code_names, cut};
use crate::recording::Flags;
use bands::Bands;
use drawing::{Drawing, Scale};
use gaps::marks;
pub(super) use index::TimeIndex;

/// Of how many of these threads the repeats are shown.
const MOST_WITH_BANDS: usize = 4;

/// A stretch of time and what of it is drawn.
#[derive(Debug, Clone)]
pub struct TimelineQuery {
    /// The threads by their indices: at most 32. Repeats are shown of the first four.
    pub threads: Vec<usize>,
    /// Which calls.
    pub filter: Filter,
    /// How they are grouped.
    pub grouping: Grouping,
    /// Begin, in nanoseconds since the first call of the recording.
    pub from: u64,
    /// End, likewise; if it is not behind the begin, a nanosecond is drawn.
    pub to: u64,
    /// Pixels, 1 to 4,096.
    pub width: usize,
    /// The first level that is drawn; 0 is the outermost one.
    pub depth: u32,
    /// How many levels are drawn; at most 64.
    pub levels: u32,
}

impl TimelineQuery {
    /// How many threads an answer is about at most.
    pub const MOST_LANES: usize = 32;
    /// How many pixels a drawing is wide at most.
    pub const MOST_WIDTH: usize = 4096;
    /// How many levels of a thread are drawn at most.
    pub const MOST_LEVELS: u32 = 64;
}

/// A stretch of time, drawn.
#[derive(Debug, Serialize)]
pub struct Timeline<'r> {
    /// Its begin, in nanoseconds since the first call of the recording.
    pub from: u64,
    /// Its end.
    pub to: u64,
    /// How many pixels a call takes at least to be a slice: one; more if slices are too many.
    pub pixels: usize,
    /// Name and category of the codes of the slices.
    pub codes: FxHashMap<u32, (Cow<'r, str>, &'static str)>,
    /// The threads, in the order of the question.
    pub lanes: Vec<TimelineLane>,
}

/// A thread, drawn.
#[derive(Debug, Serialize)]
pub struct TimelineLane {
    /// Its index.
    pub thread: usize,
    /// How many levels its calls have, drawn or not.
    pub levels: usize,
    /// Calls that are long enough: all that are seen in this stretch, even if they began before.
    pub slices: Vec<TimelineSlice>,
    /// Shorter ones that start in it.
    pub dense: Vec<TimelineRun>,
    /// Repeats that are seen in it.
    pub bands: Vec<TimelineBand>,
    /// Where events are missing in it.
    pub gaps: Vec<TimelineGap>,
    /// How many calls should be slices, but overlap so that they are too many.
    pub left_out: usize,
    /// Whether there may be more repeats than `bands`.
    pub bands_left_out: bool,
}

/// Level, start relative to the begin, duration, code, row, and 1 if an exception left it, else 0.
/// Times in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TimelineSlice(pub u32, pub i64, pub u64, pub u32, pub usize, pub u8);

/// Level, first pixel, pixels, and how many calls start there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TimelineRun(pub u32, pub usize, pub usize, pub u64);

/// Level, start relative to the begin, duration, repetitions, row of its first call, and how many
/// calls it is with those below. Times in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TimelineBand(pub u32, pub i64, pub u64, pub usize, pub usize, pub usize);

/// Level of the calls that are missing or the least of them, start relative to the begin, duration, how
/// many events are lost, and row and gap of its id. Times in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TimelineGap(pub u32, pub i64, pub u64, pub u64, pub usize, pub usize);

impl<'r> Explorer<'r> {
    /// Draws a stretch of time. Threads that do not exist are not drawn.
    pub fn timeline(&self, query: &TimelineQuery) -> Timeline<'r> {
        let origin = self.origin;
        let from = origin.saturating_add(query.from).min(u64::MAX - 1);
        let scale = Scale {
            from,
            to: origin.saturating_add(query.to).max(from + 1),
            width: query.width.clamp(1, TimelineQuery::MOST_WIDTH),
        };
        let levels = query.levels.min(TimelineQuery::MOST_LEVELS);
        // Levels are counted on from the first one, and there is always one behind.
        let first = query.depth.min(u32::MAX - TimelineQuery::MOST_LEVELS - 1);
        let levels = first..first + levels;
        let threads = query.threads.iter().copied();
        let exist = threads.filter(|&thread| thread < self.recording.threads.len());
        let threads: Vec<usize> = exist.take(TimelineQuery::MOST_LANES).collect();

        let mut drawing = Drawing::new(scale, levels.clone());
        let mut calls = Vec::with_capacity(threads.len());
        let mut depths = Vec::with_capacity(threads.len());
        for &thread in &threads {
            let of_thread = self.calls(thread, &query.filter);
            let find = || TimeIndex::new(&of_thread);
            let index = self.time_indices.get((thread, query.filter), find);
            drawing.add(&index, &of_thread);
            calls.push(of_thread);
            depths.push(index.levels());
        }
        let relative = |time: u64| clamped(i128::from(time) - i128::from(scale.from));
        let mut lanes = Vec::with_capacity(threads.len());
        for (at, (lane, runs)) in drawing.lanes().iter().zip(drawing.runs()).enumerate() {
            let calls = &calls[at];
            let slices = lane.slices.iter().map(|slice| {
                let row = calls.row(slice.position);
                TimelineSlice(
                    slice.level,
                    relative(slice.start),
                    slice.duration,
                    row.code,
                    calls.index(slice.position),
                    u8::from(row.flags.has(Flags::RAISED)),
                )
            });
            let mut bands = Bands::new(scale, levels.clone());
            if query.grouping.is_some() && at < MOST_WITH_BANDS {
                let view = self.view(threads[at], &query.filter, query.grouping);
                bands.find(view.patterns(), calls);
            }
            let (bands, bands_left_out) = bands.finish();
            let bands = bands.iter().map(|band| {
                TimelineBand(
                    band.level,
                    relative(band.start),
                    band.end - band.start,
                    band.repetitions,
                    band.row,
                    band.calls,
                )
            });
            let rows = self.recording.threads[threads[at]].calls.len();
            let marks = marks(scale, threads.len(), calls, rows);
            let marks = marks.iter().map(|mark| {
                TimelineGap(
                    mark.level,
                    relative(mark.since),
                    mark.until - mark.since,
                    mark.lost,
                    mark.id.row,
                    mark.id.gap,
                )
            });
            lanes.push(TimelineLane {
                thread: threads[at],
                levels: depths[at],
                slices: slices.collect(),
                dense: runs
                    .iter()
                    .map(|run| TimelineRun(run.level, run.x, run.pixels, run.calls))
                    .collect(),
                bands: bands.collect(),
                gaps: marks.collect(),
                left_out: lane.left_out,
                bands_left_out,
            });
        }
        let codes = lanes.iter().flat_map(|lane| &lane.slices);
        Timeline {
            from: scale.from - origin,
            to: scale.to - origin,
            pixels: drawing.pixels(),
            codes: code_names(codes.map(|slice| slice.3), |code, most| {
                let code = &self.recording.codes[code as usize];
                (cut(&code.name, most), code.category.as_str())
            }),
            lanes,
        }
    }
}

fn clamped(time: i128) -> i64 {
    i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
