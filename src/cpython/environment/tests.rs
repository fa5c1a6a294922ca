//! Of what is followed through instructions.

use super::*;
use crate::cpython::machine::{RAX, RDI, RDX, RSI, decode};

const RBX: Register = Register(3);
const R15: Register = Register(15);

/// The environment after straight code.
fn after(mut bytes: &[u8]) -> Environment {
    let mut facts = InstructionInfoFactory::new();
    let mut environment = Environment::new();
    while !bytes.is_empty() {
        let instruction = decode(bytes, 0x1000).expect("a valid instruction");
        environment.step(&instruction, &mut facts);
        bytes = &bytes[instruction.len()..];
    }
    environment
}

#[test]
fn a_value_is_followed_through_copies_and_sums() {
    // mov rbx, rdi; lea rax, [rbx+8]; add rax, 2; sub rax, 4
    let code = b"\x48\x89\xfb\x48\x8d\x43\x08\x48\x83\xc0\x02\x48\x83\xe8\x04";
    let environment = after(code);
    assert_eq!(environment.copy_of(RDI), Some(RBX));
    let rax = environment
        .get(RAX)
        .map(|value| (value.origin, value.delta));
    assert_eq!(rax, Some((RDI.into(), 6)));
}

#[test]
fn a_call_leaves_only_what_functions_restore() {
    // mov rbx, rdi; mov r15, rsi; call
    let environment = after(b"\x48\x89\xfb\x49\x89\xf7\xe8\x00\x00\x00\x00");
    assert_eq!(environment.copy_of(RDI), Some(RBX));
    assert_eq!(environment.copy_of(RSI), Some(R15));
    assert_eq!(environment.get(RDI), None);
}

#[test]
fn half_a_copy_is_none() {
    // mov ebx, edx
    let environment = after(b"\x89\xd3\x31\xd2");
    assert_eq!(environment.copy_of(RDX), None);
    assert_eq!(environment.int_copy_of(RDX), Some(RBX));
}

#[test]
fn a_value_is_found_again_on_the_stack() {
    // mov [rbp-0x20], edx; mov [rbp-0x30], rdi; mov rax, [rbp-0x30]; mov rbx, [rbp-0x40]
    let code = b"\x89\x55\xe0\x48\x89\x7d\xd0\x48\x8b\x45\xd0\x48\x8b\x5d\xc0";
    let environment = after(code);
    assert!(environment.holds(RAX, RDI, 0));
    let slot = |offset| Place { base: RBP, offset };
    assert!(environment.holds(RBX, Origin::Slot(slot(-0x40)), 0));
    let flag = environment.get_slot(slot(-0x20)).expect("a value");
    assert!(flag.origin == RDX && flag.cut);
    let source = FrameSource::Stack {
        base: RBP,
        offset: -0x48,
    };
    assert_eq!(
        environment.source_of(Origin::Slot(slot(-0x48))),
        Some(source)
    );
    assert_eq!(environment.source_of(Origin::Slot(slot(-0x30))), None);
}

#[test]
fn what_is_overwritten_on_the_stack_is_lost() {
    // movups [rbp-0x38], xmm0; mov byte [rbp-0x41], 0
    let environment = after(b"\x0f\x11\x45\xc8\xc6\x45\xbf\x00");
    let known = |offset| environment.get_slot(Place { base: RBP, offset });
    for lost in [-0x30, -0x38, -0x48] {
        assert_eq!(known(lost), None, "{lost:x}");
    }
    for kept in [-0x28, -0x40, -0x50] {
        assert!(known(kept).is_some(), "{kept:x}");
    }
}

#[test]
fn slots_of_two_bases_may_be_the_same() {
    let known = |code, base, offset| after(code).get_slot(Place { base, offset }).is_some();
    // mov [rsp+8], rdi
    let code = b"\x48\x89\x7c\x24\x08";
    assert!(known(code, RSP, 8) && known(code, RSP, 16));
    assert!(!known(code, RBP, -0x20));
    // mov [rbp-0x20], rdi
    let code = b"\x48\x89\x7d\xe0";
    assert!(known(code, RBP, -0x20) && known(code, RBP, -0x28));
    assert!(!known(code, RSP, 8));
    // mov [rbp-0x20], rdi; mov [rsp+8], rdi
    let code = b"\x48\x89\x7d\xe0\x48\x89\x7c\x24\x08";
    assert!(!known(code, RBP, -0x20) && !known(code, RSP, 8));
    // push rdi
    assert!(known(b"\x57", RBP, -0x20) && known(b"\x57", RSP, 8));
    // push rbp; mov rbp, rsp; mov [rbp-0x20], rdi
    let code = b"\x55\x48\x89\xe5\x48\x89\x7d\xe0";
    assert!(known(code, RBP, -0x20) && known(code, RSP, 8));
}

#[test]
fn ints_lie_side_by_side() {
    let known = |code| {
        let place = Place {
            base: RBP,
            offset: -0x20,
        };
        after(code).get_slot(place).is_some()
    };
    // mov [rbp-0x20], edi; mov [rbp-0x1c], esi
    assert!(known(b"\x89\x7d\xe0\x89\x75\xe4"));
    // mov [rbp-0x20], rdi; mov [rbp-0x1c], esi
    assert!(!known(b"\x48\x89\x7d\xe0\x89\x75\xe4"));
    // mov [rbp-0x20], edi; mov byte ptr [rbp-0x1d], 0
    assert!(!known(b"\x89\x7d\xe0\xc6\x45\xe3\x00"));
}

#[test]
fn what_may_be_written_anywhere_is_not_known() {
    let known = |code, base, offset| after(code).get_slot(Place { base, offset }).is_some();
    // mov [rsp+rax*8+0x20], rdi
    assert!(!known(b"\x48\x89\x7c\xc4\x20", RSP, 8));
    // lea rdi, [rbp-0x80]; rep stosq
    assert!(!known(b"\x48\x8d\x7d\x80\xf3\x48\xab", RBP, -0x20));
    // and rsp, -32; push rdi
    assert!(!known(b"\x48\x83\xe4\xe0\x57", RBP, -0x20));
    // mov [rsi+rax*8+0x20], rdi: not the stack
    assert!(known(b"\x48\x89\x7c\xc6\x20", RSP, 8));
}

#[test]
fn a_push_moves_what_rsp_points_to() {
    // push rax; mov rbx, [rsp+0x18]
    let environment = after(b"\x50\x48\x8b\x5c\x24\x18");
    let slot = Place {
        base: RSP,
        offset: 0x10,
    };
    assert!(environment.holds(RBX, Origin::Slot(slot), 0));
}
