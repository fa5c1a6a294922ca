//! What a session says of processes that are not recorded as they should be.

use anyhow::Error;
use nix::errno::Errno;

use super::Session;
use crate::error::{WithHint as _, print_report, say};

impl Session<'_, '_> {
    /// Says why a process is traced no further. Of many children, the first speaks for all.
    pub(super) fn complain(&mut self, pid: u32, error: Error) {
        self.incomplete.untraced += 1;
        let error = match format!("{error:#}").contains(&Errno::EMFILE.to_string()) {
            true => error.hint("each process takes some files: raise their limit, ulimit -n"),
            false => error,
        };
        if self.complaints.insert(error.root_cause().to_string()) {
            self.progress.clear();
            print_report(&error.context(format!("process {pid} is traced no further")));
        }
    }

    /// Says that a process ran while its probes were put on, and why. Of many, the first speaks
    /// for all.
    pub(super) fn say_unheld(&mut self, pid: u32, why: &str) {
        self.say_late(pid, "could not be held until it is traced", why);
    }

    /// Says that a process was not recorded from its start, and why. Of many, the first speaks for all.
    pub(super) fn say_late(&mut self, pid: u32, what: &str, why: &str) {
        self.unheld.insert(pid);
        self.incomplete.unheld = self.unheld.len() as u64;
        if self.complaints.insert(format!("unheld: {why}")) {
            self.progress.clear();
            say(format_args!(
                "pytrace: process {pid} {what} ({why}): its first calls may be missing"
            ));
        }
    }

    /// Says something of many processes that are alike.
    pub(super) fn say_once(&mut self, note: String) {
        if !self.complaints.contains(&note) {
            self.progress.clear();
            say(format_args!("pytrace: {note}"));
            self.complaints.insert(note);
        }
    }

    /// Says so if pytrace was taken for absent, as it stood still, and has processes held again.
    pub(super) fn come_back(&mut self) {
        if self.lossless && self.watchdog.is_gone() {
            // Nobody would let go whom we stop, should we be killed as well.
            self.lossless = false;
            self.holds.set_lossless(false);
            self.progress.clear();
            say(format_args!(
                "pytrace: somebody has killed the watchdog, process {}: nobody is stopped for lack of \
                 room any more, and what is lost is counted",
                self.watchdog.id()
            ));
        }
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
