//! What a file is that holds no CPython which could be examined.

use std::fmt;
use std::path::Path;

use super::elf::{Elf, ElfError};

/// Bytes at a file's start in which packers leave their mark.
const MARK_WITHIN: usize = 1024;

/// The section that CPython 3.7+ has its state in, which debuggers find by it
/// (`Python/pylifecycle.c`). `strip` leaves it.
const RUNTIME: &str = ".PyRuntime";

/// What a file is instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// It has no bytes.
    Empty,
    /// It starts with `#!` and names this program.
    Script(String),
    /// Nothing that the kernel executes.
    Data,
    /// An ELF file that cannot be read here.
    Elf(ElfError),
    /// Another implementation of Python, by its name.
    Implementation(&'static str),
    /// CPython 2.
    Python2,
    /// A CPython that does not tell its version where others do.
    UnknownVersion,
    /// A CPython was linked into it, of whose symbols none is left.
    Stripped,
    /// CPython 3.0 to 3.5: its evaluator has another name and other frames.
    Before36,
    /// Packed by UPX: what it is shows only in memory.
    Packed,
    /// Without section headers, which tell what its bytes are.
    NoSections,
    /// Any other program that may load libraries as it runs: one of CPython's, maybe.
    Loader,
    /// Any other program or library.
    Other,
}

impl fmt::Display for Foreign {
    /// What completes "this file is".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Foreign::Empty => f.write_str("an empty file"),
            Foreign::Script(program) if program.is_empty() => {
                f.write_str("a script whose #! line names no program")
            }
            Foreign::Script(program) => write!(f, "a script that {program} runs"),
            Foreign::Data => f.write_str("no program: neither an ELF file nor a script"),
            Foreign::Elf(error) => error.fmt(f),
            Foreign::Implementation(name) => {
                write!(f, "{name}, not CPython")
            }
            Foreign::Python2 => f.write_str("a Python 2"),
            Foreign::UnknownVersion => f.write_str("a CPython of unknown version"),
            Foreign::Stripped => {
                f.write_str("a program with CPython in it whose symbols were stripped")
            }
            Foreign::Before36 => f.write_str("a CPython older than 3.6"),
            Foreign::Packed => f.write_str("packed by UPX: what it is cannot be seen"),
            Foreign::NoSections => {
                f.write_str("an ELF file without section headers: what it is cannot be seen")
            }
            Foreign::Loader | Foreign::Other => f.write_str("not a CPython"),
        }
    }
}

impl Foreign {
    /// Whether it certainly is Python, though none that can be traced.
    pub fn is_python(&self) -> bool {
        matches!(
            self,
            Foreign::Implementation(_)
                | Foreign::Python2
                | Foreign::Before36
                | Foreign::UnknownVersion
                | Foreign::Stripped
        )
    }

