//! Putting a build's probes into a process.

use std::path::Path;

use anyhow::{Context as _, Result};
use libbpf_rs::{UprobeMultiOpts, UprobeOpts, UsdtOpts};

use super::plan::{Entrance, cookie};
use super::{Build, Probes, Tracer, pid_of};
use crate::cpython::{FrameSource, Meaning, Plan};

impl Tracer<'_> {
    /// Puts a build's probes into a process. `path` leads to the file that holds the interpreter.
    ///
    /// Nothing is recorded before [`Tracer::start`].
    pub fn attach(&self, build: Build, plan: &Plan, pid: u32, path: &Path) -> Result<Probes> {
        let skel = self.builds.get(build.0).context("no such build")?;
        let pid = pid_of(pid)?;
        let mut links = Vec::new();
        let progs = &skel.progs;
        let (entry, exit) = ("function__entry", "function__return");
        let usdt = [
            (Entrance::UsdtEntry, &progs.function_entry, entry),
            (Entrance::UsdtReturn, &progs.function_return, exit),
            (Entrance::NamedEntry, &progs.named_entry, entry),
            (Entrance::NamedReturn, &progs.named_return, exit),
        ];
        for (entrance, program, name) in usdt {
            let mut places = (0..)
                .zip(&plan.probes)
                .filter(|(_, probe)| Entrance::of(probe) == entrance);
            let Some((index, first)) = places.next() else {
                continue;
            };
            // One program serves all places of a probe's name, so they must agree.
            let frame = if places.all(|(_, probe)| probe.frame == first.frame) {
                first.frame
            } else {
                FrameSource::ThreadState
            };
            let opts = UsdtOpts {
                cookie: cookie(index, first.meaning, frame, None),
                ..UsdtOpts::default()
            };
            links.push(
                program
                    .attach_usdt_with_opts(pid, path, "python", name, opts)
                    .with_context(|| format!("failed to attach to python:{name}"))?,
            );
        }
        // In the order of `Entrance`.
        let mut by_program = [
            (&skel.progs.object_freed, Vec::new()),
            (&skel.progs.frame_leave, Vec::new()),
            (&skel.progs.frame_enter, Vec::new()),
            (&skel.progs.generator_made, Vec::new()),
        ];
        for (index, probe) in (0..).zip(&plan.probes) {
            if probe.meaning == Meaning::TypeFreed && self.settings.values.is_none() {
                continue;
            }
            let entrance = Entrance::of(probe);
            if let Some((_, sites)) = by_program.get_mut(entrance as usize) {
                let cookie = cookie(index, probe.meaning, probe.frame, probe.yielded);
                sites.push((usize::try_from(probe.offset)?, cookie));
            }
        }
        for (program, sites) in by_program {
            if sites.is_empty() {
                continue;
            }
            if self.settings.uprobe_multi {
                let (offsets, cookies) = sites.into_iter().unzip();
                let opts = UprobeMultiOpts {
                    offsets,
                    cookies,
                    ..UprobeMultiOpts::default()
                };
                links.push(
                    program
                        .attach_uprobe_multi_with_opts(pid, path, "", opts)
                        .with_context(|| format!("failed to probe {}", path.display()))?,
                );
                continue;
            }
            for (offset, cookie) in sites {
                let opts = UprobeOpts {
                    cookie,
                    ..UprobeOpts::default()
                };
                links.push(
                    program
                        .attach_uprobe_with_opts(pid, path, offset, opts)
                        .with_context(|| format!("failed to probe {}", path.display()))?,
                );
            }
        }
        Ok(Probes { links })
    }
}
