//! Interpreters in miniature: what plans are derived from, and nothing else.
//!
//! Each opcode has a handler of a few instructions, as compilers make them of CPython's: fuzzing
//! is a hundred times faster on these than on a real one, and gets as far.

#![allow(
    unreachable_pub,
    missing_docs,
    reason = "public in the fuzz targets only"
)]

use super::elf::{EM_X86_64, Image};
use super::objects::{debug_offsets, types};

/// What differs between versions besides their objects: opcodes, as `src/cpython/opcode.rs` has
/// them.
struct Version {
    hex: u64,
    unassigned: &'static [std::ops::RangeInclusive<u8>],
    returns: &'static [u8],
    raise: u8,
}

fn version(minor: u8) -> Version {
    let hex = 0x0300_01f0 | u64::from(minor) << 16;
    let (unassigned, returns, raise): (&[_], &[_], _) = match minor {
        ..=9 => (&[0..=0, 7..=8, 30..=47, 119..=120, 166..=255], &[83], 130),
        10..=11 => (&[181..=254], &[83], 130),
        12 => (&[169..=170, 177..=236, 255..=255], &[83, 121], 130),
        13 => (&[119..=148, 223..=235, 255..=255], &[36, 103], 101),
        _ => (&[120..=127, 219..=232], &[33], 103),
    };
    Version {
        hex,
        unassigned,
        returns,
        raise,
    }
}

/// Code that grows, with the addresses it has got.
struct Code {
    base: u64,
    bytes: Vec<u8>,
}

