//! Which processes the kernel programs have stopped and nobody has let go.

use std::os::fd::{AsFd as _, BorrowedFd};

use libbpf_rs::{MapCore as _, MapFlags, MapHandle};
use plain::Plain;

use crate::bpf::process::types;
use crate::trace::Time;

// SAFETY: plain integers; every bit pattern is a value.
unsafe impl Plain for types::watched {}

/// The kernel programs' own account of whom they hold.
#[derive(Debug)]
pub struct Holds {
    pub(super) targets: MapHandle,
    pub(super) released: MapHandle,
    pub(super) obituary: MapHandle,
}

impl Holds {
    /// What gives access to it.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [&self.targets, &self.released, &self.obituary]
            .into_iter()
            .map(|map| map.as_fd())
    }

    /// What becomes readable when pytrace ends. From then on, nobody more is held.
    pub fn obituary(&self) -> BorrowedFd<'_> {
        self.obituary.as_fd()
    }

    /// Notes that a process which was stopped at that time goes on.
    pub fn release(&self, pid: u32, held: Time) {
        // Without that, the process is taken for held still: by the watchdog alone.
        let key = pid.to_ne_bytes();
        let _ = self
            .released
            .update(&key, &held.0.to_ne_bytes(), MapFlags::ANY);
    }

    /// The processes that are held.
    pub fn held(&self) -> Vec<u32> {
        let held = |key: Vec<u8>| {
            let value = self.targets.lookup(&key, MapFlags::ANY).ok()??;
            let mut watched = types::watched::default();
            plain::copy_from_bytes(&mut watched, &value).ok()?;
            let released = self.released.lookup(&key, MapFlags::ANY).ok()?;
            let released = released.and_then(|time| Some(u64::from_ne_bytes(*time.first_chunk()?)));
            let is_held = watched.held != 0 && released != Some(watched.held);
            is_held.then_some(u32::from_ne_bytes(*key.first_chunk()?))
        };
        self.targets.keys().filter_map(held).collect()
    }
}
