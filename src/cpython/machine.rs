//! x86-64 as far as placing a probe needs it: decoding, and which instructions the kernel
//! emulates.

use iced_x86::{
    Code, Decoder, DecoderOptions, FastFormatter, Instruction, InstructionInfoFactory, Mnemonic,
    OpAccess, OpKind, Register as Iced,
};

use super::plan::Register;

pub(super) const RAX: Register = Register(0);
pub(super) const RCX: Register = Register(1);
pub(super) const RDX: Register = Register(2);
pub(super) const RSP: Register = Register(4);
pub(super) const RBP: Register = Register(5);
pub(super) const RSI: Register = Register(6);
pub(super) const RDI: Register = Register(7);

/// What a function may change that it need not restore (System V ABI).
pub(super) const CALLER_SAVED: [Register; 9] = [
    RAX,
    RCX,
    RDX,
    RSI,
    RDI,
    Register(8),
    Register(9),
    Register(10),
    Register(11),
];

/// Whether a called function must restore the register (System V ABI).
pub(super) fn callee_saved(register: Register) -> bool {
    !CALLER_SAVED.contains(&register) && register != RSP
}

/// The 64-bit register that `register` is (part of), if it is a general-purpose one.
pub(super) fn general(register: Iced) -> Option<Register> {
    let full = register.full_register();
    full.is_gpr64().then(|| Register(full.number() as u8))
}

/// Decodes one instruction at the start of `bytes`, which lie at `address`.
pub(super) fn decode(bytes: &[u8], address: u64) -> Option<Instruction> {
    // Hand over no more than an instruction's greatest length: the decoder needs no more.
    let bytes = bytes.get(..bytes.len().min(15))?;
    let mut decoder = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE);
    let instruction = decoder.decode();
    (!instruction.is_invalid()).then_some(instruction)
}

/// Whether the kernel emulates the instruction under a uprobe instead of single-stepping a
/// copy of it, which costs some twenty times as much (`branch_setup_xol_ops` and
/// `push_setup_xol_ops` in Linux's `arch/x86/kernel/uprobes.c`, 6.1).
pub(super) fn emulated(instruction: &Instruction) -> bool {
    match instruction.code() {
        // Jumps and calls with an operand-size prefix decode to a code of their own.
        Code::Jmp_rel8_64 | Code::Jmp_rel32_64 | Code::Call_rel32_64 | Code::Nopd => true,
        Code::Push_r64 => instruction.len() <= 2,
        _ => is_conditional(instruction),
    }
}

/// A conditional jump (not `loop`, not `jrcxz`).
pub(super) fn is_conditional(instruction: &Instruction) -> bool {
    instruction.is_jcc_short_or_near()
}

/// Where execution goes on behind an instruction that does not end its path: a jump's target, else
/// the next instruction.
pub(super) fn successor(instruction: &Instruction) -> u64 {
    if is_jump(instruction) {
        instruction.near_branch_target()
    } else {
        instruction.next_ip()
    }
}

/// A jump to an address in the instruction.
pub(super) fn is_jump(instruction: &Instruction) -> bool {
    instruction.is_jmp_short_or_near()
}

/// A call of an address in the instruction.
pub(super) fn is_call(instruction: &Instruction) -> bool {
    instruction.is_call_near()
}

/// Any call.
pub(super) fn is_any_call(instruction: &Instruction) -> bool {
    instruction.is_call_near() || instruction.is_call_near_indirect()
}

/// `endbr64`, where indirect jumps may land (CET).
pub(super) fn is_landing_pad(instruction: &Instruction) -> bool {
    instruction.code() == Code::Endbr64
}

/// The instruction as people read it.
pub(super) fn disassemble(instruction: &Instruction) -> String {
    let mut formatter = FastFormatter::new();
    let options = formatter.options_mut();
    options.set_space_after_operand_separator(true);
    options.set_use_hex_prefix(true);
    let mut text = String::new();
    formatter.format(instruction, &mut text);
    text
}

/// A memory operand without an index: `[base + displacement]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// Base register.
    pub(super) base: Register,
    /// Displacement in bytes.
    pub(super) offset: i64,
}

/// The instruction's memory operand, when it is a plain `[base + displacement]`.
pub(super) fn place(instruction: &Instruction) -> Option<Place> {
    let plain = instruction.memory_index() == Iced::None
        && instruction.segment_prefix() == Iced::None
        && !instruction.is_ip_rel_memory_operand();
    let base = instruction.memory_base();
    (plain && base.is_gpr64()).then(|| Place {
        base: Register(base.number() as u8),
        offset: instruction.memory_displacement64() as i64,
    })
}

