//! Where each CPython version keeps its fields.
//! Written by `scripts/layouts.py` from the versions' own headers: `make layouts` writes it again,
//! and `scripts/layouts.py --check` compares.

use super::{Layout, Measured, Methods, Sizes};
use crate::cpython::debug_offsets::Words;

/// Measured in 3.6.15.
pub(super) const V3_6: Measured = Measured {
    layout: Layout {
        frame_head: 0, // set by `with_frame_head`
        objects: None, // these have tables of their own
        frame_code: 32,
        frame_previous: 24,
        frame_lasti: 120,
        frame_state: 72,
        frame_state_size: 8,
        frame_owner: None,
        code_tag_mask: 0,
        code_flags: 32,
        code_firstlineno: 36,
        code_filename: 96,
        code_name: 104,
        code_qualname: None,
        methods: Some(Methods {
            code_cellvars: 80,
            function_code: 16,
            function_closure: 48,
        }),
        code_argcount: 16,
        code_instructions: None,
        str_ascii: 48,
        str_compact: 72,
        tstate_frame: 24,
        cframe_frame: None,
        tstate_exception: 80,
        tstate_thread_id: 152,
        tstate_native_id: None,
        resume_location_mask: 0,
    },
    sizes: Sizes {
        frame: 384,
        string: 80,
        function: 112,
        heap_type: 864,
    },
    words: None,
};

/// Measured in 3.7.16.
pub(super) const V3_7: Measured = Measured {
    layout: Layout {
        frame_head: 0, // set by `with_frame_head`
        objects: None, // these have tables of their own
        frame_code: 32,
        frame_previous: 24,
        frame_lasti: 104,
        frame_state: 72,
        frame_state_size: 8,
        frame_owner: None,
        code_tag_mask: 0,
        code_flags: 32,
        code_firstlineno: 36,
        code_filename: 96,
        code_name: 104,
        code_qualname: None,
        methods: Some(Methods {
            code_cellvars: 80,
            function_code: 16,
            function_closure: 48,
        }),
        code_argcount: 16,
        code_instructions: None,
        str_ascii: 48,
        str_compact: 72,
        tstate_frame: 24,
        cframe_frame: None,
        tstate_exception: 88,
        tstate_thread_id: 176,
        tstate_native_id: None,
        resume_location_mask: 0,
    },
    sizes: Sizes {
        frame: 368,
        string: 80,
        function: 112,
        heap_type: 864,
    },
    words: None,
};

/// Measured in 3.8.18.
pub(super) const V3_8: Measured = Measured {
    layout: Layout {
        frame_head: 0, // set by `with_frame_head`
        objects: None, // these have tables of their own
        frame_code: 32,
        frame_previous: 24,
        frame_lasti: 104,
        frame_state: 72,
        frame_state_size: 8,
        frame_owner: None,
        code_tag_mask: 0,
        code_flags: 36,
        code_firstlineno: 40,
        code_filename: 104,
        code_name: 112,
        code_qualname: None,
        methods: Some(Methods {
            code_cellvars: 88,
            function_code: 16,
            function_closure: 48,
        }),
        code_argcount: 16,
        code_instructions: None,
        str_ascii: 48,
        str_compact: 72,
        tstate_frame: 24,
        cframe_frame: None,
        tstate_exception: 88,
        tstate_thread_id: 176,
        tstate_native_id: None,
        resume_location_mask: 0,
    },
    sizes: Sizes {
        frame: 368,
        string: 80,
        function: 120,
        heap_type: 880,
    },
    words: None,
};

