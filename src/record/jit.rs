//! Whether a process has its interpreter's JIT on (3.14+).

use std::ffi::OsString;
use std::fs;

use super::process;
use crate::cpython::Jit;
use crate::scope::Options;

/// Whether a process that begins to run an interpreter with this JIT, or that has for some time, has it
/// on.
///
/// What counts is `PYTHON_JIT` when the interpreter is initialised. A program that embeds one may set
/// it itself before that, and any may write over its environment (setproctitle does): that it is on shows
/// when it compiles, then (`Plan::compiler`).
pub(super) fn is_on(pid: u32, jit: Jit) -> bool {
    if jit == Jit::None {
        return false;
    }
    let argv = || process::command_line(pid).unwrap_or_default();
    if process::runs_python(pid) && ignores_environment(&argv()) {
        return jit.is_on(None);
    }
    // One that can't be read: its program is not ours to trace, or it is gone.
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    jit.is_on(variable(&environment))
}

/// The value of `PYTHON_JIT`.
fn variable(environment: &[u8]) -> Option<&[u8]> {
    let mut entries = environment.split(|byte| *byte == 0);
    entries.find_map(|entry| entry.strip_prefix(b"PYTHON_JIT="))
}

/// Whether a python's options have it ignore the environment: `-E` or `-I`.
fn ignores_environment(argv: &[OsString]) -> bool {
    let args = argv.get(1..).unwrap_or_default();
    let options = Options::of(args).letters;
    options.contains(&b'E') || options.contains(&b'I')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_ignore_the_environment_are_found() {
        for (arguments, ignores) in [
            ("python3", false),
            ("python3 -E x.py", true),
            ("python3 -bI", true),
            ("python3 -Wd -I x.py", true),
            ("python3 -W E x.py", false),
            ("python3 -X I -s x.py", false),
            ("python3 -XI x.py", false),
            ("python3 x.py -E", false),
            ("python3 -m E -I", false),
            ("python3 -c I -I", false),
            ("python3 - -E", false),
            ("python3 -- -E", false),
            ("python3 --check-hash-based-pycs never -E x.py", true),
        ] {
            let arguments: Vec<OsString> = arguments.split(' ').map(OsString::from).collect();
            assert_eq!(ignores_environment(&arguments), ignores, "{arguments:?}");
        }
    }

    #[test]
    fn the_variable_is_found_in_an_environment() {
        assert_eq!(variable(b"A=1\0PYTHON_JIT=0\0B=\0"), Some(&b"0"[..]));
        assert_eq!(variable(b"XPYTHON_JIT=0\0PYTHON_JITS=2\0"), None);
        assert_eq!(variable(b""), None);
    }
}
