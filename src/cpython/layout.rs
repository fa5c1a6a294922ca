//! Offsets of the fields that are read from a target, per CPython version.

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
    /// (a pointer, not null when suspended; up to 3.9) or `f_state` (a char, 3.10).
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
    /// Mask of `RESUME`'s argument that tells a start (0) from a resumption (3.11+).
    pub resume_location_mask: u8,
}
