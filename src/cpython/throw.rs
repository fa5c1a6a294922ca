//! Where an exception is thrown into a generator, 3.11 and later.

use iced_x86::{ConditionCode, InstructionInfoFactory};
use rustc_hash::FxHashSet;

use super::derive::probe;
use super::elf::Elf;
use super::flow::Flow;
use super::machine::{Environment, RDX, RSI, emulated, ends, is_conditional, tested_for_zero};
use super::plan::{FrameSource, Meaning, Probe};

/// Instructions from the evaluator's entry to the test of its throw flag, at most.
const PROLOGUE_MAX: usize = 400;

/// Instructions from that test to the probe, at most.
const BLOCK_MAX: usize = 48;

/// `throw()` and `close()` enter the evaluator with `throwflag` (its third argument) set
/// and execute no `RESUME`. Where the flag is found not to be zero, the next emulated
/// instruction is probed; it checks the recursion limit. Entering normally costs nothing.
pub(super) fn throw(elf: &Elf, flow: &Flow, entry: u64) -> Option<Probe> {
    let mut facts = InstructionInfoFactory::new();
    let mut seen = FxHashSet::default();
    // The path that runs straight on is examined first: last in, first out.
    let mut pending = vec![(entry, Environment::new(), false)];
    while let Some((at, mut environment, mut flag_tested)) = pending.pop() {
        if seen.len() > PROLOGUE_MAX || !seen.insert(at) {
            continue;
        }
        let Some(instruction) = flow.get(at) else {
            continue;
        };
        if is_conditional(instruction) && flag_tested {
            let block = match instruction.condition_code() {
                ConditionCode::ne => Some(instruction.near_branch_target()),
                ConditionCode::e => Some(instruction.next_ip()),
                _ => None,
            };
            if let Some(found) = block.and_then(|block| thrown(elf, flow, block, &environment)) {
                return Some(found);
            }
        }
        if let Some(register) = tested_for_zero(instruction) {
            let value = environment.get(register);
            flag_tested = value.is_some_and(|value| value.origin == RDX && value.delta == 0);
        } else if instruction.rflags_modified() != 0 {
            flag_tested = false;
        }
        environment.step(instruction, &mut facts);
        for next in flow.successors(at).into_iter().rev() {
            pending.push((next, environment.clone(), flag_tested));
        }
    }
    None
}

fn thrown(elf: &Elf, flow: &Flow, block: u64, at_test: &Environment) -> Option<Probe> {
    let mut environment = at_test.clone();
    let mut facts = InstructionInfoFactory::new();
    let mut at = block;
    for _ in 0..BLOCK_MAX {
        let instruction = flow.get(at)?;
        if emulated(instruction) {
            let frame = FrameSource::Register(environment.copy_of(RSI)?);
            return probe(elf, instruction, Meaning::Throw, frame, "throw");
        }
        if ends(instruction) {
            return None;
        }
        environment.step(instruction, &mut facts);
        at = instruction.next_ip();
    }
    None
}
