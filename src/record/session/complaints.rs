//! What a session says of processes that are not recorded as they should be.

use anyhow::Error;
use nix::errno::Errno;

use super::Session;
use crate::error::{print_report, say};

impl Session<'_, '_> {
    /// Says why a process is traced no further. Of many children, the first speaks for all.
    pub(super) fn complain(&mut self, pid: u32, error: Error) {
        if self.complaints.insert(error.root_cause().to_string()) {
            self.progress.clear();
            print_report(&error.context(format!("process {pid} is traced no further")));
        }
    }

    /// Says that a process ran while its probes were put on, and why. Of many, the first speaks
    /// for all.
    pub(super) fn say_unheld(&mut self, pid: u32, why: Errno) {
        let has_probes = self.interpreters.bias(pid).is_some();
        if has_probes && self.complaints.insert(format!("unheld: {why}")) {
            self.progress.clear();
            let why = match why {
                Errno::EPERM => "a debugger has it, such as strace",
                other => other.desc(),
            };
            say(format_args!(
                "pytrace: process {pid} could not be held until it is traced ({why}): \
                 its first calls may be missing"
            ));
        }
    }

    /// Says so if pytrace was taken for absent, as it stood still, and has processes held again.
    pub(super) fn come_back(&mut self) {
        if self.holds.is_absent() {
            self.holds.set_lossless(self.lossless);
            self.progress.clear();
            say(format_args!(
                "pytrace: it was stopped, or its output took nothing: what it traces went on \
                 meanwhile, and what was lost is counted"
            ));
        }
    }
}
