//! Where objects have what they hold: the values of arguments.

pub(super) mod newer;
mod since_3_11;
mod until_3_10;

use super::{Sizes, shown};
use crate::cpython::debug_offsets::{DebugOffsets, ObjectWords};
use crate::cpython::elf::Elf;
use crate::cpython::plan::Version;

/// Byte offsets into CPython's objects, for capturing their values.
///
/// The size of every variable-sized object is in the word at 16 (`ob_size`), and so are the length
/// of a `str` and, since 3.12, an `int`'s `lv_tag`. A `range` has its bounds where
/// [`RANGE_START`](Self::RANGE_START) and its neighbours say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Objects {
    /// `PyFrameObject.f_localsplus`; `_PyInterpreterFrame.localsplus` since 3.11.
    pub frame_locals: u16,
    /// `PyCodeObject.co_kwonlyargcount`.
    pub code_kwonlyargcount: u16,
    /// `PyCodeObject.co_nlocals`.
    pub code_nlocals: u16,
    /// `PyCodeObject.co_nlocalsplus`, 3.11+: how many locals a frame has, cells and free variables
    /// included. Its stack is behind them.
    pub code_nlocalsplus: Option<u16>,
    /// The names of locals, arguments first: `PyCodeObject.co_varnames`; `co_localsplusnames`
    /// since 3.11.
    pub code_names: u16,
    /// `PyCodeObject.co_localspluskinds`, 3.11+: a `bytes` with a byte of `CO_FAST_*` bits for each
    /// of these names.
    pub code_kinds: Option<u16>,
    /// `PyCodeObject.co_cell2arg`, up to 3.10: null, or an array that has for each of `co_cellvars`
    /// the index of the argument that it holds, or -1.
    pub code_cell2arg: Option<u16>,
    /// Bytes of each of its elements: 1 in 3.6, where 255 is none (`CO_CELL_NOT_AN_ARG`).
    pub code_cell2arg_width: u16,
    /// `PyCodeObject.co_consts`.
    pub code_consts: u16,
    /// `PyTupleObject.ob_item`: the items.
    pub tuple_items: u16,
    /// `PyListObject.ob_item`: a pointer to the items.
    pub list_items: u16,
    /// `PyLongObject.ob_digit`; `long_value.ob_digit` since 3.12.
    pub int_digits: u16,
    /// Whether the word at 16 is `long_value.lv_tag` (3.12+): the number of digits, shifted left by
    /// three, and the sign in the low two bits (0: positive, 1: zero, 2: negative). Before, it is
    /// `ob_size`: the number of digits, negative for a negative number.
    pub int_has_tag: bool,
    /// `PyFloatObject.ob_fval`.
    pub float_value: u16,
    /// `PyComplexObject.cval`: two doubles.
    pub complex_value: u16,
    /// `PyBytesObject.ob_sval`.
    pub bytes_data: u16,
    /// `PyByteArrayObject.ob_start`: a pointer to the first byte.
    pub bytearray_start: u16,
    /// `PyUnicodeObject.data`: a pointer to the characters of a string that is not compact.
    pub str_wide_data: u16,
    /// `PyDictObject.ma_used`.
    pub dict_used: u16,
    /// `PyDictObject.ma_keys`: a pointer to a `PyDictKeysObject`.
    pub dict_keys: u16,
    /// `PyDictObject.ma_values`: null, or in a split table a pointer to the values
    /// ([`values_items`](Self::values_items)), whose keys are shared.
    pub dict_values: u16,
    /// Size of `PyDictKeysObject`, where its indices are (`dk_indices`).
    pub keys_header: u16,
    /// `PyDictKeysObject.dk_size`: the number of indices, up to 3.10. An index has 1 byte if it is
    /// at most 0xff, 2 if at most 0xffff, 4 if at most 0xffffffff, else 8; the entries follow.
    pub keys_size: Option<u16>,
    /// `PyDictKeysObject.dk_log2_size` (a byte), 3.11+.
    pub keys_log2_size: Option<u16>,
    /// `PyDictKeysObject.dk_log2_index_bytes` (a byte), 3.11+: of the size of all indices together.
    /// The entries follow upon these.
    pub keys_log2_index_bytes: Option<u16>,
    /// `PyDictKeysObject.dk_kind` (a byte), 3.11+. If it is not 0 (`DICT_KEYS_GENERAL`), all keys
    /// are strings, and an entry is a `PyDictUnicodeEntry`: key, value. Else, and up to 3.10, it is
    /// a `PyDictKeyEntry`: hash, key, value.
    pub keys_kind: Option<u16>,
    /// `PyDictKeysObject.dk_nentries`: the number of entries used, including those of removed
    /// items, which have no value.
    pub keys_entries_count: u16,
    /// `PyDictValues.values`: an array of pointers in the order of the keys' entries, null where
    /// there is none. Up to 3.10 there is nothing but the array.
    pub values_items: u16,
    /// `PyDictValues.valid` (a byte), 3.13+: whether the values inside an object are those that
    /// count.
    pub values_valid: Option<u16>,
    /// `PySetObject.used`.
    pub set_used: u16,
    /// `PySetObject.mask`: one less than the number of entries in the table.
    pub set_mask: u16,
    /// `PySetObject.table`: a pointer to the entries, of a key and a hash. Where there is none the
    /// key is null, or `dummy`, with a hash of -1.
    pub set_table: u16,
    /// `PyFunctionObject.func_qualname`.
    pub function_qualname: u16,
    /// `PyMethodObject.im_func`.
    pub method_function: u16,
    /// `PyModuleObject.md_name`.
    pub module_name: u16,
    /// `PyCFunctionObject.m_ml`: a pointer to a `PyMethodDef`, which starts with the name.
    pub builtin_definition: u16,
    /// `PySliceObject.start`.
    pub slice_start: u16,
    /// `PySliceObject.stop`.
    pub slice_stop: u16,
    /// `PySliceObject.step`.
    pub slice_step: u16,
    /// `PyBaseExceptionObject.args`.
    pub exception_args: u16,
    /// `PyTypeObject.tp_basicsize`.
    pub type_basicsize: u16,
    /// `PyTypeObject.tp_itemsize`.
    pub type_itemsize: u16,
    /// `PyTypeObject.tp_flags`.
    pub type_flags: u16,
    /// `PyTypeObject.tp_base`.
    pub type_base: u16,
    /// `PyTypeObject.tp_dict`. Null in the interpreter's own static types since 3.12.
    pub type_dict: u16,
    /// `PyTypeObject.tp_dictoffset`.
    pub type_dictoffset: u16,
    /// `PyHeapTypeObject.ht_qualname`.
    pub heap_qualname: u16,
    /// `PyHeapTypeObject.ht_cached_keys`: the keys that a class's instances share.
    pub heap_cached_keys: u16,
    /// Size of `PyHeapTypeObject`. The `PyMemberDef`s of a class's `__slots__`, `ob_size` of them,
    /// lie behind it: at the `tp_basicsize` of its metaclass (`PyHeapType_GET_MEMBERS`; since 3.12
    /// `PyObject_GetItemData`), which may be larger.
    pub heap_size: u16,
    /// How an instance's attributes are found.
    pub attributes: Attributes,
}

