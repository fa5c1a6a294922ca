//! Whether yields can be known without a probe for them.
//!
//! In 3.13 `YIELD_VALUE` runs straight from its start to its dispatch: no instruction in it is
//! one that the kernel emulates, and the dispatch goes on with any opcode of the caller's. The
//! kernel program can tell afterwards which generators have yielded (`bpf/yields.h`), provided
//! that a generator which resumes is told from a `RESUME` that is run twice.

use iced_x86::{Code, ConditionCode, InstructionInfoFactory, OpKind};
use rustc_hash::FxHashSet;

use super::environment::Environment;
use super::handlers::{Evaluator, HANDLER_MAX, Registers};
use super::machine::{ends, is_conditional, is_jump, place};
use super::plan::{Meaning, Probe, Yields};

/// From a generator's frame to its `gi_frame_state` (3.13, `Include/internal/pycore_genobject.h`).
const FRAME_STATE: i64 = -5;

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
    let Some(resume) = probes.iter().find(|probe| probe.site == "RESUME") else {
        return Yields::Probed;
    };
    let resume = resume.address;
    for probe in probes
        .iter_mut()
        .filter(|probe| probe.site == "RESUME_CHECK")
    {
        let Some(condition) = gives_up(evaluator, probe.address, resume) else {
            return Yields::Probed;
        };
        if let Meaning::Resume { gives_up, .. } = &mut probe.meaning {
            *gives_up = condition;
        }
    }
    Yields::Inferable
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
