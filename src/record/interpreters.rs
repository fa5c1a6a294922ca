//! The interpreters of a recording: which a process runs, how it is probed, and that it is.

mod loading;
mod looking;

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use rustc_hash::{FxHashMap, FxHashSet};

use self::loading::Hold;
use super::examine::open;
use super::jit;
use super::maps;
use super::process;
use super::self_check::{Finding, Findings};
use crate::cpython::{self, Choice, Foreign, Found, Jit, Linker, Plan, PlanError, Way};
use crate::tracer::{Build, Check, Probes, Remover, Tracer, Verdicts};

/// What a look at a process has led to.
#[derive(Debug)]
pub enum Look {
    /// It runs a CPython, whose probes are on.
    Attached(Rc<Interpreter>),
    /// It needs a `libpython` that is not loaded yet: it will be held at its entry point.
    Loading,
    /// It is something else.
    Foreign(Foreign),
}

/// What of its code a process's interpreter is probed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Mode {
    /// All that it interprets.
    All,
    /// The same, and what its JIT compiles.
    Compiled,
    /// What it has been asked to instrument ([`Way::Selective`]).
    Asked,
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
    position_independent: bool,
}

/// A process whose probes are on, as long as this lives.
#[derive(Debug)]
struct Probed {
    interpreter: Rc<Interpreter>,
    /// The file that holds the interpreter, and a path to it below the process's directory in
    /// `/proc`.
    identity: Identity,
    file: PathBuf,
    probes: Probes,
    bias: u64,
}

/// Processes that could not be probed, and why.
pub(super) type Failures = Vec<(u32, anyhow::Error)>;

/// Where plans come from: [`cpython::plan_after`], but in tests of what becomes of wrong ones.
pub type Planner = fn(&cpython::Interpreter, Choice, Option<Way>) -> Result<Plan, PlanError>;

impl Interpreter {
    /// Whether nothing of what it tells is to be believed yet: its version came out after pytrace,
    /// and it has not been seen to be right.
    pub(super) fn must_prove(&self) -> bool {
        let has_frames = self.plan.layout.is_some();
        self.plan.version.is_newer_than_known()
            && has_frames
            && self.findings.borrow().awaits_pairing()
    }

    /// The kernel programs for it.
    pub(super) fn build(&self) -> Build {
        self.build
    }

    /// What its addresses are off in a process from those in the file.
    fn bias(&self, pid: u32, identity: Identity) -> u64 {
        match self.position_independent {
            true => maps::load_bias(pid, (identity.device, identity.inode)).unwrap_or(0),
            false => 0,
        }
    }
}

impl Mode {
    fn ordinary(compiles: bool) -> Mode {
        match compiles {
            true => Mode::Compiled,
            false => Mode::All,
        }
    }

    fn of(way: Way) -> Mode {
        match way {
            Way::Compiled => Mode::Compiled,
            Way::Selective => Mode::Asked,
            _ => Mode::All,
        }
    }
}

/// All of a recording's interpreters, and the processes that run them.
#[derive(Debug)]
pub struct Interpreters<'o> {
    tracer: Tracer<'o>,
    planner: Planner,
    choice: Choice,
    infer_yields: bool,
    /// Whether interpreters are to be asked to instrument the scope's code, where they can be.
    selective: bool,
    /// Processes that can be asked so though they run their programs already.
    as_they_run: FxHashSet<u32>,
    /// Why some can't be, by file.
    unselective: FxHashMap<Identity, String>,
    /// By file, as what a path leads to differs between processes; and by what it is probed for there.
    builds: FxHashMap<(Identity, Mode), Rc<Interpreter>>,
    /// The JIT of each file.
    jits: FxHashMap<Identity, Jit>,
    /// In order of first use.
    order: Vec<Rc<Interpreter>>,
    probes: FxHashMap<u32, Probed>,
    /// Processes that have started another program since, until it is clear what that is: where it
    /// is the same interpreter, the same probes are in it already, and others must not be put beside
    /// them.
    former: FxHashMap<u32, Probed>,
    /// Where processes are to be held that may have a libpython by then.
    holds: FxHashMap<u32, Hold>,
    /// Dynamic linkers, by file; `None`: it is none that was understood.
    linkers: FxHashMap<Identity, Option<Linker>>,
    /// Programs that hold no interpreter, by file: most are started again and again, and to examine one
    /// takes some milliseconds, for which its process is held.
    others: FxHashMap<Identity, Foreign>,
    /// The first Python that was run and cannot be traced.
    foreign: Option<(PathBuf, Foreign)>,
    /// How many processes have run what certainly is such a one.
    untraceable: u64,
    remover: Remover,
}

