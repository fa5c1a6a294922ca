//! What a trace holds.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use pytrace::recording::{Flags, Recording, Row};
use pytrace::trace::{Category, Code};

pub(crate) struct Recorded {
    /// The scope's own calls and resumptions, in order of start: name, line, whether it is resumed.
    pub(crate) own: Vec<(String, u32, bool)>,
    /// All calls.
    pub(crate) all: usize,
}

impl Recorded {
    /// Reads a trace of pytrace's, which has to be whole, and of these probes.
    pub(crate) fn read(trace: &Path, plan: &str) -> Result<Recorded> {
        let recording = pytrace::format::read(trace)?;
        let footer = recording.footer.as_ref().context("it has no end")?;
        let plans: Vec<&str> = footer
            .interpreters
            .iter()
            .map(|interpreter| interpreter.plan.as_str())
            .collect();
        ensure!(
            plans == [plan],
            "{plan} was asked for, and there is {plans:?}"
        );
        ensure!(
            footer.is_whole(),
            "the recording is not whole: {} lost, {:?}",
            footer.lost,
            footer.incomplete
        );
        Ok(Recorded::of(&recording, |code| {
            code.category == Category::Internal
        }))
    }

    /// Reads another tool's trace of a program of this directory.
    pub(crate) fn read_others(trace: &Path, scope: &Path) -> Result<Recorded> {
        let recording = pytrace::format::read(trace)?;
        Ok(Recorded::of(&recording, |code| {
            Path::new(&*code.file).starts_with(scope)
        }))
    }

    fn of(recording: &Recording, is_own: impl Fn(&Code) -> bool) -> Recorded {
        let rows = || recording.threads.iter().flat_map(|thread| &thread.calls);
        let own = |row: &Row| {
            let code = recording.code(row);
            let resumed = row.flags.has(Flags::RESUMED);
            is_own(code).then(|| (code.name.to_string(), code.line, resumed))
        };
        Recorded {
            own: rows().filter_map(own).collect(),
            all: rows().count(),
        }
    }

    /// Fails unless another recording has the same calls of the scope's, in the same order.
    pub(crate) fn compare(&self, other: &Recorded) -> Result<()> {
        let pairs = self.own.iter().zip(&other.own);
        if let Some((index, (one, two))) = pairs.enumerate().find(|(_, (one, two))| one != two) {
            anyhow::bail!("call {index} of the scope is {one:?} in one, {two:?} in the other");
        }
        ensure!(
            self.own.len() == other.own.len(),
            "{} calls of the scope in one, {} in the other",
            self.own.len(),
            other.own.len()
        );
        Ok(())
    }
}
