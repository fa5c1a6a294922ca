//! `_Py_DebugOffsets`: the struct at the start of section `.PyRuntime` in which CPython 3.13+
//! describes its own objects to debuggers (`Include/internal/pycore_debug_offsets.h`; in 3.13
//! `pycore_runtime.h`).

use super::elf::Elf;
use super::layout::{Layout, Objects};
use super::plan::Version;
use super::remote::Remote;
use super::thread_list::ThreadList;
use super::version::from_hex;

/// Larger than any offset of a field that is read; a greater one is not an offset.
const OFFSET_MAX: u64 = 4096;

/// Where the struct has the fields of [`Layout`], in words of 8 bytes from its start: it grows in
/// the middle with each minor version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    pub(super) tstate_frame: usize,
    /// Since 3.15.
    pub(super) tstate_exception: Option<usize>,
    pub(super) tstate_thread_id: usize,
    pub(super) tstate_native_id: usize,
    pub(super) frame_previous: usize,
    pub(super) frame_code: usize,
    pub(super) frame_lasti: usize,
    /// Since 3.14.
    pub(super) frame_state: Option<usize>,
    pub(super) frame_owner: usize,
    pub(super) code_filename: usize,
    pub(super) code_name: usize,
    pub(super) code_qualname: usize,
    pub(super) code_firstlineno: usize,
    pub(super) code_argcount: usize,
    pub(super) code_instructions: usize,
    pub(super) str_ascii: usize,
    /// Those of [`ThreadList`]; `interpreters`: in `_PyRuntime`.
    pub(super) interpreters: usize,
    pub(super) interpreter_next: usize,
    pub(super) interpreter_threads: usize,
    pub(super) thread_next: usize,
    /// The first one of [`Remote`]. Since 3.14.
    pub(super) remote: Option<usize>,
}

/// Likewise the fields of [`Objects`].
#[derive(Debug, Clone, Copy)]
pub(super) struct ObjectWords {
    pub(super) frame_locals: usize,
    pub(super) code_names: usize,
    pub(super) code_kinds: usize,
    pub(super) tuple_items: usize,
    pub(super) list_items: usize,
    pub(super) int_tag: usize,
    pub(super) int_digits: usize,
    pub(super) float_value: usize,
    pub(super) bytes_data: usize,
    pub(super) dict_keys: usize,
    pub(super) dict_values: usize,
    /// Since 3.14.
    pub(super) set_used: Option<usize>,
    /// Since 3.14.
    pub(super) set_mask: Option<usize>,
    /// Since 3.14.
    pub(super) set_table: Option<usize>,
    pub(super) type_flags: usize,
    /// Since 3.15.
    pub(super) type_basicsize: Option<usize>,
    /// Since 3.15.
    pub(super) type_dictoffset: Option<usize>,
    /// Since 3.15.
    pub(super) heap_cached_keys: Option<usize>,
    /// Since 3.15.
    pub(super) heap_size: Option<usize>,
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
    pub(super) fn apply(&self, words: &Words, layout: Layout) -> Option<Layout> {
        let word = |index| self.offset(index);
        let word_or = |index: Option<usize>, measured| index.map_or(Some(measured), word);
        Some(Layout {
            tstate_frame: word(words.tstate_frame)?,
            tstate_exception: word_or(words.tstate_exception, layout.tstate_exception)?,
            tstate_thread_id: word(words.tstate_thread_id)?,
            tstate_native_id: Some(word(words.tstate_native_id)?),
            frame_previous: word(words.frame_previous)?,
            frame_code: word(words.frame_code)?,
            frame_lasti: word(words.frame_lasti)?,
            frame_state: word_or(words.frame_state, layout.frame_state)?,
            frame_owner: Some(word(words.frame_owner)?),
            code_filename: word(words.code_filename)?,
            code_name: word(words.code_name)?,
            code_qualname: Some(word(words.code_qualname)?),
            code_firstlineno: word(words.code_firstlineno)?,
            code_argcount: word(words.code_argcount)?,
            code_instructions: Some(word(words.code_instructions)?),
            str_ascii: word(words.str_ascii)?,
            ..layout
        })
    }

    /// Likewise in what was measured of objects.
    pub(super) fn apply_to_objects(
        &self,
        words: &ObjectWords,
        layout: &Layout,
        objects: Objects,
    ) -> Option<Objects> {
        // Every object starts with its head, and no frame is smaller.
        let head = layout.ob_size();
        let word = |index| self.offset(index).filter(|offset| *offset >= head);
        let word_or = |index: Option<usize>, measured| index.map_or(Some(measured), word);
        // Read as what any object has in its place.
        if word(words.int_tag)? != head {
            return None;
        }
        Some(Objects {
            frame_locals: word(words.frame_locals)?,
            code_names: word(words.code_names)?,
            code_kinds: Some(word(words.code_kinds)?),
            tuple_items: word(words.tuple_items)?,
            list_items: word(words.list_items)?,
            int_digits: word(words.int_digits)?,
            float_value: word(words.float_value)?,
            bytes_data: word(words.bytes_data)?,
            dict_keys: word(words.dict_keys)?,
            dict_values: word(words.dict_values)?,
            set_used: word_or(words.set_used, objects.set_used)?,
            set_mask: word_or(words.set_mask, objects.set_mask)?,
            set_table: word_or(words.set_table, objects.set_table)?,
            type_flags: word(words.type_flags)?,
            type_basicsize: word_or(words.type_basicsize, objects.type_basicsize)?,
            type_dictoffset: word_or(words.type_dictoffset, objects.type_dictoffset)?,
            heap_cached_keys: word_or(words.heap_cached_keys, objects.heap_cached_keys)?,
            heap_size: word_or(words.heap_size, objects.heap_size)?,
            ..objects
        })
    }

    /// Where the states of its threads are: `runtime` is the struct's address in the file.
    pub(super) fn threads(&self, runtime: u64, words: &Words) -> Option<ThreadList> {
        let word = |index| self.words.get(index).copied();
        Some(ThreadList {
            head: runtime.checked_add(word(words.interpreters)?)?,
            interpreter_next: short(word(words.interpreter_next)?)?,
            interpreter_threads: short(word(words.interpreter_threads)?)?,
            thread_next: short(word(words.thread_next)?)?,
        })
    }

    /// Where it takes scripts to run.
    pub(super) fn remote(&self, words: &Words) -> Option<Remote> {
        let words = self.words.get(words.remote?..)?;
        let [breaker, support, enabled, pending, path, path_size, ..] = *words else {
            return None;
        };
        let of_support = |offset: u64| short(support.checked_add(offset)?);
        Some(Remote {
            interpreter_enabled: short(enabled)?,
            tstate_eval_breaker: short(breaker)?,
            tstate_pending: of_support(pending)?,
            tstate_path: of_support(path)?,
            path_size: short(path_size)?,
        })
    }

    /// The offset in a word, if it can be one.
    fn offset(&self, index: usize) -> Option<u16> {
        let value = *self.words.get(index)?;
        (value < OFFSET_MAX).then_some(value as u16)
    }
}

/// Of an interpreter's state, which is larger than what is read of other structs.
fn short(offset: u64) -> Option<u16> {
    u16::try_from(offset).ok()
}
