//! Putting a build's probes into a process.

use std::path::Path;

use anyhow::{Context as _, Result};
use libbpf_rs::{Link, UprobeMultiOpts, UprobeOpts, UsdtOpts};

use super::frames::Frames;
use super::plan::{Entrance, cookie};
use super::{Build, Probes, Tracer, pid_of};
use crate::cpython::{FrameSource, Meaning, Plan, Probe};

/// A file, and the process that is to have probes where it has mapped it.
struct Place<'a> {
    pid: i32,
    path: &'a Path,
}

/// A probe, and where it is in its plan.
type Numbered<'p> = (u8, &'p Probe);

impl Tracer<'_> {
    /// Puts a build's probes into a process. `path` leads to the file that holds the interpreter.
    ///
    /// Nothing is recorded before [`Tracer::start`].
    pub fn attach(&self, build: Build, plan: &Plan, pid: u32, path: &Path) -> Result<Probes> {
        let frames = self.builds.get(build.0).context("no such build")?;
        let place = Place {
            pid: pid_of(pid)?,
            path,
        };
        let probes = |entrance| {
            let probes = (0..).zip(&plan.probes);
            probes
                .filter(|&(_, probe)| Entrance::of(probe) == entrance)
                .filter(|(_, probe)| {
                    probe.meaning != Meaning::TypeFreed || self.settings.values.is_some()
                })
                .collect::<Vec<Numbered<'_>>>()
        };
        let mut links = Vec::new();
        for (entrance, name) in [
            (Entrance::UsdtEntry, "function__entry"),
            (Entrance::UsdtReturn, "function__return"),
            (Entrance::NamedEntry, "function__entry"),
            (Entrance::NamedReturn, "function__return"),
        ] {
            let probes = probes(entrance);
            let has_arguments = matches!(entrance, Entrance::NamedEntry | Entrance::NamedReturn);
            if probes.is_empty() {
                continue;
            } else if self.settings.attach_cookies || has_arguments {
                links.push(place.attach_usdt(frames, entrance, name, &probes)?);
            } else {
                links.extend(self.attach_each(&place, frames, entrance, &probes)?);
            }
        }
        // In the order of `Entrance`.
        for entrance in [
            Entrance::Freed,
            Entrance::Leave,
            Entrance::Enter,
            Entrance::GeneratorMade,
            Entrance::Pending,
        ] {
            let probes = probes(entrance);
            if probes.is_empty() {
                continue;
            } else if self.settings.uprobe_multi {
                links.push(place.attach_together(frames, entrance, &probes)?);
            } else {
                links.extend(self.attach_each(&place, frames, entrance, &probes)?);
            }
        }
        if let Some(compiler) = plan.compiler {
            links.push(self.hold_at_compiler(pid, path, compiler)?);
        }
        if let Some(ready) = plan.ready {
            for offset in [ready.offset].into_iter().chain(ready.others) {
                links.push(self.hold_when_ready(pid, path, offset)?);
            }
        }
        Ok(Probes { links })
    }

    /// Puts probes on one by one.
    fn attach_each(
        &self,
        place: &Place<'_>,
        frames: &Frames,
        entrance: Entrance,
        probes: &[Numbered<'_>],
    ) -> Result<Vec<Link>> {
        let program = frames.program(entrance)?;
        let attach = |&(index, probe): &Numbered<'_>| {
            let opts = UprobeOpts {
                cookie: match self.settings.attach_cookies {
                    true => cookie(index, probe.meaning, probe.frame, probe.yielded),
                    false => 0, // it is in the programs' map
                },
                ref_ctr_offset: usize::try_from(probe.semaphore.unwrap_or(0))?,
                ..UprobeOpts::default()
            };
            let offset = usize::try_from(probe.offset)?;
            program
                .attach_uprobe_with_opts(place.pid, place.path, offset, opts)
                .with_context(|| place.failure())
        };
        probes.iter().map(attach).collect()
    }
}

impl Place<'_> {
    /// Puts probes on with one link (uprobe-multi).
    fn attach_together(
        &self,
        frames: &Frames,
        entrance: Entrance,
        probes: &[Numbered<'_>],
    ) -> Result<Link> {
        let mut opts = UprobeMultiOpts::default();
        for &(index, probe) in probes {
            let cookie = cookie(index, probe.meaning, probe.frame, probe.yielded);
            opts.offsets.push(usize::try_from(probe.offset)?);
            opts.cookies.push(cookie);
        }
        frames
            .program(entrance)?
            .attach_uprobe_multi_with_opts(self.pid, self.path, "", opts)
            .with_context(|| self.failure())
    }

    /// Puts a program on all places of a USDT probe. As one program serves them all, they must agree on
    /// where the frame is.
    fn attach_usdt(
        &self,
        frames: &Frames,
        entrance: Entrance,
        name: &str,
        probes: &[Numbered<'_>],
    ) -> Result<Link> {
        let &(index, first) = probes.first().context("no probes")?;
        let frame = if probes.iter().all(|(_, probe)| probe.frame == first.frame) {
            first.frame
        } else {
            FrameSource::ThreadState
        };
        let opts = UsdtOpts {
            cookie: cookie(index, first.meaning, frame, None),
            ..UsdtOpts::default()
        };
        frames
            .program(entrance)?
            .attach_usdt_with_opts(self.pid, self.path, "python", name, opts)
            .with_context(|| format!("failed to attach to python:{name}"))
    }

    fn failure(&self) -> String {
        format!("failed to probe {}", self.path.display())
    }
}
