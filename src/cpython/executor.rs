//! Where compiled code is entered, as far as that begins or resumes an activation (3.15+).
//!
//! `ENTER_EXECUTOR` stands in the bytecode in place of the instruction at which compiled code begins, which
//! may be a `RESUME`. It has that run by its own handler instead, which has a probe of its own, while a
//! trace is being recorded (`IS_JIT_TRACING()`), and where the thread has something else to do first:
//!
//! ```c
//! if (tstate->eval_breaker != code->_co_instrumentation_version) { ... DISPATCH_GOTO(); }
//! ```
//!
//! (`Python/bytecodes.c`, 3.15). So the place to probe is the branch of that comparison, which comes last.
//!
//! Compiled code compares again, as that may have changed. Then it calls `_Py_HandlePending()`, and has
//! the interpreter begin at that `RESUME` (`_TIER2_RESUME_CHECK`, `_HANDLE_PENDING_AND_DEOPT`).

use std::collections::VecDeque;

use iced_x86::{ConditionCode, Instruction, InstructionInfoFactory, Mnemonic, OpKind};
use rustc_hash::FxHashSet;

use super::derive::{Problem, past_landing_pad, probe};
use super::environment::Environment;
use super::handlers::{Evaluator, HANDLER_MAX, Registers};
use super::machine::{changes, general, is_any_call, is_conditional, load, place};
use super::opcode::Opcode;
use super::plan::{FrameSource, Meaning, Probe, Register};

const ENTER: &str = "ENTER_EXECUTOR";
const PENDING: &str = "_Py_HandlePending";

/// The probes on these places. `version` is where code objects have their `_co_instrumentation_version`.
pub(super) fn probes(
    evaluator: &Evaluator<'_>,
    number: u8,
    registers: Registers,
    version: u16,
) -> Result<[Probe; 2], Problem> {
    let entered = entered(evaluator, number, registers, version);
    let pending = || {
        let function = evaluator.elf.symbol(PENDING)?.address;
        // Where rsp points to the return address.
        let start = past_landing_pad(evaluator.elf, function)?;
        let meaning = Meaning::Pending;
        probe(evaluator.elf, &start, meaning, FrameSource::None, PENDING)
    };
    Ok([
        entered.ok_or(Problem::Site(ENTER))?,
        pending().ok_or(Problem::Site(PENDING))?,
    ])
}

fn entered(
    evaluator: &Evaluator<'_>,
    number: u8,
    registers: Registers,
    version: u16,
) -> Option<Probe> {
    let handler = evaluator.table.handler(number)?;
    let (address, environment) = branch(evaluator, handler, i64::from(version))?;
    let frame = environment.source_of(registers.frame)?;
    let family = [Opcode {
        name: ENTER,
        number,
    }];
    let held = environment.holding(registers.next_instr).into_iter();
    let (next_instr, since) = held.into_iter().find(|(next_instr, since)| {
        let agrees = |environment: &Environment| {
            environment.finds(frame, registers.frame)
                && environment.holds(*next_instr, registers.next_instr, *since)
        };
        evaluator.belongs(address, &family, &Environment::new(), agrees)
    })?;
    let meaning = Meaning::Executor {
        next_instr,
        oparg_delta: registers.argument(since)?,
    };
    evaluator.probe(address, meaning, frame, ENTER)
}

/// The branch that is taken, or not, if an instrumentation version is equal to what it is compared with;
/// and what is known there.
fn branch(evaluator: &Evaluator<'_>, handler: u64, version: i64) -> Option<(u64, Environment)> {
    let mut facts = InstructionInfoFactory::new();
    let mut seen = FxHashSet::default();
    let mut pending = VecDeque::from([(handler, Environment::new(), Comparison::default())]);
    while let Some((at, mut environment, mut comparison)) = pending.pop_front() {
        let Some(instruction) = evaluator.flow.get(at) else {
            continue;
        };
        if seen.len() > 2 * HANDLER_MAX || !seen.insert(at) {
            continue;
        }
        if is_conditional(instruction) {
            let of_equality = matches!(
                instruction.condition_code(),
                ConditionCode::e | ConditionCode::ne
            );
            if comparison.made && of_equality {
                return Some((at, environment));
            }
        }
        comparison.step(instruction, version, &mut facts);
        environment.step(instruction, &mut facts);
        let next = evaluator.flow.successors(at).into_iter();
        pending.extend(next.map(|next| (next, environment.clone(), comparison)));
    }
    None
}

/// Whether a field at some distance from anything has been compared with something.
#[derive(Debug, Clone, Copy, Default)]
struct Comparison {
    /// The register with the field's value.
    field: Option<Register>,
    /// The flags tell.
    made: bool,
}

impl Comparison {
    fn step(&mut self, instruction: &Instruction, offset: i64, facts: &mut InstructionInfoFactory) {
        if instruction.mnemonic() == Mnemonic::Cmp {
            let mut operands = (0..2).map(|operand| match instruction.op_kind(operand) {
                OpKind::Memory => place(instruction).is_some_and(|place| place.offset == offset),
                OpKind::Register => {
                    let register = general(instruction.op_register(operand));
                    register.is_some() && register == self.field
                }
                _ => false,
            });
            self.made = operands.any(|is_field| is_field);
            return;
        }
        if is_any_call(instruction) {
            *self = Comparison::default();
            return;
        }
        if instruction.rflags_written() != iced_x86::RflagsBits::NONE {
            self.made = false;
        }
        if self
            .field
            .is_some_and(|field| changes(instruction, field, facts))
        {
            self.field = None;
        }
        if let Some((register, from)) = load(instruction)
            && from.offset == offset
        {
            self.field = Some(register);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::decode;
    use super::*;

    /// Whether a field at 0xa8 has been compared behind straight code.
    fn compared(mut bytes: &[u8]) -> bool {
        let mut facts = InstructionInfoFactory::new();
        let mut comparison = Comparison::default();
        while !bytes.is_empty() {
            let instruction = decode(bytes, 0x1000).expect("a valid instruction");
            comparison.step(&instruction, 0xa8, &mut facts);
            bytes = &bytes[instruction.len()..];
        }
        comparison.made
    }

    #[test]
    fn a_field_is_compared_in_memory_or_from_a_register() {
        let in_memory = b"\x48\x3b\x88\xa8\x00\x00\x00"; // cmp rcx, [rax+0xa8]
        assert!(compared(in_memory));
        // mov rcx, [rax+0xa8]; cmp rdx, rcx; mov rbx, rdi
        let loaded = b"\x48\x8b\x88\xa8\x00\x00\x00\x48\x39\xca\x48\x89\xfb";
        assert!(compared(loaded));
    }

    #[test]
    fn other_comparisons_are_none_of_the_field() {
        assert!(!compared(b"\x48\x3b\x48\x18")); // cmp rcx, [rax+0x18]
        // mov rcx, [rax+0xa8]; mov rcx, rsi; cmp rdx, rcx
        let overwritten = b"\x48\x8b\x88\xa8\x00\x00\x00\x48\x89\xf1\x48\x39\xca";
        assert!(!compared(overwritten));
        // cmp rcx, [rax+0xa8]; test eax, eax
        assert!(!compared(b"\x48\x3b\x88\xa8\x00\x00\x00\x85\xc0"));
    }
}
