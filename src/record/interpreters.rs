//! The interpreters of a recording: which a process runs, how it is probed, and that it is.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, Result, anyhow};
use libbpf_rs::Link;
use rustc_hash::FxHashMap;

use super::maps;
use super::process;
use super::user::User;
use crate::cpython::{self, Choice, Found, InterpreterError, Plan};
use crate::error::WithHint as _;
use crate::tracer::{Build, Probes, Tracer, Verdicts};

/// What a look at a process has led to.
#[derive(Debug)]
pub enum Look {
    /// It runs a CPython, whose probes are on.
    Attached(Rc<Interpreter>),
    /// It needs a `libpython` that is not loaded yet: it will be held at its entry point.
    Loading,
    /// It is not Python.
    NotPython,
}

/// An interpreter build of this recording.
#[derive(Debug)]
pub struct Interpreter {
    /// The file that holds it, as the first process that ran it sees it.
    pub path: PathBuf,
    /// How it is probed.
    pub plan: Plan,
    /// Where it hears what its code objects are.
    pub verdicts: Verdicts,
    build: Build,
}

/// A process whose probes are on, as long as this lives.
#[derive(Debug)]
struct Probed {
    probes: Probes,
    bias: u64,
}

impl Interpreter {
    /// The kernel programs for it.
    pub(super) fn build(&self) -> Build {
        self.build
    }
}

/// All of a recording's interpreters, and the processes that run them.
#[derive(Debug)]
pub struct Interpreters<'o> {
    tracer: Tracer<'o>,
    choice: Choice,
    infer_yields: bool,
    /// By device and inode: what a file's path leads to differs between processes.
    builds: FxHashMap<(u64, u64), Rc<Interpreter>>,
    /// In order of first use.
    order: Vec<Rc<Interpreter>>,
    probes: FxHashMap<u32, Probed>,
    entry_holds: FxHashMap<u32, Link>,
}

impl<'o> Interpreters<'o> {
    /// None yet. `infer_yields` as by [`cpython::Plan::infer_yields`].
    pub fn new(tracer: Tracer<'o>, choice: Choice, infer_yields: bool) -> Self {
        Interpreters {
            tracer,
            choice,
            infer_yields,
            builds: FxHashMap::default(),
            order: Vec::new(),
            probes: FxHashMap::default(),
            entry_holds: FxHashMap::default(),
        }
    }

