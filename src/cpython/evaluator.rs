//! Probes for 3.6 to 3.10, where every call of a Python function enters the frame evaluator
//! and every way out of the function leaves it.

use iced_x86::{Instruction, InstructionInfoFactory};
use rustc_hash::FxHashSet;

use super::derive::{Problem, past_landing_pad, probe};
use super::elf::Elf;
use super::exits::Exits;
use super::flow::Flow;
use super::interpreter::Interpreter;
use super::layout::Layout;
use super::machine::{
    Environment, RDI, RDX, RSI, RSP, callee_saved, emulated, ends, is_jump, store,
};
use super::opcode::Opcodes;
use super::plan::{FrameSource, Meaning, Probe, Register};
use super::table::DispatchTable;

/// Instructions from the evaluator's entry to where its frame has become current, at most.
const PROLOGUE_MAX: usize = 64;

/// The registers in which the evaluator takes its arguments: up to 3.8
/// `_PyEval_EvalFrameDefault(frame, throwflag)`, then `(tstate, frame, throwflag)`.
#[derive(Debug, Clone, Copy)]
struct Arguments {
    frame: Register,
    throwflag: Register,
}

/// The evaluator's entry: its probe, and the register that keeps the frame from then on.
struct Entry {
    probe: Probe,
    frame: Register,
}

/// All probes of a dispatch plan.
pub(super) fn probes(interpreter: &Interpreter, layout: &Layout) -> Result<Vec<Probe>, Problem> {
    let elf = interpreter.elf();
    let minor = interpreter.version().minor;
    let opcodes = Opcodes::of(minor).ok_or(Problem::Version)?;
    let table = DispatchTable::find(elf, opcodes).ok_or(Problem::Table)?;
    let function = interpreter.evaluator();
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

    let entry = entry(elf, &flow, function, &handlers, arguments, layout)
        .ok_or(Problem::Site("the evaluator's entry"))?;
    let mut probes = vec![entry.probe];
    let retval = if minor <= 8 { RSI } else { RDX };
    let roots = handlers.iter().copied().chain([function]).collect();
    let exits = Exits::find(elf, &flow, roots, entry.frame, retval, layout);
    probes.extend(exits.probes());
    if probes.len() < 2 {
        return Err(Problem::Site("the evaluator's exit"));
    }
    Ok(probes)
}

/// Where an activation starts: behind the recursion check, so that a `RecursionError` is no
/// entry, the frame becomes the thread state's current one, `tstate->frame = f`. The next
/// branch is probed, if every entry passes it and nothing else does; otherwise the
/// evaluator's first instruction.
fn entry(
    elf: &Elf,
    flow: &Flow,
    function: u64,
    handlers: &[u64],
    arguments: Arguments,
    layout: &Layout,
) -> Option<Entry> {
    let mut facts = InstructionInfoFactory::new();
    let mut environment = Environment::new();
    let mut at = function;
    let mut current = false;
    let mut keeper = None;
    for _ in 0..PROLOGUE_MAX {
        let instruction = flow.get(at)?;
        keeper = keeper.or(environment
            .copy_of(arguments.frame)
            .filter(|held| callee_saved(*held)));
        if current && emulated(instruction) {
            break;
        }
        if ends(instruction) {
            break;
        }
        if makes_current(instruction, &environment, arguments, layout) {
            current = true;
        }
        environment.step(instruction, &mut facts);
        at = if is_jump(instruction) {
            instruction.near_branch_target()
        } else {
            instruction.next_ip()
        };
    }
    let keeper = keeper?;
    if current
        && let Some(branch) = flow.get(at).filter(|branch| emulated(branch))
        && let Some(frame) = environment.copy_of(arguments.frame)
        && passed_once(flow, at, function, handlers)
    {
        let throwflag = environment.int_copy_of(arguments.throwflag);
        let source = FrameSource::Register(frame);
        let probe = probe(elf, branch, Meaning::Eval { throwflag }, source, "eval")?;
        return Some(Entry {
            probe,
            frame: keeper,
        });
    }
    let first = past_landing_pad(elf, function)?;
    let meaning = Meaning::Eval {
        throwflag: Some(arguments.throwflag),
    };
    let probe = probe(
        elf,
        &first,
        meaning,
        FrameSource::Register(arguments.frame),
        "eval",
    )?;
    Some(Entry {
        probe,
        frame: keeper,
    })
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

/// Whether every entry that comes to execute opcodes passes `branch`, and no opcode leads back
/// to it.
fn passed_once(flow: &Flow, branch: u64, function: u64, handlers: &[u64]) -> bool {
    let before = flow.reachable(function, |at| at == branch);
    let dispatches = |at: &u64| flow.get(*at).is_some_and(Instruction::is_jmp_near_indirect);
    if before.iter().any(dispatches) {
        return false;
    }
    let mut seen = FxHashSet::default();
    handlers.iter().all(|handler| {
        seen.extend(flow.reachable_unseen(*handler, &seen));
        !seen.contains(&branch)
    })
}
