//! What the kernel programs could not record, by their own account.

use std::ptr;

use libbpf_rs::{MapCore as _, MapFlags};
use plain::Plain;

use super::{Tracer, types};
use crate::trace::{Missing, ThreadId, Time};

// SAFETY: plain integers; every bit pattern is a value.
unsafe impl Plain for types::loss {}

/// `COUNTERS` of `bpf/slots.h`.
const OUTSIDE_COUNTERS: usize = 64;

impl Tracer<'_> {
    /// Events lost so far that could not be recorded, in all threads: those that a record
    /// has reported and those that none has.
    pub fn lost(&self) -> u64 {
        // SAFETY: an aligned word of memory that the kernel programs write.
        self.sum(|bss| unsafe { ptr::read_volatile(&raw const (*bss).lost_total) })
    }

    /// How many of these may have been none of the scope's concern: user space had not said yet
    /// what their code is.
    pub fn lost_unjudged(&self) -> u64 {
        // SAFETY: as above.
        self.sum(|bss| unsafe { ptr::read_volatile(&raw const (*bss).lost_unjudged) })
    }

    /// How many starts of activations hit probes for nothing, as they are not of the scope; about.
    pub fn outside(&self) -> u64 {
        let count = |bss: *const types::bss| {
            // SAFETY: as above, and within the array.
            let at = |place: usize| unsafe {
                ptr::read_volatile(&raw const (*bss).outside[place].count)
            };
            (0..OUTSIDE_COUNTERS).map(at).sum()
        };
        self.sum(count)
    }

    fn sum(&self, of: impl Fn(*const types::bss) -> u64) -> u64 {
        let all = self.builds.iter();
        all.map(|frames| of(frames.bss().as_ptr())).sum()
    }

    /// Births, starts and ends of processes that could not be told: as many may be missing from the
    /// recording.
    pub fn untold(&self) -> u64 {
        let bss = self.process.maps.bss_data.as_deref();
        // SAFETY: an aligned word of memory that the kernel programs write.
        bss.map_or(0, |bss| unsafe {
            ptr::read_volatile(&raw const bss.untold)
        })
    }

    /// Losses that no later record of their thread has reported.
    pub fn unreported_losses(&self) -> Vec<(ThreadId, Missing)> {
        let losses = &self.process.maps.losses;
        let loss = |key: Vec<u8>| {
            let value = losses.lookup(&key, MapFlags::ANY).ok()??;
            let mut loss = types::loss::default();
            plain::copy_from_bytes(&mut loss, &value).ok()?;
            let id = u64::from_ne_bytes(*key.first_chunk()?);
            let thread = ThreadId {
                pid: (id >> 32) as u32,
                tid: id as u32,
            };
            let loss = Missing {
                since: Time(loss.since),
                starts: loss.starts,
                ends: loss.ends,
            };
            (loss.starts + loss.ends > 0).then_some((thread, loss))
        };
        losses.keys().filter_map(loss).collect()
    }
}
