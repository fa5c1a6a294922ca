//! Yields of which no probe has the frame at a low cost.
//!
//! In tail-calling interpreters, compilers reuse the frame's register in `YIELD_VALUE` before its first
//! branch; but by then the caller's frame is in one, and the kernel program can tell which generator
//! that has resumed (`bpf/generators.h`).
//!
//! In 3.13 `YIELD_VALUE` runs straight from its start to its dispatch: no instruction in it is
//! one that the kernel emulates, and the dispatch goes on with any opcode of the caller's. The
//! kernel program can tell afterwards which generators have yielded (`bpf/yields.h`), provided
//! that a generator which resumes is told from a `RESUME` that is run twice.

use iced_x86::{Code, ConditionCode, Instruction, InstructionInfoFactory, OpKind};
use rustc_hash::FxHashSet;

use super::environment::Environment;
use super::handlers::{Evaluator, HANDLER_MAX, Registers};
use super::machine::{emulated, ends, is_conditional, is_jump, load, place};
use super::opcode::Opcode;
use super::plan::{FrameSource, Meaning, Probe, Register, Yielded, Yields};

/// From a generator's frame to its `gi_frame_state` (3.13, `Include/internal/pycore_genobject.h`).
const FRAME_STATE: i64 = -5;

/// Where `YIELD_VALUE` has gone over to the caller's frame: that is in a register, and the generator's
/// own has no caller any more (`gen_frame->previous = NULL`, `Python/bytecodes.c`, 3.12+).
pub(super) fn yielded_to(
    evaluator: &Evaluator<'_>,
    opcode: &Opcode,
    registers: Registers,
    stack: Option<Register>,
) -> Option<Probe> {
    let handler = evaluator.table.handler(opcode.number)?;
    let is_previous = |base: Register, offset: i64, environment: &Environment| {
        offset == evaluator.frame_previous && environment.holds(base, registers.frame, 0)
    };
    let mut environment = Environment::new();
    let mut facts = InstructionInfoFactory::new();
    let mut caller: Option<Followed> = None;
    let mut value: Option<Followed> = None;
    let mut suspended = false;
    let mut at = handler;
    for _ in 0..HANDLER_MAX {
        let instruction = evaluator.flow.get(at)?;
        let copy = caller.as_ref().and_then(Followed::copy);
        if let Some(caller) = copy.filter(|_| suspended && emulated(instruction)) {
            let alone = std::slice::from_ref(opcode);
            if !evaluator.belongs(at, alone, &Environment::new(), |_| true) {
                return None;
            }
            let frame = FrameSource::YieldedTo(caller);
            let probe = evaluator.probe(at, Meaning::Yield, frame, opcode.name)?;
            let stored = |stack: &Register| evaluator.stores_stack(handler, at, registers, *stack);
            let stored = stack.filter(stored).map(|_| Yielded::AtStackPointer);
            let value = value.as_ref().and_then(Followed::copy);
            let yielded = stored.or(value.map(Yielded::In));
            return Some(Probe { yielded, ..probe });
        }
        if ends(instruction) || is_jump(instruction) || is_conditional(instruction) {
            return None;
        }
        let loaded = load(instruction);
        let is_zero = instruction.code() == Code::Mov_rm64_imm32 && instruction.immediate(1) == 0;
        suspended |= is_zero
            && place(instruction).is_some_and(|to| is_previous(to.base, to.offset, &environment));
        let loads_caller =
            loaded.filter(|(_, from)| is_previous(from.base, from.offset, &environment));
        // What is given back is on top of the stack as the handler finds it.
        let loads_value = loaded.filter(|(_, from)| {
            stack.is_some_and(|stack| environment.holds(from.base, stack, -8 - from.offset))
        });
        environment.step(instruction, &mut facts);
        for followed in [&mut caller, &mut value].into_iter().flatten() {
            followed.step(instruction, &mut facts);
        }
        if let Some((register, _)) = loads_caller {
            caller = Some(Followed::from_here(register));
        }
        if let Some((register, _)) = loads_value {
            value = Some(Followed::from_here(register));
        }
        at = instruction.next_ip();
    }
    None
}

/// What a register held behind some instruction, and where that is since.
struct Followed {
    register: Register,
    since: Environment,
}

impl Followed {
    fn from_here(register: Register) -> Followed {
        Followed {
            register,
            since: Environment::new(),
        }
    }

