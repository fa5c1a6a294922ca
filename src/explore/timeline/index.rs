//! Where the long calls of a thread are, and how many calls there are of each level.

use crate::explore::cache::Weigh;
use crate::recording::Calls;

/// How many calls there are in a block. Where a pixel ends in a block, its calls are looked at one
/// by one; others are counted as a whole.
const BLOCK: usize = 256;

/// The calls of a thread by blocks.
///
/// Nothing here relies on the calls being in order of time, nor on callees ending before their
/// callers: other tools' traces, and hostile ones, may be otherwise.
#[derive(Debug)]
pub(in crate::explore) struct TimeIndex {
    blocks: Vec<Block>,
    /// How many calls of each level there are in each block: block by block, level by level.
    counts: Vec<LevelCount>,
    levels: usize,
}

/// What there is to know of a block's calls, to tell which ones need not be looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// The earliest start.
    pub(super) first_start: u64,
    /// The latest start.
    pub(super) last_start: u64,
    /// The latest end.
    pub(super) last_end: u64,
    /// The longest duration.
    pub(super) longest: u64,
    /// The level furthest up.
    pub(super) top: u32,
    /// The level furthest down.
    pub(super) bottom: u32,
    /// Position of the first call, and behind the last.
    pub(super) begin: usize,
    pub(super) end: usize,
    /// Where its counts begin.
    counts: usize,
}

/// So many calls of a level.
#[derive(Debug, Clone, Copy)]
pub(super) struct LevelCount {
    pub(super) level: u32,
    pub(super) calls: u32,
}

impl Weigh for TimeIndex {
    fn weight(&self) -> usize {
        self.blocks.len() * size_of::<Block>() + self.counts.len() * size_of::<LevelCount>()
    }
}

impl TimeIndex {
    /// Of these calls.
    pub(super) fn new(calls: &Calls<'_>) -> Self {
        let mut blocks = Vec::with_capacity(calls.len().div_ceil(BLOCK));
        let mut counts = Vec::new();
        let mut levels: Vec<u32> = Vec::with_capacity(BLOCK);
        for begin in (0..calls.len()).step_by(BLOCK) {
            let end = calls.len().min(begin + BLOCK);
            let mut block = Block {
                first_start: u64::MAX,
                last_start: 0,
                last_end: 0,
                longest: 0,
                top: u32::MAX,
                bottom: 0,
                begin,
                end,
                counts: counts.len(),
            };
            levels.clear();
            for position in begin..end {
                let row = calls.row(position);
                let level = calls.depth(position);
                block.first_start = block.first_start.min(row.start.0);
                block.last_start = block.last_start.max(row.start.0);
                block.last_end = block.last_end.max(row.end().0);
                block.longest = block.longest.max(row.duration);
                block.top = block.top.min(level);
                block.bottom = block.bottom.max(level);
                levels.push(level);
            }
            levels.sort_unstable();
            let of_levels = levels.chunk_by(|a, b| a == b);
            counts.extend(of_levels.map(|same| LevelCount {
                level: same[0],
                calls: same.len() as u32,
            }));
            blocks.push(block);
        }
        counts.shrink_to_fit();
        let bottom = blocks
            .iter()
            .map(|block: &Block| block.bottom as usize + 1)
            .max();
        TimeIndex {
            blocks,
            counts,
            levels: bottom.unwrap_or(0),
        }
    }

    /// How many levels they have.
    pub(super) fn levels(&self) -> usize {
        self.levels
    }

    /// All blocks, each with its counts.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (&Block, &[LevelCount])> {
        let ends = self.blocks.iter().skip(1).map(|next| next.counts);
        let ends = ends.chain([self.counts.len()]);
        let with_ends = self.blocks.iter().zip(ends);
        with_ends.map(|(block, end)| (block, &self.counts[block.counts..end]))
    }
}