/// Measured in 3.9.2, 3.9.18.
pub(super) const V3_9: Measured = Measured {
    layout: Layout {
        frame_head: 0, // set by `with_frame_head`
        objects: None, // these have tables of their own
        frame_code: 32,
        frame_previous: 24,
        frame_lasti: 104,
        frame_state: 72,
        frame_state_size: 8,
        frame_owner: None,
        code_tag_mask: 0,
        code_flags: 36,
        code_firstlineno: 40,
        code_filename: 104,
        code_name: 112,
        code_qualname: None,
        methods: Some(Methods {
            code_cellvars: 88,
            function_code: 16,
            function_closure: 48,
        }),
        code_argcount: 16,
        code_instructions: None,
        str_ascii: 48,
        str_compact: 72,
        tstate_frame: 24,
        cframe_frame: None,
        tstate_exception: 88,
        tstate_thread_id: 176,
        tstate_native_id: None,
        resume_location_mask: 0,
    },
    sizes: Sizes {
        frame: 368,
        string: 80,
        function: 120,
        heap_type: 880,
    },
    words: None,
};

/// Measured in 3.10.13.
pub(super) const V3_10: Measured = Measured {
    layout: Layout {
        frame_head: 0, // set by `with_frame_head`
        objects: None, // these have tables of their own
        frame_code: 32,
        frame_previous: 24,
        frame_lasti: 96,
        frame_state: 108,
        frame_state_size: 1,
        frame_owner: None,
        code_tag_mask: 0,
        code_flags: 36,
        code_firstlineno: 40,
        code_filename: 104,
        code_name: 112,
        code_qualname: None,
        methods: Some(Methods {
            code_cellvars: 88,
            function_code: 48,
            function_closure: 72,
        }),
        code_argcount: 16,
        code_instructions: None,
        str_ascii: 48,
        str_compact: 72,
        tstate_frame: 24,
        cframe_frame: None,
        tstate_exception: 88,
        tstate_thread_id: 176,
        tstate_native_id: None,
        resume_location_mask: 0,
    },
    sizes: Sizes {
        frame: 360,
        string: 80,
        function: 128,
        heap_type: 888,
    },
    words: None,
};

/// Measured in 3.11.2, 3.11.7.
pub(super) const V3_11: Measured = Measured {
    layout: Layout {
        frame_head: 0, // set by `with_frame_head`
        objects: None, // these have tables of their own
        frame_code: 32,
        frame_previous: 48,
        frame_lasti: 56,
        frame_state: 64,
        frame_state_size: 4,
        frame_owner: None,
        code_tag_mask: 0,
        code_flags: 48,
        code_firstlineno: 72,
        code_filename: 112,
        code_name: 120,
        code_qualname: Some(128),
        methods: None,
        code_argcount: 56,
        code_instructions: Some(184),
        str_ascii: 48,
        str_compact: 72,
        tstate_frame: 56,
        cframe_frame: Some(8),
        tstate_exception: 96,
        tstate_thread_id: 152,
        tstate_native_id: Some(160),
        resume_location_mask: 3,
    },
    sizes: Sizes {
        frame: 120,
        string: 80,
        function: 136,
        heap_type: 904,
    },
    words: None,
};

/// Measured in 3.12.1.
pub(super) const V3_12: Measured = Measured {
    layout: Layout {
        frame_head: 0, // set by `with_frame_head`
        objects: None, // these have tables of their own
        frame_code: 0,
        frame_previous: 8,
        frame_lasti: 56,
        frame_state: 64,
        frame_state_size: 4,
        frame_owner: Some(70),
        code_tag_mask: 0,
        code_flags: 48,
        code_firstlineno: 68,
        code_filename: 112,
        code_name: 120,
        code_qualname: Some(128),
        methods: None,
        code_argcount: 52,
        code_instructions: Some(192),
        str_ascii: 40,
        str_compact: 56,
        tstate_frame: 56,
        cframe_frame: Some(0),
        tstate_exception: 96,
        tstate_thread_id: 136,
        tstate_native_id: Some(144),
        resume_location_mask: 3,
    },
    sizes: Sizes {
        frame: 120,
        string: 64,
        function: 144,
        heap_type: 920,
    },
    words: None,
};

