//! Registers that hold the same as another wherever opcode handlers start.
//!
//! Compilers keep copies of the frame pointer across handlers. A copy that outlives the
//! frame's own register within a handler gives a place to probe that there would not be
//! otherwise: 3.12's `YIELD_VALUE` has switched to the caller's frame before its only branch.

use iced_x86::{Code, Instruction, InstructionInfoFactory, OpKind};
use rustc_hash::FxHashMap;

use super::flow::Flow;
use super::machine::{changes, general};
use super::plan::Register;

/// A set of registers, by number.
type Registers = u16;

const ALL: Registers = Registers::MAX;
const NUMBERS: std::ops::Range<u8> = 0..16;

/// The registers that hold the same as `register` at the start of every handler, itself left
/// out.
///
/// Handlers are entered from indirect jumps alone. Assuming that everything is equal there,
/// the code is gone through until nothing contradicts what is still assumed.
pub(super) fn aliases(
    flow: &Flow,
    handlers: &[u64],
    entry: u64,
    register: Register,
) -> Vec<Register> {
    let mut facts = InstructionInfoFactory::new();
    let mut at_dispatch = ALL;
    let mut before: FxHashMap<u64, Registers> = FxHashMap::default();
    let mut pending: Vec<(u64, Registers)> = vec![(entry, bit(register))];
    pending.extend(handlers.iter().map(|handler| (*handler, at_dispatch)));
    while let Some((at, equal)) = pending.pop() {
        let known = before.get(&at).copied();
        let equal = equal & known.unwrap_or(ALL);
        if known == Some(equal) {
            continue;
        }
        before.insert(at, equal);
        let Some(instruction) = flow.get(at) else {
            continue;
        };
        let after = step(instruction, equal, register, &mut facts);
        if instruction.is_jmp_near_indirect() && after & at_dispatch != at_dispatch {
            at_dispatch &= after;
            pending.extend(handlers.iter().map(|handler| (*handler, at_dispatch)));
        }
        pending.extend(flow.successors(at).into_iter().map(|next| (next, after)));
    }
    NUMBERS
        .map(Register)
        .filter(|other| *other != register && at_dispatch & bit(*other) != 0)
        .collect()
}

fn bit(register: Register) -> Registers {
    1 << register.0
}

/// The registers equal to `register` after an instruction, given those before it.
fn step(
    instruction: &Instruction,
    equal: Registers,
    register: Register,
    facts: &mut InstructionInfoFactory,
) -> Registers {
    let copied = (matches!(instruction.code(), Code::Mov_r64_rm64 | Code::Mov_rm64_r64)
        && instruction.op0_kind() == OpKind::Register
        && instruction.op1_kind() == OpKind::Register)
        .then(|| {
            let to = general(instruction.op0_register())?;
            Some((to, general(instruction.op1_register())?))
        })
        .flatten();
    match copied {
        Some((to, from)) if equal & bit(from) != 0 => equal | bit(to),
        Some((to, from)) if to == register => bit(register) | bit(from),
        _ if changes(instruction, register, facts) => bit(register),
        _ => NUMBERS.map(Register).fold(equal, |equal, other| {
            let lost = equal & bit(other) != 0 && changes(instruction, other, facts);
            if lost { equal & !bit(other) } else { equal }
        }),
    }
}
