//! Where an interpreter keeps the list of all its threads' states.

use super::elf::Elf;
use super::flow::function_address;
use super::machine::{RAX, RDI, decode, is_frame_setup, is_landing_pad, load};
use super::thread_state::global;

/// How to get from the file's data to every `PyThreadState`: the interpreters are a linked
/// list, and each has a linked list of thread states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadList {
    /// Virtual address in the ELF file of the pointer to the first interpreter
    /// (`_PyRuntime.interpreters.head`; 3.6: `interp_head`).
    pub head: u64,
    /// `PyInterpreterState.next`.
    pub interpreter_next: u16,
    /// `PyInterpreterState.threads.head` (up to 3.10 `tstate_head`).
    pub interpreter_threads: u16,
    /// `PyThreadState.next`.
    pub thread_next: u16,
}

/// Reads it off the functions that CPython exports for debuggers (`Python/pystate.c`), each of
/// which returns one field. So the layout of `_PyRuntime` and `PyInterpreterState`, which patch
/// releases and build options change, need not be known.
pub(super) fn find(elf: &Elf) -> Option<ThreadList> {
    let function = |name: &str| Some(function_address(elf, elf.symbol(name)?.address));
    Some(ThreadList {
        head: global(elf, function("PyInterpreterState_Head")?)?,
        interpreter_next: field(elf, function("PyInterpreterState_Next")?)?,
        interpreter_threads: field(elf, function("PyInterpreterState_ThreadHead")?)?,
        thread_next: field(elf, function("PyThreadState_Next")?)?,
    })
}

/// The offset in a function whose first load is `mov rax, [rdi + offset]`.
fn field(elf: &Elf, function: u64) -> Option<u16> {
    /// A landing pad and the set-up of a frame pointer may come first.
    const BEFORE: usize = 4;
    let mut at = function;
    for _ in 0..BEFORE {
        let instruction = decode(elf.bytes_at(at)?, at)?;
        if let Some((to, place)) = load(&instruction) {
            let returned = to == RAX && place.base == RDI;
            return u16::try_from(place.offset).ok().filter(|_| returned);
        }
        if !is_landing_pad(&instruction) && !is_frame_setup(&instruction) {
            return None;
        }
        at = instruction.next_ip();
    }
    None
}