/// Measured in 3.13.0, 3.13.5.
pub(super) const V3_13: Measured = Measured {
    layout: Layout {
        frame_head: 0, // set by `with_frame_head`
        objects: None, // these have tables of their own
        frame_code: 0,
        frame_previous: 8,
        frame_lasti: 56,
        frame_state: 64,
        frame_state_size: 4,
        frame_owner: Some(70),
        code_tag_mask: 0,
        code_flags: 48,
        code_firstlineno: 68,
        code_filename: 112,
        code_name: 120,
        code_qualname: Some(128),
        methods: None,
        code_argcount: 52,
        code_instructions: Some(200),
        str_ascii: 40,
        str_compact: 56,
        tstate_frame: 72,
        cframe_frame: None,
        tstate_exception: 112,
        tstate_thread_id: 152,
        tstate_native_id: Some(160),
        resume_location_mask: 3,
    },
    sizes: Sizes {
        frame: 136,
        string: 64,
        function: 144,
        heap_type: 928,
    },
    words: Some(Words {
        tstate_frame: 23,
        tstate_exception: None,
        tstate_thread_id: 24,
        tstate_native_id: 25,
        frame_previous: 29,
        frame_code: 30,
        frame_lasti: 31,
        frame_state: None,
        frame_owner: 33,
        code_filename: 35,
        code_name: 36,
        code_qualname: 37,
        code_firstlineno: 39,
        code_argcount: 40,
        code_instructions: 43,
        str_ascii: 70,
    }),
};

/// Measured in 3.14.10.
pub(super) const V3_14: Measured = Measured {
    layout: Layout {
        frame_head: 0, // set by `with_frame_head`
        objects: None, // these have tables of their own
        frame_code: 0,
        frame_previous: 8,
        frame_lasti: 56,
        frame_state: 64,
        frame_state_size: 8,
        frame_owner: Some(74),
        code_tag_mask: 3,
        code_flags: 48,
        code_firstlineno: 68,
        code_filename: 112,
        code_name: 120,
        code_qualname: Some(128),
        methods: None,
        code_argcount: 52,
        code_instructions: Some(208),
        str_ascii: 40,
        str_compact: 56,
        tstate_frame: 72,
        cframe_frame: None,
        tstate_exception: 112,
        tstate_thread_id: 152,
        tstate_native_id: Some(160),
        resume_location_mask: 3,
    },
    sizes: Sizes {
        frame: 152,
        string: 64,
        function: 152,
        heap_type: 936,
    },
    words: Some(Words {
        tstate_frame: 26,
        tstate_exception: None,
        tstate_thread_id: 27,
        tstate_native_id: 28,
        frame_previous: 32,
        frame_code: 33,
        frame_lasti: 34,
        frame_state: Some(37),
        frame_owner: 36,
        code_filename: 40,
        code_name: 41,
        code_qualname: 42,
        code_firstlineno: 44,
        code_argcount: 45,
        code_instructions: 48,
        str_ascii: 80,
    }),
};

/// Measured in 3.15.2.
pub(super) const V3_15: Measured = Measured {
    layout: Layout {
        frame_head: 0, // set by `with_frame_head`
        objects: None, // these have tables of their own
        frame_code: 0,
        frame_previous: 8,
        frame_lasti: 56,
        frame_state: 64,
        frame_state_size: 8,
        frame_owner: Some(74),
        code_tag_mask: 3,
        code_flags: 48,
        code_firstlineno: 68,
        code_filename: 112,
        code_name: 120,
        code_qualname: Some(128),
        methods: None,
        code_argcount: 52,
        code_instructions: Some(208),
        str_ascii: 40,
        str_compact: 56,
        tstate_frame: 72,
        cframe_frame: None,
        tstate_exception: 136,
        tstate_thread_id: 176,
        tstate_native_id: Some(184),
        resume_location_mask: 7,
    },
    sizes: Sizes {
        frame: 152,
        string: 64,
        function: 152,
        heap_type: 944,
    },
    words: Some(Words {
        tstate_frame: 26,
        tstate_exception: Some(36),
        tstate_thread_id: 30,
        tstate_native_id: 31,
        frame_previous: 40,
        frame_code: 41,
        frame_lasti: 42,
        frame_state: Some(45),
        frame_owner: 44,
        code_filename: 48,
        code_name: 49,
        code_qualname: 50,
        code_firstlineno: 52,
        code_argcount: 53,
        code_instructions: 56,
        str_ascii: 92,
    }),
};
