//! Where a version that came out after pytrace keeps what objects hold: where the newest known does,
//! if its debug offsets and its type objects say just the same.

use super::{Objects, since_3_11};
use crate::cpython::debug_offsets::DebugOffsets;
use crate::cpython::elf::Elf;
use crate::cpython::layout::{Sizes, shown};

/// `None` where something has moved: then calls have no values.
pub(in crate::cpython::layout) fn of_build(
    elf: &Elf,
    offsets: &DebugOffsets,
    sizes: &Sizes,
) -> Option<Objects> {
    let newest = &since_3_11::V3_15;
    let told = offsets.apply_to_objects(newest.words.as_ref()?, newest.objects)?;
    let shown = shown::objects(elf, sizes, &newest.sizes, told)?;
    (shown == newest.objects).then_some(shown)
}
