//! The members of a gap.

use serde::Serialize;

use crate::recording::GapRun;

/// Where events are missing.
#[derive(Serialize)]
pub(super) struct GapMembers {
    lost: u64,
    starts: u64,
    ends: u64,
    gaps: usize,
    after_call: u64,
    since_ns: u64,
    until_ns: u64,
}

impl From<&GapRun> for GapMembers {
    fn from(run: &GapRun) -> GapMembers {
        GapMembers {
            lost: run.sum.lost(),
            starts: run.sum.starts,
            ends: run.sum.ends,
            gaps: run.sum.gaps,
            after_call: run.after_call,
            since_ns: run.sum.since.0,
            until_ns: run.sum.until.0,
        }
    }
}
