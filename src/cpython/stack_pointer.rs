//! The register in which opcode handlers keep the top of the frame's stack.

use iced_x86::InstructionInfoFactory;
use rustc_hash::FxHashMap;

use super::environment::{Environment, Origin};
use super::handlers::{Evaluator, Registers};
use super::machine::{ends, is_conditional, is_jump, load, store};
use super::plan::Register;

/// Instructions of a handler that are looked at.
const PREFIX_MAX: usize = 24;
/// How many handlers must tell, and how many out of five of these must agree.
const TELLING_MIN: usize = 32;
const AGREEING: usize = 4;

impl Evaluator<'_> {
    /// Many handlers begin by taking what is on top of the stack (`stack_pointer[-1]`): the register
    /// whose word below they load is it.
    pub(super) fn stack_pointer(&self, known: Registers) -> Option<Register> {
        let mut votes: FxHashMap<Register, usize> = FxHashMap::default();
        let mut facts = InstructionInfoFactory::new();
        for handler in self.table.handlers() {
            let mut environment = Environment::new();
            let mut at = handler;
            for _ in 0..PREFIX_MAX {
                let Some(instruction) = self.flow.get(at) else {
                    break;
                };
                if ends(instruction) || is_jump(instruction) || is_conditional(instruction) {
                    break;
                }
                if let Some((_, from)) = load(instruction)
                    && let Some(base) = environment.get(from.base)
                    && base.delta + from.offset == -8
                    && !base.cut
                    && base.origin != known.frame
                    && base.origin != known.next_instr
                    && let Origin::Register(stack) = base.origin
                {
                    *votes.entry(stack).or_default() += 1;
                    break;
                }
                environment.step(instruction, &mut facts);
                at = instruction.next_ip();
            }
        }
        let total: usize = votes.values().sum();
        let (register, count) = votes.into_iter().max_by_key(|(_, count)| *count)?;
        (count >= TELLING_MIN && count * 5 >= total * AGREEING).then_some(register)
    }

    /// Whether a handler has stored, when it gets to an address without a jump, in the frame that its
    /// stack is one shorter than the handler found it (`_PyFrame_SetStackPointer`, 3.14+).
    pub(super) fn stores_stack(
        &self,
        handler: u64,
        address: u64,
        known: Registers,
        stack: Register,
    ) -> bool {
        let Some(field) = self.frame_stack_pointer.map(i64::from) else {
            return false;
        };
        let mut environment = Environment::new();
        let mut facts = InstructionInfoFactory::new();
        let mut at = handler;
        while at != address {
            let Some(instruction) = self.flow.get(at) else {
                return false;
            };
            if ends(instruction) || is_jump(instruction) {
                return false;
            }
            if let Some((to, register)) = store(instruction)
                && let Some(base) = environment.get(to.base)
                && base.origin == known.frame
                && base.delta + to.offset == field
            {
                return environment.holds(register, stack, -8);
            }
            environment.step(instruction, &mut facts);
            at = instruction.next_ip();
        }
        false
    }
}
