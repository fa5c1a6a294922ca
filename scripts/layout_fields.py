"""What scripts/layouts.py measures: the fields of the Rust tables, and for each the C expression that
tells it, from a minor version of CPython on.
"""

FRAME = "_PyInterpreterFrame"
CODE = "PyCodeObject"
KEYS = "struct _dictkeysobject"
TYPE = "PyTypeObject"
DEBUG = "_Py_DebugOffsets"


def offset(struct, member):
    return f"offsetof({struct}, {member})"


def optional(expression):
    return f"Some({{{expression}}})"


# What is measured: Rust field, and the C expression for it from a minor version on; None: the
# field is `None` from there on. What starts with "=" is no C, and goes into the table as it is.
LAYOUT = [
    ("ob_type", {6: offset("PyObject", "ob_type")}),
    ("frame_code", {6: offset("PyFrameObject", "f_code"), 11: offset(FRAME, "f_code"),
                    13: offset(FRAME, "f_executable")}),
    ("frame_previous", {6: offset("PyFrameObject", "f_back"), 11: offset(FRAME, "previous")}),
    ("frame_lasti", {6: offset("PyFrameObject", "f_lasti"), 11: offset(FRAME, "prev_instr"),
                     13: offset(FRAME, "instr_ptr")}),
    ("frame_state", {6: offset("PyFrameObject", "f_stacktop"),
                     10: offset("PyFrameObject", "f_state"), 11: offset(FRAME, "stacktop"),
                     14: offset(FRAME, "stackpointer")}),
    ("frame_state_size", {6: "sizeof(((PyFrameObject *)0)->f_stacktop)",
                          10: "sizeof(((PyFrameObject *)0)->f_state)",
                          11: f"sizeof((({FRAME} *)0)->stacktop)",
                          14: f"sizeof((({FRAME} *)0)->stackpointer)"}),
    ("frame_owner", {6: None, 12: optional(offset(FRAME, "owner"))}),
    ("code_tag_mask", {6: "0", 14: "Py_TAG_BITS"}),
    ("code_flags", {6: offset(CODE, "co_flags")}),
    ("code_firstlineno", {6: offset(CODE, "co_firstlineno")}),
    ("code_filename", {6: offset(CODE, "co_filename")}),
    ("code_name", {6: offset(CODE, "co_name")}),
    ("code_qualname", {6: None, 11: optional(offset(CODE, "co_qualname"))}),
    ("methods", {6: "METHODS", 11: None}),
    ("code_argcount", {6: offset(CODE, "co_argcount")}),
    ("code_instructions", {6: None, 11: optional(offset(CODE, "co_code_adaptive"))}),
    ("code_first_traceable", {6: None, 11: optional(
        f"{offset(CODE, 'co_code_adaptive')} - {offset(CODE, '_co_firsttraceable')}")}),
    ("copies", {6: None}),
    ("str_kind_bit", {6: "str_kind_bit()"}),
    ("str_ascii", {6: "sizeof(PyASCIIObject)"}),
    ("str_compact", {6: "sizeof(PyCompactUnicodeObject)"}),
    ("tstate_frame", {6: offset("PyThreadState", "frame"), 11: offset("PyThreadState", "cframe"),
                      13: offset("PyThreadState", "current_frame")}),
    ("cframe_frame", {6: None, 11: optional(offset("_PyCFrame", "current_frame")), 13: None}),
    ("tstate_exception", {6: offset("PyThreadState", "curexc_type"),
                          12: offset("PyThreadState", "current_exception")}),
    ("tstate_thread_id", {6: offset("PyThreadState", "thread_id")}),
    ("tstate_native_id", {6: None, 11: optional(offset("PyThreadState", "native_thread_id"))}),
    # 3.11 and 3.12 have no name for it: RESUME's operand is 0 to 3 (Doc/library/dis.rst).
    ("resume_location_mask", {6: "0", 11: "3", 13: "RESUME_OPARG_LOCATION_MASK"}),
]

# What is otherwise in builds without the GIL.
FREE_THREADED = {
    "copies": {13: None, 14: "COPIES"},
}

METHODS = [
    ("code_cellvars", {6: offset(CODE, "co_cellvars")}),
    ("function_code", {6: offset("PyFunctionObject", "func_code")}),
    ("function_closure", {6: offset("PyFunctionObject", "func_closure")}),
]


def before_object(function):
    """How far before an object lies what an inline function of CPython's finds."""
    return f"(char *)4096 - (char *){function}((PyObject *)4096)"


