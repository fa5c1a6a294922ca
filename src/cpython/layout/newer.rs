//! The layout of a version that came out after pytrace: the newest that is known, where the build
//! itself says, in several ways that agree, that nothing of it has moved but what it shows.

use super::{Gil, Layout, Unknown, accessors, measured, objects, shown};
use crate::cpython::debug_offsets::DebugOffsets;
use crate::cpython::elf::Elf;
use crate::cpython::plan::Version;

/// Where fields lie in the build's objects. Three witnesses are heard:
/// - its debug offsets (`_Py_DebugOffsets`, `Include/internal/pycore_debug_offsets.h`), read where the
///   newest known version has them: they grow in the middle, and then something else is read;
/// - its type objects, which name the fields of code objects, and have the size of all;
/// - accessor functions, which read the fields of thread states and frames.
///
/// Where one contradicts another, nothing is known.
///
/// | taken from the debug offsets | confirmed in the file by |
/// | --- | --- |
/// | the version, whether it has the GIL, and with that the size of an object's head | the type objects' `tp_basicsize` and `tp_members`, which are read behind such a head |
/// | of code objects: names, line, argument count, instructions | `code_memberlist`, size of `PyCode_Type` |
/// | of thread states: current frame, exception, ids | `PyErr_Occurred` for the exception; all have to be where the newest known version has them |
/// | of frames: code, previous, instruction, stack, owner | where the newest known version has them |
/// | of strings: size of the ASCII form | size of `PyUnicode_Type`, as measured |
///
/// The rest no build tells of itself. It is assumed to be as in the newest known version:
/// - the tags in a frame's code pointer (`code_tag_mask`): the first hits of each probe must lead to an
///   object whose type is called `code`;
/// - that `RESUME`'s argument tells a start from a resumption, by the same bits
///   (`resume_location_mask`), and `owner` an activation from an entry frame: starts and ends must go
///   together;
/// - `co_firsttraceable` and, without the GIL, the threads' own copies of instructions: used for what
///   runs already when a process is attached to, and for generators; the same check;
/// - the bits of a string's state and the size of its other compact form (`str_kind_bit`,
///   `str_compact`): nothing checks these. Names would be wrong or empty, calls would not.
///
/// The checks while it runs are those of `record::self_check`, and until they have gone well nothing is
/// passed on (`record::proving`).
pub(super) fn of_build(
    elf: &Elf,
    version: Version,
    offsets: &DebugOffsets,
) -> Result<Layout, Unknown> {
    let moved = Unknown::Newer("what this build tells of its objects does not agree");
    let gil = Gil::of(Some(offsets));
    let newest = measured(Version::NEWEST, gil).ok_or(Unknown::Version)?;
    let words = newest.words.as_ref().ok_or(Unknown::Version)?;
    let shown = shown::correct(elf, newest, true).map_err(|_| moved)?;
    let shown = accessors::frames(elf, accessors::exception(elf, version, shown));
    let told = offsets.apply(words, shown).ok_or(moved)?;
    if told != shown {
        return Err(moved);
    }
    // Where something has moved, calls have no values.
    let objects = objects::of_build(elf, Version::NEWEST, Some(offsets), newest);
    let layout = Layout {
        objects: objects.filter(|found| objects::of(Version::NEWEST, gil) == Some(*found)),
        ..told
    };
    layout.with_frame_head().ok_or(moved)
}
