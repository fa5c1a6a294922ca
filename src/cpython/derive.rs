//! From an interpreter to its probe plan.

use std::fmt;

use iced_x86::{Instruction, InstructionInfoFactory};

use super::elf::Elf;
use super::handlers::PopSites;
use super::interpreter::Interpreter;
use super::layout::{Layout, Unknown};
use super::machine::{RDI, changes, decode, disassemble, emulated, ends, is_landing_pad};
use super::plan::{FrameSource, Meaning, Plan, PlanKind, Probe, Version, Way, Yields};
use super::request::Ready;
use super::{evaluator, handlers, static_types, thread_state, usdt};

/// Which way of observing an interpreter is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The interpreter's opcode handlers, else its own probes where they see every call, at last
    /// the names alone that these give.
    #[default]
    Auto,
    /// The interpreter's own probes (`--with-dtrace`).
    Usdt,
    /// The interpreter's opcode handlers and evaluator.
    Dispatch,
}

/// Why an interpreter cannot be observed, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{interpreter}: CPython {version}: {problem}")]
pub struct PlanError {
    /// The file examined.
    pub interpreter: String,
    /// Its version.
    pub version: Version,
    /// What is missing, and what would help.
    pub problem: Problem,
}

impl PlanError {
    fn of(interpreter: &Interpreter, problem: Problem) -> PlanError {
        PlanError {
            interpreter: interpreter.name().to_owned(),
            version: interpreter.version(),
            problem,
        }
    }
}

/// What a plan lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A version whose structures are not known.
    #[error("this version is not supported; supported are 3.6 to 3.15")]
    Version,
    /// A version that came out after pytrace, and of which a build does not tell and show enough.
    #[error(
        "this version is newer than pytrace (3.15 is the newest that it knows), and {0}; \
         use a newer pytrace, or a Python up to 3.15"
    )]
    Newer(&'static str),
    /// Fields of its objects are elsewhere than in releases of its version.
    #[error(
        "its {0} objects are not those of this version; use a release build, unmodified and \
         without --with-trace-refs"
    )]
    Layout(&'static str),
    /// Its own probes were asked for, and its JIT is on.
    #[error(
        "its probes do not see code compiled by its JIT; set PYTHON_JIT=0, or use the dispatch probes"
    )]
    Compiled,
    /// Probes were asked for that were not compiled in, or that do not see every call.
    #[error("{0}; use the dispatch probes instead")]
    Usdt(UsdtProblem),
    /// The dispatch table was not found.
    #[error("no table of opcode handlers; another build of CPython may have one that is known")]
    Table,
    /// A place in the interpreter was not found in its machine code.
    #[error(
        "no place to probe {0}; a build by another compiler, such as the distribution's own, \
         may have one"
    )]
    Site(&'static str),
    /// Versions without `sys.monitoring`.
    #[error("--selective needs CPython 3.12 or later")]
    Unselective,
    /// All ways have been tried.
    #[error("there is no other way to probe it")]
    NoOther,
    /// A symbol is missing that every CPython exports.
    #[error("it has no symbol {0}; use the file from before it was stripped")]
    Symbol(&'static str),
}

/// What is said where the opcodes are not known: those of all known versions are.
const NO_OPCODES: Problem =
    Problem::Newer("this build does not tell its opcodes, or tells others than it uses");

/// Why an interpreter's own probes do not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsdtProblem {
    /// Built without `--with-dtrace`.
    Absent,
    /// 3.11 to 3.14: `function__entry` fires for calls from C only, or not at all.
    Blind,
}

impl fmt::Display for UsdtProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UsdtProblem::Absent => {
                "it was built without the probes function__entry and \
                 function__return (configure --with-dtrace)"
            }
            UsdtProblem::Blind => {
                "its probes function__entry and function__return do not see \
                 every call (3.11 to 3.14)"
            }
        })
    }
}

/// How to observe an interpreter: by the first way that leads to a plan.
pub fn plan(interpreter: &Interpreter, choice: Choice) -> Result<Plan, PlanError> {
    plan_after(interpreter, choice, None)
}