/// Where an object has its attributes. What lies before an object is given as a distance back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attributes {
    /// Up to 3.10: in the dict whose pointer, null where there is none yet, is `tp_dictoffset` into
    /// the object. If that is negative, it counts from the object's end: from `tp_basicsize` and
    /// `tp_itemsize` for each of the items (the absolute value of `ob_size`), rounded up to words
    /// (`_PyObject_GetDictPtr` in `Objects/object.c`).
    DictOffset,
    /// 3.11: if the type has `Py_TPFLAGS_MANAGED_DICT`, two pointers before the object. Else as
    /// above.
    ValuesOrDict {
        /// Distance back to the pointer to the values (`_PyObject_ValuesPointer`); null where there
        /// is a dict.
        values: u16,
        /// Distance back to the pointer to the dict (`_PyObject_ManagedDictPointer`).
        dict: u16,
    },
    /// 3.12: if the type has `Py_TPFLAGS_MANAGED_DICT`, one pointer before the object. Else as
    /// above.
    Tagged {
        /// Distance back to it (`_PyObject_DictOrValuesPointer`): with its lowest bit set it is one
        /// less than the address of the values, else the dict's.
        pointer: u16,
    },
    /// 3.13+: if the type has `Py_TPFLAGS_INLINE_VALUES`, the values lie in the object, at
    /// `tp_basicsize` (`_PyObject_InlineValues`), unless they are not valid. Else, if it has
    /// `Py_TPFLAGS_MANAGED_DICT`, a pointer to the dict before the object. Else as above.
    Inline {
        /// Distance back to the pointer to the dict (`_PyObject_ManagedDictPointer`); null until
        /// something has asked for `__dict__`.
        dict: u16,
    },
}