impl<'o> Interpreters<'o> {
    /// None yet. `infer_yields` as by [`Plan::infer_yields`]; `selective`: interpreters that can be are to
    /// be asked to instrument the scope's code.
    pub fn new(
        tracer: Tracer<'o>,
        planner: Planner,
        choice: Choice,
        infer_yields: bool,
        selective: bool,
    ) -> Self {
        Interpreters {
            tracer,
            planner,
            choice,
            infer_yields,
            selective,
            as_they_run: FxHashSet::default(),
            unselective: FxHashMap::default(),
            builds: FxHashMap::default(),
            jits: FxHashMap::default(),
            order: Vec::new(),
            probes: FxHashMap::default(),
            former: FxHashMap::default(),
            holds: FxHashMap::default(),
            linkers: FxHashMap::default(),
            others: FxHashMap::default(),
            foreign: None,
            untraceable: 0,
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

    /// What became of the checks of an interpreter's probes so far, in the order of its plan.
    pub fn checks(&self, interpreter: &Interpreter) -> Vec<Check> {
        let probes = interpreter.plan.probes.len();
        self.tracer.checks(interpreter.build, probes)
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
    /// all processes that run it. Also returns where that failed.
    pub(super) fn fall_back(
        &mut self,
        failed: &Interpreter,
        finding: &Finding,
    ) -> Result<(Rc<Interpreter>, Failures)> {
        let pids: Vec<u32> = self.processes(failed).collect();
        // Any of them will do that has not ended meanwhile.
        let examined = pids.iter().find_map(|pid| {
            match cpython::Interpreter::open(&self.probes.get(pid)?.file) {
                Ok(Found::Interpreter(interpreter)) => Some(interpreter),
                _ => None,
            }
        });
        let examined = examined.context("no process runs it any more")?;
        let mut way = failed.plan.way;
        let plan = loop {
            let plan = (self.planner)(&examined, self.choice, Some(way));
            let plan = plan.map_err(|error| error.problem)?;
            if !finding.concerns(&plan) {
                break plan;
            }
            way = plan.way;
        };
        let next = self.load(failed.path.clone(), failed.position_independent, plan)?;
        for known in self.builds.values_mut() {
            if std::ptr::eq(&**known, failed) {
                *known = Rc::clone(&next);
            }
        }
        let mut failures = Vec::new();
        for pid in pids {
            let begun = self.reprobe(pid, &next);
            failures.extend(begun.err().map(|error| (pid, error)));
        }
        Ok((next, failures))
    }

    /// A process has its JIT on, and was taken to have it off: puts the other probes into it. `None`: they
    /// are in it already, or it runs no interpreter any more.
    pub(super) fn compiles(&mut self, pid: u32) -> Result<Option<Rc<Interpreter>>> {
        self.go_over(pid, Mode::Compiled)
    }

    /// A process does not instrument what it was to be asked for: puts the ordinary probes into it. `None`:
    /// they are in it already, or it runs no interpreter any more.
    pub(super) fn give_up_asking(&mut self, pid: u32) -> Result<Option<Rc<Interpreter>>> {
        let identity = self.probes.get(&pid).map(|probed| probed.identity);
        let jit = identity.and_then(|identity| self.jits.get(&identity));
        let compiles = jit.is_some_and(|known| jit::is_on(pid, *known));
        self.go_over(pid, Mode::ordinary(compiles))
    }

    fn go_over(&mut self, pid: u32, mode: Mode) -> Result<Option<Rc<Interpreter>>> {
        let Some(probed) = self.probes.get(&pid) else {
            return Ok(None);
        };
        if Mode::of(probed.interpreter.plan.way) == mode {
            return Ok(None);
        }
        let (former, key) = (Rc::clone(&probed.interpreter), (probed.identity, mode));
        let next = match self.builds.get(&key) {
            Some(known) => Rc::clone(known),
            None => {
                let Found::Interpreter(examined) = open(&probed.file, pid)? else {
                    bail!("{} has changed", former.path.display());
                };
                let plan = self.plan(&examined, mode);
                let plan = plan.map_err(|error| error.problem)?;
                let next = self.load(former.path.clone(), former.position_independent, plan)?;
                self.builds.insert(key, Rc::clone(&next));
                next
            }
        };
        self.reprobe(pid, &next)?;
        Ok(Some(next))
    }

    fn plan(&self, interpreter: &cpython::Interpreter, mode: Mode) -> Result<Plan, PlanError> {
        match mode {
            Mode::All => (self.planner)(interpreter, self.choice, None),
            Mode::Compiled => cpython::plan_compiled(interpreter, self.choice),
            Mode::Asked => cpython::plan_selective(interpreter),
        }
    }

    /// Puts the probes of another plan for its interpreter into a process, in place of those that it has.
    fn reprobe(&mut self, pid: u32, next: &Rc<Interpreter>) -> Result<()> {
        if let Some(probed) = self.probes.remove(&pid) {
            self.forget(pid, &probed);
            // At once: what they would report is wrong, or would be told twice.
            drop(probed.probes);
            self.probe(pid, &probed.file, next, probed.identity, probed.bias)?;
        }
        Ok(())
    }

    /// Loads the kernel programs for a plan.
    fn load(
        &mut self,
        path: PathBuf,
        position_independent: bool,
        mut plan: Plan,
    ) -> Result<Rc<Interpreter>> {
        if self.infer_yields {
            plan.infer_yields();
        }
        let build = self.tracer.load_build(&plan)?;
        let fresh = Rc::new(Interpreter {
            path,
            plan,
            verdicts: self.tracer.verdicts(build)?,
            findings: RefCell::default(),
            build,
            position_independent,
        });
        self.order.push(Rc::clone(&fresh));
        Ok(fresh)
    }

    /// The first Python that was run and cannot be traced: its file, and what it is.
    pub fn foreign(&self) -> Option<&(PathBuf, Foreign)> {
        self.foreign.as_ref()
    }

    /// How many processes have run a Python, beyond doubt, that cannot be traced.
    pub fn untraceable(&self) -> u64 {
        self.untraceable
    }

    /// The interpreter whose probes are in a process.
    pub(super) fn probed(&self, pid: u32) -> Option<&Rc<Interpreter>> {
        self.probes.get(&pid).map(|probed| &probed.interpreter)
    }

    /// Why the interpreter that is probed in a process can't be asked to instrument anything, if it was to
    /// be.
    pub(super) fn unselective(&self, pid: u32) -> Option<&str> {
        let identity = self.probes.get(&pid)?.identity;
        self.unselective.get(&identity).map(String::as_str)
    }

    /// A process that is about to be attached to can be asked to instrument code though it runs its program.
    pub fn may_ask_as_it_runs(&mut self, pid: u32) {
        self.as_they_run.insert(pid);
    }

    /// The processes whose interpreter was to be asked to instrument code, with what its addresses are off.
    pub(super) fn asked(&self) -> impl Iterator<Item = (u32, &Rc<Interpreter>, u64)> {
        let probed = self.probes.iter();
        let asked = probed.filter(|(_, probed)| probed.interpreter.plan.way == Way::Selective);
        asked.map(|(pid, probed)| (*pid, &probed.interpreter, probed.bias))
    }

    /// Has the stacks of a process's threads reported with their next events.
    pub(super) fn forget_stacks(&mut self, pid: u32) -> Result<()> {
        match self.probes.get(&pid) {
            Some(probed) => {
                let build = probed.interpreter.build;
                self.tracer.start(build, process::threads(pid))
            }
            None => Ok(()),
        }
    }

    /// What addresses in a process are off from those in its interpreter's file.
    pub fn bias(&self, pid: u32) -> Option<u64> {
        Some(self.probes.get(&pid)?.bias)
    }

    /// The process runs nothing of what it ran any more.
    pub fn left(&mut self, pid: u32) {
        self.remove_hold(pid);
        self.remove_former(pid);
        if let Some(probed) = self.probes.remove(&pid) {
            self.forget(pid, &probed);
            self.remover.remove(probed.probes);
        }
    }

    /// Has the kernel programs forget what they know of a process.
    fn forget(&self, pid: u32, probed: &Probed) {
        self.tracer.detached(probed.interpreter.build, pid);
        probed.interpreter.verdicts.forget(pid);
    }

    /// What the process runs now is another interpreter, or none.
    fn remove_former(&mut self, pid: u32) {
        if let Some(former) = self.former.remove(&pid) {
            self.remover.remove(former.probes);
        }
    }

    /// Lets nothing be recorded any more.
    pub fn stop(&mut self) {
        self.tracer.stop();
    }

    /// Takes all probes away, and these.
    pub fn detach(&mut self, others: Option<Probes>) {
        self.stop();
        let holds = self.holds.drain().map(|(_, hold)| hold.probes);
        let probed = self.probes.drain().chain(self.former.drain());
        let probes = probed.map(|(_, probed)| probed.probes);
        Probes::remove_all(probes.chain(holds).chain(others));
        self.remover = Remover::default();
    }

    /// Lets a build's probes record again, in this process alone.
    pub fn start_only(&mut self, interpreter: &Interpreter, pid: u32) {
        self.tracer.start_only(interpreter.build, pid);
    }
}

/// What makes a file this file, with what it holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    /// Time of its last change, which nobody can set: seconds and nanoseconds.
    changed: (i64, i64),
}

fn identity(file: &Path) -> std::io::Result<Identity> {
    let metadata = fs::metadata(file)?;
    Ok(Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}
