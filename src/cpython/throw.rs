//! Where an exception is thrown into a generator, 3.11 and later.

use iced_x86::{Code, ConditionCode, Instruction, InstructionInfoFactory, OpKind};
use rustc_hash::FxHashSet;

use super::derive::probe;
use super::elf::Elf;
use super::environment::Environment;
use super::flow::Flow;
use super::handlers::{Evaluator, Registers};
use super::machine::{
    Place, RDX, RSI, decode, emulated, ends, is_call, is_conditional, place, tested_for_zero,
};
use super::plan::{FrameSource, Meaning, Probe};

/// Instructions from the evaluator's entry to the test of its throw flag, at most.
const PROLOGUE_MAX: usize = 400;

/// Instructions from that test to the probe, at most.
const BLOCK_MAX: usize = 48;

/// `cmp [place], 0` of 4 bytes, where the flag is kept on the stack.
fn place_tested_for_zero(instruction: &Instruction) -> Option<Place> {
    let is = matches!(
        instruction.code(),
        Code::Cmp_rm32_imm8 | Code::Cmp_rm32_imm32
    ) && instruction.op0_kind() == OpKind::Memory
        && instruction.immediate(1) == 0;
    is.then(|| place(instruction)).flatten()
}

/// Whether an instruction goes on to any opcode; a jump through the global offset table leaves the file.
fn dispatches(instruction: &Instruction) -> bool {
    instruction.is_jmp_near_indirect() && !instruction.is_ip_rel_memory_operand()
}

/// Where throwing into generators is seen.
///
/// Where handlers are functions, the evaluator itself is but a small one, which compilers copy into
/// others. All copies call `error` for an exception that is thrown in, as a handler is called;
/// nobody else does, as handlers go on to each other by jumps. (A copy of `exit_unwind` in them, for
/// a frame that would be too deep, calls it for a caller within the same evaluator: there is none.)
pub(super) fn throws(evaluator: &Evaluator<'_>, registers: Registers) -> Option<Vec<Probe>> {
    let Evaluator {
        elf, flow, entry, ..
    } = evaluator;
    let own = Flow::from(elf, [*entry]);
    if own.iter().any(|(_, at)| dispatches(at)) {
        return Some(vec![throw(elf, flow, *entry)?]);
    }
    let error = own
        .iter()
        .filter(|(_, instruction)| is_call(instruction))
        .map(|(_, call)| call.near_branch_target())
        .find(|callee| flow.predecessors(*callee).len() >= JUMPS_MIN)?;
    let calls = calls_of(elf, error).into_iter().filter_map(|call| {
        probe(
            elf,
            &call,
            Meaning::Throw,
            registers.frame.frame()?,
            "throw",
        )
    });
    Some(calls.collect()).filter(|calls: &Vec<Probe>| !calls.is_empty())
}

/// Jumps to `error` from handlers, at least: most can fail.
const JUMPS_MIN: usize = 32;

/// All `call`s of an address.
fn calls_of(elf: &Elf, function: u64) -> Vec<Instruction> {
    const CALL: u8 = 0xe8;
    let code = elf.code();
    code.flat_map(|(start, bytes)| {
        let starts = (0u64..).zip(bytes).filter(|(_, byte)| **byte == CALL);
        starts.filter_map(move |(at, _)| {
            let call = decode(bytes.get(at as usize..)?, start + at)?;
            (is_call(&call) && call.near_branch_target() == function).then_some(call)
        })
    })
    .collect()
}

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
        let tested = tested_for_zero(instruction)
            .map(|register| environment.get(register))
            .or_else(|| {
                place_tested_for_zero(instruction).map(|place| environment.get_slot(place))
            });
        if let Some(value) = tested {
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
