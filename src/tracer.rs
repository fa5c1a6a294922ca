//! Loads and attaches the kernel programs. All use of libbpf is here.

mod attach;
mod births;
mod build;
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

use anyhow::{Context as _, Result};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{
    ErrorKind, Link, MapCore as _, MapFlags, MapHandle, OpenObject, PrintLevel, ProgramAttachType,
    ProgramMut, RingBuffer, RingBufferBuilder, UprobeMultiOpts, UprobeOpts,
};
use nix::unistd::getpgrp;

use crate::bpf::frames::types;
use crate::bpf::process;
use crate::cpython::Linker;
use crate::error::WithHint as _;
use births::Births;
use frames::Frames;

pub use build::{Build, MAX_BUILDS};
pub use check::{Check, CheckState};
pub use holds::{Alarm, Held, Holds, Why};
pub use probes::{Probes, Remover};
pub use values::ValueLimits;
pub use verdicts::Verdicts;

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
                &mut progs.program_ready,
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

    /// Stops the process when it is about to run the user's program, or to make another interpreter, at this
    /// place in the one it has.
    fn hold_when_ready(&self, pid: u32, interpreter: &Path, offset: u64) -> Result<Link> {
        let program = &self.process.progs.program_ready;
        self.hold_at(program, pid, interpreter, offset, 0)
            .with_context(|| format!("failed to probe the interpreter of process {pid}"))
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
