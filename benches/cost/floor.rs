//! The same probes, and a kernel program that only counts: the least that tracing can cost.

use std::mem::MaybeUninit;
use std::path::Path;

use anyhow::Result;
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{Link, OpenObject, ProgramAttachType, UprobeMultiOpts, UsdtOpts};
use pytrace::cpython::{Meaning, Plan};

#[allow(
    missing_debug_implementations,
    unreachable_pub,
    dead_code,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    elided_lifetimes_in_paths
)]
mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/floor.skel.rs"));
}

/// The counting programs.
pub(crate) struct Floor<'o> {
    skel: skeleton::FloorSkel<'o>,
    uprobe_multi: bool,
}

impl<'o> Floor<'o> {
    pub(crate) fn load(
        storage: &'o mut MaybeUninit<OpenObject>,
        uprobe_multi: bool,
    ) -> Result<Floor<'o>> {
        let mut open = skeleton::FloorSkelBuilder::default().open(storage)?;
        if uprobe_multi {
            open.progs
                .probe_hit
                .set_attach_type(ProgramAttachType::TraceUprobeMulti);
        }
        Ok(Floor {
            skel: open.load()?,
            uprobe_multi,
        })
    }

    /// Puts a plan's probes into a process.
    pub(crate) fn attach(&self, plan: &Plan, pid: u32, path: &Path) -> Result<Vec<Link>> {
        let pid = i32::try_from(pid)?;
        let progs = &self.skel.progs;
        let mut links = Vec::new();
        let mut offsets = Vec::new();
        for probe in &plan.probes {
            let name = match probe.meaning {
                Meaning::UsdtEntry => "function__entry",
                Meaning::UsdtReturn => "function__return",
                _ => {
                    offsets.push(usize::try_from(probe.offset)?);
                    continue;
                }
            };
            let opts = UsdtOpts::default();
            links.push(
                progs
                    .usdt_hit
                    .attach_usdt_with_opts(pid, path, "python", name, opts)?,
            );
        }
        if self.uprobe_multi {
            let opts = UprobeMultiOpts {
                offsets,
                ..UprobeMultiOpts::default()
            };
            links.push(
                progs
                    .probe_hit
                    .attach_uprobe_multi_with_opts(pid, path, "", opts)?,
            );
        } else {
            for offset in offsets {
                links.push(progs.probe_hit.attach_uprobe(false, pid, path, offset)?);
            }
        }
        Ok(links)
    }

    /// How often the probes were hit so far.
    pub(crate) fn hits(&self) -> u64 {
        self.skel.maps.bss_data.as_deref().map_or(0, |bss| bss.hits)
    }
}