# Up to 3.10, PyDictKeysObject is in Objects/dict-common.h, which is not installed: dk_refcnt,
# dk_size, dk_lookup, dk_usable, dk_nentries and dk_indices, a word each up to the last. Up to 3.9,
# PyModuleObject is in Objects/moduleobject.c: behind its head md_dict, md_def, md_state,
# md_weaklist and md_name.
OBJECTS = [
    ("frame_locals", {6: offset("PyFrameObject", "f_localsplus"), 11: offset(FRAME, "localsplus")}),
    ("code_kwonlyargcount", {6: offset(CODE, "co_kwonlyargcount")}),
    ("code_nlocals", {6: offset(CODE, "co_nlocals")}),
    ("code_nlocalsplus", {6: None, 11: optional(offset(CODE, "co_nlocalsplus"))}),
    ("code_names", {6: offset(CODE, "co_varnames"), 11: offset(CODE, "co_localsplusnames")}),
    ("code_kinds", {6: None, 11: optional(offset(CODE, "co_localspluskinds"))}),
    ("code_cell2arg", {6: optional(offset(CODE, "co_cell2arg")), 11: None}),
    ("code_cell2arg_width", {6: "sizeof(*((PyCodeObject *)0)->co_cell2arg)", 11: "0"}),
    ("code_consts", {6: offset(CODE, "co_consts")}),
    ("tuple_items", {6: offset("PyTupleObject", "ob_item")}),
    ("list_items", {6: offset("PyListObject", "ob_item")}),
    ("int_digits", {6: offset("PyLongObject", "ob_digit"),
                    12: offset("PyLongObject", "long_value.ob_digit")}),
    ("int_has_tag", {6: "=false", 12: "=true"}),
    ("float_value", {6: offset("PyFloatObject", "ob_fval")}),
    ("complex_value", {6: offset("PyComplexObject", "cval")}),
    ("bytes_data", {6: offset("PyBytesObject", "ob_sval")}),
    ("bytearray_start", {6: offset("PyByteArrayObject", "ob_start")}),
    ("str_wide_data", {6: offset("PyUnicodeObject", "data")}),
    ("dict_used", {6: offset("PyDictObject", "ma_used")}),
    ("dict_keys", {6: offset("PyDictObject", "ma_keys")}),
    ("dict_values", {6: offset("PyDictObject", "ma_values")}),
    ("keys_header", {6: "40", 11: offset(KEYS, "dk_indices")}),
    ("keys_size", {6: optional("8"), 11: None}),
    ("keys_log2_size", {6: None, 11: optional(offset(KEYS, "dk_log2_size"))}),
    ("keys_log2_index_bytes", {6: None, 11: optional(offset(KEYS, "dk_log2_index_bytes"))}),
    ("keys_kind", {6: None, 11: optional(offset(KEYS, "dk_kind"))}),
    ("keys_entries_count", {6: "32", 11: offset(KEYS, "dk_nentries")}),
    ("values_items", {6: "0", 11: offset("struct _dictvalues", "values")}),
    ("values_valid", {6: None, 13: optional(offset("struct _dictvalues", "valid"))}),
    ("set_used", {6: offset("PySetObject", "used")}),
    ("set_mask", {6: offset("PySetObject", "mask")}),
    ("set_table", {6: offset("PySetObject", "table")}),
    ("function_qualname", {6: offset("PyFunctionObject", "func_qualname")}),
    ("method_function", {6: offset("PyMethodObject", "im_func")}),
    ("module_name", {6: "48", 10: offset("PyModuleObject", "md_name")}),
    ("builtin_definition", {6: offset("PyCFunctionObject", "m_ml")}),
    ("slice_start", {6: offset("PySliceObject", "start")}),
    ("slice_stop", {6: offset("PySliceObject", "stop")}),
    ("slice_step", {6: offset("PySliceObject", "step")}),
    ("exception_args", {6: offset("PyBaseExceptionObject", "args")}),
    ("type_basicsize", {6: offset(TYPE, "tp_basicsize")}),
    ("type_itemsize", {6: offset(TYPE, "tp_itemsize")}),
    ("type_flags", {6: offset(TYPE, "tp_flags")}),
    ("type_base", {6: offset(TYPE, "tp_base")}),
    ("type_dict", {6: offset(TYPE, "tp_dict")}),
    ("type_dictoffset", {6: offset(TYPE, "tp_dictoffset")}),
    ("heap_qualname", {6: offset("PyHeapTypeObject", "ht_qualname")}),
    ("heap_cached_keys", {6: offset("PyHeapTypeObject", "ht_cached_keys")}),
    ("heap_size", {6: "sizeof(PyHeapTypeObject)"}),
    ("attributes", {6: "=Attributes::DictOffset", 11: "VALUES_OR_DICT", 12: "TAGGED",
                    13: "INLINE"}),
]

# Structs in fields.
VARIANTS = {
    "METHODS": ("Some(Methods [[", METHODS, "]])"),
    "VALUES_OR_DICT": ("Attributes::ValuesOrDict [[", [
        ("values", {11: before_object("_PyObject_ValuesPointer")}),
        ("dict", {11: before_object("_PyObject_ManagedDictPointer")}),
    ], "]]"),
    "TAGGED": ("Attributes::Tagged [[", [
        ("pointer", {12: before_object("_PyObject_DictOrValuesPointer")}),
    ], "]]"),
    "COPIES": ("Some(Copies [[", [
        ("code_array", {14: offset(CODE, "co_tlbc")}),
        ("array_items", {14: offset("_PyCodeArray", "entries")}),
        ("frame_index", {14: offset(FRAME, "tlbc_index")}),
    ], "]])"),
    "INLINE": ("Attributes::Inline [[", [
        ("dict", {13: before_object("_PyObject_ManagedDictPointer")}),
    ], "]]"),
}

