//! Probes for 3.6 to 3.10, where every call of a Python function enters the frame evaluator
//! and every way out of the function leaves it.

use iced_x86::{Instruction, InstructionInfoFactory};
use rustc_hash::FxHashSet;

use super::derive::{Problem, past_landing_pad, probe};
use super::elf::Elf;
use super::environment::Environment;
use super::exits::Exits;
use super::flow::Flow;
use super::interpreter::Interpreter;
use super::layout::Layout;
use super::machine::{RDI, RDX, RSI, RSP, callee_saved, emulated, store};
use super::opcode::Opcodes;
use super::plan::{FrameSource, Meaning, Probe, Register};
use super::table::DispatchTable;

/// Instructions from the evaluator's entry to where its frame has become current, at most.
const PROLOGUE_MAX: usize = 256;

/// The registers in which the evaluator takes its arguments: up to 3.8
/// `_PyEval_EvalFrameDefault(frame, throwflag)`, then `(tstate, frame, throwflag)`.
#[derive(Debug, Clone, Copy)]
struct Arguments {
    frame: Register,
    throwflag: Register,
}

/// All probes of a dispatch plan.
pub(super) fn probes(interpreter: &Interpreter, layout: &Layout) -> Result<Vec<Probe>, Problem> {
    let elf = interpreter.elf();
    let minor = interpreter.version().minor;
    let opcodes = Opcodes::of(minor).ok_or(Problem::Version)?;
    let function = interpreter.evaluator();
    let table = DispatchTable::find(elf, opcodes, function).ok_or(Problem::Table)?;
    let handlers = table.handlers();
    let flow = Flow::from(elf, handlers.iter().copied().chain([function]));
    let arguments = if minor <= 8 {
        Arguments {
            frame: RDI,
            throwflag: RSI,
        }
    } else {
        Arguments {
            frame: RSI,
            throwflag: RDX,
        }
    };

    let prologue = Prologue::follow(&flow, function, arguments, layout);
    let frame = prologue
        .keeper
        .ok_or(Problem::Site("the evaluator's entry"))?;
    let mut probes = if prologue.passed_once(&flow, &handlers) {
        prologue.probes(elf, &flow)
    } else {
        first_instruction(elf, function, arguments)
            .into_iter()
            .collect()
    };
    if probes.is_empty() {
        return Err(Problem::Site("the evaluator's entry"));
    }
    let retval = if minor <= 8 { RSI } else { RDX };
    let roots = handlers.iter().copied().chain([function]).collect();
    let exits = Exits::find(elf, &flow, roots, frame, retval, layout).probes();
    if exits.is_empty() {
        return Err(Problem::Site("the evaluator's exit"));
    }
    probes.extend(exits);
    Ok(probes)
}

/// The evaluator's ways from its entry to where an activation has started: behind the
/// recursion check, so that a `RecursionError` is no entry, the frame becomes the thread
/// state's current one, `tstate->frame = f`. The next branch is probed.
///
/// There may be several: compilers copy these instructions to the out-of-line part of the
/// recursion check.
struct Prologue {
    /// The branches, and what is in registers there.
    branches: Vec<(u64, Register, Option<Register>)>,
    /// A way to the opcodes was found that passes none.
    leaks: bool,
    /// The register that keeps the frame throughout the evaluator.
    keeper: Option<Register>,
}

impl Prologue {
    fn follow(flow: &Flow, function: u64, arguments: Arguments, layout: &Layout) -> Prologue {
        let mut prologue = Prologue {
            branches: Vec::new(),
            leaks: false,
            keeper: None,
        };
        let mut facts = InstructionInfoFactory::new();
        let mut seen = FxHashSet::default();
        // The way that runs straight on is followed first: last in, first out.
        let mut pending = vec![(function, Environment::new(), false)];
        while let Some((at, mut environment, mut current)) = pending.pop() {
            let Some(instruction) = flow.get(at).filter(|_| seen.insert(at)) else {
                continue;
            };
            let frame = environment.copy_of(arguments.frame);
            prologue.keeper = prologue.keeper.or(frame.filter(|held| callee_saved(*held)));
            if current && emulated(instruction) {
                match frame {
                    Some(frame) => {
                        let throwflag = environment.int_copy_of(arguments.throwflag);
                        prologue.branches.push((at, frame, throwflag));
                    }
                    None => prologue.leaks = true,
                }
                continue;
            }
            if instruction.is_jmp_near_indirect() || seen.len() > PROLOGUE_MAX {
                prologue.leaks = true;
                break;
            }
            current |= makes_current(instruction, &environment, arguments, layout);
            environment.step(instruction, &mut facts);
            for next in flow.successors(at).into_iter().rev() {
                pending.push((next, environment.clone(), current));
            }
        }
        prologue
    }

    /// Whether every entry that comes to execute opcodes passes one of the branches, none
    /// passes two, and no opcode leads back to one.
    fn passed_once(&self, flow: &Flow, handlers: &[u64]) -> bool {
        let is_branch = |at: u64| self.branches.iter().any(|(branch, ..)| *branch == at);
        if self.leaks || self.branches.is_empty() {
            return false;
        }
        let mut seen = FxHashSet::default();
        for handler in handlers {
            seen.extend(flow.reachable_unseen(*handler, &seen));
        }
        for (branch, ..) in &self.branches {
            for next in flow.successors(*branch) {
                seen.extend(flow.reachable_unseen(next, &seen));
            }
        }
        !seen.into_iter().any(is_branch)
    }

    fn probes(&self, elf: &Elf, flow: &Flow) -> Vec<Probe> {
        self.branches
            .iter()
            .filter_map(|(at, frame, throwflag)| {
                let meaning = Meaning::Eval {
                    throwflag: *throwflag,
                };
                probe(
                    elf,
                    flow.get(*at)?,
                    meaning,
                    FrameSource::Register(*frame),
                    "eval",
                )
            })
            .collect()
    }
}

/// Where nothing better is found: a `RecursionError` enters here too, and never leaves.
fn first_instruction(elf: &Elf, function: u64, arguments: Arguments) -> Option<Probe> {
    let first = past_landing_pad(elf, function)?;
    let meaning = Meaning::Eval {
        throwflag: Some(arguments.throwflag),
    };
    probe(
        elf,
        &first,
        meaning,
        FrameSource::Register(arguments.frame),
        "eval",
    )
}

/// `tstate->frame = f`.
fn makes_current(
    instruction: &Instruction,
    environment: &Environment,
    arguments: Arguments,
    layout: &Layout,
) -> bool {
    let is_frame = |register| {
        environment
            .get(register)
            .is_some_and(|value| value.origin == arguments.frame && value.delta == 0 && !value.cut)
    };
    store(instruction).is_some_and(|(to, stored)| {
        to.offset == i64::from(layout.tstate_frame)
            && to.base != RSP
            && is_frame(stored)
            && !is_frame(to.base)
    })
}