    /// The kernel programs.
    pub fn tracer(&self) -> &Tracer<'o> {
        &self.tracer
    }

    /// Has the kernel programs watch nobody any more.
    pub fn unwatch_all(&mut self) {
        self.tracer.unwatch_all();
    }

    /// The interpreters that were found, in order.
    pub fn found(&self) -> &[Rc<Interpreter>] {
        &self.order
    }

    /// What addresses in a process are off from those in its interpreter's file.
    pub fn bias(&self, pid: u32) -> Option<u64> {
        Some(self.probes.get(&pid)?.bias)
    }

    /// After an exec, the process being held: attaches, or has it held again once its
    /// libraries are loaded.
    pub fn executed(&mut self, pid: u32) -> Result<Look> {
        self.left(pid);
        let exe = PathBuf::from(format!("/proc/{pid}/exe"));
        let found = match cpython::Interpreter::open(&exe) {
            // Whatever that is, it is not for us to forbid.
            Err(InterpreterError::NotAFile { .. } | InterpreterError::Read { .. }) => {
                Found::NotPython
            }
            Err(InterpreterError::Elf { .. }) if !process::runs_python(pid) => Found::NotPython,
            found => {
                found.with_context(|| format!("failed to examine the program of process {pid}"))?
            }
        };
        match found {
            Found::Interpreter(interpreter) => self.attach(pid, &exe, &interpreter),
            Found::NeedsLibpython {
                entry: Some(entry), ..
            } => {
                let hold = self.tracer.hold_at_entry(pid, &exe, entry)?;
                self.entry_holds.insert(pid, hold);
                Ok(Look::Loading)
            }
            Found::NeedsLibpython { .. } | Found::NotPython => Ok(Look::NotPython),
        }
    }

    /// Attaches to a process whose libraries are loaded.
    pub fn loaded(&mut self, pid: u32) -> Result<Look> {
        self.entry_holds.remove(&pid);
        let exe = PathBuf::from(format!("/proc/{pid}/exe"));
        if let Found::Interpreter(interpreter) = open(&exe, pid)? {
            return self.attach(pid, &exe, &interpreter);
        }
        for library in maps::libpythons(pid)? {
            if let Found::Interpreter(interpreter) = open(&library, pid)? {
                return self.attach(pid, &library, &interpreter);
            }
        }
        Ok(Look::NotPython)
    }

    /// The process runs nothing of what it ran any more.
    pub fn left(&mut self, pid: u32) {
        self.entry_holds.remove(&pid);
        if self.probes.remove(&pid).is_some() {
            for interpreter in &self.order {
                interpreter.verdicts.forget(pid);
            }
        }
    }

    /// Takes all probes away, and these.
    pub fn detach(&mut self, others: Option<Probes>) {
        self.tracer.stop();
        self.entry_holds.clear();
        let probes = self.probes.drain().map(|(_, probed)| probed.probes);
        Probes::remove_all(probes.chain(others));
    }

    fn attach(
        &mut self,
        pid: u32,
        file: &Path,
        interpreter: &cpython::Interpreter,
    ) -> Result<Look> {
        let metadata = fs::metadata(file)
            .with_context(|| format!("failed to look at the interpreter of process {pid}"))?;
        let identity = (metadata.dev(), metadata.ino());
        let position_independent = interpreter.position_independent();
        let interpreter = match self.builds.get(&identity) {
            Some(known) => Rc::clone(known),
            None => {
                let path = fs::read_link(file).unwrap_or_else(|_| file.to_owned());
                let mut plan = cpython::plan(interpreter, self.choice).map_err(|error| {
                    let shown = path.display();
                    anyhow!(
                        "can't trace CPython {} ({shown}): {}",
                        error.version,
                        error.problem
                    )
                    .hint(format!(
                        "`pytrace doctor --python {shown}` shows what was found"
                    ))
                })?;
                if self.infer_yields {
                    plan.infer_yields();
                }
                let build = self.tracer.load_build(&plan)?;
                let verdicts = self.tracer.verdicts(build)?;
                let fresh = Rc::new(Interpreter {
                    path,
                    plan,
                    verdicts,
                    build,
                });
                self.builds.insert(identity, Rc::clone(&fresh));
                self.order.push(Rc::clone(&fresh));
                fresh
            }
        };
        let bias = match position_independent {
            true => maps::load_bias(pid, identity).unwrap_or(0),
            false => 0,
        };
        let probes = self
            .tracer
            .attach(interpreter.build, &interpreter.plan, pid, file, bias)?;
        self.probes.insert(pid, Probed { probes, bias });
        self.tracer
            .start(interpreter.build, super::process::threads(pid))?;
        Ok(Look::Attached(interpreter))
    }
}

fn open(path: &Path, pid: u32) -> Result<Found> {
    cpython::Interpreter::open(path)
        .with_context(|| format!("failed to examine the program of process {pid}"))
}

/// The file that holds the interpreter which a process runs.
pub fn of_process(pid: u32) -> Result<PathBuf> {
    super::process::open(pid)?;
    let exe = PathBuf::from(format!("/proc/{pid}/exe"));
    if let Found::Interpreter(_) = open(&exe, pid)? {
        return Ok(exe);
    }
    let library = maps::libpythons(pid)?.into_iter().next();
    library
        .with_context(|| format!("process {pid} has neither CPython nor a libpython loaded"))
        .hint(super::process::cure(pid))
}

/// The `libpython` that an executable loads: asks the dynamic linker, through a Python that
/// does nothing.
pub fn libpython_of(executable: &Path, user: &User) -> Result<PathBuf> {
    let mut python = std::process::Command::new(executable);
    python.args(["-I", "-S", "-c", "print(open('/proc/self/maps').read())"]);
    // It is the user's program: root has no business in it.
    if user.switches {
        python.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    let output = python.output().context("failed to run it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    maps::libpython_paths(&text)
        .into_iter()
        .next()
        .context("it loads none")
}
