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
    /// `YIELD_VALUE`, 3.12+.
    yields: Option<u8>,
}

fn version(minor: u8) -> Version {
    let hex = 0x0300_01f0 | u64::from(minor) << 16;
    let (unassigned, returns, raise, yields): (&[_], &[_], _, _) = match minor {
        ..=9 => (
            &[0..=0, 7..=8, 30..=47, 119..=120, 166..=255],
            &[83],
            130,
            None,
        ),
        10..=11 => (&[181..=254], &[83], 130, None),
        12 => (
            &[169..=170, 177..=236, 255..=255],
            &[83, 121],
            130,
            Some(150),
        ),
        13 => (
            &[119..=148, 223..=235, 255..=255],
            &[36, 103],
            101,
            Some(118),
        ),
        _ => (&[120..=127, 219..=232], &[33], 103, Some(119)),
    };
    Version {
        hex,
        unassigned,
        returns,
        raise,
        yields,
    }
}

/// How its evaluator goes from opcode to opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dispatch {
    /// By `goto *opcode_targets[opcode]`, as gcc compiles it: the frame is in rbx.
    Goto,
    /// By one `switch`, with a table of distances; the frame is on the stack (3.12+).
    Switch,
    /// By tail calls: handlers are functions, with the frame in r12; frames are popped in line,
    /// `YIELD_VALUE` has no branch but behind the switch to the caller's frame, and the evaluator has
    /// been copied (3.12+).
    TailCalls,
}

/// `mov rcx, [r13 - 8]`: the top of the stack, as many handlers begin.
const TOP_OF_STACK: [u8; 4] = [0x49, 0x8b, 0x4d, 0xf8];

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

    /// `movzx eax, byte [r15]; jmp [rax * 8 + table]`, or the same with distances.
    fn dispatch(&mut self, kind: Dispatch, table: u64) {
        self.put(&[0x41, 0x0f, 0xb6, 0x07]);
        match kind {
            Dispatch::Goto => self.put(&[0xff, 0x24, 0xc5]),
            // pop rdx
            Dispatch::TailCalls => self.put(&[0x5a, 0xff, 0x24, 0xc5]),
            Dispatch::Switch => {
                // lea rcx, [rip + table]; movsxd rax, [rcx + rax * 4]; add rax, rcx; jmp rax
                self.relative(&[0x48, 0x8d, 0x0d], table);
                return self.put(&[0x48, 0x63, 0x04, 0x81, 0x48, 0x01, 0xc8, 0xff, 0xe0]);
            }
        }
        self.put(&(table as u32).to_le_bytes());
    }

    /// `cmp byte [r12 + owner], 0; jne` to the next instruction: a frame is popped in line.
    fn pop(&mut self, minor: u8) {
        let owner = if minor >= 14 { 74 } else { 70 };
        self.put(&[0x41, 0x80, 0x7c, 0x24, owner, 0x00, 0x75, 0x00]);
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
    /// Where exceptions are handled, [`Dispatch::TailCalls`] only.
    error: u64,
}

/// An ELF file that defines a CPython 3.`minor`.
pub fn interpreter(minor: u8) -> Vec<u8> {
    interpreter_with(minor, Dispatch::Goto)
}

/// One that dispatches in a certain way.
pub fn interpreter_with(minor: u8, kind: Dispatch) -> Vec<u8> {
    // The code's size does not depend on what it refers to.
    let Assembled { bytes, error, .. } = assemble(minor, kind, Places::default());
    let mut image = Image::new(EM_X86_64, &vec![0; bytes.len()]);
    let table = image.next_address();
    let places = Places {
        table,
        variable: table + 256 * 8,
        error,
    };
    let Assembled {
        bytes,
        handlers,
        symbols,
        probes,
        ..
    } = assemble(minor, kind, places);
    image = Image::new(EM_X86_64, &bytes);
    let version = version(minor);
    let mut words: Vec<u8> = match kind {
        Dispatch::Switch => handlers
            .iter()
            .flat_map(|at| (at.wrapping_sub(table) as u32).to_le_bytes())
            .collect(),
        _ => handlers.iter().flat_map(|at| at.to_le_bytes()).collect(),
    };
    words.resize(256 * 8, 0);
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
        if kind != Dispatch::Switch {
            pointers.push((table, handlers[0]));
        }
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
    error: u64,
}