impl Code {
    fn here(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// An instruction that ends in a displacement relative to what follows it.
    fn relative(&mut self, opcode: &[u8], target: u64) {
        self.put(opcode);
        let next = self.here() + 4;
        self.put(&(target.wrapping_sub(next) as u32).to_le_bytes());
    }

    /// `movzx eax, byte [r15]; jmp [rax * 8 + table]`
    fn dispatch(&mut self, table: u64) {
        self.put(&[0x41, 0x0f, 0xb6, 0x07, 0xff, 0x24, 0xc5]);
        self.put(&(table as u32).to_le_bytes());
    }

    /// `test eax, eax; je` to the next instruction.
    fn branch(&mut self) {
        self.put(&[0x85, 0xc0, 0x74, 0x00]);
    }
}

/// Where things lie behind the code.
#[derive(Default, Clone, Copy)]
struct Places {
    table: u64,
    variable: u64,
}

/// An ELF file that defines a CPython 3.`minor`.
pub fn interpreter(minor: u8) -> Vec<u8> {
    // The code's size does not depend on what it refers to.
    let size = assemble(minor, Places::default()).bytes.len();
    let mut image = Image::new(EM_X86_64, &vec![0; size]);
    let table = image.next_address();
    let places = Places {
        table,
        variable: table + 256 * 8,
    };
    let Assembled {
        bytes,
        handlers,
        symbols,
        probes,
    } = assemble(minor, places);
    image = Image::new(EM_X86_64, &bytes);
    let version = version(minor);
    let words: Vec<u8> = handlers.iter().flat_map(|at| at.to_le_bytes()).collect();
    // Behind the table the variable, and Py_Version.
    let constants = [
        &words[..],
        &[0; 8],
        &version.hex.to_le_bytes(),
        format!("\0/usr/lib/python3.{minor}\03.{minor}.1\0").as_bytes(),
    ]
    .concat();
    image.data(".rodata", &constants);

    let types = types(&mut image, minor, address(&symbols, "freed"));
    if minor >= 13 {
        image.data(".PyRuntime", &debug_offsets(minor, version.hex));
        let mut pointers = types.pointers;
        pointers.push((table, handlers[0]));
        image.relocations(&pointers);
    }
    image.notes(".note.stapsdt", &notes(&probes));
    image.notes(
        ".note.gnu.build-id",
        b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\x000123456789abcdefghij",
    );
    let mut exports = symbols.clone();
    exports.extend(types.symbols);
    exports.push(("Py_Version", places.variable + 8));
    image.exports(&exports);
    image.build()
}

struct Assembled {
    bytes: Vec<u8>,
    handlers: Vec<u64>,
    symbols: Vec<(&'static str, u64)>,
    /// Where the static probes `function__entry` and `function__return` are.
    probes: [u64; 2],
}

fn assemble(minor: u8, places: Places) -> Assembled {
    let version = version(minor);
    let mut code = Code {
        base: Image::new(EM_X86_64, &[]).next_address(),
        bytes: Vec::new(),
    };
    let mut symbols = Vec::new();
    // mov rax, [rip + variable]; ret
    for name in ["PyInterpreterState_Head", "PyThreadState_Get"] {
        symbols.push((name, code.here()));
        if minor >= 12 && name == "PyThreadState_Get" {
            // mov rax, fs:[-24]
            code.put(&[0x64, 0x48, 0x8b, 0x04, 0x25, 0xe8, 0xff, 0xff, 0xff]);
        } else {
            code.relative(&[0x48, 0x8b, 0x05], places.variable);
        }
        code.put(&[0xc3]);
    }
    for (name, offset) in [
        ("PyInterpreterState_Next", 8),
        ("PyInterpreterState_ThreadHead", 16),
        ("PyThreadState_Next", 8),
        ("_PyEval_FrameClearAndPop", 32),
        ("_Py_CheckFunctionResult", 40),
        ("freed", 48),
    ] {
        symbols.push((name, code.here()));
        // endbr64; mov rax, [rdi + offset]; ret
        code.put(&[0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x8b, 0x47, offset, 0xc3]);
    }
    let pop = address(&symbols, "_PyEval_FrameClearAndPop");
    symbols.push(("_PyEval_EvalFrameDefault", code.here()));
    // endbr64; push rbx; mov rbx, rsi; mov rbp, rdi
    code.put(&[
        0xf3, 0x0f, 0x1e, 0xfa, 0x53, 0x48, 0x89, 0xf3, 0x48, 0x89, 0xfd,
    ]);
    if minor <= 10 {
        // mov [rdi + 24], rsi
        code.put(&[0x48, 0x89, 0x77, 0x18]);
    }
    let entry_probe = code.here();
    // nop; test edx, edx; jne to the throwing part
    code.put(&[0x90, 0x85, 0xd2, 0x75, 0x0b]);
    code.dispatch(places.table);
    // test eax, eax; je; and on with the opcodes
    code.branch();
    code.dispatch(places.table);

    let unknown = code.here();
    code.put(&[0x0f, 0x0b]);
    let mut return_probe = code.here();
    let mut handlers = Vec::new();
    for opcode in 0..=255u8 {
        if version
            .unassigned
            .iter()
            .any(|range| range.contains(&opcode))
        {
            handlers.push(unknown);
            continue;
        }
        handlers.push(code.here());
        if minor >= 11 {
            // mov [rbx + 56], r15; add r15, 2
            code.put(&[0x4c, 0x89, 0x7b, 0x38, 0x49, 0x83, 0xc7, 0x02]);
        }
        code.branch();
        let (returns, raises) = (version.returns.contains(&opcode), opcode == version.raise);
        if minor <= 10 && returns {
            return_probe = code.here();
            // nop; mov rax, [rbx + 24]; mov [rbp + 24], rax; test rdx, rdx; je
            code.put(&[0x90, 0x48, 0x8b, 0x43, 0x18, 0x48, 0x89, 0x45, 0x18]);
            code.put(&[0x48, 0x85, 0xd2, 0x74, 0x00, 0x5b, 0xc3]);
        } else if minor == 11 && (raises || returns) {
            // cmp byte [rbx + 68], 0; je
            code.put(&[0x80, 0x7b, 0x44, 0x00, 0x74, 0x00]);
        } else if minor >= 12 && (raises || returns) {
            return_probe = code.here();
            // nop; mov rdi, rbp; mov rsi, rbx; call _PyEval_FrameClearAndPop
            code.put(&[0x90, 0x48, 0x89, 0xef, 0x48, 0x89, 0xde]);
            code.relative(&[0xe8], pop);
        }
        code.dispatch(places.table);
    }
    Assembled {
        bytes: code.bytes,
        handlers,
        symbols,
        probes: [entry_probe, return_probe],
    }
}

fn address(symbols: &[(&str, u64)], wanted: &str) -> u64 {
    let symbol = symbols.iter().find(|(name, _)| *name == wanted);
    symbol.map_or(0, |(_, at)| *at)
}

fn notes(probes: &[u64; 2]) -> Vec<u8> {
    let mut notes = Vec::new();
    for (name, at) in ["function__entry", "function__return"].iter().zip(probes) {
        let strings = format!("python\0{name}\08@%rbp 8@%rbx -4@%eax\0");
        let size = 24 + strings.len();
        for word in [8, size as u32, 3] {
            notes.extend_from_slice(&word.to_le_bytes());
        }
        notes.extend_from_slice(b"stapsdt\0");
        for word in [*at, 0, 0] {
            notes.extend_from_slice(&word.to_le_bytes());
        }
        notes.extend_from_slice(strings.as_bytes());
        notes.resize(notes.len().next_multiple_of(4), 0);
    }
    notes
}