    fn step(&mut self, instruction: &Instruction, facts: &mut InstructionInfoFactory) {
        self.since.step(instruction, facts);
    }

    /// A register that holds it now.
    fn copy(&self) -> Option<Register> {
        self.since.copy_of(self.register)
    }
}

/// How the probes see yields. Where they need not, `probes` are made to tell resumptions apart.
pub(super) fn yields(
    evaluator: &Evaluator<'_>,
    registers: Registers,
    probes: &mut [Probe],
) -> Yields {
    let stepped = probes
        .iter()
        .any(|probe| probe.meaning == Meaning::Yield && !probe.emulated);
    if !stepped || evaluator.minor != 13 || !stores_state(evaluator, registers) {
        return Yields::Probed;
    }
    match tell_resumptions(evaluator, probes) {
        Some(()) => Yields::Inferable,
        None => Yields::Probed,
    }
}

/// How yields are seen besides compiled code: there they must be inferred. `None` where that is not
/// possible.
pub(super) fn partly_inferred(evaluator: &Evaluator<'_>, probes: &mut [Probe]) -> Option<Yields> {
    tell_resumptions(evaluator, probes)?;
    Some(Yields::PartlyInferred)
}

/// Has the probes on `RESUME`'s checking forms not tell what `RESUME`'s own does.
fn tell_resumptions(evaluator: &Evaluator<'_>, probes: &mut [Probe]) -> Option<()> {
    let resume = probes.iter().find(|probe| probe.site == "RESUME")?.address;
    for probe in probes
        .iter_mut()
        .filter(|probe| probe.site.starts_with("RESUME_CHECK"))
    {
        let condition = gives_up(evaluator, probe.address, resume)?;
        if let Meaning::Resume { gives_up, .. } = &mut probe.meaning {
            *gives_up = condition;
        }
    }
    Some(())
}

/// Whether `YIELD_VALUE` sets the generator's state where it is looked for.
fn stores_state(evaluator: &Evaluator<'_>, registers: Registers) -> bool {
    let Some(handler) = evaluator
        .opcodes
        .yields
        .first()
        .and_then(|opcode| evaluator.table.handler(opcode.number))
    else {
        return false;
    };
    let mut environment = Environment::new();
    let mut facts = InstructionInfoFactory::new();
    let mut at = handler;
    for _ in 0..HANDLER_MAX {
        let Some(instruction) = evaluator.flow.get(at) else {
            return false;
        };
        let is_store = instruction.code() == Code::Mov_rm8_r8
            && instruction.op0_kind() == OpKind::Memory
            && place(instruction).is_some_and(|to| {
                to.offset == FRAME_STATE && environment.holds(to.base, registers.frame, 0)
            });
        if is_store {
            return true;
        }
        if ends(instruction) || is_jump(instruction) || is_conditional(instruction) {
            return false;
        }
        environment.step(instruction, &mut facts);
        at = instruction.next_ip();
    }
    false
}

/// With which zero flag the branch at `RESUME_CHECK`'s site leads to `RESUME`'s, for certain;
/// `Some(None)` where it never does. `None` where neither is known.
fn gives_up(evaluator: &Evaluator<'_>, site: u64, resume: u64) -> Option<Option<bool>> {
    let flow = &evaluator.flow;
    let branch = flow.get(site).filter(|at| is_conditional(at))?;
    let if_taken = match branch.condition_code() {
        ConditionCode::e => true,
        ConditionCode::ne => false,
        _ => return None,
    };
    let ways = [
        (branch.near_branch_target(), if_taken),
        (branch.next_ip(), !if_taken),
    ];
    let leads: Vec<bool> = ways
        .iter()
        .filter(|(way, _)| {
            flow.reachable_unseen(*way, &FxHashSet::default())
                .contains(&resume)
        })
        .map(|(_, zero)| *zero)
        .collect();
    match leads[..] {
        [] => Some(None),
        [zero] => {
            let (way, _) = ways.iter().find(|(_, of)| *of == zero)?;
            // Nothing may lead away from the way to RESUME's site.
            let mut at = *way;
            for _ in 0..HANDLER_MAX {
                if at == resume {
                    return Some(Some(zero));
                }
                let [next] = flow.successors(at)[..] else {
                    return None;
                };
                at = next;
            }
            None
        }
        _ => None,
    }
}
