//! Where exceptions leave frames, 3.11 and later.

use iced_x86::{
    Code, ConditionCode, Instruction, InstructionInfoFactory, OpKind, Register as Iced,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::derive::{Problem, past_landing_pad, probe};
use super::environment::Environment;
use super::flow::{Flow, function_address};
use super::handlers::{Evaluator, HANDLER_MAX, Registers};
use super::machine::{
    RDI, RSI, changes, ends, general, is_call, is_conditional, is_jump, place, successor,
};
use super::plan::{FrameSource, Meaning, Probe, Register};

/// `_PyInterpreterFrame.is_entry`, 3.11 only (`Include/internal/pycore_frame.h`).
const IS_ENTRY_3_11: i64 = 68;

/// Where exceptions leave frames; from 3.12 on, if so wanted, where frames are popped in any way.
pub(super) fn unwinds(
    evaluator: &Evaluator<'_>,
    registers: Registers,
    with_returns: bool,
) -> Result<Vec<Probe>, Problem> {
    let missing = Problem::Site("exit_unwind");
    let raise = evaluator
        .table
        .handler(evaluator.opcodes.raise)
        .ok_or(missing.clone())?;
    let raising = evaluator.flow.reachable(raise, |_| false);
    let mut probes = if evaluator.minor == 11 {
        entry_checks(evaluator, &raising)
    } else {
        pops(evaluator, registers, &raising, with_returns)
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
    comparisons(&evaluator.flow, IS_ENTRY_3_11)
        .into_iter()
        .filter(|check| raising.contains(&check.address))
        .filter_map(|check| {
            let frame = FrameSource::Register(check.frame);
            evaluator.probe(check.branch, Meaning::Unwind, frame, "exit_unwind")
        })
        .collect()
}

/// Where a byte of a frame is compared with 0.
struct Comparison {
    address: u64,
    /// The next branch, at which the frame's register still points to it.
    branch: u64,
    frame: Register,
}

/// Where a byte is compared in memory, or loaded into a register and compared there.
fn comparisons(flow: &Flow, field: i64) -> Vec<Comparison> {
    let mut facts = InstructionInfoFactory::new();
    let mut found = Vec::new();
    for (address, instruction) in flow.iter() {
        let Some(compared) = place(instruction).filter(|place| place.offset == field) else {
            continue;
        };
        let loaded = byte_loaded(instruction);
        if loaded == Some(compared.base) {
            continue; // it does not point to the frame any more
        }
        let mut is_compared = instruction.code() == Code::Cmp_rm8_imm8
            && instruction.op0_kind() == OpKind::Memory
            && instruction.immediate8() == 0;
        if loaded.is_none() && !is_compared {
            continue;
        }
        let mut at = instruction.next_ip();
        for _ in 0..8 {
            let Some(next) = flow.get(at) else {
                break;
            };
            if is_conditional(next) {
                let is_equality =
                    matches!(next.condition_code(), ConditionCode::e | ConditionCode::ne);
                if is_compared && is_equality {
                    found.push(Comparison {
                        address,
                        branch: at,
                        frame: compared.base,
                    });
                }
                break;
            }
            if ends(next) || is_jump(next) || changes(next, compared.base, &mut facts) {
                break;
            }
            let compares = loaded.is_some() && byte_tested_for_zero(next) == loaded;
            if next.rflags_modified() != 0 {
                is_compared = compares;
            }
            let lost = loaded.is_some_and(|loaded| changes(next, loaded, &mut facts));
            if lost && !is_compared {
                break;
            }
            at = next.next_ip();
        }
    }
    found
}

/// The register that a byte is loaded into.
fn byte_loaded(instruction: &Instruction) -> Option<Register> {
    let is = matches!(instruction.code(), Code::Movzx_r32_rm8 | Code::Mov_r8_rm8)
        && instruction.op1_kind() == OpKind::Memory;
    is.then(|| low_byte(instruction.op0_register())).flatten()
}

/// The register whose lowest byte, or 4 of which, are compared with 0.
fn byte_tested_for_zero(instruction: &Instruction) -> Option<Register> {
    let operand = instruction.op0_register();
    let is = instruction.op0_kind() == OpKind::Register
        && match instruction.code() {
            Code::Test_rm8_r8 | Code::Test_rm32_r32 => operand == instruction.op1_register(),
            Code::Cmp_rm8_imm8 | Code::Cmp_AL_imm8 | Code::Cmp_rm32_imm8 => {
                instruction.immediate(1) == 0
            }
            _ => false,
        };
    is.then(|| low_byte(operand)).flatten()
}

/// The 64-bit register that one of 1 or 4 bytes is the low part of.
fn low_byte(register: Iced) -> Option<Register> {
    let high = matches!(register, Iced::AH | Iced::BH | Iced::CH | Iced::DH);
    (!high).then(|| general(register)).flatten()
}

/// 3.12+: the evaluator pops frames by `_PyEval_FrameClearAndPop(tstate, frame)`. The places that
/// `RETURN_VALUE` leads to first are that opcode's; the others are `exit_unwind`'s and those
/// of the instrumented returns. (With `Py_DEBUG` an error may come behind a return:
/// `LLTRACE_RESUME_FRAME`, `Python/ceval_macros.h`.) `with_returns`: all of them.
fn pops(
    evaluator: &Evaluator<'_>,
    registers: Registers,
    raising: &FxHashSet<u64>,
    with_returns: bool,
) -> Vec<Probe> {
    let sites = pop_sites(evaluator, registers);
    let mut returning = FxHashSet::default();
    for opcode in evaluator.opcodes.returns.iter() {
        if let Some(handler) = evaluator.table.handler(opcode.number) {
            returning.extend(sites_reached(evaluator, handler, &sites, |_| false));
        }
    }
    let others = sites
        .into_iter()
        .filter(|(address, _)| with_returns || !returning.contains(address));
    others
        .filter_map(|(address, (frame, thread_state))| {
            let site = match raising.contains(&address) {
                true => "exit_unwind",
                false => "frame_clear_and_pop",
            };
            evaluator.probe(address, Meaning::Pop { thread_state }, frame, site)
        })
        .collect()
}

/// The frame that is popped at a place, and the thread state, where a register points to that.
type Popped = (FrameSource, Option<Register>);

/// Those of these places that a handler leads to first, not going past `stop` either.
pub(super) fn sites_reached(
    evaluator: &Evaluator<'_>,
    handler: u64,
    sites: &FxHashMap<u64, Popped>,
    stop: impl Fn(u64) -> bool,
) -> FxHashSet<u64> {
    let is_site = |at: u64| sites.contains_key(&at);
    let reached = evaluator
        .flow
        .reachable(handler, |at| is_site(at) || stop(at));
    reached.into_iter().filter(|at| is_site(*at)).collect()
}

/// All places where the evaluator pops frames.
pub(super) fn pop_sites(evaluator: &Evaluator<'_>, registers: Registers) -> FxHashMap<u64, Popped> {
    let Some(function) = clear_and_pop(evaluator, registers) else {
        return FxHashMap::default();
    };
    let mut sites: FxHashMap<u64, Popped> = evaluator
        .flow
        .iter()
        .filter(|(_, instruction)| {
            (is_call(instruction) || is_jump(instruction))
                && function_address(evaluator.elf, instruction.near_branch_target()) == function
        })
        .map(|(address, _)| (address, (FrameSource::Register(RSI), Some(RDI))))
        .collect();
    for inlined in inlined_pops(evaluator, function) {
        sites.insert(inlined.branch, (FrameSource::Register(inlined.frame), None));
    }
    sites
}

/// Copies of `_PyEval_FrameClearAndPop` in line: it asks first whether a frame's owner is 0, a thread
/// (`FRAME_OWNED_BY_THREAD`), which nothing else in the evaluator does.
fn inlined_pops(evaluator: &Evaluator<'_>, function: u64) -> Vec<Comparison> {
    let Some(owner) = evaluator.frame_owner else {
        return Vec::new();
    };
    let itself = evaluator.flow.reachable(function, |_| false);
    let mut found = comparisons(&evaluator.flow, i64::from(owner));
    found.retain(|check| !itself.contains(&check.address));
    found
}

/// The one function that pops frames, where it is entered: 3.12+.
pub(super) fn pop_function(
    evaluator: &Evaluator<'_>,
    registers: Registers,
) -> Result<Probe, Problem> {
    clear_and_pop(evaluator, registers)
        .filter(|function| inlined_pops(evaluator, *function).is_empty())
        .and_then(|function| past_landing_pad(evaluator.elf, function))
        .and_then(|first| {
            let frame = FrameSource::Register(RSI);
            let site = "frame_clear_and_pop";
            let thread_state = Some(RDI);
            probe(
                evaluator.elf,
                &first,
                Meaning::Pop { thread_state },
                frame,
                site,
            )
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

#[cfg(test)]
mod tests {
    use super::super::tests::library;
    use super::*;

    /// How often a function compares the byte at 74 with 0, of the frame in r12.
    fn found(assembly: &str) -> usize {
        let source = format!(
            "__asm__(\".intel_syntax noprefix; .globl f; f: {assembly} ud2; 1: ret; \
             .att_syntax prefix\");"
        );
        let elf = library(&source, &[]);
        let function = elf.symbol("f").expect("a function").address;
        let comparisons = comparisons(&Flow::from(&elf, [function]), 74);
        assert!(comparisons.iter().all(|it| it.frame == Register(12)));
        comparisons.len()
    }

    #[test]
    fn a_byte_of_a_frame_is_compared_in_memory_or_in_a_register() {
        for assembly in [
            "cmp byte ptr [r12+74], 0; jne 1f;",
            "cmp byte ptr [r12+74], 0; mov rax, rbx; je 1f;",
            "movzx eax, byte ptr [r12+74]; test al, al; jne 1f;",
            "movzx eax, byte ptr [r12+74]; mov rdi, rbx; test eax, eax; mov eax, 1; je 1f;",
            "mov cl, byte ptr [r12+74]; cmp cl, 0; jne 1f;",
        ] {
            assert_eq!(found(assembly), 1, "{assembly}");
        }
    }

    #[test]
    fn what_else_is_done_with_that_byte_is_no_such_comparison() {
        for assembly in [
            "cmp byte ptr [r12+74], 3; jne 1f;",
            "cmp byte ptr [r12+74], 0; ja 1f;",
            "cmp byte ptr [r12+74], 0; test rbx, rbx; jne 1f;",
            "cmp byte ptr [r12+74], 0; mov r12, rbx; jne 1f;",
            "cmp byte ptr [r12+73], 0; jne 1f;",
            "movzx eax, byte ptr [r12+74]; cmp al, 1; jne 1f;",
            "movzx eax, byte ptr [rax+74]; test al, al; jne 1f;",
            "movzx eax, byte ptr [r12+74]; mov eax, ebx; test al, al; jne 1f;",
            "movzx eax, byte ptr [r12+74]; test bl, bl; jne 1f;",
            "mov byte ptr [r12+74], 0; jne 1f;",
        ] {
            assert_eq!(found(assembly), 0, "{assembly}");
        }
    }
}
