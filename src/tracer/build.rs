//! The kernel programs of an interpreter build: how they are loaded, and what they are told and tell.

use std::os::fd::AsFd as _;
use std::ptr::{self, NonNull};

use anyhow::{Context as _, Result, anyhow, bail};
use libbpf_rs::{MapCore as _, MapFlags, MapHandle, ProgramAttachType};
use nix::unistd::getpgrp;

use super::check::Check;
use super::frames::OpenFrames;
use super::plan::{Entrance, cookies, kernel_plan, kernel_process};
use super::verdicts::Verdicts;
use super::{Tracer, values};
use crate::bpf::frames::types;
use crate::cpython::{Plan, Way};
use crate::error::WithHint as _;

/// How many plans one recording can follow, of its interpreter builds.
pub const MAX_BUILDS: usize = 128;

/// How many probes a plan can have: `PLAN_PROBES` in `bpf/event.h`.
const PLAN_PROBES: usize = 256;

/// An interpreter build whose programs are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build(pub(super) usize);

impl Tracer<'_> {
    /// Loads the programs for one interpreter build.
    pub fn load_build(&mut self, plan: &Plan) -> Result<Build> {
        if plan.probes.len() > PLAN_PROBES {
            bail!("more than {PLAN_PROBES} probes in a plan");
        }
        if self.builds.len() >= MAX_BUILDS {
            bail!("more than {MAX_BUILDS} different plans in one recording");
        }
        let compiled = plan.way == Way::Compiled;
        if compiled && !self.settings.private_stacks {
            return Err(anyhow!(
                "the JIT of CPython {} is on, which takes Linux 6.13",
                plan.version
            )
            .hint("PYTHON_JIT=0 in the program's environment has it traced here"));
        }
        let mut open = OpenFrames::open(self.settings.attach_cookies, compiled)?;
        if self.settings.preallocate {
            open.preallocate()?;
        }
        let rodata = open.rodata()?;
        rodata.plan = kernel_plan(plan, self.settings.external_calls);
        rodata.own_group = getpgrp().as_raw().cast_unsigned();
        rodata.may_resume_all = self.settings.only_user.is_none();
        rodata.own_uid = self.settings.only_user.unwrap_or_default();
        rodata.ring_bytes = self.settings.ring_bytes.into();
        let layout = plan.layout.as_ref();
        let objects = layout.and_then(|layout| Some((layout, layout.objects.as_ref()?)));
        let values = objects.zip(self.settings.values);
        if let Some(((layout, objects), limits)) = values {
            rodata.values = values::value_plan(plan, layout, objects, limits);
        }
        let shared = &self.process.maps;
        for (name, map) in [
            ("events", shared.events.as_fd()),
            ("losses", shared.losses.as_fd()),
            ("pressure", shared.pressure.as_fd()),
            ("stops", shared.stops.as_fd()),
            ("eased", shared.eased.as_fd()),
            ("alarms", shared.alarms.as_fd()),
        ] {
            open.map(name)?.reuse_fd(map)?;
        }
        // Each takes the verifier some 100 ms: what the plan has no use for is left out.
        for entrance in Entrance::ALL {
            let mut program = open.program(entrance)?;
            let mut probes = plan.probes.iter();
            program.set_autoload(probes.any(|probe| Entrance::of(probe) == entrance));
            if self.settings.uprobe_multi && entrance.is_uprobe() {
                program.set_attach_type(ProgramAttachType::TraceUprobeMulti);
            }
        }
        let loaded = open.load()?;
        if let Some(((layout, objects), _)) = values {
            values::enter_recipes(&loaded.map("recipes")?, layout, objects)?;
        }
        if self.settings.values.is_some() {
            values::enter_types(&loaded.map("own_types")?, &plan.types)?;
        }
        self.builds.push(loaded);
        Ok(Build(self.builds.len() - 1))
    }

    /// Tells a build's programs of a process that is to have its probes, and whose addresses are
    /// off from the interpreter's file's by `bias`.
    pub fn prepare(&self, build: Build, plan: &Plan, pid: u32, bias: u64) -> Result<()> {
        let frames = self.builds.get(build.0).context("no such build")?;
        if !self.settings.attach_cookies {
            let map = frames.map("cookies")?;
            for (place, cookie) in cookies(plan) {
                map.update(&place.to_ne_bytes(), &cookie.to_ne_bytes(), MapFlags::ANY)
                    .context("failed to enter a probe into the kernel's map")?;
            }
        }
        let process = kernel_process(plan, bias);
        // SAFETY: it has no padding.
        let process = unsafe { plain::as_bytes(&process) };
        frames
            .map("processes")?
            .update(&pid.to_ne_bytes(), process, MapFlags::ANY)
            .context("failed to enter the process into the kernel's map")
    }

    /// Whether values are wanted that this plan's build does not give: where its objects keep them is
    /// not known.
    pub fn lacks_values(&self, plan: &Plan) -> bool {
        let known = plan
            .layout
            .as_ref()
            .is_some_and(|layout| layout.objects.is_some());
        self.settings.values.is_some() && !known
    }

    /// Forgets what a process has added to its build's plan.
    pub fn detached(&self, build: Build, pid: u32) {
        let frames = self.builds.get(build.0);
        if let Some(processes) = frames.and_then(|frames| frames.map("processes").ok()) {
            // Not there is as good.
            let _ = processes.delete(&pid.to_ne_bytes());
        }
    }

    /// Lets a build's probes record, now that all of a process's are on. `threads` are the
    /// process's: where another process has the build's probes recording already, those of this
    /// one have done so since they were put on, one after the other, and missed what changed.
    pub fn start(&mut self, build: Build, threads: impl Iterator<Item = u32>) -> Result<()> {
        let frames = self.bss(build).context("no such build")?;
        let bss = frames.as_ptr();
        // SAFETY: only the field's address is taken.
        let seen: *mut [u32] = unsafe { &raw mut (*bss).seen };
        for thread in threads {
            let place = thread as usize % seen.len();
            // SAFETY: within the array, which is memory shared with the kernel programs; they
            // report the stack of a thread that is not in it.
            unsafe { ptr::write_volatile(seen.cast::<u32>().add(place), 0) };
        }
        record(frames, EVERYBODY);
        Ok(())
    }

    /// Lets a build's probes record nobody but this process.
    pub fn start_only(&mut self, build: Build, pid: u32) {
        if let Some(bss) = self.bss(build) {
            record(bss, pid);
        }
    }

    /// Lets nothing record any more. To be called before probes are taken away, one after the
    /// other: those that are left would tell half of what happens.
    pub fn stop(&mut self) {
        for frames in &self.builds {
            record(frames.bss(), NOBODY);
        }
    }

    /// What became of the checks of a build's `probes` probes so far, in the order of the plan.
    pub fn checks(&self, build: Build, probes: usize) -> Vec<Check> {
        let Some(bss) = self.bss(build) else {
            return Vec::new();
        };
        // SAFETY: plain words of memory that the kernel programs write.
        let checks = unsafe { ptr::read_volatile(&raw const (*bss.as_ptr()).checks) };
        checks.into_iter().take(probes).map(Check::from).collect()
    }

    /// Takes what its probes report as it is, from now on.
    pub fn end_checks(&mut self, build: Build) {
        let Some(bss) = self.bss(build) else { return };
        for probe in 0..PLAN_PROBES {
            // SAFETY: within the array, a word of memory shared with the kernel programs.
            unsafe {
                let check = (&raw mut (*bss.as_ptr()).checks).cast::<types::probe_check>();
                let state = &raw mut (*check.add(probe)).state;
                ptr::write_volatile(state, types::check_state::CHECK_PASSED.0);
            }
        }
    }

    /// Where a build wants to hear what its code objects are.
    pub fn verdicts(&self, build: Build) -> Result<Verdicts> {
        let frames = self.builds.get(build.0).context("no such build")?;
        let handle = |name| anyhow::Ok(MapHandle::try_from(&frames.map(name)?)?);
        Ok(Verdicts {
            answers: handle("answers")?,
            codes: handle("codes")?,
            types: handle("types")?,
            shapes: handle("shapes")?,
        })
    }

    /// The variables of a build's programs.
    fn bss(&self, build: Build) -> Option<NonNull<types::bss>> {
        Some(self.builds.get(build.0)?.bss())
    }
}

/// Whose activations are recorded: `EVERYBODY` in `bpf/event.h`; there is no process 0.
const EVERYBODY: u32 = u32::MAX;
const NOBODY: u32 = 0;

fn record(bss: NonNull<types::bss>, whose: u32) {
    // SAFETY: a word of memory shared with the kernel programs, which only read it.
    unsafe { ptr::write_volatile(&raw mut (*bss.as_ptr()).recorded, whose) };
}
