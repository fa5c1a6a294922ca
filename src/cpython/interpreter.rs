//! Telling whether a file is a CPython, and which.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::debug_offsets::DebugOffsets;
use super::elf::{Elf, ElfError};
use super::file;
use super::foreign::Foreign;
use super::layout::{self, Layout};
use super::opcode::{self, Opcodes};
use super::plan::Version;
use super::remote::Remote;
use super::thread_list::{self, ThreadList};
use super::usdt::{self, Note};
use super::{stdlib, version};

/// Bytes at a file's start that tell what it is where it is no ELF file: room for a `#!` line
/// (`BINPRM_BUF_SIZE`).
const HEAD: usize = 256;

/// The largest file that is examined. A CPython with debug information has some 60 MB.
const FILE_MAX: u64 = 1 << 30;

/// What a file turned out to be.
#[derive(Debug)]
pub enum Found {
    /// A CPython: an executable or a shared library that defines the interpreter.
    Interpreter(Box<Interpreter>),
    /// An executable or a library that loads CPython's shared library.
    NeedsLibpython {
        /// The library's name, as in `DT_NEEDED` (`libpython3.13.so.1.0`). With a slash it is a
        /// path, not searched for (`$ORIGIN/../lib/libpython3.12.so.1.0`, in
        /// python-build-standalone).
        soname: String,
        /// Where it asks the dynamic linker to look (`DT_RUNPATH`, `DT_RPATH`), with `$ORIGIN`
        /// unexpanded.
        runpath: Option<String>,
        /// Offset in the file of its first instruction, which runs once all libraries are
        /// loaded; `None` for a library.
        entry: Option<u64>,
    },
    /// Anything else: a script, another program, another implementation of Python.
    Foreign(Foreign),
}

/// Why a file could not be examined.
#[derive(Debug, thiserror::Error)]
pub enum InterpreterError {
    /// It could not be read.
    #[error("failed to read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is no regular file, or one larger than any interpreter.
    #[error("{path} is not a file that can hold an interpreter")]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
}

/// A file that defines CPython's interpreter.
#[derive(Debug)]
pub struct Interpreter {
    name: String,
    elf: Elf,
    version: Version,
    evaluator: u64,
    notes: Vec<Note>,
    debug_offsets: Option<DebugOffsets>,
    opcodes: Option<Opcodes>,
}

impl Interpreter {
    /// Examines a file.
    pub fn open(path: impl AsRef<Path>) -> Result<Found, InterpreterError> {
        let path = path.as_ref();
        let failed = |source| InterpreterError::Read {
            path: path.to_owned(),
            source,
        };
        let opened = file::open_regular(path).map_err(failed)?;
        let Some((mut file, size)) = opened.filter(|(_, size)| *size <= FILE_MAX) else {
            return Err(InterpreterError::NotAFile {
                path: path.to_owned(),
            });
        };
        let mut head = [0; HEAD];
        let started = read_start(&mut file, &mut head).map_err(failed)?;
        let head = head.get(..started).unwrap_or_default();
        let found = if head.starts_with(&object::elf::ELFMAG) {
            let data = file::read(&file, size as usize).map_err(failed)?;
            Interpreter::examine(&path.display().to_string(), data, |version| {
                stdlib::opcode_metadata(path, version)
            })
        } else {
            Found::Foreign(Foreign::of_text(head))
        };
        Ok(match found {
            Found::Foreign(foreign) => Found::Foreign(foreign.named(path)),
            found => found,
        })
    }

    /// Examines a file's bytes; `name` is for messages.
    pub fn from_bytes(name: &str, data: Vec<u8>) -> Found {
        Interpreter::examine(name, data, |_| None)
    }

