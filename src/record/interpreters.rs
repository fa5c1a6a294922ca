//! The interpreters of a recording: which a process runs, how it is probed, and that it is.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, Result, anyhow};
use rustc_hash::FxHashMap;

use super::maps;
use super::process;
use super::user::User;
use crate::cpython::{self, Choice, Found, InterpreterError, Plan};
use crate::error::WithHint as _;
use crate::tracer::{Build, Probes, Remover, Tracer, Verdicts};

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
    position_independent: bool,
}

/// A process whose probes are on, as long as this lives.
#[derive(Debug)]
struct Probed {
    interpreter: Rc<Interpreter>,
    /// Device and inode of the file that holds the interpreter, and a path to it below the
    /// process's directory in `/proc`.
    identity: (u64, u64),
    file: PathBuf,
    probes: Probes,
    bias: u64,
}

impl Interpreter {
    /// The kernel programs for it.
    pub(super) fn build(&self) -> Build {
        self.build
    }

    /// What its addresses are off in a process from those in the file.
    fn bias(&self, pid: u32, identity: (u64, u64)) -> u64 {
        match self.position_independent {
            true => maps::load_bias(pid, identity).unwrap_or(0),
            false => 0,
        }
    }
}

/// All of a recording's interpreters, and the processes that run them.
#[derive(Debug)]
pub struct Interpreters<'o> {
    tracer: Tracer<'o>,
    choice: Choice,
    /// By device and inode: what a file's path leads to differs between processes.
    builds: FxHashMap<(u64, u64), Rc<Interpreter>>,
    /// In order of first use.
    order: Vec<Rc<Interpreter>>,
    probes: FxHashMap<u32, Probed>,
    entry_holds: FxHashMap<u32, Probes>,
    remover: Remover,
}

impl<'o> Interpreters<'o> {
    /// None yet.
    pub fn new(tracer: Tracer<'o>, choice: Choice) -> Self {
        Interpreters {
            tracer,
            choice,
            builds: FxHashMap::default(),
            order: Vec::new(),
            probes: FxHashMap::default(),
            entry_holds: FxHashMap::default(),
            remover: Remover::default(),
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
    ///
    /// A process that is not `held` may be past its entry point by now.
    pub fn executed(&mut self, pid: u32, held: bool) -> Result<Look> {
        self.left(pid);
        let exe = PathBuf::from(format!("/proc/{pid}/exe"));
        if let Some(look) = self.attach_known(pid, &exe)? {
            return Ok(look);
        }
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
                if !held && !maps::libpythons(pid)?.is_empty() {
                    return self.loaded(pid);
                }
                Ok(Look::Loading)
            }
            Found::NeedsLibpython { .. } | Found::NotPython => Ok(Look::NotPython),
        }
    }

    /// Attaches to a process whose libraries are loaded.
    pub fn loaded(&mut self, pid: u32) -> Result<Look> {
        self.remove_entry_hold(pid);
        let exe = PathBuf::from(format!("/proc/{pid}/exe"));
        if let Some(look) = self.attach_known(pid, &exe)? {
            return Ok(look);
        }
        if let Found::Interpreter(interpreter) = open(&exe, pid)? {
            return self.attach(pid, &exe, &interpreter);
        }
        for library in maps::libpythons(pid)? {
            if let Some(look) = self.attach_known(pid, &library)? {
                return Ok(look);
            }
            if let Found::Interpreter(interpreter) = open(&library, pid)? {
                return self.attach(pid, &library, &interpreter);
            }
        }
        Ok(Look::NotPython)
    }

