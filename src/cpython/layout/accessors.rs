//! What a build shows of its objects in its own code: functions that every CPython exports return a
//! field each.

use iced_x86::{Code, Instruction, InstructionInfoFactory, Register as Iced};

use super::Layout;
use crate::cpython::elf::Elf;
use crate::cpython::machine::{RDI, changes, general, is_any_call, load};
use crate::cpython::plan::{Register, ThreadStateSource, Version};
use crate::cpython::thread_state::{self, body};

/// A layout with what `PyThreadState_GetFrame` and `PyFrame_GetCode` read (3.9 to 3.12;
/// `Python/pystate.c`, `Objects/frameobject.c`). A compiler may have given them a shape in which
/// nothing is recognised: that shows nothing.
pub(super) fn frames(elf: &Elf, mut layout: Layout) -> Layout {
    let frame = chain(elf, "PyThreadState_GetFrame", Some(RDI)).offsets;
    layout.tstate_frame = frame.first().copied().unwrap_or(layout.tstate_frame);
    if let (Some(cframe_frame), Some(shown)) = (&mut layout.cframe_frame, frame.get(1)) {
        *cframe_frame = *shown;
    }
    // Since 3.11 a frame object only points to the frame.
    if layout.methods.is_none() {
        let code = chain(elf, "PyFrame_GetCode", Some(RDI)).offsets;
        layout.frame_code = code.get(1).copied().unwrap_or(layout.frame_code);
    }
    layout
}

/// A layout with what `PyErr_Occurred` reads (`Python/errors.c`), likewise.
pub(super) fn exception(elf: &Elf, version: Version, mut layout: Layout) -> Layout {
    let chain = chain(elf, "PyErr_Occurred", None);
    let tstate = thread_state::find(elf, version).and_then(ThreadStateSource::address);
    let is_direct = chain.variable.is_some() && chain.variable == tstate;
    layout.tstate_exception = match (layout.frame_owner, chain.offsets.as_slice()) {
        // Since 3.12 it is an instance, whose `ob_type` is returned. The thread state is a
        // thread-local variable.
        (Some(_), [shown]) => *shown,
        (Some(_), [shown, returned]) if *returned == layout.ob_type => *shown,
        (None, [shown]) if is_direct => *shown,
        // The variable's address was read first.
        (None, [_, shown]) if !is_direct => *shown,
        _ => layout.tstate_exception,
    };
    layout
}

/// The fields that a function reads one through the other.
#[derive(Debug, Default)]
struct Chain {
    /// The global variable that it starts with.
    variable: Option<u64>,
    offsets: Vec<u16>,
}

/// Follows a function's reads: the first is of what `start` points to; without one, of what it
/// reads first of the program's data, or where a function that it called says.
fn chain(elf: &Elf, function: &str, start: Option<Register>) -> Chain {
    let mut facts = InstructionInfoFactory::new();
    let mut chain = Chain::default();
    let Some(symbol) = elf.symbol(function) else {
        return chain;
    };
    let mut pointer = start;
    for instruction in body(elf, symbol.address) {
        let field = load(&instruction).filter(|(_, at)| pointer.is_none_or(|it| it == at.base));
        if is_any_call(&instruction) {
            if start.is_some() {
                break;
            }
            (pointer, chain) = (None, Chain::default());
        } else if let Some((to, at)) = field {
            if pointer.is_some() {
                let Ok(offset) = u16::try_from(at.offset) else {
                    break;
                };
                chain.offsets.push(offset);
            }
            pointer = Some(to);
        } else if let Some(to) = loaded_from_data(&instruction).filter(|_| start.is_none()) {
            let variable = instruction
                .is_ip_rel_memory_operand()
                .then(|| instruction.ip_rel_memory_address());
            (pointer, chain) = (
                Some(to),
                Chain {
                    variable,
                    offsets: Vec::new(),
                },
            );
        } else if pointer.is_some_and(|it| changes(&instruction, it, &mut facts)) {
            break;
        }
    }
    chain
}

/// `mov register, [variable]`, be that a global or a thread-local one.
fn loaded_from_data(instruction: &Instruction) -> Option<Register> {
    let variable =
        instruction.is_ip_rel_memory_operand() || instruction.segment_prefix() == Iced::FS;
    (instruction.code() == Code::Mov_r64_rm64 && variable)
        .then(|| general(instruction.op0_register()))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpython::layout::Gil;
    use crate::cpython::tests::library;

    const SOURCE: &str = "
        struct type { long padding[3]; char *name; };
        struct object { long references; struct type *type; };
        struct code { long padding[11]; };
        struct frame { long padding[3]; struct code *code; };
        struct cframe { long padding[2]; struct frame *current; };
        struct tstate { long padding[5]; struct cframe *cframe; long more[7]; struct object *raised; };
        struct frame_object { long padding[3]; struct frame *frame; };
        static STORAGE struct tstate *current;

        struct tstate *_PyThreadState_UncheckedGet(void) { return current; }
        void set(struct tstate *tstate) { current = tstate; }
        void *PyThreadState_GetFrame(struct tstate *tstate)
        {
            struct frame *frame = tstate->cframe->current;
            return frame ? frame->code : 0;
        }
        void *PyFrame_GetCode(struct frame_object *frame)
        {
            struct code *code = frame->frame->code;
            code->padding[0]++;
            return code;
        }
        void *PyErr_Occurred(void) { return CHECK current->raised RESULT; }
    ";

    fn shown(minor: u8, arguments: &[&str]) -> (u16, Option<u16>, u16, u16) {
        let elf = library(SOURCE, arguments);
        let version = Version {
            major: 3,
            minor,
            micro: None,
        };
        let measured = Layout::of(version, Gil::With).expect("supported");
        let layout = exception(&elf, version, frames(&elf, measured));
        (
            layout.tstate_frame,
            layout.cframe_frame,
            layout.frame_code,
            layout.tstate_exception,
        )
    }

    #[test]
    fn the_fields_that_accessors_return_are_where_they_read_them() {
        let global = ["-DSTORAGE=", "-DCHECK=", "-DRESULT="];
        let checked = ["-DSTORAGE=", "-DCHECK=!current ? 0 :", "-DRESULT="];
        for arguments in [global, checked] {
            assert_eq!(shown(11, &arguments), (40, Some(16), 24, 104));
        }
        // The exception is an instance: its type is returned.
        for storage in ["-DSTORAGE=", "-DSTORAGE=__thread"] {
            let instance = [storage, "-DCHECK=!current->raised ? 0 :", "-DRESULT=->type"];
            assert_eq!(shown(12, &instance), (40, Some(16), 24, 104), "{storage}");
        }
    }

    #[test]
    fn an_accessor_of_another_shape_shows_nothing() {
        let other = ["-DSTORAGE=", "-DCHECK=", "-DRESULT=->type->name"];
        for minor in [11, 12] {
            let version = Version {
                major: 3,
                minor,
                micro: None,
            };
            let measured = Layout::of(version, Gil::With);
            let exception = measured.map(|layout| layout.tstate_exception);
            assert_eq!(Some(shown(minor, &other).3), exception, "3.{minor}");
        }
    }
}
