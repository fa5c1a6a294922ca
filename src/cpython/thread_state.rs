//! How a thread finds its own `PyThreadState`.

use iced_x86::{Code, Instruction, OpKind, Register as Iced};

use super::elf::Elf;
use super::flow::{function_address, function_name};
use super::machine::{
    RAX, decode, ends, is_any_call, is_call, is_frame_setup, is_jump, is_landing_pad, load, place,
};
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
        let function = elf.symbol(name)?.address;
        if version.minor >= 12 {
            thread_local(elf, function, 2)
        } else {
            global(elf, function).map(ThreadStateSource::Global)
        }
    })
}

/// What a call returned in rax.
enum Returned {
    /// The address that goes with the `tls_index` at this address.
    Block(u64),
    /// The distance from the thread pointer that goes with the descriptor at this address.
    Distance(u64),
}

/// The thread-local variable whose value a function returns, maybe through other functions, in
/// the ways that the ABI has of reaching one ("ELF Handling For Thread-Local Storage", Drepper;
/// "Thread-Local Storage Descriptors for IA32 and AMD64/EM64T", Oliva):
/// - `mov rax, fs:[offset]` in an executable (local exec);
/// - `lea rdi, [rip + index]`, `call __tls_get_addr`, `mov rax, [rax + offset]` (general and
///   local dynamic);
/// - `lea rax, [rip + descriptor]`, `call [rax]`, `mov rax, fs:[rax + offset]` (descriptors,
///   `-mtls-dialect=gnu2`).
fn thread_local(elf: &Elf, function: u64, depth: u32) -> Option<ThreadStateSource> {
    let mut argument: Option<(Iced, u64)> = None;
    let mut returned: Option<Returned> = None;
    for instruction in body(elf, function) {
        if instruction.code() == Code::Lea_r64_m && instruction.is_ip_rel_memory_operand() {
            argument = Some((
                instruction.op0_register(),
                instruction.ip_rel_memory_address(),
            ));
        } else if instruction.code() == Code::Mov_r64_rm64
            && instruction.op1_kind() == OpKind::Memory
            && let Some(source) = variable(&instruction, returned.as_ref())
        {
            return glibc_if_dynamic(elf, source);
        } else if is_any_call(&instruction) || is_jump(&instruction) {
            match argument {
                Some((Iced::RDI, index)) if calls_tls_get_addr(elf, &instruction) => {
                    returned = Some(Returned::Block(index));
                }
                Some((Iced::RAX, descriptor)) if calls_descriptor(&instruction) => {
                    returned = Some(Returned::Distance(descriptor));
                }
                _ if depth > 0 && !instruction.is_call_near_indirect() => {
                    let target = function_address(elf, instruction.near_branch_target());
                    return thread_local(elf, target, depth - 1);
                }
                _ => return None,
            }
        }
    }
    None
}

/// The thread-local variable that `mov register, [memory]` reads, if it does.
fn variable(instruction: &Instruction, returned: Option<&Returned>) -> Option<ThreadStateSource> {
    let displacement = i32::try_from(instruction.memory_displacement64() as i64).ok()?;
    let plain = instruction.memory_index() == Iced::None;
    let thread_pointer = instruction.segment_prefix() == Iced::FS;
    match (thread_pointer, instruction.memory_base(), returned) {
        _ if !plain => None,
        (true, Iced::None, _) => {
            (displacement < 0).then_some(ThreadStateSource::ThreadLocal(displacement))
        }
        (false, Iced::RAX, Some(&Returned::Block(index))) => Some(ThreadStateSource::Indexed {
            index,
            offset: displacement,
        }),
        (true, Iced::RAX, Some(&Returned::Distance(descriptor))) => {
            Some(ThreadStateSource::Described {
                descriptor,
                offset: displacement,
            })
        }
        _ => None,
    }
}

/// How the dynamic linker keeps the blocks of thread-local storage is its own affair: the kernel
/// programs know glibc's way. musl's vector of them (`fs:[8]` as well; `__tls_get_addr` in
/// `src/thread/__tls_get_addr.c`) has entries of 8 bytes, not 16.
fn glibc_if_dynamic(elf: &Elf, source: ThreadStateSource) -> Option<ThreadStateSource> {
    let known = match source {
        ThreadStateSource::Global(_) | ThreadStateSource::ThreadLocal(_) => true,
        ThreadStateSource::Indexed { .. } | ThreadStateSource::Described { .. } => {
            elf.needed().iter().any(|library| library == "libc.so.6")
        }
    };
    known.then_some(source)
}

/// `call __tls_get_addr`, through the procedure linkage table or the slot it would use.
fn calls_tls_get_addr(elf: &Elf, instruction: &Instruction) -> bool {
    let name = if is_call(instruction) {
        function_name(elf, instruction.near_branch_target())
    } else if instruction.is_call_near_indirect() && instruction.is_ip_rel_memory_operand() {
        elf.imported_at(instruction.ip_rel_memory_address())
    } else {
        None
    };
    name == Some("__tls_get_addr")
}

/// `call [rax]`.
fn calls_descriptor(instruction: &Instruction) -> bool {
    let through = place(instruction).map(|place| (place.base, place.offset));
    instruction.is_call_near_indirect() && through == Some((RAX, 0))
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
            elf.symbol(name)?.address.checked_add_signed(place.offset)
        }
        // The linker has resolved the slot to a variable of this file.
        (None, Some((_, place))) => elf.pointer_at(address)?.checked_add_signed(place.offset),
        (Some(_), None) => None,
    }
}

/// A function's first instructions.
pub(super) fn body(elf: &Elf, function: u64) -> impl Iterator<Item = Instruction> + '_ {
    let mut at = Some(function);
    std::iter::from_fn(move || {
        let address = at?;
        let instruction = decode(elf.bytes_at(address)?, address)?;
        at = (!ends(&instruction)).then(|| instruction.next_ip());
        Some(instruction)
    })
    .take(16)
}

#[cfg(test)]
mod tests;
