//! Offsets of the fields that are read from a target, per CPython version.

use super::plan::Version;

/// Byte offsets into CPython's structs. Measured with `offsetof` programs compiled against
/// each version's internal headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
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
}

/// What leads from a frame, by its first argument's class, to a function object and its
/// `__qualname__`: up to 3.10. Offsets measured as those of [`Layout`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Methods {
    /// `PyFrameObject.f_localsplus`.
    pub frame_locals: u16,
    /// `PyCodeObject.co_nlocals`.
    pub code_nlocals: u16,
    /// `PyCodeObject.co_varnames`.
    pub code_varnames: u16,
    /// `PyCodeObject.co_cellvars`.
    pub code_cellvars: u16,
    /// `PyFunctionObject.func_code`.
    pub function_code: u16,
    /// `PyFunctionObject.func_closure`.
    pub function_closure: u16,
    /// `PyFunctionObject.func_qualname`.
    pub function_qualname: u16,
    /// `PyHeapTypeObject.ht_qualname`.
    pub type_qualname: u16,
}

impl Layout {
    /// The layout of a release, as measured; since 3.13 the interpreter tells most of it itself
    /// (`_Py_DebugOffsets`).
    pub fn of(version: Version) -> Option<Layout> {
        match (version.major, version.minor) {
            (3, 6) => V3_6,
            (3, 7) => V3_7,
            (3, 8) => V3_8,
            (3, 9) => V3_9,
            (3, 10) => V3_10,
            (3, 11) => V3_11,
            (3, 12) => V3_12,
            (3, 13) => V3_13,
            (3, 14) => V3_14,
            (3, 15) => V3_15,
            _ => return None,
        }
        .with_frame_head()
    }

    /// Sets `frame_head` to what covers the fields of a frame, in whole words. `None` where
    /// that is more than fits.
    pub(super) fn with_frame_head(self) -> Option<Layout> {
        const POINTER: u16 = 8;
        let since_3_11 = self.code_qualname.is_some();
        let ends = [
            self.frame_code.checked_add(POINTER)?,
            self.frame_previous.checked_add(POINTER)?,
            // Up to 3.10 an int.
            self.frame_lasti
                .checked_add(if since_3_11 { POINTER } else { 4 })?,
            self.frame_state.checked_add(self.frame_state_size())?,
            self.frame_owner
                .map_or(Some(0), |owner| owner.checked_add(1))?,
        ];
        let frame_head = ends.into_iter().max()?.checked_next_multiple_of(8)?;
        (frame_head <= FRAME_HEAD_MAX).then_some(Layout { frame_head, ..self })
    }

    fn frame_state_size(&self) -> u16 {
        if self.code_tag_mask != 0 {
            8 // `stackpointer`, 3.14
        } else if self.code_qualname.is_some() {
            4 // `stacktop`, 3.11
        } else if self.frame_state == V3_10.frame_state {
            1 // `f_state`, 3.10
        } else {
            8 // `f_stacktop`
        }
    }
}

/// What a probe reads of a frame at most.
const FRAME_HEAD_MAX: u16 = 128;

const V3_6: Layout = Layout {
    frame_head: 0, // set by `with_frame_head`
    frame_code: 32,
    frame_previous: 24,
    frame_lasti: 120,
    frame_state: 72,
    frame_owner: None,
    code_tag_mask: 0,
    code_flags: 32,
    code_firstlineno: 36,
    code_filename: 96,
    code_name: 104,
    code_qualname: None,
    methods: Some(METHODS_3_6),
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
};

const METHODS_3_6: Methods = Methods {
    frame_locals: 376,
    code_nlocals: 24,
    code_varnames: 64,
    code_cellvars: 80,
    function_code: 16,
    function_closure: 48,
    function_qualname: 104,
    type_qualname: 848,
};

const V3_7: Layout = Layout {
    frame_lasti: 104,
    methods: Some(METHODS_3_7),
    tstate_exception: 88,
    tstate_thread_id: 176,
    ..V3_6
};

const METHODS_3_7: Methods = Methods {
    frame_locals: 360,
    ..METHODS_3_6
};

/// 3.8 brought `co_posonlyargcount`.
const V3_8: Layout = Layout {
    code_flags: 36,
    code_firstlineno: 40,
    code_filename: 104,
    code_name: 112,
    methods: Some(METHODS_3_8),
    ..V3_7
};

/// 3.8 brought `tp_vectorcall` and, for that release only, a second `tp_print`.
const METHODS_3_8: Methods = Methods {
    code_nlocals: 28,
    code_varnames: 72,
    code_cellvars: 88,
    type_qualname: 864,
    ..METHODS_3_7
};

const V3_9: Layout = Layout {
    methods: Some(METHODS_3_9),
    ..V3_8
};

const METHODS_3_9: Methods = Methods {
    type_qualname: 856,
    ..METHODS_3_8
};

const V3_10: Layout = Layout {
    frame_lasti: 96,
    frame_state: 108,
    methods: Some(METHODS_3_10),
    ..V3_9
};

/// 3.10 sorted `PyFunctionObject` anew and widened `PyAsyncMethods`.
const METHODS_3_10: Methods = Methods {
    frame_locals: 352,
    function_code: 48,
    function_closure: 72,
    function_qualname: 40,
    type_qualname: 864,
    ..METHODS_3_9
};

/// 3.11 brought `_PyInterpreterFrame` and specialised code inside the code object.
const V3_11: Layout = Layout {
    frame_previous: 48,
    frame_lasti: 56,
    frame_state: 64,
    code_flags: 48,
    code_firstlineno: 72,
    code_filename: 112,
    code_name: 120,
    code_qualname: Some(128),
    methods: None,
    code_argcount: 56,
    code_instructions: Some(184),
    tstate_frame: 56,
    cframe_frame: Some(8),
    tstate_exception: 96,
    tstate_thread_id: 152,
    tstate_native_id: Some(160),
    resume_location_mask: 3,
    ..V3_10
};

/// 3.12 dropped `PyUnicodeObject.wstr`.
const V3_12: Layout = Layout {
    frame_code: 0,
    frame_previous: 8,
    frame_owner: Some(70),
    code_firstlineno: 68,
    code_argcount: 52,
    code_instructions: Some(192),
    str_ascii: 40,
    str_compact: 56,
    cframe_frame: Some(0),
    tstate_thread_id: 136,
    tstate_native_id: Some(144),
    ..V3_11
};

const V3_13: Layout = Layout {
    code_instructions: Some(200),
    tstate_frame: 72,
    cframe_frame: None,
    tstate_exception: 112,
    tstate_thread_id: 152,
    tstate_native_id: Some(160),
    ..V3_12
};

/// 3.14 keeps tagged references (`_PyStackRef`) in frames.
const V3_14: Layout = Layout {
    frame_owner: Some(74),
    code_tag_mask: 3,
    code_instructions: Some(208),
    ..V3_13
};

/// 3.15 brought `RESUME_AT_GENEXPR_START` (4).
const V3_15: Layout = Layout {
    tstate_exception: 136,
    tstate_thread_id: 176,
    tstate_native_id: Some(184),
    resume_location_mask: 7,
    ..V3_14
};

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(minor: u8) -> Option<Layout> {
        Layout::of(Version {
            major: 3,
            minor,
            micro: None,
        })
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
    fn other_versions_have_no_layout() {
        assert_eq!(layout(5), None);
        assert_eq!(layout(16), None);
        assert_eq!(
            Layout::of(Version {
                major: 2,
                minor: 7,
                micro: None
            }),
            None
        );
    }
}
