//! Where CPython 3.13 to 3.15 keep other fields elsewhere in builds without the GIL.
//! Written by `scripts/layouts.py` from the versions' own headers: `make layouts` writes it again,
//! and `scripts/layouts.py --check` compares.

use super::table::{V3_13, V3_14, V3_15};
use super::{Copies, Layout, Measured, Sizes};

/// Measured in 3.13.0, 3.13.5.
pub(super) const V3_13T: Measured = Measured {
    layout: Layout {
        ob_type: 24,
        code_flags: 64,
        code_firstlineno: 84,
        code_filename: 128,
        code_name: 136,
        code_qualname: Some(144),
        code_argcount: 68,
        code_instructions: Some(216),
        str_ascii: 56,
        str_compact: 72,
        ..V3_13.layout
    },
    sizes: Sizes {
        frame: 152,
        string: 80,
        function: 160,
        heap_type: 944,
    },
    words: V3_13.words,
};

/// Measured in 3.14.7, 3.14.10.
pub(super) const V3_14T: Measured = Measured {
    layout: Layout {
        ob_type: 24,
        frame_owner: Some(78),
        code_tag_mask: 1,
        code_flags: 64,
        code_firstlineno: 84,
        code_filename: 128,
        code_name: 136,
        code_qualname: Some(144),
        code_argcount: 68,
        code_instructions: Some(232),
        code_first_traceable: Some(24),
        copies: Some(Copies {
            code_array: 224,
            array_items: 8,
            frame_index: 72,
        }),
        str_kind_bit: 8,
        str_ascii: 56,
        str_compact: 72,
        ..V3_14.layout
    },
    sizes: Sizes {
        frame: 168,
        string: 80,
        function: 168,
        heap_type: 960,
    },
    words: V3_14.words,
};

/// Measured in 3.15.2.
pub(super) const V3_15T: Measured = Measured {
    layout: Layout {
        ob_type: 24,
        frame_owner: Some(78),
        code_flags: 64,
        code_firstlineno: 84,
        code_filename: 128,
        code_name: 136,
        code_qualname: Some(144),
        code_argcount: 68,
        code_instructions: Some(232),
        code_first_traceable: Some(24),
        copies: Some(Copies {
            code_array: 224,
            array_items: 8,
            frame_index: 72,
        }),
        str_kind_bit: 8,
        str_ascii: 56,
        str_compact: 72,
        ..V3_15.layout
    },
    sizes: Sizes {
        frame: 168,
        string: 80,
        function: 168,
        heap_type: 968,
    },
    words: V3_15.words,
};
