//! Offsets of the fields that are read from a target.
//!
//! They change with CPython's minor versions. The table has what was measured of each; since 3.13
//! an interpreter tells most of it itself; and every build shows some of it in its type objects.

mod accessors;
mod free_threaded;
mod newer;
mod objects;
mod shown;
mod table;

use super::debug_offsets::{DebugOffsets, Words};
use super::elf::Elf;
use super::plan::Version;
use super::remote::Remote;
use super::thread_list::ThreadList;

pub use objects::{Attributes, Objects};

/// Byte offsets into CPython's structs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// `PyObject.ob_type`, the last field of every object's head: 8, or 24 in builds without the GIL.
    pub ob_type: u16,
    /// Bytes of a frame that hold every `frame_*` field below. At most 128.
    pub frame_head: u16,
    /// `f_code`; `f_executable` since 3.13.
    pub frame_code: u16,
    /// `f_back`; `previous` since 3.11.
    pub frame_previous: u16,
    /// `f_lasti` (an int, -1 before the first instruction, up to 3.10); `prev_instr` or
    /// `instr_ptr` (a pointer) since 3.11.
    pub frame_lasti: u16,
    /// What tells a suspended generator from a finished one, up to 3.10: `f_stacktop`
    /// (a pointer, not null when suspended; up to 3.9) or `f_state` (a char, 3.10). Since 3.11
    /// the top of the frame's stack: `stacktop` (an int, up to 3.13) or `stackpointer`.
    pub frame_state: u16,
    /// Bytes of that.
    pub frame_state_size: u16,
    /// `owner` (a char), 3.12+; `None` before, where every frame is an activation.
    pub frame_owner: Option<u16>,
    /// Bits of a code pointer that are not part of the address (`_PyStackRef` tags, 3.14+).
    pub code_tag_mask: u64,
    /// `PyCodeObject.co_flags`.
    pub code_flags: u16,
    /// `PyCodeObject.co_firstlineno`.
    pub code_firstlineno: u16,
    /// `PyCodeObject.co_filename`.
    pub code_filename: u16,
    /// `PyCodeObject.co_name`.
    pub code_name: u16,
    /// `PyCodeObject.co_qualname`, 3.11+.
    pub code_qualname: Option<u16>,
    /// What leads to a method's qualified name where the code object has none.
    pub methods: Option<Methods>,
    /// `PyCodeObject.co_argcount`.
    pub code_argcount: u16,
    /// The first instruction (`co_code_adaptive`), 3.11+.
    pub code_instructions: Option<u16>,
    /// How far before that `_co_firsttraceable` is, 3.11+: the index of the first instruction that is
    /// reported to tracers; in a generator that is its first `RESUME`.
    pub code_first_traceable: Option<u16>,
    /// Where a thread finds its own copy of a code object's instructions, in builds without the GIL
    /// since 3.14.
    pub copies: Option<Copies>,
    /// The lowest bit of the characters' width, three bits, in the word that follows upon a string's
    /// hash. The next bits tell whether it is compact, and whether ASCII.
    pub str_kind_bit: u16,
    /// Size of `PyASCIIObject`: where an ASCII string's characters start.
    pub str_ascii: u16,
    /// Size of `PyCompactUnicodeObject`: where any other compact string's characters start.
    pub str_compact: u16,
    /// `PyThreadState`: the current frame (`frame` up to 3.10, `cframe` in 3.11 and 3.12,
    /// `current_frame` since 3.13).
    pub tstate_frame: u16,
    /// Whether `tstate_frame` points to a `_PyCFrame`, and where that has the frame
    /// (3.11: +8, 3.12: +0).
    pub cframe_frame: Option<u16>,
    /// `PyThreadState.curexc_type` (up to 3.11) or `current_exception` (3.12+): null when no
    /// exception is being propagated.
    pub tstate_exception: u16,
    /// `PyThreadState.thread_id`: the thread's `pthread_t`.
    pub tstate_thread_id: u16,
    /// `PyThreadState.native_thread_id`: the kernel's id of the thread, 3.11+.
    pub tstate_native_id: Option<u16>,
    /// Mask of `RESUME`'s argument that tells a start (0) from a resumption (3.11+).
    pub resume_location_mask: u8,
    /// Where the values of arguments are found; `None` where the build's objects are not those
    /// that were measured.
    pub objects: Option<Objects>,
}

/// What leads, together with [`Objects`], from a frame by its first argument's class to a function
/// object and its `__qualname__`: up to 3.10.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Methods {
    /// `PyCodeObject.co_cellvars`.
    pub code_cellvars: u16,
    /// `PyFunctionObject.func_code`.
    pub function_code: u16,
    /// `PyFunctionObject.func_closure`.
    pub function_closure: u16,
}

