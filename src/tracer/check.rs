//! What the kernel programs found out about their probes.

use crate::bpf::frames::types;

/// What became of the check of a probe's first hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// It has not been reached often enough.
    Pending,
    /// The frame was where the plan says.
    Passed,
    /// It was not: the thread state is asked for it, at each hit.
    ThreadState,
    /// It could not be found: events of this probe are lost, and counted.
    Failed,
}

/// The check of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// What became of it.
    pub state: CheckState,
    /// Hits that were checked.
    pub hits: u32,
    /// Of these, those at which the frame was not where the plan says.
    pub disagreed: u32,
    /// Whether the value returned was not where the plan says: the thread state tells instead
    /// whether an exception is being raised.
    pub no_retval: bool,
}

impl Check {
    /// Whether the probe was reached, and the frame was where the plan says, as far as that was
    /// checked.
    pub fn is_passed(self) -> bool {
        let agreed = match self.state {
            CheckState::Passed => true,
            CheckState::Pending => self.disagreed == 0,
            CheckState::ThreadState | CheckState::Failed => false,
        };
        agreed && self.hits > 0
    }

    /// Whether events may be missing as their frames were not found, before that was certain.
    pub fn has_lost(self) -> bool {
        self.state == CheckState::Pending && self.disagreed > 0
    }
}

impl From<types::probe_check> for Check {
    fn from(check: types::probe_check) -> Self {
        use types::check_state as state;
        Check {
            state: match check.state {
                found if found == state::CHECK_PASSED.0 => CheckState::Passed,
                found if found == state::CHECK_THREAD_STATE.0 => CheckState::ThreadState,
                found if found == state::CHECK_FAILED.0 => CheckState::Failed,
                _ => CheckState::Pending,
            },
            hits: check.hits,
            disagreed: check.disagreed,
            no_retval: check.no_retval != 0,
        }
    }
}