# The tp_basicsize of the exported type objects, as CPython's own sources initialise it.
SIZES = [
    ("frame", {6: "sizeof(PyFrameObject)",
               11: offset("PyFrameObject", "_f_frame_data") + " + " + offset(FRAME, "localsplus")}),
    ("string", {6: "sizeof(PyUnicodeObject)"}),
    ("function", {6: "sizeof(PyFunctionObject)"}),
    ("heap_type", {6: "sizeof(PyHeapTypeObject)"}),
]

# Likewise. PyTuple_Type, PyLong_Type, PyBytes_Type and PyType_Type show what is in OBJECTS.
OBJECT_SIZES = [
    ("list", {6: "sizeof(PyListObject)"}),
    ("float", {6: "sizeof(PyFloatObject)"}),
    ("complex", {6: "sizeof(PyComplexObject)"}),
    ("bytearray", {6: "sizeof(PyByteArrayObject)"}),
    ("dict", {6: "sizeof(PyDictObject)"}),
    ("set", {6: "sizeof(PySetObject)"}),
    ("method", {6: "sizeof(PyMethodObject)"}),
    ("module", {6: "56", 10: "sizeof(PyModuleObject)"}),
    ("builtin", {6: "sizeof(PyCFunctionObject)"}),
    ("slice", {6: "sizeof(PySliceObject)"}),
    ("exception", {6: "sizeof(PyBaseExceptionObject)"}),
]


def word(member):
    return offset(DEBUG, member) + " / 8"


# The places of _Py_DebugOffsets in which an interpreter tells its own offsets, in words.
WORDS = [
    ("tstate_frame", {13: word("thread_state.current_frame")}),
    ("tstate_exception", {13: None, 15: optional(word("thread_state.current_exception"))}),
    ("tstate_thread_id", {13: word("thread_state.thread_id")}),
    ("tstate_native_id", {13: word("thread_state.native_thread_id")}),
    ("frame_previous", {13: word("interpreter_frame.previous")}),
    ("frame_code", {13: word("interpreter_frame.executable")}),
    ("frame_lasti", {13: word("interpreter_frame.instr_ptr")}),
    ("frame_state", {13: None, 14: optional(word("interpreter_frame.stackpointer"))}),
    ("frame_owner", {13: word("interpreter_frame.owner")}),
    ("code_filename", {13: word("code_object.filename")}),
    ("code_name", {13: word("code_object.name")}),
    ("code_qualname", {13: word("code_object.qualname")}),
    ("code_firstlineno", {13: word("code_object.firstlineno")}),
    ("code_argcount", {13: word("code_object.argcount")}),
    ("code_instructions", {13: word("code_object.co_code_adaptive")}),
    ("str_ascii", {13: word("unicode_object.asciiobject_size")}),
    ("interpreters", {13: word("runtime_state.interpreters_head")}),
    ("interpreter_next", {13: word("interpreter_state.next")}),
    ("interpreter_threads", {13: word("interpreter_state.threads_head")}),
    ("thread_next", {13: word("thread_state.next")}),
    ("remote", {13: None, 14: optional(word("debugger_support.eval_breaker"))}),
]

OBJECT_WORDS = [
    ("frame_locals", {13: word("interpreter_frame.localsplus")}),
    ("code_names", {13: word("code_object.localsplusnames")}),
    ("code_kinds", {13: word("code_object.localspluskinds")}),
    ("tuple_items", {13: word("tuple_object.ob_item")}),
    ("list_items", {13: word("list_object.ob_item")}),
    ("int_tag", {13: word("long_object.lv_tag")}),
    ("int_digits", {13: word("long_object.ob_digit")}),
    ("float_value", {13: word("float_object.ob_fval")}),
    ("bytes_data", {13: word("bytes_object.ob_sval")}),
    ("dict_keys", {13: word("dict_object.ma_keys")}),
    ("dict_values", {13: word("dict_object.ma_values")}),
    ("set_used", {13: None, 14: optional(word("set_object.used"))}),
    ("set_mask", {13: None, 14: optional(word("set_object.mask"))}),
    ("set_table", {13: None, 14: optional(word("set_object.table"))}),
    ("type_flags", {13: word("type_object.tp_flags")}),
    ("type_basicsize", {13: None, 15: optional(word("type_object.tp_basicsize"))}),
    ("type_dictoffset", {13: None, 15: optional(word("type_object.tp_dictoffset"))}),
    ("heap_cached_keys", {13: None, 15: optional(word("heap_type_object.ht_cached_keys"))}),
    ("heap_size", {13: None, 15: optional(word("heap_type_object.size"))}),
]