/// Where a code object has the copies of its instructions that threads specialize for themselves
/// (`Include/cpython/code.h`, `_PyCodeArray`), and a frame the index of the one that it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copies {
    /// `PyCodeObject.co_tlbc`: a pointer to the array.
    pub code_array: u16,
    /// `_PyCodeArray.entries`: in the array, pointers to the copies.
    pub array_items: u16,
    /// `_PyInterpreterFrame.tlbc_index` (an int).
    pub frame_index: u16,
}

impl Layout {
    /// `ob_size`, where a variable-sized object has the number of its items, and any other what it
    /// has first: the field behind [`ob_type`](Self::ob_type).
    pub fn ob_size(&self) -> u16 {
        self.ob_type + 8
    }

    /// Where a code object has its `_co_instrumentation_version` in 3.`minor` (3.12+; 0: nowhere):
    /// `_co_monitoring`, since 3.14 `_co_unique_id`, `_co_firsttraceable` and `co_extra` are between it
    /// and the instructions (`Include/cpython/code.h`; with the GIL: no other build is compiled).
    pub fn code_instrumentation(&self, minor: u8) -> u16 {
        let before = if minor >= 14 { 40 } else { 32 };
        let instructions = self.code_instructions.unwrap_or(0);
        instructions.saturating_sub(before)
    }

    /// Whether these are the objects of a build with the GIL: without it, their head is longer.
    pub fn gil(&self) -> Gil {
        const WITH_GIL: u16 = 8;
        if self.ob_type == WITH_GIL {
            Gil::With
        } else {
            Gil::Without
        }
    }

    /// `PyTypeObject.tp_name`, the first field behind the head.
    pub fn type_name(&self) -> u16 {
        self.ob_type + 16
    }
}

/// What was measured of a version, with the version's own headers.
#[derive(Debug, Clone, Copy)]
struct Measured {
    layout: Layout,
    sizes: Sizes,
    /// Where a 3.13+ tells its offsets itself.
    words: Option<Words>,
}

/// `tp_basicsize` of type objects: what a build shows of its own objects' sizes.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// `PyFrame_Type`'s; since 3.11 up to the locals of the `_PyInterpreterFrame` in it.
    frame: u16,
    /// `PyUnicode_Type`'s.
    string: u16,
    /// `PyFunction_Type`'s.
    function: u16,
    /// `PyType_Type`'s.
    heap_type: u16,
}

/// Why a build's layout is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// A version that was never measured.
    Version,
    /// A version that came out after pytrace, for this reason.
    Newer(&'static str),
    /// The build's objects of this kind are others than those of its version.
    Objects(&'static str),
}

/// Where a build says that the states of its threads are, if it does.
pub(super) fn threads(
    elf: &Elf,
    version: Version,
    offsets: Option<&DebugOffsets>,
) -> Option<ThreadList> {
    let words = measured(version, Gil::of(offsets))?.words?;
    offsets?.threads(elf.section(".PyRuntime")?.address, &words)
}

/// Where a build takes scripts to run, if it does.
pub(super) fn remote(version: Version, offsets: Option<&DebugOffsets>) -> Option<Remote> {
    let words = measured(version, Gil::of(offsets))?.words?;
    offsets?.remote(&words)
}

/// Where fields lie in a build's objects: what was measured of its version, corrected by what the
/// build shows. Nothing is taken for granted that it contradicts.
pub(super) fn of_build(
    elf: &Elf,
    version: Version,
    offsets: Option<&DebugOffsets>,
) -> Result<Layout, Unknown> {
    let gil = Gil::of(offsets);
    if version.is_newer_than_known() {
        let offsets = offsets.ok_or(Unknown::Version)?;
        return newer::of_build(elf, version, offsets);
    }
    let measured = measured(version, gil).ok_or(Unknown::Version)?;
    let told = offsets.zip(measured.words);
    let shown = shown::correct(elf, measured, told.is_some())?;
    let shown = accessors::exception(elf, version, shown);
    let layout = match told {
        None => accessors::frames(elf, shown),
        Some((offsets, words)) => {
            let told = offsets
                .apply(&words, shown)
                .ok_or(Unknown::Objects("debug offset"))?;
            // All of that is the build's own: where it differs, something is misread.
            if shown::code(elf, told) != Some(told) {
                return Err(Unknown::Objects("code"));
            }
            if told.str_ascii != measured.layout.str_ascii {
                return Err(Unknown::Objects("str"));
            }
            told
        }
    };
    let layout = Layout {
        objects: objects::of_build(elf, version, offsets, measured),
        ..layout
    };
    layout.with_frame_head().ok_or(Unknown::Objects("frame"))
}

/// Whether a build has the global interpreter lock: without it, objects are laid out differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gil {
    /// As all builds up to 3.12 do.
    With,
    /// A free-threaded one (`--disable-gil`, 3.13+).
    Without,
}

