//! `_Py_DebugOffsets`: the struct at the start of section `.PyRuntime` in which CPython 3.13+
//! describes its own objects to debuggers (`Include/internal/pycore_debug_offsets.h`; in 3.13
//! `pycore_runtime.h`).

use super::elf::Elf;
use super::layout::Layout;
use super::plan::Version;
use super::version::from_hex;

/// Larger than any offset of a field that is read; a greater one is not an offset.
const OFFSET_MAX: u64 = 4096;

/// The words that are read, by their index from the start of the struct.
#[derive(Debug, Clone, Copy)]
struct Words {
    thread_state_current_frame: usize,
    /// Since 3.15.
    thread_state_current_exception: Option<usize>,
    /// `thread_state.thread_id`, followed by `native_thread_id`.
    thread_state_thread_id: usize,
    /// `interpreter_frame`: size, previous, executable, instr_ptr, localsplus, owner,
    /// since 3.14 stackpointer.
    interpreter_frame: usize,
    /// `code_object`: size, filename, name, qualname, linetable, firstlineno, argcount,
    /// localsplusnames, localspluskinds, co_code_adaptive.
    code_object: usize,
    /// `unicode_object.asciiobject_size`.
    ascii_size: usize,
}

/// The struct grows in the middle with each minor version.
fn words(minor: u8) -> Option<Words> {
    Some(match minor {
        13 => Words {
            thread_state_current_frame: 23,
            thread_state_current_exception: None,
            thread_state_thread_id: 24,
            interpreter_frame: 28,
            code_object: 34,
            ascii_size: 70,
        },
        14 => Words {
            thread_state_current_frame: 26,
            thread_state_current_exception: None,
            thread_state_thread_id: 27,
            interpreter_frame: 31,
            code_object: 39,
            ascii_size: 80,
        },
        15 => Words {
            thread_state_current_frame: 26,
            thread_state_current_exception: Some(36),
            thread_state_thread_id: 30,
            interpreter_frame: 39,
            code_object: 47,
            ascii_size: 92,
        },
        _ => return None,
    })
}

/// What an interpreter says about itself.
#[derive(Debug, Clone)]
pub(super) struct DebugOffsets {
    version: Version,
    free_threaded: bool,
    words: Vec<u64>,
}

impl DebugOffsets {
    /// Reads the struct out of a file.
    pub(super) fn read(elf: &Elf) -> Option<DebugOffsets> {
        const WORDS: usize = 128;
        const COOKIE: u64 = u64::from_le_bytes(*b"xdebugpy");
        let section = elf.section(".PyRuntime")?;
        let words: Vec<u64> = elf
            .section_bytes(section)
            .as_chunks::<8>()
            .0
            .iter()
            .take(WORDS)
            .map(|word| u64::from_le_bytes(*word))
            .collect();
        let [cookie, version, free_threaded, ..] = *words else {
            return None;
        };
        (cookie == COOKIE).then_some(DebugOffsets {
            version: from_hex(version)?,
            free_threaded: free_threaded != 0,
            words,
        })
    }

    /// The version of the interpreter.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// Whether it was built without the GIL.
    pub(super) fn free_threaded(&self) -> bool {
        self.free_threaded
    }

    /// Replaces what the interpreter tells in a layout measured elsewhere. `None` where it
    /// tells things that cannot be.
    pub(super) fn apply(&self, layout: Layout) -> Option<Layout> {
        let words = words(self.version.minor)?;
        let word = |index: usize| {
            let value = *self.words.get(index)?;
            (value < OFFSET_MAX).then_some(value as u16)
        };
        let frame = |field: usize| word(words.interpreter_frame + field);
        let code = |field: usize| word(words.code_object + field);
        let layout = Layout {
            tstate_frame: word(words.thread_state_current_frame)?,
            tstate_exception: match words.thread_state_current_exception {
                Some(index) => word(index)?,
                None => layout.tstate_exception,
            },
            tstate_thread_id: word(words.thread_state_thread_id)?,
            tstate_native_id: Some(word(words.thread_state_thread_id + 1)?),
            frame_previous: frame(1)?,
            frame_code: frame(2)?,
            frame_lasti: frame(3)?,
            frame_owner: Some(frame(5)?),
            frame_state: if self.version.minor >= 14 {
                frame(6)?
            } else {
                layout.frame_state
            },
            code_filename: code(1)?,
            code_name: code(2)?,
            code_qualname: Some(code(3)?),
            code_firstlineno: code(5)?,
            code_argcount: code(6)?,
            code_instructions: Some(code(9)?),
            str_ascii: word(words.ascii_size)?,
            ..layout
        };
        layout.with_frame_head()
    }
}
