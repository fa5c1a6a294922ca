//! Processes whose interpreter is in a library that they have not loaded yet: they are held as soon as
//! they have, by their entry point or as they run, before it does anything.

use std::path::Path;

use anyhow::Result;

use super::{Interpreters, Look, identity};
use crate::cpython::Linker;
use crate::record::maps;
use crate::tracer::Probes;

/// Where a process is to be held.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) probes: Probes,
    /// Not at its entry point, but whenever its dynamic linker has mapped a libpython: it has run
    /// for long by then.
    as_it_runs: bool,
}

impl Interpreters<'_> {
    /// Has a process held at its executable's entry point, where its libraries are loaded.
    pub(super) fn hold_at_entry(&mut self, pid: u32, exe: &Path, entry: u64) -> Result<()> {
        let hold = Hold {
            probes: self.tracer.hold_at_entry(pid, exe, entry)?,
            as_it_runs: false,
        };
        self.holds.insert(pid, hold);
        Ok(())
    }

    /// Has a process held should it load a libpython as it runs.
    pub(super) fn hold_at_mapping(&mut self, pid: u32) {
        // A static one has none, and loads nothing.
        let probes = maps::linkers(pid).into_iter().find_map(|file| {
            let identity = identity(&file).ok()?;
            let linker = self
                .linkers
                .entry(identity)
                .or_insert_with(|| Linker::open(&file))
                .as_ref()?;
            self.tracer.hold_at_mapping(pid, &file, linker).ok()
        });
        // Without, it is as any other program. Most never load one.
        if let Some(probes) = probes {
            let hold = Hold {
                probes,
                as_it_runs: true,
            };
            self.holds.insert(pid, hold);
        }
    }

    /// Whether a process has a program that is watched for a libpython as it runs.
    pub fn is_loader(&self, pid: u32) -> bool {
        self.holds.get(&pid).is_some_and(|hold| hold.as_it_runs)
    }

    /// A copy of a loader that has gone on without another program may load a libpython as well, or
    /// has by now.
    pub fn copy_of_loader(&mut self, pid: u32) -> Result<Look> {
        self.hold_at_mapping(pid);
        self.loaded(pid, false)
    }

    /// It has loaded them, or is no more.
    pub(super) fn remove_hold(&mut self, pid: u32) {
        if let Some(hold) = self.holds.remove(&pid) {
            self.remover.remove(hold.probes);
        }
    }
}
