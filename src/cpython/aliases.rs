//! What holds the same as a register wherever opcode handlers start.
//!
//! Compilers keep copies of the frame pointer across handlers. A copy that outlives the
//! frame's own register within a handler gives a place to probe that there would not be
//! otherwise: 3.12's `YIELD_VALUE` has switched to the caller's frame before its only branch.
//! So does one on the stack, which clang loads into a register where it dispatches.

use iced_x86::{Code, Instruction, InstructionInfoFactory, OpKind};
use rustc_hash::FxHashMap;

use super::environment::Origin;
use super::flow::Flow;
use super::machine::{Place, RBP, changes, general, load, place, store, writes};
use super::plan::Register;

/// A set of registers, by number, and a slot of the stack.
type Set = u32;

const ALL: Set = Set::MAX;
const NUMBERS: std::ops::Range<u8> = 0..16;
const SLOT: Set = 1 << 16;

/// The slot on the stack (of functions with a frame pointer) that is loaded most often into a
/// register by which one of these fields is reached.
pub(super) fn slot_of(flow: &Flow, fields: &[i64]) -> Option<Place> {
    let mut votes: FxHashMap<Place, usize> = FxHashMap::default();
    for (_, instruction) in flow.iter() {
        let Some((register, slot)) = load(instruction).filter(|(_, from)| from.base == RBP) else {
            continue;
        };
        let next = flow.get(instruction.next_ip()).and_then(place);
        if next.is_some_and(|to| to.base == register && fields.contains(&to.offset)) {
            *votes.entry(slot).or_default() += 1;
        }
    }
    let most = votes
        .into_iter()
        .max_by_key(|(slot, count)| (*count, slot.offset));
    most.map(|(slot, _)| slot)
}

/// What holds the same as `register` at the start of every handler, itself left out: other registers,
/// maybe the slot.
///
/// Handlers are entered from indirect jumps alone. Assuming that everything is equal there,
/// the code is gone through until nothing contradicts what is still assumed.
pub(super) fn aliases(
    flow: &Flow,
    handlers: &[u64],
    entry: u64,
    register: Register,
    slot: Option<Place>,
) -> Vec<Origin> {
    let mut facts = InstructionInfoFactory::new();
    let mut at_dispatch = ALL;
    let mut before: FxHashMap<u64, Set> = FxHashMap::default();
    let mut pending: Vec<(u64, Set)> = vec![(entry, bit(register))];
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
        let after = step(instruction, equal, register, slot, &mut facts);
        if instruction.is_jmp_near_indirect() && after & at_dispatch != at_dispatch {
            at_dispatch &= after;
            pending.extend(handlers.iter().map(|handler| (*handler, at_dispatch)));
        }
        pending.extend(flow.successors(at).into_iter().map(|next| (next, after)));
    }
    let registers = NUMBERS
        .map(Register)
        .filter(|other| *other != register && at_dispatch & bit(*other) != 0)
        .map(Origin::Register);
    let slot = slot.filter(|_| at_dispatch & SLOT != 0).map(Origin::Slot);
    registers.chain(slot).collect()
}

fn bit(register: Register) -> Set {
    1 << register.0
}

/// What equals `register` after an instruction, given what does before it.
fn step(
    instruction: &Instruction,
    equal: Set,
    register: Register,
    slot: Option<Place>,
    facts: &mut InstructionInfoFactory,
) -> Set {
    if let Some((_, from)) = store(instruction).filter(|(to, _)| Some(*to) == slot) {
        return match equal & bit(from) {
            0 => equal & !SLOT,
            _ => equal | SLOT,
        };
    }
    let loaded = load(instruction).filter(|(_, from)| Some(*from) == slot);
    let copied = (matches!(instruction.code(), Code::Mov_r64_rm64 | Code::Mov_rm64_r64)
        && instruction.op0_kind() == OpKind::Register
        && instruction.op1_kind() == OpKind::Register)
        .then(|| {
            let to = general(instruction.op0_register())?;
            Some((to, bit(general(instruction.op1_register())?)))
        })
        .flatten()
        .or(loaded.map(|(to, _)| (to, SLOT)));
    match copied {
        Some((to, from)) if equal & from != 0 => equal | bit(to),
        Some((to, from)) if to == register => bit(register) | from,
        _ if changes(instruction, register, facts) => bit(register),
        _ => {
            let kept = NUMBERS.map(Register).fold(equal, |equal, other| {
                let lost = equal & bit(other) != 0 && changes(instruction, other, facts);
                if lost { equal & !bit(other) } else { equal }
            });
            match slot.is_some_and(|slot| may_write(instruction, slot, facts)) {
                true => kept & !SLOT,
                false => kept,
            }
        }
    }
}

/// Whether an instruction may write to a part of a slot, other than through a pointer.
fn may_write(instruction: &Instruction, slot: Place, facts: &mut InstructionInfoFactory) -> bool {
    facts.info(instruction).used_memory().iter().any(|used| {
        let offset = used.displacement() as i64;
        let bytes = i64::try_from(used.memory_size().size()).unwrap_or(i64::MAX);
        writes(used.access())
            && general(used.base()) == Some(slot.base)
            && offset < slot.offset + 8
            && offset.saturating_add(bytes) > slot.offset
    })
}
