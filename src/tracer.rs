//! Loads and attaches the kernel programs. All use of libbpf is here.

mod attach;
mod births;
mod check;
mod frames;
mod holds;
mod losses;
mod plan;
mod probes;
mod values;
mod verdicts;

use std::fmt;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::ptr::{self, NonNull};

use anyhow::{Context as _, Result, anyhow, bail};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{
    ErrorKind, Link, MapCore as _, MapFlags, MapHandle, OpenObject, PrintLevel, ProgramAttachType,
    ProgramMut, RingBuffer, RingBufferBuilder, UprobeMultiOpts, UprobeOpts,
};
use nix::unistd::getpgrp;

use crate::bpf::frames::types;
use crate::bpf::process;
use crate::cpython::{Linker, Plan, Way};
use crate::error::WithHint as _;
use births::Births;
use frames::{Frames, OpenFrames};
use plan::{Entrance, cookies, kernel_plan, kernel_process};

pub use check::{Check, CheckState};
pub use holds::{Alarm, Held, Holds, Why};
pub use probes::{Probes, Remover};
pub use values::ValueLimits;
pub use verdicts::Verdicts;

/// How many plans one recording can follow, of its interpreter builds.
pub const MAX_BUILDS: usize = 128;

/// How many probes a plan can have: `PLAN_PROBES` in `bpf/event.h`.
const PLAN_PROBES: usize = 256;

/// Where libbpf keeps the loaded object. Owned by the caller, because the skeleton borrows it.
pub struct Storage {
    process: MaybeUninit<OpenObject>,
}

impl Default for Storage {
    fn default() -> Self {
        Storage {
            process: MaybeUninit::uninit(),
        }
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").finish_non_exhaustive()
    }
}

/// What holds for a whole recording.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Size of the ring buffer in bytes: a power of two, a multiple of the page size.
    pub ring_bytes: u32,
    /// Record calls from the scope to code outside.
    pub external_calls: bool,
    /// Whether the kernel can tell a probe's places apart by cookies (5.15). Where it can't, another
    /// form of the programs is loaded, which needs nothing later than 5.10.
    pub attach_cookies: bool,
    /// Whether maps are to have all their memory from the start: for kernels before 6.1.
    pub preallocate: bool,
    /// Whether programs have stacks of their own (Linux 6.13, commit e00931c02568), as those need
    /// that are for interpreters whose JIT is on.
    pub private_stacks: bool,
    /// Whether one link may hold many probes of a process (uprobe-multi with a working pid
    /// filter: Linux 6.10, commit 46ba0e49b642).
    pub uprobe_multi: bool,
    /// Whether a kernel program may send a signal to any process (Linux 6.13, 6280cf718db0).
    pub signals_tasks: bool,
    /// Follow the children of processes that are watched.
    pub follow: bool,
    /// Whose processes alone may be stopped, as pytrace could resume no others; `None`: anybody's.
    pub only_user: Option<u32>,
    /// How much of values is captured; `None`: nothing, and none are looked at.
    pub values: Option<ValueLimits>,
}

/// The loaded kernel programs.
pub struct Tracer<'o> {
    settings: Settings,
    process: process::ProcessSkel<'o>,
    builds: Vec<Frames>,
    lifecycle: Vec<Link>,
}

impl fmt::Debug for Tracer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// An interpreter build whose programs are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build(usize);

