//! How much memory a process took at most.

use std::fs;

use anyhow::{Context as _, Result};

/// From when on.
pub(crate) struct Memory {
    before: f64,
}

impl Memory {
    pub(crate) fn start() -> Result<Memory> {
        Ok(Memory {
            before: status("VmRSS")?,
        })
    }

    pub(crate) fn forget_peak(&self) -> Result<()> {
        // See proc(5).
        fs::write("/proc/self/clear_refs", "5").context("failed to reset the peak of memory")
    }

    /// The peak since it was forgotten, in megabytes above what there was at the start.
    pub(crate) fn beyond(&self) -> Result<f64> {
        Ok((status("VmHWM")? - self.before).max(0.0))
    }
}

fn status(name: &str) -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    let kilobytes: f64 = kilobytes.context("no such line")?.parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}
