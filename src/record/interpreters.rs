//! The interpreters of a recording: which a process runs, how it is probed, and that it is.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, Result, anyhow, bail};
use libbpf_rs::Link;
use rustc_hash::FxHashMap;

use super::maps;
use super::process;
use super::self_check::{Finding, Findings};
use super::user::User;
use crate::cpython::{self, Choice, Found, InterpreterError, Plan, PlanError, Way};
use crate::error::WithHint as _;
use crate::tracer::{Build, Check, Probes, Tracer, Verdicts};

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
    /// What the checks of its plan found.
    pub(super) findings: RefCell<Findings>,
    build: Build,
}

/// A process whose probes are on, as long as this lives.
#[derive(Debug)]
struct Probed {
    interpreter: Rc<Interpreter>,
    /// Leads to the file that holds the interpreter.
    file: PathBuf,
    probes: Probes,
    bias: u64,
}

/// Where plans come from: [`cpython::plan_after`], but in tests of what becomes of wrong ones.
pub type Planner = fn(&cpython::Interpreter, Choice, Option<Way>) -> Result<Plan, PlanError>;

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
    planner: Planner,
    choice: Choice,
    /// By device and inode: what a file's path leads to differs between processes.
    builds: FxHashMap<(u64, u64), Rc<Interpreter>>,
    /// In order of first use.
    order: Vec<Rc<Interpreter>>,
    probes: FxHashMap<u32, Probed>,
    entry_holds: FxHashMap<u32, Link>,
}

impl<'o> Interpreters<'o> {
    /// None yet.
    pub fn new(tracer: Tracer<'o>, planner: Planner, choice: Choice) -> Self {
        Interpreters {
            tracer,
            planner,
            choice,
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

    /// What became of the checks of an interpreter's probes so far, in the order of its plan.
    pub fn checks(&self, interpreter: &Interpreter) -> Vec<Check> {
        let mut checks = self.tracer.checks(interpreter.build);
        checks.truncate(interpreter.plan.probes.len());
        checks
    }

    /// Lets its probes report without a check, as the frames are our own.
    pub fn end_checks(&mut self, interpreter: &Interpreter) {
        self.tracer.end_checks(interpreter.build);
    }

    /// The processes that an interpreter is probed in.
    pub fn processes<'a>(&'a self, interpreter: &'a Interpreter) -> impl Iterator<Item = u32> + 'a {
        let of_it = move |probed: &Probed| std::ptr::eq(&*probed.interpreter, interpreter);
        let probed = self.probes.iter();
        probed.filter_map(move |(pid, probed)| of_it(probed).then_some(*pid))
    }

    /// Goes over to the next way of probing an interpreter that is not wrong in the same way, in
    /// all processes that run it.
    pub(super) fn fall_back(
        &mut self,
        failed: &Interpreter,
        finding: &Finding,
    ) -> Result<Rc<Interpreter>> {
        let pids: Vec<u32> = self.processes(failed).collect();
        let file = pids.first().and_then(|pid| self.probes.get(pid));
        let file = file.context("no process runs it any more")?.file.clone();
        let examined = match cpython::Interpreter::open(&file)? {
            Found::Interpreter(interpreter) => interpreter,
            _ => bail!("{} has been replaced", file.display()),
        };
        let mut way = failed.plan.way;
        let plan = loop {
            let plan = (self.planner)(&examined, self.choice, Some(way));
            let plan = plan.map_err(|error| error.problem)?;
            if !finding.concerns(&plan) {
                break plan;
            }
            way = plan.way;
        };
        let next = self.load(failed.path.clone(), plan)?;
        for known in self.builds.values_mut() {
            if std::ptr::eq(&**known, failed) {
                *known = Rc::clone(&next);
            }
        }
        for pid in pids {
            let Some(Probed { file, bias, .. }) = self.probes.remove(&pid) else {
                continue;
            };
            failed.verdicts.forget(pid);
            self.probe(pid, &file, bias, &next)?;
        }
        Ok(next)
    }

    /// Loads the kernel programs for a plan.
    fn load(&mut self, path: PathBuf, plan: Plan) -> Result<Rc<Interpreter>> {
        let build = self.tracer.load_build(&plan)?;
        let fresh = Rc::new(Interpreter {
            path,
            plan,
            verdicts: self.tracer.verdicts(build)?,
            findings: RefCell::default(),
            build,
        });
        self.order.push(Rc::clone(&fresh));
        Ok(fresh)
    }

    fn probe(
        &mut self,
        pid: u32,
        file: &Path,
        bias: u64,
        interpreter: &Rc<Interpreter>,
    ) -> Result<()> {
        let (build, plan) = (interpreter.build, &interpreter.plan);
        let probed = Probed {
            interpreter: Rc::clone(interpreter),
            file: file.to_owned(),
            probes: self.tracer.attach(build, plan, pid, file, bias)?,
            bias,
        };
        self.probes.insert(pid, probed);
        self.tracer.start(build, super::process::threads(pid))
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
                let plan = (self.planner)(interpreter, self.choice, None).map_err(|error| {
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
                let fresh = self.load(path, plan)?;
                self.builds.insert(identity, Rc::clone(&fresh));
                fresh
            }
        };
        let bias = match position_independent {
            true => maps::load_bias(pid, identity).unwrap_or(0),
            false => 0,
        };
        self.probe(pid, file, bias, &interpreter)?;
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