/// The same, where a plan turned out to be wrong: by the ways that come after `failed`.
pub fn plan_after(
    interpreter: &Interpreter,
    choice: Choice,
    failed: Option<Way>,
) -> Result<Plan, PlanError> {
    let usable = usdt::usable(interpreter);
    let mut problem = match (choice, usable) {
        (Choice::Usdt, Err(problem)) => Problem::Usdt(problem),
        _ => Problem::NoOther,
    };
    let ways = [Way::Handlers, Way::PopFunction, Way::Usdt, Way::Names]
        .into_iter()
        .filter(|way| failed.is_none_or(|failed| *way > failed))
        .filter(|way| match way.kind() {
            PlanKind::Usdt => choice != Choice::Dispatch && usable.is_ok(),
            PlanKind::Dispatch => choice != Choice::Usdt,
            PlanKind::Selective => false,
        });
    for way in ways {
        match derive(interpreter, way) {
            Ok(plan) => return Ok(plan),
            // The first tells most.
            Err(found) if problem == Problem::NoOther => problem = found,
            Err(_) => {}
        }
    }
    Err(PlanError::of(interpreter, problem))
}

/// How to observe an interpreter in processes whose JIT is on ([`super::Jit`]).
pub fn plan_compiled(interpreter: &Interpreter, choice: Choice) -> Result<Plan, PlanError> {
    let plan = match choice {
        // What else compiled code does by then is not known.
        _ if interpreter.version().is_newer_than_known() => {
            Err(Problem::Newer("its JIT is on, which PYTHON_JIT=0 changes"))
        }
        Choice::Usdt => Err(Problem::Compiled),
        Choice::Auto | Choice::Dispatch => derive(interpreter, Way::Compiled),
    };
    plan.map_err(|problem| PlanError::of(interpreter, problem))
}

/// How to observe what an interpreter has been asked to instrument, and nothing else (3.12+).
pub fn plan_selective(interpreter: &Interpreter) -> Result<Plan, PlanError> {
    let plan = match interpreter.version() {
        version if version.can_mark(false) => derive(interpreter, Way::Selective),
        version if version.is_newer_than_known() => {
            Err(Problem::Newer("what it instruments is not known"))
        }
        _ => Err(Problem::Unselective),
    };
    plan.map_err(|problem| PlanError::of(interpreter, problem))
}

/// Instructions of a function that are looked at for one to probe.
const START_MAX: usize = 16;

