//! What an interactive view asks of a recording: lines of the tree, stretches of time, tables, search.
//!
//! Everything is asked for in ranges, so that an answer is as large as a screen however large the
//! recording is. `docs/serve-api.md` tells of each question and its answer.
//!
//! Pure: no BPF, no file system, no clock.

mod cache;
mod call;
mod filter;
mod flame;
mod functions;
mod gaps;
mod open;
mod origin;
mod overview;
mod pattern_table;
#[cfg(test)]
mod random;
mod search;
mod shown;
mod threads;
mod timeline;
mod tree;
mod views;

pub use call::CallInWhole;
pub use filter::{Filter, Grouping};
pub use flame::{Flame, FlameNode, FlameQuery};
pub use functions::{
    Column, FunctionDetail, FunctionRow, FunctionRows, FunctionsQuery, NamedPlace, Neighbour,
    OtherPlace, SlowestCall,
};
pub use gaps::{GapId, GapInWhole, GapMembers, GapQuery};
pub use open::{NodeId, Open, OpenError};
pub use origin::{Origin, stem};
pub use overview::{Defaults, Overview};
pub use pattern_table::{PatternOrder, PatternRow, PatternRows, PatternSummary, PatternsQuery};
pub use search::{Direction, Fields, Hit, Place, SearchAnswer, SearchCount, SearchQuery};
pub use shown::NamedFunction;
pub use threads::Threads;
pub use timeline::{
    Timeline, TimelineBand, TimelineGap, TimelineLane, TimelineQuery, TimelineRun, TimelineSlice,
};
pub use tree::{CallMembers, LineId, Reveal, Rows, TreeRow};
pub use views::View;

use std::sync::OnceLock;

use crate::recording::{Calls, Recording};
use cache::Cache;
use call::Blocks;
use flame::Paths;
use functions::{CallsOfFunction, Profile};
use pattern_table::PatternTable;
use search::Search;
use threads::Functions;
use timeline::TimeIndex;

/// A recording, and what was found out about it so far.
///
/// Shared by all who ask: what one of them waits for, the others wait for as well.
#[derive(Debug)]
pub struct Explorer<'r> {
    recording: &'r Recording,
    /// When its first call started or, before that, its first gap, in nanoseconds: all points in time are
    /// told from there. There is always a nanosecond behind it.
    origin: u64,
    views: Cache<views::Key, View<'r>>,
    functions: OnceLock<Functions>,
    calls: Cache<(usize, Filter), Calls<'r>>,
    profiles: Cache<(Threads, Filter), Profile>,
    function_calls: Cache<(Threads, Filter, u32), Option<CallsOfFunction>>,
    paths: Cache<(Threads, Filter), Paths>,
    pattern_tables: Cache<(Threads, Filter, Grouping), PatternTable>,
    searches: Cache<SearchQuery, Search>,
    time_indices: Cache<(usize, Filter), TimeIndex>,
    /// For each thread.
    blocks: Vec<Blocks>,
}

/// Bytes of a mebibyte.
const MIB: usize = 1 << 20;

impl<'r> Explorer<'r> {
    /// Nothing is found out yet.
    pub fn new(recording: &'r Recording) -> Self {
        let first_calls = recording.threads.iter();
        let first_calls = first_calls.filter_map(|thread| thread.calls.first());
        let first_gaps = recording
            .threads
            .iter()
            .filter_map(|thread| thread.gaps.first());
        let starts = first_calls.map(|row| row.start.0);
        let starts = starts.chain(first_gaps.map(|gap| gap.since.0));
        let origin = starts.min().unwrap_or(0);
        Explorer {
            recording,
            origin: origin.min(u64::MAX - 1),
            views: Cache::new(views::KEPT, views::KEPT_CALLS),
            functions: OnceLock::new(),
            calls: Cache::new(4096, 128 * MIB),
            profiles: Cache::new(8, 32 * MIB),
            function_calls: Cache::new(64, MIB),
            paths: Cache::new(4, 32 * MIB),
            pattern_tables: Cache::new(8, 16 * MIB),
            searches: Cache::new(8, 64 * MIB),
            time_indices: Cache::new(4096, 32 * MIB),
            blocks: recording
                .threads
                .iter()
                .map(|_| Blocks::default())
                .collect(),
        }
    }

    /// What it is about.
    pub fn recording(&self) -> &'r Recording {
        self.recording
    }
}