impl Gil {
    /// What a build tells.
    fn of(offsets: Option<&DebugOffsets>) -> Gil {
        if offsets.is_some_and(DebugOffsets::free_threaded) {
            Gil::Without
        } else {
            Gil::With
        }
    }
}

fn measured(version: Version, gil: Gil) -> Option<&'static Measured> {
    Some(match (version.major, version.minor, gil) {
        (3, 6, Gil::With) => &table::V3_6,
        (3, 7, Gil::With) => &table::V3_7,
        (3, 8, Gil::With) => &table::V3_8,
        (3, 9, Gil::With) => &table::V3_9,
        (3, 10, Gil::With) => &table::V3_10,
        (3, 11, Gil::With) => &table::V3_11,
        (3, 12, Gil::With) => &table::V3_12,
        (3, 13, Gil::With) => &table::V3_13,
        (3, 14, Gil::With) => &table::V3_14,
        (3, 15, Gil::With) => &table::V3_15,
        (3, 13, Gil::Without) => &free_threaded::V3_13T,
        (3, 14, Gil::Without) => &free_threaded::V3_14T,
        (3, 15, Gil::Without) => &free_threaded::V3_15T,
        _ => return None,
    })
}

impl Layout {
    /// The layout of a version, as measured.
    pub fn of(version: Version, gil: Gil) -> Option<Layout> {
        let layout = Layout {
            objects: objects::of(version, gil),
            ..measured(version, gil)?.layout
        };
        layout.with_frame_head()
    }

    /// Sets `frame_head` to what covers the fields of a frame, in whole words. `None` where
    /// that is more than fits.
    fn with_frame_head(self) -> Option<Layout> {
        const POINTER: u16 = 8;
        // Up to 3.10 an int.
        let lasti_size = if self.code_instructions.is_some() {
            POINTER
        } else {
            4
        };
        let ends = [
            self.frame_code.checked_add(POINTER)?,
            self.frame_previous.checked_add(POINTER)?,
            self.frame_lasti.checked_add(lasti_size)?,
            self.frame_state.checked_add(self.frame_state_size)?,
            self.frame_owner
                .map_or(Some(0), |owner| owner.checked_add(1))?,
            self.copies
                .map_or(Some(0), |copies| copies.frame_index.checked_add(4))?,
        ];
        let frame_head = ends.into_iter().max()?.checked_next_multiple_of(8)?;
        (frame_head <= FRAME_HEAD_MAX).then_some(Layout { frame_head, ..self })
    }
}

/// What a probe reads of a frame at most.
const FRAME_HEAD_MAX: u16 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(minor: u8, gil: Gil) -> Option<Layout> {
        let version = Version {
            major: 3,
            minor,
            micro: None,
        };
        Layout::of(version, gil)
    }

    fn layout(minor: u8) -> Option<Layout> {
        measured(minor, Gil::With)
    }

    #[test]
    fn the_head_of_a_frame_covers_what_is_read_of_it() {
        let heads: Vec<u16> = (6..=15)
            .filter_map(layout)
            .map(|layout| layout.frame_head)
            .collect();
        assert_eq!(heads, [128, 112, 112, 112, 112, 72, 72, 72, 80, 80]);
    }

    #[test]
    fn a_code_object_has_its_qualified_name_or_a_way_to_it() {
        for layout in (6..=15).filter_map(layout) {
            assert_ne!(layout.code_qualname.is_some(), layout.methods.is_some());
        }
    }

    #[test]
    fn builds_without_the_gil_have_a_longer_head_before_the_same_fields() {
        for minor in 6..=15 {
            let Some(without) = measured(minor, Gil::Without) else {
                assert!(minor < 13, "3.{minor}");
                continue;
            };
            let with = layout(minor).expect("a layout");
            assert_eq!((with.ob_type, without.ob_type), (8, 24));
            for field in [
                |layout: Layout| layout.code_flags,
                |layout: Layout| layout.code_qualname.expect("3.11+"),
                |layout: Layout| layout.str_ascii,
                |layout: Layout| layout.objects.expect("measured").int_digits,
                |layout: Layout| layout.objects.expect("measured").set_table,
                |layout: Layout| layout.objects.expect("measured").type_flags,
            ] {
                assert_eq!(field(without), field(with) + 16, "3.{minor}");
            }
            assert_eq!(without.copies.is_some(), minor >= 14, "3.{minor}");
            assert_eq!(without.tstate_frame, with.tstate_frame, "3.{minor}");
        }
    }

    #[test]
    fn other_versions_have_no_layout() {
        assert_eq!(layout(5), None);
        assert_eq!(layout(16), None);
        let version = Version {
            major: 2,
            minor: 7,
            micro: None,
        };
        assert_eq!(Layout::of(version, Gil::With), None);
    }
}
