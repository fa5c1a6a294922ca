//! The layout of a version that came out after pytrace: the newest that is known, where the build
//! itself says, in several ways that agree, that nothing of it has moved but what it shows.

use super::{Gil, Layout, Unknown, accessors, measured, objects, shown};
use crate::cpython::debug_offsets::DebugOffsets;
use crate::cpython::elf::Elf;
use crate::cpython::plan::Version;

/// Where fields lie in the build's objects. Three witnesses are heard:
/// - its debug offsets, read where the newest known version has them: they grow in the middle, and
///   then something else is read;
/// - its type objects, which name the fields of code objects, and have the size of all;
/// - accessor functions, which read the fields of thread states and frames.
///
/// Where one contradicts another, nothing is known.
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