impl<'o> Tracer<'o> {
    /// Loads the programs that watch processes, and attaches them.
    pub fn load(storage: &'o mut Storage, settings: Settings) -> Result<Self> {
        libbpf_rs::set_print(Some((PrintLevel::Warn, forward_message)));
        let mut open = process::ProcessSkelBuilder::default()
            .open(&mut storage.process)
            .context("failed to open the kernel programs")?;
        open.maps
            .events
            .set_max_entries(settings.ring_bytes)
            .context("failed to size the ring buffer")?;
        let rodata = open.maps.rodata_data.as_deref_mut();
        let rodata = rodata.context("rodata is not mapped")?;
        rodata.own = std::process::id();
        rodata.own_group = getpgrp().as_raw().cast_unsigned();

        rodata.may_resume_all = settings.only_user.is_none();
        rodata.own_uid = settings.only_user.unwrap_or_default();
        let births = match settings.follow {
            false => Births::Unwatched,
            true if settings.signals_tasks => Births::AtFork,
            true => Births::AtFirstReturn,
        };
        births.choose(&mut open.progs);
        let progs = &mut open.progs;
        progs.process_mapped.set_autoload(settings.attach_cookies);
        progs
            .process_mapped_any
            .set_autoload(!settings.attach_cookies);
        if settings.uprobe_multi {
            for program in [
                &mut progs.process_loaded,
                &mut progs.process_mapped,
                &mut progs.process_mapped_any,
                &mut progs.code_compiled,
            ] {
                program.set_attach_type(ProgramAttachType::TraceUprobeMulti);
            }
        }
        if settings.preallocate {
            let maps = &mut open.maps;
            for map in [
                &mut maps.targets,
                &mut maps.pythons,
                &mut maps.released,
                &mut maps.stops,
                &mut maps.eased,
            ] {
                frames::preallocate(map)?;
            }
        }
        let process = open.load().map_err(not_loaded)?;
        let lifecycle = births.attach(&process.progs)?;
        Ok(Tracer {
            settings,
            process,
            builds: Vec::new(),
            lifecycle,
        })
    }

