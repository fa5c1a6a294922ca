//! How a thread finds its own `PyThreadState`.

use iced_x86::{Code, Instruction, OpKind, Register as Iced};

use super::elf::Elf;
use super::flow::function_address;
use super::machine::{RAX, decode, ends, is_call, is_frame_setup, is_jump, is_landing_pad, load};
use super::plan::{ThreadStateSource, Version};

/// Reads the way off the accessor functions that CPython exports.
///
/// Up to 3.11 they return `_PyRuntime.gilstate.tstate_current` (3.6: `_PyThreadState_Current`)
/// (`Python/pystate.c`); since 3.12 `_Py_tss_tstate`, a thread-local variable, which only an
/// executable has at a fixed distance from the thread pointer.
pub(super) fn find(elf: &Elf, version: Version) -> Option<ThreadStateSource> {
    let names = [
        "_PyThreadState_UncheckedGet",
        "_PyThreadState_GetCurrent",
        "PyThreadState_Get",
    ];
    names.iter().find_map(|name| {
        let function = elf.export(name)?.address;
        if version.minor >= 12 {
            thread_local(elf, function, 2)
        } else {
            global(elf, function).map(ThreadStateSource::Global)
        }
    })
}

/// `mov rax, fs:[offset]`, maybe behind a frame set-up or one call.
fn thread_local(elf: &Elf, function: u64, depth: u32) -> Option<ThreadStateSource> {
    for instruction in body(elf, function) {
        if instruction.segment_prefix() == Iced::FS
            && instruction.memory_base() == Iced::None
            && instruction.code() == Code::Mov_r64_rm64
        {
            let offset = i32::try_from(instruction.memory_displacement64() as i64).ok()?;
            return (offset < 0).then_some(ThreadStateSource::ThreadLocal(offset));
        }
        if (is_call(&instruction) || is_jump(&instruction)) && depth > 0 {
            let target = function_address(elf, instruction.near_branch_target());
            return thread_local(elf, target, depth - 1);
        }
    }
    None
}

/// The variable whose value a function returns: `mov rax, [rip + variable]`, or the same through
/// the global offset table, `mov rax, [rip + slot]`, `mov rax, [rax + offset]`.
pub(super) fn global(elf: &Elf, function: u64) -> Option<u64> {
    let mut instructions =
        body(elf, function).filter(|at| !is_landing_pad(at) && !is_frame_setup(at));
    let first = instructions.next()?;
    let reads = first.code() == Code::Mov_r64_rm64
        && first.op0_register() == Iced::RAX
        && first.op1_kind() == OpKind::Memory
        && first.is_ip_rel_memory_operand();
    if !reads {
        return None;
    }
    let address = first.ip_rel_memory_address();
    let second = instructions.next().and_then(|second| load(&second));
    let through = second.filter(|(to, place)| (*to, place.base) == (RAX, RAX));
    match (elf.imported_at(address), through) {
        (None, None) => Some(address),
        (Some(name), Some((_, place))) => {
            elf.export(name)?.address.checked_add_signed(place.offset)
        }
        // The linker has resolved the slot to a variable of this file.
        (None, Some((_, place))) => elf.pointer_at(address)?.checked_add_signed(place.offset),
        (Some(_), None) => None,
    }
}

/// A function's first instructions.
fn body(elf: &Elf, function: u64) -> impl Iterator<Item = Instruction> + '_ {
    let mut at = Some(function);
    std::iter::from_fn(move || {
        let address = at?;
        let instruction = decode(elf.bytes_at(address)?, address)?;
        at = (!ends(&instruction)).then(|| instruction.next_ip());
        Some(instruction)
    })
    .take(16)
}
