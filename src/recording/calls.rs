//! The calls of a thread that somebody looks at.

use std::sync::Arc;

use super::gaps::with_positions;
use super::{GapRun, Row, Thread};

/// The calls of a thread: all of them, or those that a [`Selection`](super::Selection) leaves.
///
/// A call has a *position* among these, which is what lists and patterns go by, and an *index* into
/// [`Thread::calls`](super::Thread::calls), which stays what it is whatever is selected. What is left
/// costs eight bytes a call: the rows stay where they are. A clone is a handle.
#[derive(Debug, Clone)]
pub struct Calls<'r> {
    rows: &'r [Row],
    kept: Option<Arc<[Kept]>>,
    gaps: Arc<[GapRun]>,
}

/// A call that is left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// Its index.
    pub(super) index: u32,
    /// How many calls that are left are above it.
    pub(super) depth: u32,
}

/// A gap that is left.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeptGap {
    /// Its index.
    pub(super) index: usize,
    /// How many calls that are left are before it.
    pub(super) position: usize,
    /// How many calls that are left are above it.
    pub(super) depth: u32,
}

impl<'r> Calls<'r> {
    /// All of a thread's calls.
    pub fn all(thread: &'r Thread) -> Self {
        let (rows, gaps) = (&thread.calls[..], &thread.gaps[..]);
        let placed = with_positions(rows, gaps).enumerate();
        let placed = placed.map(|(index, (position, gap))| (index, position, gap.depth, gap));
        Calls {
            rows,
            kept: None,
            gaps: GapRun::collect(placed).into(),
        }
    }

    /// Some of a thread's calls, in order, and some of its gaps.
    pub(super) fn kept(thread: &'r Thread, kept: Vec<Kept>, gaps: &[KeptGap]) -> Self {
        let placed = gaps.iter().map(|gap| {
            let KeptGap {
                index,
                position,
                depth,
            } = *gap;
            (index, position, depth, &thread.gaps[index])
        });
        Calls {
            rows: &thread.calls,
            kept: Some(kept.into()),
            gaps: GapRun::collect(placed).into(),
        }
    }

    /// Where events are missing among these calls, in order; of one position the deepest first.
    pub fn gaps(&self) -> &[GapRun] {
        &self.gaps
    }

    /// Whether none is left out.
    pub(crate) fn is_all(&self) -> bool {
        self.kept.is_none()
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        match &self.kept {
            Some(kept) => kept.len(),
            None => self.rows.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The call at a position.
    pub fn row(&self, position: usize) -> &'r Row {
        &self.rows[self.index(position)]
    }

    /// How many of these calls are above the one at a position.
    pub fn depth(&self, position: usize) -> u32 {
        match &self.kept {
            Some(kept) => kept[position].depth,
            None => self.rows[position].depth,
        }
    }

    /// Index of the call at a position.
    pub fn index(&self, position: usize) -> usize {
        match &self.kept {
            Some(kept) => kept[position].index as usize,
            None => position,
        }
    }

    /// Position of the call with an index, if it is left.
    pub fn position(&self, index: usize) -> Option<usize> {
        match &self.kept {
            Some(kept) => kept
                .binary_search_by_key(&index, |kept| kept.index as usize)
                .ok(),
            None => (index < self.rows.len()).then_some(index),
        }
    }

    /// Position of the first call whose index is not less than this.
    pub fn first_from(&self, index: usize) -> usize {
        match &self.kept {
            Some(kept) => kept.partition_point(|kept| (kept.index as usize) < index),
            None => index.min(self.rows.len()),
        }
    }
}
