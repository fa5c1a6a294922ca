//! What an interpreter in miniature shows of its objects: its static type objects, and what it
//! tells debuggers of them.

#![allow(
    unreachable_pub,
    missing_docs,
    reason = "public in the fuzz targets only"
)]

use super::elf::Image;

/// Versions whose plans differ in kind.
pub const MINORS: [u8; 5] = [9, 11, 12, 13, 15];

/// A number of each of these versions.
type Row = [u64; MINORS.len()];

/// A static type object as releases have it (`Objects/codeobject.c` and its neighbours).
struct Type {
    symbol: &'static str,
    basic_size: Row,
    /// Names, and offsets: 0 where a version has no such field or nothing reads it.
    members: &'static [(&'static str, Row)],
}

#[rustfmt::skip]
const TYPES: [Type; 20] = [
    Type {
        symbol: "PyCode_Type",
        basic_size: [176, 184, 192, 200, 208],
        members: &[
            ("co_argcount",    [ 16,  56,  52,  52,  52]),
            ("co_kwonlyargcount", [24, 64, 60,  60,  60]),
            ("co_nlocals",     [ 28,   0,   0,   0,   0]),
            ("co_flags",       [ 36,  48,  48,  48,  48]),
            ("co_firstlineno", [ 40,  72,  68,  68,  68]),
            ("co_varnames",    [ 72,   0,   0,   0,   0]),
            ("co_cellvars",    [ 88,   0,   0,   0,   0]),
            ("co_consts",      [ 56,  24,  24,  24,  24]),
            ("co_filename",    [104, 112, 112, 112, 112]),
            ("co_name",        [112, 120, 120, 120, 120]),
            ("co_qualname",    [  0, 128, 128, 128, 128]),
        ],
    },
    Type {
        symbol: "PyFrame_Type",
        basic_size: [368, 120, 120, 136, 152],
        members: &[
            ("f_back",         [ 24,   0,   0,   0,   0]),
            ("f_code",         [ 32,   0,   0,   0,   0]),
        ],
    },
    Type {
        symbol: "PyUnicode_Type",
        basic_size: [80, 80, 64, 64, 64],
        members: &[],
    },
    Type {
        symbol: "PyFunction_Type",
        basic_size: [120, 136, 144, 144, 152],
        members: &[
            ("__closure__",    [ 48,   0,   0,   0,   0]),
        ],
    },
    Type {
        symbol: "PyType_Type",
        basic_size: [880, 904, 920, 928, 944],
        members: &[
            ("__basicsize__",  [ 32,  32,  32,  32,  32]),
            ("__itemsize__",   [ 40,  40,  40,  40,  40]),
            ("__flags__",      [168, 168, 168, 168, 168]),
            ("__base__",       [256, 256, 256, 256, 256]),
            ("__dictoffset__", [288, 288, 288, 288, 288]),
        ],
    },
    Type {
        symbol: "PyTuple_Type",
        basic_size: [24, 24, 24, 24, 32],
        members: &[],
    },
    Type {
        symbol: "PyList_Type",
        basic_size: [40, 40, 40, 40, 40],
        members: &[],
    },
    Type {
        symbol: "PyLong_Type",
        basic_size: [24, 24, 24, 24, 24],
        members: &[],
    },
    Type {
        symbol: "PyFloat_Type",
        basic_size: [24, 24, 24, 24, 24],
        members: &[],
    },
    Type {
        symbol: "PyComplex_Type",
        basic_size: [32, 32, 32, 32, 32],
        members: &[
            ("real",           [ 16,  16,  16,  16,  16]),
        ],
    },
    Type {
        symbol: "PyBytes_Type",
        basic_size: [33, 33, 33, 33, 33],
        members: &[],
    },
    Type {
        symbol: "PyByteArray_Type",
        basic_size: [56, 56, 56, 56, 64],
        members: &[],
    },
    Type {
        symbol: "PyDict_Type",
        basic_size: [48, 48, 48, 48, 48],
        members: &[],
    },
    Type {
        symbol: "PySet_Type",
        basic_size: [200, 200, 200, 200, 200],
        members: &[],
    },
    Type {
        symbol: "PyMethod_Type",
        basic_size: [48, 48, 48, 48, 48],
        members: &[
            ("__func__",       [ 16,  16,  16,  16,  16]),
        ],
    },
    Type {
        symbol: "PyModule_Type",
        basic_size: [56, 56, 56, 56, 104],
        members: &[],
    },
    Type {
        symbol: "PyCFunction_Type",
        basic_size: [56, 56, 56, 56, 56],
        members: &[],
    },
    Type {
        symbol: "PySlice_Type",
        basic_size: [40, 40, 40, 40, 40],
        members: &[
            ("start",          [ 16,  16,  16,  16,  16]),
            ("stop",           [ 24,  24,  24,  24,  24]),
            ("step",           [ 32,  32,  32,  32,  32]),
        ],
    },
    Type {
        symbol: "PyRange_Type",
        basic_size: [48, 48, 48, 48, 48],
        members: &[
            ("start",          [ 16,  16,  16,  16,  16]),
            ("stop",           [ 24,  24,  24,  24,  24]),
            ("step",           [ 32,  32,  32,  32,  32]),
        ],
    },
    Type {
        symbol: "_PyExc_BaseException",
        basic_size: [64, 72, 72, 72, 72],
        members: &[],
    },
];

/// A variable that is exported, and the type that it points to, which is not.
const POINTER: (&str, &str) = ("PyExc_BaseException", "_PyExc_BaseException");

