//! The repeats that are seen in a stretch of time.

use std::cmp::Reverse;
use std::ops::Range;

use super::drawing::Scale;
use crate::pattern::{Call, Node, Nodes, Patterns, Repeat};
use crate::recording::Calls;

/// How many bands a lane has.
const MOST_BANDS: usize = 125;

/// How many calls and repeats are looked at for a lane.
const MOST_STEPS: usize = 500_000;

/// How many pixels a band takes at least; narrower ones are noise.
const LEAST_PIXELS: usize = 3;

/// Repeats of a thread, as far as they are seen.
#[derive(Debug)]
pub(super) struct Bands {
    scale: Scale,
    levels: Range<u32>,
    /// The shortest duration of a band.
    least: u64,
    steps: usize,
    found: Vec<Band>,
}

/// A repeat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Band {
    pub(super) level: u32,
    /// When its first call starts.
    pub(super) start: u64,
    /// When its last call ends; not before the start.
    pub(super) end: u64,
    pub(super) repetitions: usize,
    /// Index of its first call.
    pub(super) row: usize,
    /// How many calls it is, with those below.
    pub(super) calls: usize,
}

impl Bands {
    /// None so far.
    pub(super) fn new(scale: Scale, levels: Range<u32>) -> Self {
        Bands {
            scale,
            levels,
            least: scale.duration(LEAST_PIXELS),
            steps: 0,
            found: Vec::new(),
        }
    }

    /// The widest ones, from the top down and from left to right, and whether there may be more.
    pub(super) fn finish(mut self) -> (Vec<Band>, bool) {
        let is_cut = self.found.len() > MOST_BANDS || self.steps >= MOST_STEPS;
        self.found
            .sort_by_key(|band| Reverse(band.end - band.start));
        self.found.truncate(MOST_BANDS);
        self.found.sort_by_key(|band| (band.level, band.start));
        (self.found, is_cut)
    }

    /// Finds those of a thread.
    pub(super) fn find(&mut self, patterns: &Patterns<'_>, calls: &Calls<'_>) {
        // Lists on the way. As deep as what is drawn: never as deep as calls can be, but for who scrolls
        // there.
        let mut lists = vec![patterns.thread(0)];
        while let Some(list) = lists.last_mut()
            && self.steps < MOST_STEPS
        {
            self.steps += 1;
            match list.next() {
                None => {
                    lists.pop();
                }
                Some(Node::Call(call)) => {
                    let row = call.row();
                    let is_above = calls.depth(call.position()) + 1 < self.levels.end;
                    if is_above && self.is_seen(row.start.0, row.end().0) {
                        lists.push(call.callees());
                    }
                }
                Some(Node::Gap(_)) => {}
                Some(Node::Repeat(repeat)) => self.add(&repeat, calls, &mut lists),
            }
        }
    }

    /// Whether there may be a band in this time.
    fn is_seen(&self, start: u64, end: u64) -> bool {
        start < self.scale.to && end > self.scale.from && end.saturating_sub(start) >= self.least
    }

    fn add<'p>(&mut self, repeat: &Repeat<'p>, calls: &Calls<'_>, lists: &mut Vec<Nodes<'p>>) {
        let count = repeat.repetitions().len();
        let first = repeat.rows().start;
        let level = calls.depth(first);
        let start = calls.row(first).start.0;
        let (_, end) = self.extent(repeat.repetition(count - 1));
        if level >= self.levels.end || !self.is_seen(start, end) {
            return;
        }
        if self.levels.contains(&level) {
            self.found.push(Band {
                level,
                start,
                end,
                repetitions: count,
                row: calls.index(first),
                calls: repeat.total_calls(),
            });
        }
        // A repetition that is wide enough is in progress at one of these times.
        let mut next = start.max(self.scale.from);
        let end = end.min(self.scale.to);
        let mut seen = None;
        while next < end && self.steps < MOST_STEPS {
            let index = repetition_at(repeat, calls, next);
            if seen != Some(index) {
                let (start, end) = self.extent(repeat.repetition(index));
                if self.is_seen(start, end) {
                    lists.extend(repeat.repetition_folded(index));
                }
                seen = Some(index);
            }
            self.steps += 1;
            // The last one may be seen only in part.
            next = match next == end - 1 {
                true => end,
                false => next.saturating_add(self.least).min(end - 1),
            };
        }
    }

    /// From the start of the first to the end of the last of some siblings.
    fn extent<'p>(&mut self, siblings: impl Iterator<Item = Call<'p>>) -> (u64, u64) {
        let (mut start, mut end) = (u64::MAX, 0);
        for call in siblings {
            self.steps += 1;
            start = start.min(call.row().start.0);
            end = end.max(call.row().end().0);
        }
        (start, end)
    }
}

/// The repetition that is in progress at a time, if calls are in order of time; else any.
fn repetition_at(repeat: &Repeat<'_>, calls: &Calls<'_>, time: u64) -> usize {
    let positions = repeat.rows();
    let (mut first, mut behind) = (positions.start, positions.end);
    while first < behind {
        let middle = first + (behind - first) / 2;
        match calls.row(middle).start.0 <= time {
            true => first = middle + 1,
            false => behind = middle,
        }
    }
    let started = first.max(positions.start + 1) - 1;
    repeat.repetition_of(started).unwrap_or(0)
}