    /// What to do about it: a whole sentence without its full stop.
    pub fn cure(&self) -> &'static str {
        match self {
            Foreign::Implementation(_) | Foreign::Python2 | Foreign::Before36 => {
                "pytrace traces CPython 3.6 to 3.15: run the program with one of these"
            }
            Foreign::Elf(ElfError::Class32 | ElfError::Machine(_)) => {
                "pytrace traces CPython for x86-64: run the program with one"
            }
            Foreign::Elf(_) | Foreign::UnknownVersion => {
                "install that Python again, or use another one"
            }
            Foreign::Stripped => {
                "use the program from before `strip`, or link it with -rdynamic: then Python's \
                 symbols stay"
            }
            Foreign::Packed => "unpack it with `upx -d`",
            Foreign::NoSections => "use the file from before sstrip; plain strip does no harm",
            Foreign::Script(_) => "name the interpreter itself, not a script that starts it",
            Foreign::Empty | Foreign::Data | Foreign::Loader | Foreign::Other => {
                "name CPython's executable, such as /usr/bin/python3"
            }
        }
    }

    /// A file that is no ELF file, by its first bytes.
    pub(super) fn of_text(head: &[u8]) -> Foreign {
        if head.is_empty() {
            return Foreign::Empty;
        }
        let Some(line) = head.strip_prefix(b"#!") else {
            return Foreign::Data;
        };
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let program = words.next().unwrap_or_default();
        Foreign::Script(String::from_utf8_lossy(program).into_owned())
    }

    /// An ELF file that defines no interpreter of CPython 3.6 or later.
    pub(super) fn of_elf(elf: &Elf) -> Foreign {
        if elf.sections().is_empty() {
            let head = elf.head(MARK_WITHIN);
            let packed = head.windows(4).any(|mark| mark == b"UPX!");
            return if packed {
                Foreign::Packed
            } else {
                Foreign::NoSections
            };
        }
        let needs = |prefix: &str| {
            elf.needed()
                .iter()
                .any(|name| name.rsplit('/').next().unwrap_or(name).starts_with(prefix))
        };
        let defines = |name: &str| elf.symbol(name).is_some();
        if needs("libpypy") || defines("pypy_main_startup") {
            Foreign::Implementation("PyPy")
        } else if is_micropython(elf) {
            Foreign::Implementation("MicroPython")
        } else if needs("libpython2.") || defines("PyEval_EvalFrameEx") && defines("PyInt_Type") {
            Foreign::Python2
        } else if defines("PyEval_EvalFrameEx") && defines("PyCode_Type") {
            Foreign::Before36
        } else if elf.section(RUNTIME).is_some() {
            Foreign::Stripped
        } else if may_load(elf) {
            Foreign::Loader
        } else {
            Foreign::Other
        }
    }

    /// Tells by the file's name what its content does not: launchers of Java programs.
    pub(super) fn named(self, path: &Path) -> Foreign {
        if !matches!(self, Foreign::Loader | Foreign::Other | Foreign::Script(_)) {
            return self;
        }
        let real = path.canonicalize();
        let name = real.as_deref().unwrap_or(path).file_name();
        let name = name.unwrap_or_default().to_string_lossy();
        [
            ("graalpy", "GraalPy"),
            ("jython", "Jython"),
            ("pypy", "PyPy"),
        ]
        .into_iter()
        .find(|(prefix, _)| name.starts_with(prefix))
        .map_or(self, |(_, implementation)| {
            Foreign::Implementation(implementation)
        })
    }
}

/// Whether a program may call `dlopen`: itself, or by a library of its own. Those of the C library and
/// of compilers do not load anybody's Python.
fn may_load(elf: &Elf) -> bool {
    const LOAD_NOTHING: [&str; 8] = [
        "libc.so.6",
        "libm.so.6",
        "libpthread.so.0",
        "librt.so.1",
        "libgcc_s.so.1",
        "libstdc++.so.6",
        "ld-linux-x86-64.so.2",
        "libc.musl-x86_64.so.1",
    ];
    let loads = |name: &String| !LOAD_NOTHING.contains(&name.as_str());
    elf.needed().iter().any(loads) || elf.imports("dlopen") || elf.imports("dlmopen")
}

/// Whether its version banner is there: `MicroPython v1.26.1 on 2025-09-13; linux ...`
/// (`py/modsys.c`). It exports nothing that would tell.
fn is_micropython(elf: &Elf) -> bool {
    const BANNER: &[u8] = b"MicroPython v";
    /// Its constants are some 200 KB; those of other programs are not searched for nothing.
    const CONSTANTS_MAX: u64 = 2 << 20;
    elf.sections()
        .iter()
        .filter(|section| section.name.starts_with(".rodata") && section.size <= CONSTANTS_MAX)
        .flat_map(|section| elf.section_bytes(section).split(|byte| *byte == 0))
        .filter_map(|text| text.strip_prefix(BANNER))
        .any(|version| version.first().is_some_and(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_apart() {
        for (text, what) in [
            ("", "an empty file"),
            ("#!/bin/sh\nexit\n", "a script that /bin/sh runs"),
            ("#! /usr/bin/env python3", "a script that /usr/bin/env runs"),
            ("#!\n", "a script whose #! line names no program"),
            ("print()", "no program: neither an ELF file nor a script"),
        ] {
            assert_eq!(Foreign::of_text(text.as_bytes()).to_string(), what);
        }
    }

    #[test]
    fn launchers_are_known_by_name() {
        let named = |path| Foreign::Other.named(Path::new(path));
        assert_eq!(
            named("/opt/graalpy-24/bin/graalpy"),
            Foreign::Implementation("GraalPy")
        );
        assert_eq!(named("/opt/bin/python3"), Foreign::Other);
        let damaged = Foreign::Elf(ElfError::Class32);
        assert_eq!(damaged.clone().named(Path::new("/pypy3")), damaged);
    }
}