fn derive(interpreter: &Interpreter, way: Way) -> Result<Plan, Problem> {
    let version = interpreter.version();
    if way == Way::Names {
        return Ok(Plan {
            way,
            version,
            probes: usdt::named_probes(interpreter)?,
            yields: Yields::Probed,
            resumes: Vec::new(),
            layout: None,
            thread_state: None,
            threads: None,
            compiler: interpreter.compiler(),
            ready: None,
            remote: interpreter.remote(),
            text: (0, 0),
            types: Vec::new(),
        });
    }
    // Without their numbers, neither the handlers are found, nor what goes on is told from what starts.
    if interpreter.opcodes().is_none()
        && version.is_newer_than_known()
        && interpreter.has_debug_offsets()
    {
        return Err(NO_OPCODES);
    }
    let layout = interpreter.layout().map_err(|unknown| match unknown {
        Unknown::Version => Problem::Version,
        Unknown::Newer(objects) => Problem::Newer(objects),
        Unknown::Objects(kind) => Problem::Layout(kind),
    })?;
    let (mut probes, yields) = match way {
        Way::Selective => handlers::instrumented(interpreter, &layout)?,
        Way::Handlers if version.minor >= 11 => {
            handlers::probes(interpreter, &layout, PopSites::Callers)?
        }
        Way::PopFunction if version.minor >= 12 => {
            handlers::probes(interpreter, &layout, PopSites::Function)?
        }
        Way::Handlers => (evaluator::probes(interpreter, &layout)?, Yields::Probed),
        Way::Compiled if version.minor >= 14 => {
            handlers::probes(interpreter, &layout, PopSites::Compiled)?
        }
        Way::PopFunction | Way::Names | Way::Compiled => return Err(Problem::NoOther),
        Way::Usdt => (usdt::probes(interpreter, &layout)?, Yields::Probed),
    };
    for (kind, meaning, site) in [
        ("PyCode_Type", Meaning::CodeFreed, "code_dealloc"),
        ("PyType_Type", Meaning::TypeFreed, "type_dealloc"),
    ] {
        probes.push(freed(interpreter.elf(), &layout, kind, meaning, site)?);
    }
    let thread_state = thread_state::find(interpreter.elf(), version);
    let ready = match way {
        Way::Selective => {
            let ready = Ready::find(interpreter.elf());
            Some(ready.ok_or(Problem::Site("where the program is run"))?)
        }
        _ => None,
    };
    let asks = |probe: &Probe| probe.meaning == Meaning::Pop { thread_state: None };
    if thread_state.is_none() && probes.iter().any(asks) {
        return Err(Problem::Site("exit_unwind"));
    }
    Ok(Plan {
        way,
        version,
        probes,
        yields,
        resumes: interpreter
            .opcodes()
            .map(|opcodes| opcodes.resumes.iter().map(|opcode| opcode.number).collect())
            .unwrap_or_default(),
        layout: Some(layout),
        thread_state,
        threads: interpreter.threads(),
        // Instrumented code is not compiled.
        compiler: interpreter
            .compiler()
            .filter(|_| !matches!(way, Way::Compiled | Way::Selective)),
        ready,
        remote: interpreter.remote(),
        text: interpreter.elf().text(),
        types: static_types::find(interpreter.elf(), &layout),
    })
}

/// Where objects of a type die: its `tp_dealloc`, in every supported version three words behind its
/// name (`Include/cpython/object.h`, `struct _typeobject`).
fn freed(
    elf: &Elf,
    layout: &Layout,
    kind: &'static str,
    meaning: Meaning,
    site: &'static str,
) -> Result<Probe, Problem> {
    let tp_dealloc = u64::from(layout.type_name()) + 24;
    let object = elf.symbol(kind).ok_or(Problem::Symbol(kind))?;
    let function = object
        .address
        .checked_add(tp_dealloc)
        .and_then(|field| elf.pointer_at(field))
        .filter(|at| elf.is_code(*at))
        .ok_or(Problem::Site(site))?;
    let place = FrameSource::None;
    cheap_start(elf, function)
        .and_then(|first| probe(elf, &first, meaning, place, site))
        .ok_or(Problem::Site(site))
}

/// The first instruction of a function that the kernel emulates, if every execution passes it with
/// the first argument still in rdi; else the first that may be probed.
fn cheap_start(elf: &Elf, function: u64) -> Option<Instruction> {
    let mut facts = InstructionInfoFactory::new();
    let mut at = function;
    for _ in 0..START_MAX {
        let instruction = decode(elf.bytes_at(at)?, at)?;
        if emulated(&instruction) {
            return Some(instruction);
        }
        if ends(&instruction) || changes(&instruction, RDI, &mut facts) {
            break;
        }
        at = instruction.next_ip();
    }
    past_landing_pad(elf, function)
}

/// The first instruction of a function that may be probed cheaply: behind `endbr64`.
pub(super) fn past_landing_pad(elf: &Elf, function: u64) -> Option<Instruction> {
    let first = decode(elf.bytes_at(function)?, function)?;
    if !is_landing_pad(&first) {
        return Some(first);
    }
    decode(elf.bytes_at(first.next_ip())?, first.next_ip())
}

/// A probe on an instruction.
pub(super) fn probe(
    elf: &Elf,
    instruction: &Instruction,
    meaning: Meaning,
    frame: FrameSource,
    site: &'static str,
) -> Option<Probe> {
    Some(Probe {
        meaning,
        address: instruction.ip(),
        offset: elf.file_offset(instruction.ip())?,
        semaphore: None,
        instruction: disassemble(instruction),
        emulated: emulated(instruction),
        frame,
        yielded: None,
        site,
    })
}