    /// The ring buffer; `sink` is called with each record, in order.
    pub fn ring<'cb>(&self, mut sink: impl FnMut(&[u8]) + 'cb) -> Result<RingBuffer<'cb>> {
        let mut builder = RingBufferBuilder::new();
        let events = &self.process.maps.events;
        builder.add(events, move |bytes| {
            sink(bytes);
            0
        })?;
        builder.build().context("failed to map the ring buffer")
    }

    /// What becomes readable when a record must not wait.
    pub fn ring_fd(&self) -> BorrowedFd<'_> {
        self.process.maps.events.as_fd()
    }

    /// Watches a process's life: execs, ends of threads, and its children where they are followed.
    /// One that is ours is held at an exec, until it gets a SIGCONT; so are children, and at their
    /// birth.
    pub fn watch(&self, pid: u32, ours: bool) -> Result<()> {
        use process::types::watch;
        let how = if ours {
            watch::WATCH_HOLD
        } else {
            watch::WATCH_ONLY
        };
        let watched = process::types::watched {
            watch: how.0 as u8,
            ..process::types::watched::default()
        };
        // SAFETY: a struct without holes.
        let watched = unsafe { plain::as_bytes(&watched) };
        self.process
            .maps
            .targets
            .update(&pid.to_ne_bytes(), watched, MapFlags::ANY)
            .context("failed to enter the process into the kernel's map")
    }

    /// Whom the kernel programs hold. They stop nobody for the ring's sake until they are told to.
    pub fn holds(&self) -> Result<Holds> {
        let maps = &self.process.maps;
        Ok(Holds {
            targets: MapHandle::try_from(&maps.targets)?,
            released: MapHandle::try_from(&maps.released)?,
            stops: MapHandle::try_from(&maps.stops)?,
            eased: MapHandle::try_from(&maps.eased)?,
            pressure: MapHandle::try_from(&maps.pressure)?,
            alarms: MapHandle::try_from(&maps.alarms)?,
            // It can do without.
            foreign: births::raw(&self.process.progs.signal_sent, "signal_generate").ok(),
        })
    }

    /// Says whose signals are ours beside those of this process: those of the process that lets go whom
    /// we hold.
    pub fn set_watchdog(&mut self, pid: u32) -> Result<()> {
        let bss = self.process.maps.bss_data.as_deref_mut();
        bss.context("bss is not mapped")?.watchdog = pid;
        Ok(())
    }

    /// Has copies of a process held at their birth: it runs an interpreter whose probes are on.
    pub fn hold_copies(&self, pid: u32) -> Result<()> {
        self.process
            .maps
            .pythons
            .update(&pid.to_ne_bytes(), &[1], MapFlags::ANY)
            .context("failed to enter the process into the kernel's map")
    }

    /// Watches it no more: its id may be another's soon.
    pub fn unwatch(&self, pid: u32) {
        // Not there is as good.
        let _ = self.process.maps.targets.delete(&pid.to_ne_bytes());
        let _ = self.process.maps.pythons.delete(&pid.to_ne_bytes());
    }

    /// Watches, and holds, nobody any more.
    pub fn unwatch_all(&mut self) {
        self.lifecycle.clear();
    }

    /// Stops the process when it reaches the executable's entry point, once it is dynamically
    /// linked.
    pub fn hold_at_entry(&self, pid: u32, executable: &Path, offset: u64) -> Result<Probes> {
        let program = &self.process.progs.process_loaded;
        let link = self
            .hold_at(program, pid, executable, offset, 0)
            .with_context(|| format!("failed to probe the entry point of process {pid}"))?;
        Ok(Probes { links: vec![link] })
    }

    /// Stops the process when its dynamic linker, which is in this file, has mapped a libpython.
    pub fn hold_at_mapping(&self, pid: u32, file: &Path, linker: &Linker) -> Result<Probes> {
        let progs = &self.process.progs;
        let (program, cookie) = match self.settings.attach_cookies {
            true => (&progs.process_mapped, linker.libraries.cast_unsigned()),
            false => (&progs.process_mapped_any, 0),
        };
        let link = self
            .hold_at(program, pid, file, linker.mapped, cookie)
            .with_context(|| format!("failed to probe the dynamic linker of process {pid}"))?;
        Ok(Probes { links: vec![link] })
    }

    /// Stops the process when it reaches this place in its interpreter, where the JIT compiles code; unless
    /// it was there before the recording, when that is only told.
    fn hold_at_compiler(&self, pid: u32, interpreter: &Path, offset: u64) -> Result<Link> {
        let program = &self.process.progs.code_compiled;
        self.hold_at(program, pid, interpreter, offset, 0)
            .with_context(|| format!("failed to probe the JIT of process {pid}"))
    }

    /// Puts a program that stops a process on an instruction.
    fn hold_at(
        &self,
        program: &ProgramMut<'_>,
        pid: u32,
        file: &Path,
        offset: u64,
        cookie: u64,
    ) -> Result<Link> {
        let (process, offset) = (pid_of(pid)?, usize::try_from(offset)?);
        let link = if self.settings.uprobe_multi {
            let opts = UprobeMultiOpts {
                offsets: vec![offset],
                cookies: vec![cookie],
                ..UprobeMultiOpts::default()
            };
            program.attach_uprobe_multi_with_opts(process, file, "", opts)
        } else {
            let opts = UprobeOpts {
                cookie,
                ..UprobeOpts::default()
            };
            program.attach_uprobe_with_opts(process, file, offset, opts)
        }?;
        Ok(link)
    }

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

/// What the kernel's refusal of programs means.
fn not_loaded(error: libbpf_rs::Error) -> anyhow::Error {
    let kind = error.kind();
    let error = anyhow::Error::new(error).context("failed to load the kernel programs");
    match kind {
        ErrorKind::PermissionDenied => error.hint(
            "a seccomp filter or a security module refuses bpf(2): in a container, start it with \
             --privileged, or record from the host",
        ),
        _ => error,
    }
}

fn forward_message(_level: PrintLevel, message: String) {
    if std::env::var_os("PYTRACE_LIBBPF").is_some() {
        eprint!("{message}");
    }
}

fn pid_of(pid: u32) -> Result<i32> {
    i32::try_from(pid).with_context(|| format!("{pid} is no process id"))
}
