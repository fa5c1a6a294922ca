//! Whether an interpreter has a JIT (3.14+), and whether that is on.

use std::fmt;

use iced_x86::{Code, Instruction, OpKind};

use super::derive::past_landing_pad;
use super::elf::Elf;
use super::flow::Flow;
use super::interpreter::Interpreter;
use super::machine::{RAX, decode, ends, is_any_call, is_conditional, successor, tested_for_zero};

/// What a build does where `PYTHON_JIT` says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jit {
    /// It has no JIT.
    None,
    /// It compiles nothing (`--enable-experimental-jit=yes-off`).
    Off,
    /// It compiles what is hot.
    On,
    /// Either: only those pay for it who have such a build.
    Unknown,
}

impl Jit {
    /// Whether a process compiles, in whose environment `PYTHON_JIT` has this value; `None`: it has
    /// none, or it is ignored (`-E`, `-I`).
    ///
    /// `init_interp_main()`, `Python/pylifecycle.c`.
    pub fn is_on(self, variable: Option<&[u8]>) -> bool {
        match (self, variable) {
            (Jit::None, _) => false,
            (default, None | Some([])) => default != Jit::Off,
            (_, Some([first, ..])) => *first != b'0',
        }
    }
}

impl fmt::Display for Jit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Jit::None => "none",
            Jit::Off => "off, unless PYTHON_JIT=1",
            Jit::On => "on, unless PYTHON_JIT=0",
            Jit::Unknown => "taken to be on, unless PYTHON_JIT=0",
        })
    }
}

impl Interpreter {
    /// Its JIT.
    pub fn jit(&self) -> Jit {
        if self.compiler().is_none() {
            return Jit::None;
        }
        match is_on_by_default(self.elf()) {
            Some(false) => Jit::Off,
            Some(true) => Jit::On,
            None => Jit::Unknown,
        }
    }

    /// Offset in the file of where it has code compiled: `_PyOptimizer_Optimize()`,
    /// `Python/optimizer.c`.
    pub(super) fn compiler(&self) -> Option<u64> {
        // Free-threaded builds compile nothing (`Python/optimizer.c`, 3.15).
        if self.version().minor < 14 || self.free_threaded() {
            return None;
        }
        let elf = self.elf();
        let function = elf.symbol("_PyOptimizer_Optimize")?.address;
        elf.file_offset(past_landing_pad(elf, function)?.ip())
    }
}

/// What becomes of `interp->jit` where `getenv("PYTHON_JIT")` finds nothing: a build whose JIT is off
/// by default leaves it alone, others set it, unless they are profiled by perf
/// (`init_interp_main()`).
fn is_on_by_default(elf: &Elf) -> Option<bool> {
    let asks = asks_for_variable(elf)?;
    let flow = Flow::from(elf, [asks]);
    let mut at = asks;
    for _ in 0..8 {
        let instruction = flow.get(at)?;
        if is_conditional(instruction) {
            let before = flow.get(*flow.predecessors(at).first()?)?;
            let without = match (
                tested_for_zero(before)? == RAX,
                instruction.condition_code(),
            ) {
                (true, iced_x86::ConditionCode::ne) => instruction.next_ip(),
                (true, iced_x86::ConditionCode::e) => instruction.near_branch_target(),
                _ => return None,
            };
            return Some(sets_a_byte(&flow, without));
        }
        at = successor(instruction);
    }
    None
}

/// Whether 1 is stored as a byte before anything is called, other than to warn.
fn sets_a_byte(flow: &Flow, start: u64) -> bool {
    /// From the test to the store, at most.
    const STEPS: usize = 24;
    let mut pending = vec![(start, 0)];
    while let Some((at, steps)) = pending.pop() {
        let Some(instruction) = flow.get(at) else {
            continue;
        };
        let is_store = instruction.code() == Code::Mov_rm8_imm8
            && instruction.op0_kind() == OpKind::Memory
            && instruction.immediate8() == 1;
        if is_store {
            return true;
        }
        if steps < STEPS && !is_any_call(instruction) && !ends(instruction) {
            pending.extend(
                flow.successors(at)
                    .into_iter()
                    .map(|next| (next, steps + 1)),
            );
        }
    }
    false
}

/// The instruction behind which `getenv("PYTHON_JIT")` is called: the one that loads the name's
/// address.
fn asks_for_variable(elf: &Elf) -> Option<u64> {
    const NAME: &[u8] = b"\0PYTHON_JIT\0";
    let name = elf.sections().iter().find_map(|section| {
        if !section.alloc || section.executable {
            return None;
        }
        let bytes = elf.section_bytes(section);
        let at = bytes.windows(NAME.len()).position(|it| it == NAME)?;
        section.address.checked_add(at as u64 + 1)
    })?;
    let code = elf.sections().iter().filter(|it| it.alloc && it.executable);
    for section in code {
        let bytes = elf.section_bytes(section);
        for at in 0..bytes.len() {
            // `mov edi, address`, `lea rdi, [rip + distance]`
            if !matches!(bytes.get(at..), Some([0xbf, ..] | [0x48, 0x8d, 0x3d, ..])) {
                continue;
            }
            let address = section.address.wrapping_add(at as u64);
            let found = bytes.get(at..).and_then(|bytes| decode(bytes, address));
            if found.is_some_and(|instruction| loads(&instruction, name)) {
                return Some(address);
            }
        }
    }
    None
}

fn loads(instruction: &Instruction, address: u64) -> bool {
    match instruction.code() {
        Code::Mov_r32_imm32 => u64::from(instruction.immediate32()) == address,
        Code::Lea_r64_m => {
            instruction.is_ip_rel_memory_operand() && instruction.ip_rel_memory_address() == address
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_overrides_the_default() {
        for (jit, variable, on) in [
            (Jit::None, Some(&b"1"[..]), false),
            (Jit::Off, None, false),
            (Jit::Off, Some(b""), false),
            (Jit::Off, Some(b"0"), false),
            (Jit::Off, Some(b"1"), true),
            (Jit::Off, Some(b"no"), true),
            (Jit::On, None, true),
            (Jit::On, Some(b""), true),
            (Jit::On, Some(b"01"), false),
            (Jit::On, Some(b"1"), true),
            (Jit::Unknown, None, true),
            (Jit::Unknown, Some(b"0"), false),
        ] {
            assert_eq!(jit.is_on(variable), on, "{jit:?} {variable:?}");
        }
    }
}
