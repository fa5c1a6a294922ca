//! What of some threads is seen in a stretch of time.

use std::ops::Range;

use super::index::{Block, LevelCount, TimeIndex};
use crate::recording::Calls;

/// How many calls are drawn by themselves.
const MOST_SLICES: usize = 8000;

/// How many stretches of pixels are told apart.
const MOST_RUNS: usize = 6000;

/// A stretch of time and its pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Times since the clock's beginning, in nanoseconds; `to` is not part of it, and is larger.
    pub(super) from: u64,
    pub(super) to: u64,
    /// Pixels; not 0.
    pub(super) width: usize,
}

impl Scale {
    /// The pixel of a time that is part of it. Later ones have no smaller pixels.
    pub(super) fn pixel(&self, time: u64) -> usize {
        let pixels = (time - self.from) as f64 * (self.width as f64 / (self.to - self.from) as f64);
        (pixels as usize).min(self.width - 1)
    }

    /// The shortest duration that takes so many pixels; not 0.
    pub(super) fn duration(&self, pixels: usize) -> u64 {
        let duration = u128::from(self.to - self.from) * pixels as u128;
        u64::try_from(duration.div_ceil(self.width as u128)).unwrap_or(u64::MAX)
    }

    /// Whether it contains a time.
    pub(super) fn contains(&self, time: u64) -> bool {
        (self.from..self.to).contains(&time)
    }
}

/// Calls of some threads.
#[derive(Debug)]
pub(super) struct Drawing {
    scale: Scale,
    levels: Range<u32>,
    /// Two to the power of this is how many pixels a slice takes at least.
    zoom: u32,
    /// How many slices all lanes have.
    slices: usize,
    lanes: Vec<Lane>,
}

/// Calls of a thread.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// In order.
    pub(super) slices: Vec<Slice>,
    /// By level and pixel, how many shorter ones start there.
    dense: Vec<u32>,
    /// How many calls are long enough, but too many to be drawn.
    pub(super) left_out: usize,
}

/// A call that is drawn by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) position: usize,
    pub(super) level: u32,
    pub(super) start: u64,
    pub(super) duration: u64,
}

/// Pixels that follow each other, in which short calls start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) level: u32,
    pub(super) x: usize,
    pub(super) pixels: usize,
    pub(super) calls: u64,
}

impl Drawing {
    /// Nothing is drawn yet.
    pub(super) fn new(scale: Scale, levels: Range<u32>) -> Self {
        Drawing {
            scale,
            levels,
            zoom: 0,
            slices: 0,
            lanes: Vec::new(),
        }
    }

    /// How many pixels a slice takes at least.
    pub(super) fn pixels(&self) -> usize {
        1 << self.zoom
    }

    /// What is drawn, thread by thread.
    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Draws another thread, whose calls these are.
    pub(super) fn add(&mut self, index: &TimeIndex, calls: &Calls<'_>) {
        let levels = index.levels().min(self.levels.end as usize);
        let levels = levels.saturating_sub(self.levels.start as usize);
        self.lanes.push(Lane {
            dense: vec![0; levels * self.scale.width],
            ..Lane::default()
        });
        for (block, counts) in index.blocks() {
            self.add_block(calls, block, counts);
        }
    }

    fn add_block(&mut self, calls: &Calls<'_>, block: &Block, counts: &[LevelCount]) {
        let Scale { from, to, .. } = self.scale;
        let is_outside = block.first_start >= to
            || (block.last_end <= from && block.last_start < from)
            || block.top >= self.levels.end
            || block.bottom < self.levels.start;
        let is_short = block.longest < self.scale.duration(self.pixels());
        if is_outside || (is_short && block.last_start < from) {
            return;
        }
        let (first, last) = (block.first_start, block.last_start);
        if is_short
            && first >= from
            && last < to
            && self.scale.pixel(first) == self.scale.pixel(last)
        {
            for count in counts {
                self.add_short(self.lanes.len() - 1, count.level, first, count.calls);
            }
            return;
        }
        for position in block.begin..block.end {
            let level = calls.depth(position);
            let row = calls.row(position);
            if !self.levels.contains(&level) || row.start.0 >= to {
                continue;
            }
            if row.duration < self.scale.duration(self.pixels()) {
                self.add_short(self.lanes.len() - 1, level, row.start.0, 1);
            } else if row.end().0 > from || row.start.0 >= from {
                self.add_slice(Slice {
                    position,
                    level,
                    start: row.start.0,
                    duration: row.duration,
                });
            }
        }
    }

    /// Counts short calls that start at a time, if that is seen.
    fn add_short(&mut self, lane: usize, level: u32, start: u64, calls: u32) {
        if self.scale.contains(start) && self.levels.contains(&level) {
            let line = (level - self.levels.start) as usize * self.scale.width;
            self.lanes[lane].dense[line + self.scale.pixel(start)] += calls;
        }
    }

    fn add_slice(&mut self, slice: Slice) {
        let lane = self.lanes.len() - 1;
        if self.slices == MOST_SLICES {
            self.zoom_out();
        }
        if slice.duration < self.scale.duration(self.pixels()) {
            self.add_short(lane, slice.level, slice.start, 1);
        } else if self.slices == MOST_SLICES {
            // They overlap: nothing that is wide enough for one only.
            self.lanes[lane].left_out += 1;
        } else {
            self.lanes[lane].slices.push(slice);
            self.slices += 1;
        }
    }

    /// Makes room for slices, if that can be done by leaving it to wider ones.
    fn zoom_out(&mut self) {
        while self.slices == MOST_SLICES && self.pixels() < self.scale.width {
            self.zoom += 1;
            let least = self.scale.duration(self.pixels());
            for lane in 0..self.lanes.len() {
                let slices = std::mem::take(&mut self.lanes[lane].slices);
                let (wide, narrow): (Vec<_>, Vec<_>) = slices
                    .into_iter()
                    .partition(|slice| slice.duration >= least);
                self.slices -= narrow.len();
                self.lanes[lane].slices = wide;
                for slice in narrow {
                    self.add_short(lane, slice.level, slice.start, 1);
                }
            }
        }
    }

    /// The runs of each lane, level by level. They consist of as many pixels at a time as a slice
    /// takes at least, or more where they are too many.
    pub(super) fn runs(&self) -> Vec<Vec<Run>> {
        let mut pixels = self.pixels();
        loop {
            let lanes = self.lanes.iter();
            let runs: Vec<Vec<Run>> = lanes.map(|lane| self.runs_of(lane, pixels)).collect();
            let count: usize = runs.iter().map(Vec::len).sum();
            if count <= MOST_RUNS || pixels >= self.scale.width {
                return runs;
            }
            pixels *= 2;
        }
    }

    fn runs_of(&self, lane: &Lane, pixels: usize) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let lines = lane.dense.chunks_exact(self.scale.width);
        for (level, line) in (self.levels.start..).zip(lines) {
            let mut is_open = false;
            for (index, cell) in line.chunks(pixels).enumerate() {
                let calls: u64 = cell.iter().map(|&calls| u64::from(calls)).sum();
                if calls > 0 {
                    match runs.last_mut() {
                        Some(run) if is_open => {
                            run.pixels += cell.len();
                            run.calls += calls;
                        }
                        _ => runs.push(Run {
                            level,
                            x: index * pixels,
                            pixels: cell.len(),
                            calls,
                        }),
                    }
                }
                is_open = calls > 0;
            }
        }
        runs
    }
}