    /// Attaches to a process that is a copy of another and has not run yet.
    pub fn forked(&mut self, pid: u32, parent: u32) -> Result<Look> {
        if let Some(of_parent) = self.probes.get(&parent)
            && let Ok(below) = of_parent.file.strip_prefix(format!("/proc/{parent}"))
        {
            let file = Path::new("/proc").join(pid.to_string()).join(below);
            // The parent may run another program by now.
            if identity(&file).is_ok_and(|identity| identity == of_parent.identity) {
                let (interpreter, bias) = (Rc::clone(&of_parent.interpreter), of_parent.bias);
                return self.probe(pid, &file, &interpreter, of_parent.identity, bias);
            }
        }
        self.loaded(pid)
    }

    /// The process runs nothing of what it ran any more.
    pub fn left(&mut self, pid: u32) {
        self.remove_entry_hold(pid);
        if let Some(probed) = self.probes.remove(&pid) {
            self.remover.remove(probed.probes);
            self.tracer.detached(probed.interpreter.build, pid);
            probed.interpreter.verdicts.forget(pid);
        }
    }

    /// Takes all probes away, and these.
    pub fn detach(&mut self, others: Option<Probes>) {
        self.tracer.stop();
        let holds = self.entry_holds.drain().map(|(_, hold)| hold);
        let probes = self.probes.drain().map(|(_, probed)| probed.probes);
        Probes::remove_all(probes.chain(holds).chain(others));
        self.remover = Remover::default();
    }

    fn remove_entry_hold(&mut self, pid: u32) {
        if let Some(hold) = self.entry_holds.remove(&pid) {
            self.remover.remove(hold);
        }
    }

    fn attach(
        &mut self,
        pid: u32,
        file: &Path,
        interpreter: &cpython::Interpreter,
    ) -> Result<Look> {
        let identity = identity(file)
            .with_context(|| format!("failed to look at the interpreter of process {pid}"))?;
        let interpreter = match self.builds.get(&identity) {
            Some(known) => Rc::clone(known),
            None => {
                let path = fs::read_link(file).unwrap_or_else(|_| file.to_owned());
                let plan = cpython::plan(interpreter, self.choice).map_err(|error| {
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
                let build = self.tracer.load_build(&plan)?;
                let verdicts = self.tracer.verdicts(build)?;
                let fresh = Rc::new(Interpreter {
                    path,
                    plan,
                    verdicts,
                    build,
                    position_independent: interpreter.position_independent(),
                });
                self.builds.insert(identity, Rc::clone(&fresh));
                self.order.push(Rc::clone(&fresh));
                fresh
            }
        };
        let bias = interpreter.bias(pid, identity);
        self.probe(pid, file, &interpreter, identity, bias)
    }

    /// Attaches to a process whose interpreter another has run before: that need not be examined
    /// again, which takes up to some 100 ms. `None`: it is not known.
    fn attach_known(&mut self, pid: u32, file: &Path) -> Result<Option<Look>> {
        let Ok(identity) = identity(file) else {
            return Ok(None); // whatever is wrong with it, who examines it will tell
        };
        let Some(known) = self.builds.get(&identity).map(Rc::clone) else {
            return Ok(None);
        };
        let bias = known.bias(pid, identity);
        self.probe(pid, file, &known, identity, bias).map(Some)
    }

    /// Puts the probes of a known interpreter into a process.
    fn probe(
        &mut self,
        pid: u32,
        file: &Path,
        interpreter: &Rc<Interpreter>,
        identity: (u64, u64),
        bias: u64,
    ) -> Result<Look> {
        let probes = self
            .tracer
            .attach(interpreter.build, &interpreter.plan, pid, file, bias)?;
        let probed = Probed {
            interpreter: Rc::clone(interpreter),
            identity,
            file: file.to_owned(),
            probes,
            bias,
        };
        self.probes.insert(pid, probed);
        self.tracer
            .start(interpreter.build, super::process::threads(pid))?;
        self.tracer.hold_copies(pid)?;
        Ok(Look::Attached(Rc::clone(interpreter)))
    }
}

/// What makes a file this file: its device and inode.
fn identity(file: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = fs::metadata(file)?;
    Ok((metadata.dev(), metadata.ino()))
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
