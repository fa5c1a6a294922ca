//! Where an interpreter can be asked for something before it runs the user's program (3.12+).

use iced_x86::{Code, Instruction, Register as Iced};
use rustc_hash::FxHashSet;

use super::derive::past_landing_pad;
use super::elf::Elf;
use super::flow::function_address;

/// Where the main thread is about to run the user's program, everything being initialised and the GIL its
/// own: `Py_RunMain()` (`Modules/main.c`), which takes no arguments. A function that is called there and
/// returns there leaves no trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Virtual address in the ELF file of its first instruction, `endbr64` aside.
    pub address: u64,
    /// Offset in the file of that.
    pub offset: u64,
    /// Virtual address of the instruction behind it.
    pub next: u64,
    /// Virtual address of `int PyRun_SimpleString(const char *)` (`Python/pythonrun.c`).
    pub run_string: u64,
    /// Virtual address of a `ret` without operand.
    pub ret: u64,
    /// Offsets in the file of where another interpreter is made in the process, which is none that was
    /// asked: `Py_NewInterpreterFromConfig()` and `Py_NewInterpreter()` (`Python/pylifecycle.c`).
    pub others: [u64; 2],
}

impl Ready {
    /// Finds it.
    pub(super) fn find(elf: &Elf) -> Option<Ready> {
        let function = elf.symbol("Py_RunMain")?.address;
        let first = past_landing_pad(elf, function)?;
        let offset = |name| {
            let first = past_landing_pad(elf, elf.symbol(name)?.address)?;
            elf.file_offset(first.ip())
        };
        // Where it is short, compilers rather copy it into its caller.
        if !makes_room(&first) || !is_called(elf, function) {
            return None;
        }
        Some(Ready {
            address: first.ip(),
            offset: elf.file_offset(first.ip())?,
            next: first.next_ip(),
            run_string: elf.symbol("PyRun_SimpleString")?.address,
            ret: ret_behind(elf, first.ip())?,
            others: [
                offset("Py_NewInterpreterFromConfig")?,
                offset("Py_NewInterpreter")?,
            ],
        })
    }
}

/// Whether it may be executed twice: all that it does is to make room on the stack, or to save a register
/// there.
fn makes_room(instruction: &Instruction) -> bool {
    match instruction.code() {
        Code::Push_r64 => true,
        Code::Sub_rm64_imm8 | Code::Sub_rm64_imm32 => instruction.op0_register() == Iced::RSP,
        _ => false,
    }
}

/// Whether a call or a jump goes to a function.
fn is_called(elf: &Elf, function: u64) -> bool {
    const CALL_OR_JUMP: [u8; 2] = [0xe8, 0xe9];
    let targets = elf.code().flat_map(|(start, code)| {
        code.windows(5).zip(start..).filter_map(|(bytes, at)| {
            let (opcode, distance) = bytes.split_first()?;
            let distance = i32::from_le_bytes(*distance.first_chunk()?);
            let target = at.wrapping_add(5).wrapping_add_signed(distance.into());
            CALL_OR_JUMP.contains(opcode).then_some(target)
        })
    });
    let mut others = FxHashSet::default();
    for target in targets {
        if target == function {
            return true;
        }
        others.insert(target);
    }
    // By way of a PLT.
    others
        .into_iter()
        .any(|target| function_address(elf, target) == function)
}

/// The next byte in the code that is a `ret`, be it a part of another instruction.
fn ret_behind(elf: &Elf, address: u64) -> Option<u64> {
    const RET: u8 = 0xc3;
    let bytes = elf.bytes_at(address)?;
    let distance = bytes.iter().position(|byte| *byte == RET)?;
    let found = address.checked_add(distance as u64)?;
    elf.is_code(found).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::super::tests::library;
    use super::*;

    /// What is found in a library whose `Py_RunMain` begins with this assembly.
    fn found(assembly: &str) -> Option<Ready> {
        found_where(assembly, "call Py_RunMain")
    }

    /// The same where another function has this.
    fn found_where(assembly: &str, caller: &str) -> Option<Ready> {
        let source = format!(
            "int PyRun_SimpleString(const char *s) {{ return !s; }}
             void Py_NewInterpreterFromConfig(void) {{ }}
             void *Py_NewInterpreter(void) {{ return 0; }}
             __asm__(\".intel_syntax noprefix; .globl Py_RunMain; Py_RunMain: {assembly} ret; \
             .globl pymain; pymain: {caller}; ret; \
             .att_syntax prefix\");"
        );
        Ready::find(&library(&source, &[]))
    }

    #[test]
    fn it_is_found_where_its_first_instruction_may_be_executed_twice() {
        for (assembly, pad, length) in [
            ("push rbp;", 0, 1),
            ("push r15;", 0, 2),
            ("sub rsp, 24;", 0, 4),
            ("sub rsp, 312;", 0, 7),
            ("endbr64; push rbp;", 4, 1),
        ] {
            let ready = found(assembly).expect(assembly);
            assert_eq!(ready.next - ready.address, length, "{assembly}");
            assert_eq!(ready.address % 4, pad % 4, "{assembly}");
            assert!(ready.ret >= ready.next, "{assembly}");
        }
    }

    #[test]
    fn what_nobody_calls_is_of_no_use() {
        assert!(found_where("push rbp;", "call Py_RunMain").is_some());
        assert_eq!(found_where("push rbp;", "xor eax, eax"), None);
    }

    #[test]
    fn other_beginnings_are_left_alone() {
        for assembly in [
            "xor eax, eax;",
            "mov [rip], eax;",
            "sub rax, 8;",
            "call 1f; 1:",
        ] {
            assert_eq!(found(assembly), None, "{assembly}");
        }
    }
}