/// In words: a `PyTypeObject`, and where it has `tp_basicsize`, `tp_dealloc` and `tp_members`
/// (`Include/cpython/object.h`).
const TYPE_WORDS: usize = 51;
const BASIC_SIZE: usize = 4;
const DEALLOC: usize = 6;
const MEMBERS: usize = 30;

/// In words: a `PyMemberDef` (`Include/structmember.h`), which starts with a name; its offset is
/// the third.
const MEMBER_WORDS: usize = 5;

/// Type objects in an image.
#[derive(Debug)]
pub struct Types {
    /// What they are exported as, and their addresses.
    pub symbols: Vec<(&'static str, u64)>,
    /// The words of theirs that are pointers, and what they point to.
    pub pointers: Vec<(u64, u64)>,
}

/// Puts the type objects of a CPython 3.`minor` into an image; `dealloc` is the function that
/// frees their instances.
pub fn types(image: &mut Image, minor: u8, dealloc: u64) -> Types {
    let column = MINORS.iter().position(|it| *it == minor);
    let column = column.expect("one of MINORS");
    let members = |it: &Type| {
        let members = it.members.iter().map(|(name, row)| (*name, row[column]));
        members.filter(|(_, offset)| *offset != 0)
    };
    let names: String = TYPES
        .iter()
        .flat_map(members)
        .map(|(name, _)| format!("{name}\0"))
        .collect();
    let mut name_at = image.data(".rodata.str", names.as_bytes());

    let mut tables = Words::at(image.next_address());
    let mut table_at = Vec::new();
    for it in &TYPES {
        table_at.push(tables.next_address());
        for (name, offset) in members(it) {
            tables.pointer(name_at);
            tables.words.extend([0, offset, 0, 0]);
            name_at += name.len() as u64 + 1;
        }
        tables.words.extend([0; MEMBER_WORDS]);
    }
    image.data(".data.rel.ro", &bytes(&tables.words));

    let mut objects = Words::at(image.next_address());
    let mut symbols = Vec::new();
    for (it, table) in TYPES.iter().zip(table_at) {
        symbols.push((it.symbol, objects.next_address()));
        for word in 0..TYPE_WORDS {
            match word {
                BASIC_SIZE => objects.words.push(it.basic_size[column]),
                DEALLOC => objects.pointer(dealloc),
                MEMBERS => objects.pointer(table),
                _ => objects.words.push(0),
            }
        }
    }
    let target = symbols.iter().position(|(name, _)| *name == POINTER.1);
    let (_, target) = symbols.remove(target.expect("one of TYPES"));
    symbols.push((POINTER.0, objects.next_address()));
    objects.pointer(target);
    image.data(".data", &bytes(&objects.words));
    let pointers = [tables.pointers, objects.pointers].concat();
    Types { symbols, pointers }
}

/// A section that grows.
struct Words {
    address: u64,
    words: Vec<u64>,
    pointers: Vec<(u64, u64)>,
}

impl Words {
    fn at(address: u64) -> Words {
        Words {
            address,
            words: Vec::new(),
            pointers: Vec::new(),
        }
    }

    fn next_address(&self) -> u64 {
        self.address + self.words.len() as u64 * 8
    }

    fn pointer(&mut self, target: u64) {
        self.pointers.push((self.next_address(), target));
        self.words.push(target);
    }
}

fn bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The start of `_Py_DebugOffsets` (`Include/internal/pycore_debug_offsets.h`; in 3.13
/// `pycore_runtime.h`), with the fields that are read: runs of them, by the word of the first.
pub fn debug_offsets(minor: u8, hex: u64) -> Vec<u8> {
    let runs: &[(usize, &[u64])] = match minor {
        13 => &[
            // thread_state: current_frame, thread_id, native_thread_id.
            (23, &[72, 152, 160]),
            // interpreter_frame: size, previous, executable, instr_ptr, localsplus, owner.
            (28, &[80, 8, 0, 56, 72, 70]),
            // code_object: size, filename, name, qualname, linetable, firstlineno, argcount,
            // localsplusnames, localspluskinds, co_code_adaptive.
            (34, &[208, 112, 120, 128, 136, 68, 52, 96, 104, 200]),
            // type_object.tp_flags; tuple_object and list_object: size, ob_item, ob_size.
            (49, &[168, 32, 24, 16, 40, 24, 16]),
            // dict_object: size, ma_keys, ma_values; float_object: size, ob_fval; long_object: size,
            // lv_tag, ob_digit.
            (56, &[48, 32, 40, 24, 16, 32, 16, 24]),
            // bytes_object: size, ob_size, ob_sval; unicode_object: size, state, length,
            // asciiobject_size.
            (64, &[40, 16, 32, 64, 32, 16, 40]),
        ],
        _ => &[
            // The same, and thread_state.current_exception and interpreter_frame.stackpointer.
            (26, &[72, 0, 0, 0, 176, 184]),
            (36, &[136]),
            (39, &[88, 8, 0, 56, 80, 74, 64]),
            (47, &[216, 112, 120, 128, 136, 68, 52, 96, 104, 208]),
            // And type_object: tp_flags, tp_basicsize, tp_dictoffset; heap_type_object: size,
            // ht_cached_keys.
            (63, &[168, 32, 288, 944, 888]),
            (68, &[40, 32, 16, 40, 24, 16]),
            // And set_object: size, used, table, mask.
            (74, &[200, 24, 40, 32]),
            (78, &[48, 32, 40, 24, 16, 32, 16, 24]),
            (86, &[40, 16, 32, 64, 32, 16, 40]),
        ],
    };
    let mut words = vec![0; 128];
    for (first, values) in runs {
        words[*first..first + values.len()].copy_from_slice(values);
    }
    words[0] = u64::from_le_bytes(*b"xdebugpy");
    words[1] = hex;
    bytes(&words)
}
