//! Parents that stop themselves because a child of theirs was held.
//!
//! A hold is a SIGSTOP where no shell's job control is about (`bpf/process.bpf.c`, `may_stop()`).
//! But some programs that run one other program for somebody take each stop of it for the user's
//! Ctrl-Z, and do the same: sudo (`src/exec_nopty.c`), su and runuser (util-linux,
//! `login-utils/su-common.c`), nsenter (`sys-utils/nsenter.c`), script. They wait for a shell to
//! let them go on, and there is none that knows of it. So we do.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::process;
use super::resume::resume_by_looks;
use crate::tracer::Holds;

/// How long after its child goes on a parent may still come to stop itself: as long as it takes
/// to get a processor between being told of the stop and sending itself the signal.
const AFTERMATH: Duration = Duration::from_secs(1);
/// The same where the recording is over, and nobody looks any more.
const LAST_LOOK: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(5);

/// Parents whose children were held not long ago.
#[derive(Debug, Default)]
pub(super) struct Parents {
    /// With the child that was let go last, and when that was.
    recent: FxHashMap<u32, (u32, Instant)>,
}

impl Parents {
    /// A child that was held goes on.
    pub(super) fn child_goes_on(&mut self, child: u32) {
        let parent = process::parent(child).filter(|&parent| parent != std::process::id());
        if let Some(parent) = parent {
            self.recent.insert(parent, (child, Instant::now()));
        }
    }

    /// Lets those go on that have stopped themselves. One whose child is stopped as well was
    /// stopped with it, by Ctrl-Z, and one that is held goes on when it has its probes.
    pub(super) fn look(&mut self, holds: &Holds) {
        self.recent.retain(|&parent, &mut (child, since)| {
            if process::has_main_stopped(parent)
                && !process::is_stopped(child)
                && !holds.held().iter().any(|held| held.pid == parent)
            {
                // It is its own stop that is to end.
                holds.forget(parent);
                resume_by_looks(parent);
            }
            since.elapsed() < AFTERMATH && process::is_alive(parent)
        });
    }

    /// The same for the last time.
    pub(super) fn last_look(&mut self, holds: &Holds) {
        let begun = Instant::now();
        while !self.recent.is_empty() && begun.elapsed() < LAST_LOOK {
            self.look(holds);
            std::thread::sleep(PAUSE);
        }
    }
}
