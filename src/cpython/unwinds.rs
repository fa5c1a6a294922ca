//! Where exceptions leave frames, 3.11 and later.

use iced_x86::{Code, InstructionInfoFactory};
use rustc_hash::FxHashSet;

use super::derive::{Problem, past_landing_pad, probe};
use super::flow::function_address;
use super::handlers::{Evaluator, HANDLER_MAX, Registers};
use super::machine::{
    Environment, RSI, changes, ends, is_call, is_conditional, is_jump, place, successor,
};
use super::plan::{FrameSource, Meaning, Probe};

/// `_PyInterpreterFrame.is_entry`, 3.11 only (`Include/internal/pycore_frame.h`).
const IS_ENTRY_3_11: i64 = 68;

/// Where exceptions leave frames.
pub(super) fn unwinds(
    evaluator: &Evaluator<'_>,
    registers: Registers,
) -> Result<Vec<Probe>, Problem> {
    let missing = Problem::Site("exit_unwind");
    let mut returning = FxHashSet::default();
    for opcode in evaluator.opcodes.returns {
        if let Some(handler) = evaluator.table.handler(opcode.number) {
            returning.extend(evaluator.flow.reachable(handler, |_| false));
        }
    }
    let raise = evaluator
        .table
        .handler(evaluator.opcodes.raise)
        .ok_or(missing.clone())?;
    let raising = evaluator.flow.reachable(raise, |_| false);
    let mut probes = if evaluator.minor == 11 {
        entry_checks(evaluator, &raising)
    } else {
        pops(evaluator, registers, &raising, &returning)
    };
    if !probes.iter().any(|probe| probe.site == "exit_unwind") {
        return Err(missing);
    }
    probes.sort_by_key(|probe| probe.address);
    Ok(probes)
}

/// 3.11: `exit_unwind` pops the frame in line, and asks `frame->is_entry` whether that was
/// the frame the evaluator was entered for. So do `RETURN_VALUE` and `RETURN_GENERATOR`,
/// to which raising an exception does not lead.
fn entry_checks(evaluator: &Evaluator<'_>, raising: &FxHashSet<u64>) -> Vec<Probe> {
    let mut facts = InstructionInfoFactory::new();
    let mut probes = Vec::new();
    for (address, instruction) in evaluator.flow.iter() {
        let Some(field) = place(instruction) else {
            continue;
        };
        if instruction.code() != Code::Cmp_rm8_imm8
            || instruction.immediate8() != 0
            || field.offset != IS_ENTRY_3_11
            || !raising.contains(&address)
        {
            continue;
        }
        let mut at = instruction.next_ip();
        for _ in 0..8 {
            let Some(next) = evaluator.flow.get(at) else {
                break;
            };
            if is_conditional(next) {
                let frame = FrameSource::Register(field.base);
                probes.extend(evaluator.probe(at, Meaning::Unwind, frame, "exit_unwind"));
                break;
            }
            if ends(next) || is_jump(next) || changes(next, field.base, &mut facts) {
                break;
            }
            at = next.next_ip();
        }
    }
    probes
}

/// 3.12+: the evaluator pops frames by `_PyEval_FrameClearAndPop(tstate, frame)`. The calls
/// that `RETURN_VALUE` leads to are that opcode's; the others are `exit_unwind`'s and those
/// of the instrumented returns.
fn pops(
    evaluator: &Evaluator<'_>,
    registers: Registers,
    raising: &FxHashSet<u64>,
    returning: &FxHashSet<u64>,
) -> Vec<Probe> {
    let Some(function) = clear_and_pop(evaluator, registers) else {
        return Vec::new();
    };
    let mut probes = Vec::new();
    for (address, instruction) in evaluator.flow.iter() {
        if !(is_call(instruction) || is_jump(instruction)) || returning.contains(&address) {
            continue;
        }
        if function_address(evaluator.elf, instruction.near_branch_target()) == function {
            let site = if raising.contains(&address) {
                "exit_unwind"
            } else {
                "frame_clear_and_pop"
            };
            let frame = FrameSource::Register(RSI);
            probes.extend(evaluator.probe(address, Meaning::Pop, frame, site));
        }
    }
    probes
}

/// The one function that pops frames, where it is entered: 3.12+.
pub(super) fn pop_function(
    evaluator: &Evaluator<'_>,
    registers: Registers,
) -> Result<Probe, Problem> {
    clear_and_pop(evaluator, registers)
        .and_then(|function| past_landing_pad(evaluator.elf, function))
        .and_then(|first| {
            let frame = FrameSource::Register(RSI);
            let site = "frame_clear_and_pop";
            probe(evaluator.elf, &first, Meaning::Pop, frame, site)
        })
        .ok_or(Problem::Site("frame_clear_and_pop"))
}

/// `_PyEval_FrameClearAndPop`; in 3.12 `_PyEvalFrameClearAndPop`, a hidden symbol, so that
/// in a stripped file it is the function that `RETURN_VALUE` calls with its frame.
fn clear_and_pop(evaluator: &Evaluator<'_>, registers: Registers) -> Option<u64> {
    let names = ["_PyEval_FrameClearAndPop", "_PyEvalFrameClearAndPop"];
    if let Some(symbol) = names.iter().find_map(|name| evaluator.elf.symbol(name)) {
        return Some(symbol.address);
    }
    let opcode = evaluator.opcodes.returns.first()?;
    let mut environment = Environment::new();
    let mut facts = InstructionInfoFactory::new();
    let mut at = evaluator.table.handler(opcode.number)?;
    for _ in 0..HANDLER_MAX {
        let instruction = evaluator.flow.get(at)?;
        if is_call(instruction) {
            let passed = environment.get(RSI)?;
            let is_frame = passed.origin == registers.frame && passed.delta == 0;
            return is_frame
                .then(|| function_address(evaluator.elf, instruction.near_branch_target()));
        }
        if ends(instruction) {
            return None;
        }
        environment.step(instruction, &mut facts);
        at = successor(instruction);
    }
    None
}