impl Objects {
    /// `rangeobject.start`. The struct is in `Objects/rangeobject.c`, the same from 3.6 to 3.15.
    pub const RANGE_START: u16 = 16;
    /// `rangeobject.stop`.
    pub const RANGE_STOP: u16 = 24;
    /// `rangeobject.step`.
    pub const RANGE_STEP: u16 = 32;
    /// `Py_TPFLAGS_INLINE_VALUES`, 3.13+ (`Include/object.h`).
    pub const TPFLAGS_INLINE_VALUES: u64 = 1 << 2;
    /// `Py_TPFLAGS_MANAGED_DICT`, 3.11+ (`Include/object.h`).
    pub const TPFLAGS_MANAGED_DICT: u64 = 1 << 4;
}

/// What was measured of a version.
#[derive(Debug, Clone, Copy)]
struct Measured {
    objects: Objects,
    sizes: ObjectSizes,
    /// Where a 3.13+ tells some of it itself.
    words: Option<ObjectWords>,
}

/// `tp_basicsize` of these objects' types.
#[derive(Debug, Clone, Copy)]
pub(super) struct ObjectSizes {
    pub(super) list: u16,
    pub(super) float: u16,
    pub(super) complex: u16,
    pub(super) bytearray: u16,
    pub(super) dict: u16,
    pub(super) set: u16,
    pub(super) method: u16,
    pub(super) module: u16,
    pub(super) builtin: u16,
    pub(super) slice: u16,
    pub(super) exception: u16,
}

/// What was measured of a version, corrected by what the build tells and shows. `None` where that
/// says that its objects are others; `sizes` are of the version's other objects.
pub(super) fn of_build(
    elf: &Elf,
    version: Version,
    offsets: Option<&DebugOffsets>,
    sizes: &Sizes,
) -> Option<Objects> {
    let measured = table(version)?;
    let told = match offsets.zip(measured.words) {
        None => measured.objects,
        Some((offsets, words)) => offsets.apply_to_objects(&words, measured.objects)?,
    };
    shown::objects(elf, sizes, &measured.sizes, told)
}

/// What was measured of a version.
pub(super) fn of(version: Version) -> Option<Objects> {
    table(version).map(|measured| measured.objects)
}

fn table(version: Version) -> Option<&'static Measured> {
    Some(match (version.major, version.minor) {
        (3, 6) => &until_3_10::V3_6,
        (3, 7) => &until_3_10::V3_7,
        (3, 8) => &until_3_10::V3_8,
        (3, 9) => &until_3_10::V3_9,
        (3, 10) => &until_3_10::V3_10,
        (3, 11) => &since_3_11::V3_11,
        (3, 12) => &since_3_11::V3_12,
        (3, 13) => &since_3_11::V3_13,
        (3, 14) => &since_3_11::V3_14,
        (3, 15) => &since_3_11::V3_15,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each<T>(field: fn(Objects) -> T) -> Vec<T> {
        let version = |minor| Version {
            major: 3,
            minor,
            micro: None,
        };
        let objects = (6..=15).map(|minor| of(version(minor)).expect("measured"));
        objects.map(field).collect()
    }

    /// What was found by running programs, before there was a table.
    #[test]
    fn fields_are_where_running_programs_had_them() {
        assert_eq!(
            each(|it| it.frame_locals),
            [376, 360, 360, 360, 352, 72, 72, 72, 80, 80]
        );
        assert_eq!(
            each(|it| it.tuple_items),
            [24, 24, 24, 24, 24, 24, 24, 24, 32, 32]
        );
        assert_eq!(
            each(|it| it.code_names),
            [64, 64, 72, 72, 72, 96, 96, 96, 96, 96]
        );
        assert_eq!(
            each(|it| it.code_kwonlyargcount),
            [20, 20, 24, 24, 24, 64, 60, 60, 60, 60]
        );
        assert_eq!(
            each(|it| it.code_nlocals),
            [24, 24, 28, 28, 28, 80, 80, 80, 80, 80]
        );
        assert_eq!(each(|it| it.int_digits), [24; 10]);
        assert_eq!(each(|it| it.bytes_data), [32; 10]);
        assert_eq!(each(|it| it.float_value), [16; 10]);
        assert_eq!(each(|it| it.dict_used), [16; 10]);
        assert_eq!(each(|it| it.set_used), [24; 10]);
    }

    #[test]
    fn a_version_has_one_way_to_the_cells_of_arguments() {
        assert!(
            each(|it| it.code_kinds.is_some() != it.code_cell2arg.is_some())
                .iter()
                .all(|one| *one)
        );
    }

    #[test]
    fn keys_tell_their_size_in_one_way() {
        assert!(
            each(|it| it.keys_size.is_some() != it.keys_log2_size.is_some())
                .iter()
                .all(|one| *one)
        );
    }

    #[test]
    fn values_inside_an_object_can_be_invalid() {
        let inline = each(|it| matches!(it.attributes, Attributes::Inline { .. }));
        assert_eq!(each(|it| it.values_valid.is_some()), inline);
    }
}