    /// The same; `module` has the text of its standard library's `_opcode_metadata`, if needed.
    fn examine(name: &str, data: Vec<u8>, module: impl FnOnce(Version) -> Option<String>) -> Found {
        let head: Vec<u8> = data.iter().copied().take(HEAD).collect();
        let elf = match Elf::parse(data) {
            Ok(elf) => elf,
            Err(ElfError::NotElf) => return Found::Foreign(Foreign::of_text(&head)),
            Err(error) => return Found::Foreign(Foreign::Elf(error)),
        };
        // `PyEval_EvalFrameDefault` without underscore is what unstable-API builds may export.
        let evaluator = ["_PyEval_EvalFrameDefault", "PyEval_EvalFrameDefault"]
            .iter()
            .find_map(|symbol| elf.symbol(symbol));
        let (Some(evaluator), Some(_)) = (evaluator, elf.symbol("PyCode_Type")) else {
            return not_an_interpreter(&elf);
        };
        let debug_offsets = DebugOffsets::read(&elf);
        let told = debug_offsets.as_ref().map(DebugOffsets::version);
        let Some(version) = told.or_else(|| version::of(&elf)) else {
            return Found::Foreign(Foreign::UnknownVersion);
        };
        let opcodes = match version.is_newer_than_known() && debug_offsets.is_some() {
            true => opcode::told(&elf, module(version).as_deref()),
            false => Opcodes::of(version.minor).cloned(),
        };
        Found::Interpreter(Box::new(Interpreter {
            name: name.to_owned(),
            opcodes,
            version,
            evaluator: evaluator.address,
            notes: usdt::notes(&elf),
            debug_offsets,
            elf,
        }))
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its release.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether it is loaded at any address: a shared library or a PIE.
    pub fn position_independent(&self) -> bool {
        self.elf.position_independent()
    }

    /// Whether only its exported symbols are left.
    pub fn stripped(&self) -> bool {
        !self.elf.has_local_symbols()
    }

    /// Whether it was built without the GIL (3.13+).
    pub fn free_threaded(&self) -> bool {
        self.debug_offsets
            .as_ref()
            .is_some_and(DebugOffsets::free_threaded)
    }

    /// Whether it describes its own objects (`_Py_DebugOffsets`, 3.13+).
    pub fn has_debug_offsets(&self) -> bool {
        self.debug_offsets.is_some()
    }

    /// The linker's id of the build, in hexadecimal, where it has one.
    pub fn build_id(&self) -> Option<String> {
        let id = self.elf.build_id()?;
        Some(id.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The static probes compiled into it.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Its opcodes; `None` for a version that is not known, and does not tell them.
    pub(super) fn opcodes(&self) -> Option<&Opcodes> {
        self.opcodes.as_ref()
    }

    /// Where fields lie in its objects.
    pub(super) fn layout(&self) -> Result<Layout, layout::Unknown> {
        layout::of_build(&self.elf, self.version, self.debug_offsets.as_ref())
    }

    /// Where the states of its threads are: as its functions show or, where they are not understood, as it
    /// tells itself.
    pub(super) fn threads(&self) -> Option<ThreadList> {
        let told = || layout::threads(&self.elf, self.version, self.debug_offsets.as_ref());
        thread_list::find(&self.elf).or_else(told)
    }

    /// Where it takes scripts to run, if it does.
    pub(super) fn remote(&self) -> Option<Remote> {
        layout::remote(self.version, self.debug_offsets.as_ref())
    }

    /// Address of `_PyEval_EvalFrameDefault`.
    pub(super) fn evaluator(&self) -> u64 {
        self.evaluator
    }

    pub(super) fn elf(&self) -> &Elf {
        &self.elf
    }
}

fn not_an_interpreter(elf: &Elf) -> Found {
    let soname = elf.needed().iter().find(|name| is_libpython(name));
    match soname {
        Some(soname) => Found::NeedsLibpython {
            soname: soname.clone(),
            runpath: elf.runpath().map(str::to_owned),
            entry: elf.entry_offset(),
        },
        None => Found::Foreign(Foreign::of_elf(elf)),
    }
}

/// `libpython3.13.so.1.0`, `libpython3.7m.so`; not `libpython3.so`, which defines nothing.
fn is_libpython(needed: &str) -> bool {
    let soname = needed.rsplit('/').next().unwrap_or(needed);
    soname
        .strip_prefix("libpython3.")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains(".so"))
}

fn read_start(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_of_cpython_is_known_by_its_name() {
        for name in [
            "$ORIGIN/../lib/libpython3.12.so.1.0",
            "libpython3.13.so.1.0",
            "libpython3.7m.so",
            "libpython3.13t.so.1.0",
        ] {
            assert!(is_libpython(name), "{name}");
        }
        for name in [
            "libpython3.so",
            "libpython2.7.so.1.0",
            "libpypy3.10-c.so",
            "libc.so.6",
        ] {
            assert!(!is_libpython(name), "{name}");
        }
    }

    /// What a file of these bytes is.
    fn foreign(bytes: &[u8]) -> String {
        match Interpreter::from_bytes("a.out", bytes.to_vec()) {
            Found::Foreign(foreign) => foreign.to_string(),
            found => panic!("{found:?}"),
        }
    }

    #[test]
    fn a_script_is_not_python() {
        assert_eq!(foreign(b"#!/bin/sh\nexit\n"), "a script that /bin/sh runs");
    }

    #[test]
    fn other_machines_are_told_so() {
        for (start, machine, what) in [
            (
                b"\x7fELF\x01\x01\x01",
                3u16.to_le_bytes(),
                "a 32-bit program",
            ),
            (
                b"\x7fELF\x02\x01\x01",
                183u16.to_le_bytes(),
                "a program for aarch64, not for x86-64",
            ),
            (
                b"\x7fELF\x02\x02\x01",
                22u16.to_be_bytes(),
                "a program for s390x, not for x86-64",
            ),
        ] {
            let mut header = [0; 64];
            header[..7].copy_from_slice(start);
            header[18..20].copy_from_slice(&machine);
            assert_eq!(foreign(&header), what);
        }
    }
}