fn assemble(minor: u8, kind: Dispatch, places: Places) -> Assembled {
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
    let entry_probe = match kind {
        Dispatch::TailCalls => enter_by_call(&mut code, places),
        _ => enter(&mut code, minor, kind, places),
    };

    let unknown = code.here();
    code.put(&[0x0f, 0x0b]);
    let error = code.here();
    if kind == Dispatch::TailCalls {
        code.pop(minor);
        code.put(&[0x58, 0xc3]);
        // A copy of the evaluator, in some other function.
        enter_by_call(&mut code, places);
    }
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
        let (returns, raises) = (version.returns.contains(&opcode), opcode == version.raise);
        match kind {
            // mov [r12 + 56], r15; mov rax, r12; mov r12, [rax + 8]; mov qword [rax + 8], 0;
            // xor eax, eax
            Dispatch::TailCalls if version.yields == Some(opcode) => {
                code.put(&TOP_OF_STACK);
                code.put(&[0x4d, 0x89, 0x7c, 0x24, 0x38, 0x4c, 0x89, 0xe0]);
                code.put(&[0x4c, 0x8b, 0x60, 0x08, 0x48, 0xc7, 0x40, 0x08, 0, 0, 0, 0]);
                code.put(&[0x31, 0xc0]);
            }
            // mov [rbx + 56], r15; add r15, 2
            Dispatch::Goto if minor >= 11 => {
                code.put(&[0x4c, 0x89, 0x7b, 0x38, 0x49, 0x83, 0xc7, 0x02]);
            }
            Dispatch::Goto => {}
            // mov rax, [rbp - 48]; mov [rax + 56], r15; add r15, 2; xor eax, eax
            Dispatch::Switch => {
                code.put(&[0x48, 0x8b, 0x45, 0xd0, 0x4c, 0x89, 0x78, 0x38]);
                code.put(&[0x49, 0x83, 0xc7, 0x02, 0x31, 0xc0]);
            }
            // push rax; mov [r12 + 56], r15; add r15, 2; test eax, eax; jne error
            Dispatch::TailCalls => {
                code.put(&TOP_OF_STACK);
                code.put(&[0x50, 0x4d, 0x89, 0x7c, 0x24, 0x38, 0x49, 0x83, 0xc7, 0x02]);
                if !returns {
                    code.put(&[0x85, 0xc0]);
                    code.relative(&[0x0f, 0x85], error);
                }
            }
        }
        code.branch();
        if minor <= 10 && returns {
            return_probe = code.here();
            // nop; mov rax, [rbx + 24]; mov [rbp + 24], rax; test rdx, rdx; je
            code.put(&[0x90, 0x48, 0x8b, 0x43, 0x18, 0x48, 0x89, 0x45, 0x18]);
            code.put(&[0x48, 0x85, 0xd2, 0x74, 0x00, 0x5b, 0xc3]);
        } else if minor == 11 && (raises || returns) {
            // cmp byte [rbx + 68], 0; je
            code.put(&[0x80, 0x7b, 0x44, 0x00, 0x74, 0x00]);
        } else if kind == Dispatch::TailCalls && returns {
            code.pop(minor);
        } else if kind == Dispatch::TailCalls && raises {
            code.put(&[0x58]);
            code.relative(&[0xe9], error);
            continue;
        } else if minor >= 12 && (raises || returns) {
            return_probe = code.here();
            // nop; mov rdi, rbp; mov rsi, rbx; call _PyEval_FrameClearAndPop
            code.put(&[0x90, 0x48, 0x89, 0xef, 0x48, 0x89, 0xde]);
            code.relative(&[0xe8], pop);
        }
        code.dispatch(kind, places.table);
    }
    Assembled {
        bytes: code.bytes,
        handlers,
        symbols,
        probes: [entry_probe, return_probe],
        error,
    }
}

/// The evaluator's entry; returns where its static probe is.
fn enter(code: &mut Code, minor: u8, kind: Dispatch, places: Places) -> u64 {
    // endbr64
    code.put(&[0xf3, 0x0f, 0x1e, 0xfa]);
    if kind == Dispatch::Switch {
        // push rbp; mov rbp, rsp; mov [rbp - 48], rsi
        code.put(&[0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0x75, 0xd0]);
    } else {
        // push rbx; mov rbx, rsi; mov rbp, rdi
        code.put(&[0x53, 0x48, 0x89, 0xf3, 0x48, 0x89, 0xfd]);
    }
    if minor <= 10 {
        // mov [rdi + 24], rsi
        code.put(&[0x48, 0x89, 0x77, 0x18]);
    }
    let probe = code.here();
    // nop; test edx, edx; jne to the throwing part
    code.put(&[0x90, 0x85, 0xd2, 0x75, 0x00]);
    let behind = code.bytes.len();
    code.dispatch(kind, places.table);
    code.bytes[behind - 1] = (code.bytes.len() - behind) as u8;
    // test eax, eax; je; and on with the opcodes
    code.branch();
    code.dispatch(kind, places.table);
    probe
}

/// The evaluator where handlers are functions.
fn enter_by_call(code: &mut Code, places: Places) -> u64 {
    // push r12; mov r12, rsi; mov r14, rdi
    code.put(&[0x41, 0x54, 0x49, 0x89, 0xf4, 0x49, 0x89, 0xfe]);
    let probe = code.here();
    // nop; test edx, edx; jne; movzx eax, byte [r15]; call [rax * 8 + table]; pop r12; ret
    code.put(&[0x90, 0x85, 0xd2, 0x75, 0x0e, 0x41, 0x0f, 0xb6, 0x07]);
    code.put(&[0xff, 0x14, 0xc5]);
    code.put(&(places.table as u32).to_le_bytes());
    code.put(&[0x41, 0x5c, 0xc3]);
    // test eax, eax; je; call error; pop r12; ret
    code.branch();
    code.relative(&[0xe8], places.error);
    code.put(&[0x41, 0x5c, 0xc3]);
    probe
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
