//! What a process runs, looked at when it begins something, and its probes: put on where that is an
//! interpreter.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, Result, anyhow};

use super::{Identity, Interpreter, Interpreters, Look, Mode, Probed, identity};
use crate::cpython::{self, Foreign, Found, InterpreterError, Jit};
use crate::error::WithHint as _;
use crate::record::examine::open;
use crate::record::standing::{self, Snapshot};
use crate::record::{jit, maps, process};

impl Interpreters<'_> {
    /// After an exec, the process being held: attaches, or has it held again once its
    /// libraries are loaded.
    ///
    /// A process that is not `held` may be past its entry point by now. Its probes stay only if it
    /// was its main thread that executed: they are bound to that thread's task, whose place another
    /// thread's takes (Linux 6.18, `uprobe_multi_link_filter()` in `kernel/trace/bpf_trace.c` and
    /// `de_thread()` in `fs/exec.c`), and put no breakpoints into the new program.
    pub fn executed(&mut self, pid: u32, by_main: bool, held: bool) -> Result<Look> {
        self.as_they_run.remove(&pid);
        self.remove_hold(pid);
        if let Some(probed) = self.probes.remove(&pid) {
            self.forget(pid, &probed);
            if by_main {
                self.former.insert(pid, probed);
            } else {
                // At once: the breakpoints of others they would see (`uprobe_prog_run()`), and tell
                // everything twice.
                drop(probed.probes);
            }
        }
        let look = self.look_at_program(pid, held);
        if !matches!(look, Ok(Look::Loading)) {
            self.remove_former(pid);
        }
        look
    }

    /// Examines a program, unless it is known to hold no interpreter.
    fn examine(&mut self, exe: &Path) -> Result<Found, InterpreterError> {
        let before = identity(exe).ok();
        if let Some(foreign) = before.and_then(|before| self.others.get(&before)) {
            return Ok(Found::Foreign(foreign.clone()));
        }
        let found = cpython::Interpreter::open(exe)?;
        // The process may have ended meanwhile, or run another program by now.
        if let Found::Foreign(foreign) = &found
            && let Some(file) = before.filter(|file| identity(exe).is_ok_and(|now| now == *file))
        {
            self.others.insert(file, foreign.clone());
        }
        Ok(found)
    }

    fn look_at_program(&mut self, pid: u32, held: bool) -> Result<Look> {
        let exe = PathBuf::from(format!("/proc/{pid}/exe"));
        if let Some(look) = self.attach_known(pid, &exe, held)? {
            return Ok(look);
        }
        let found = match self.examine(&exe) {
            // Whatever that is, it is not for us to forbid.
            Err(InterpreterError::NotAFile { .. } | InterpreterError::Read { .. }) => {
                self.untraceable += u64::from(process::runs_python(pid));
                Found::Foreign(Foreign::Other)
            }
            Ok(found) => found,
        };
        match found {
            Found::Interpreter(interpreter) => self.attach(pid, &exe, &interpreter, held),
            Found::NeedsLibpython {
                entry: Some(entry), ..
            } => {
                self.hold_at_entry(pid, &exe, entry)?;
                if !held && !maps::libpythons(pid)?.is_empty() {
                    return self.loaded(pid, false);
                }
                Ok(Look::Loading)
            }
            Found::NeedsLibpython { .. } => Ok(Look::Foreign(Foreign::Other)),
            Found::Foreign(foreign) => {
                self.note_foreign(pid, &foreign);
                if foreign == Foreign::Loader {
                    self.hold_at_mapping(pid);
                }
                Ok(Look::Foreign(foreign))
            }
        }
    }

    /// Whether a process that is not probed runs an interpreter, or a Python that can't be traced.
    pub fn may_be_python(&mut self, pid: u32) -> bool {
        let exe = PathBuf::from(format!("/proc/{pid}/exe"));
        if identity(&exe).is_ok_and(|file| self.jits.contains_key(&file)) {
            return true;
        }
        match self.examine(&exe) {
            Ok(Found::Interpreter(_) | Found::NeedsLibpython { .. }) => true,
            Ok(Found::Foreign(foreign)) => {
                foreign.is_python() || maps::libpythons(pid).is_ok_and(|found| !found.is_empty())
            }
            Err(_) => process::runs_python(pid),
        }
    }

    /// The stacks of a process that is probed.
    pub(in crate::record) fn stacks(&self, pid: u32) -> Option<Snapshot> {
        let Probed {
            interpreter, bias, ..
        } = self.probes.get(&pid)?;
        standing::look(pid, &interpreter.plan, *bias)
    }

    /// Attaches to a process whose libraries are loaded; if it is `held`, they are just so.
    pub fn loaded(&mut self, pid: u32, held: bool) -> Result<Look> {
        // Where it was something else that looked like one, one may still come.
        if self.is_loader(pid) && maps::libpythons(pid).is_ok_and(|found| found.is_empty()) {
            return Ok(Look::Foreign(Foreign::Loader));
        }
        let look = self.look_at_libraries(pid, held);
        if !matches!(look, Ok(Look::Foreign(Foreign::Loader))) {
            self.remove_hold(pid);
        }
        self.remove_former(pid);
        look
    }

    fn look_at_libraries(&mut self, pid: u32, held: bool) -> Result<Look> {
        let exe = PathBuf::from(format!("/proc/{pid}/exe"));
        if let Some(look) = self.attach_known(pid, &exe, held)? {
            return Ok(look);
        }
        let foreign = match open(&exe, pid)? {
            Found::Interpreter(interpreter) => return self.attach(pid, &exe, &interpreter, held),
            Found::NeedsLibpython { .. } => Foreign::Other,
            Found::Foreign(foreign) => foreign,
        };
        for library in maps::libpythons(pid)? {
            if let Some(look) = self.attach_known(pid, &library, held)? {
                return Ok(look);
            }
            match open(&library, pid)? {
                Found::Interpreter(interpreter) => {
                    return self.attach(pid, &library, &interpreter, held);
                }
                Found::NeedsLibpython { .. } => {}
                Found::Foreign(foreign) => self.note_foreign(pid, &foreign),
            }
        }
        Ok(Look::Foreign(foreign))
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
        self.loaded(pid, false)
    }

    /// A process runs a program that can't be traced. It may be a Python nevertheless.
    fn note_foreign(&mut self, pid: u32, foreign: &Foreign) {
        let is_certain = foreign.is_python();
        self.untraceable += u64::from(is_certain);
        let is_better = match &self.foreign {
            None => is_certain || process::runs_python(pid),
            Some((_, known)) => is_certain && !known.is_python(),
        };
        if is_better {
            let program = process::program(pid);
            let program = program.unwrap_or_else(|| format!("/proc/{pid}/exe").into());
            self.foreign = Some((program, foreign.clone()));
        }
    }

    /// Attaches to a process whose interpreter nobody has run before, or not with its JIT on or off as
    /// this one has it.
    fn attach(
        &mut self,
        pid: u32,
        file: &Path,
        interpreter: &cpython::Interpreter,
        held: bool,
    ) -> Result<Look> {
        let identity = identity(file)
            .with_context(|| format!("failed to look at the interpreter of process {pid}"))?;
        let path = fs::read_link(file).unwrap_or_else(|_| {
            let below = file.strip_prefix(format!("/proc/{pid}/root"));
            below.map_or_else(|_| file.to_owned(), |below| Path::new("/").join(below))
        });
        let jit = interpreter.jit();
        let mut mode = self.mode(pid, identity, jit, held);
        let mut plan = self.plan(interpreter, mode);
        if let (Mode::Asked, Err(error)) = (mode, &plan) {
            let why = format!("CPython {}: {}", error.version, error.problem);
            self.unselective.insert(identity, why);
            mode = self.mode(pid, identity, jit, held);
            plan = self.plan(interpreter, mode);
        }
        let plan = plan.map_err(|error| {
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
        let fresh = self.load(path, interpreter.position_independent(), plan)?;
        self.jits.insert(identity, jit);
        self.builds.insert((identity, mode), Rc::clone(&fresh));
        let bias = fresh.bias(pid, identity);
        self.probe(pid, file, &fresh, identity, bias)
    }

    /// What an interpreter is probed for in a process. It is asked for nothing if it may be past where that
    /// is done, unless it can be as it runs, nor where another program than a python may run it: that need
    /// not come there.
    fn mode(&self, pid: u32, identity: Identity, jit: Jit, held: bool) -> Mode {
        let may_be_asked = self.selective && !self.unselective.contains_key(&identity);
        let is_held = held && process::runs_python(pid);
        if may_be_asked && (is_held || self.as_they_run.contains(&pid)) {
            return Mode::Asked;
        }
        Mode::ordinary(jit::is_on(pid, jit))
    }

    /// Attaches to a process whose interpreter another has run before: that need not be examined
    /// again, which takes up to some 100 ms. `None`: it is not known.
    fn attach_known(&mut self, pid: u32, file: &Path, held: bool) -> Result<Option<Look>> {
        let Ok(identity) = identity(file) else {
            return Ok(None); // whatever is wrong with it, who examines it will tell
        };
        let Some(jit) = self.jits.get(&identity) else {
            return Ok(None);
        };
        let key = (identity, self.mode(pid, identity, *jit, held));
        let Some(known) = self.builds.get(&key).map(Rc::clone) else {
            return Ok(None);
        };
        let bias = known.bias(pid, identity);
        self.probe(pid, file, &known, identity, bias).map(Some)
    }

    /// Puts the probes of a known interpreter into a process.
    pub(super) fn probe(
        &mut self,
        pid: u32,
        file: &Path,
        interpreter: &Rc<Interpreter>,
        identity: Identity,
        bias: u64,
    ) -> Result<Look> {
        let (build, plan) = (interpreter.build, &interpreter.plan);
        let is_same = |former: &Probed| {
            former.identity == identity && Rc::ptr_eq(&former.interpreter, interpreter)
        };
        self.tracer.prepare(build, plan, pid, bias)?;
        let probes = match self.former.remove(&pid) {
            Some(former) if is_same(&former) => former.probes,
            former => {
                // Before others are put into the same file, at once.
                drop(former);
                self.tracer.attach(build, plan, pid, file)?
            }
        };
        let probed = Probed {
            interpreter: Rc::clone(interpreter),
            identity,
            file: file.to_owned(),
            probes,
            bias,
        };
        self.probes.insert(pid, probed);
        self.tracer.start(build, super::process::threads(pid))?;
        self.tracer.hold_copies(pid)?;
        Ok(Look::Attached(Rc::clone(interpreter)))
    }
}