/// `mov [place], register` of a whole 8-byte register.
pub(super) fn store(instruction: &Instruction) -> Option<(Place, Register)> {
    let is = instruction.code() == Code::Mov_rm64_r64 && instruction.op0_kind() == OpKind::Memory;
    let register = is.then(|| general(instruction.op1_register())).flatten()?;
    Some((place(instruction)?, register))
}

/// `mov register, [place]` of 8 bytes.
pub(super) fn load(instruction: &Instruction) -> Option<(Register, Place)> {
    let is = instruction.code() == Code::Mov_r64_rm64 && instruction.op1_kind() == OpKind::Memory;
    let register = is.then(|| general(instruction.op0_register())).flatten()?;
    Some((register, place(instruction)?))
}

/// `push rbp` or `mov rbp, rsp`: a function built with frame pointers begins so.
pub(super) fn is_frame_setup(instruction: &Instruction) -> bool {
    let (to, from) = (instruction.op0_register(), instruction.op1_register());
    match instruction.mnemonic() {
        Mnemonic::Push => to == Iced::RBP,
        Mnemonic::Mov => to == Iced::RBP && from == Iced::RSP,
        _ => false,
    }
}

/// `test register, register` of one and the same register, of 4 or 8 bytes.
pub(super) fn tested_for_zero(instruction: &Instruction) -> Option<Register> {
    let whole = matches!(
        instruction.code(),
        Code::Test_rm64_r64 | Code::Test_rm32_r32
    );
    let same = instruction.op0_kind() == OpKind::Register
        && instruction.op0_register() == instruction.op1_register();
    (whole && same)
        .then(|| general(instruction.op0_register()))
        .flatten()
}

/// Whether an instruction changes a register.
pub(super) fn changes(
    instruction: &Instruction,
    register: Register,
    facts: &mut InstructionInfoFactory,
) -> bool {
    if is_any_call(instruction) {
        return !callee_saved(register);
    }
    facts
        .info(instruction)
        .used_registers()
        .iter()
        .any(|used| writes(used.access()) && general(used.register()) == Some(register))
}

pub(super) fn writes(access: OpAccess) -> bool {
    matches!(
        access,
        OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
    )
}

/// Whether execution never passes the instruction.
pub(super) fn ends(instruction: &Instruction) -> bool {
    matches!(
        instruction.mnemonic(),
        Mnemonic::Ret | Mnemonic::Retf | Mnemonic::Ud2 | Mnemonic::Hlt | Mnemonic::Int3
    ) || instruction.is_jmp_near_indirect()
        || instruction.is_jmp_far()
        || instruction.is_jmp_far_indirect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RBX: Register = Register(3);
    const R15: Register = Register(15);

    fn one(bytes: &[u8]) -> Instruction {
        decode(bytes, 0x1000).expect("a valid instruction")
    }

    #[test]
    fn the_kernel_emulates_branches_and_pushes_only() {
        let emulates: [&[u8]; 8] = [
            b"\x74\x10",                 // je short
            b"\x0f\x8e\x00\x01\x00\x00", // jle near
            b"\xeb\x10",                 // jmp short
            b"\xe9\x00\x01\x00\x00",     // jmp near
            b"\xe8\x00\x01\x00\x00",     // call
            b"\x55",                     // push rbp
            b"\x41\x57",                 // push r15
            b"\x90",                     // nop
        ];
        let steps: [&[u8]; 7] = [
            b"\xf3\x0f\x1e\xfa",         // endbr64
            b"\x48\x89\xfb",             // mov rbx, rdi
            b"\xff\xe0",                 // jmp rax
            b"\xff\x15\x00\x01\x00\x00", // call [rip + 0x100]
            b"\xe3\x10",                 // jrcxz
            b"\xc3",                     // ret
            b"\x5d",                     // pop rbp
        ];
        for bytes in emulates {
            assert!(emulated(&one(bytes)), "{bytes:x?}");
        }
        for bytes in steps {
            assert!(!emulated(&one(bytes)), "{bytes:x?}");
        }
    }

    #[test]
    fn a_store_is_known_with_any_base() {
        // mov [rbx+0x38], r15; mov [r12+0x38], r15
        for (bytes, base) in [
            (&b"\x4c\x89\x7b\x38"[..], RBX),
            (b"\x4d\x89\x7c\x24\x38", Register(12)),
        ] {
            let expected = Some((Place { base, offset: 0x38 }, R15));
            assert_eq!(store(&one(bytes)), expected);
        }
        // mov [rbx+rax*8+0x38], r15
        assert_eq!(store(&one(b"\x4c\x89\x7c\xc3\x38")), None);
    }
}
