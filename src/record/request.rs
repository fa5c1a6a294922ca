//! Asking an interpreter to instrument the scope's code, by a few lines of Python that it runs before the
//! user's program (`request/finder.py`).
//!
//! Nothing else tells an interpreter so: variables of the environment, `sitecustomize` and files in
//! `site-packages` are seen by the program, and inherited by what has nothing to do with it. Instead its main
//! thread, held at the start of `Py_RunMain()`, is made to call `PyRun_SimpleString()` first, and to come
//! back to where it was. It does so by itself: should pytrace die meanwhile, nothing is missing. What it
//! returned is in its registers when it is held there again.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::halt::Halt;
use super::process;
use crate::cpython::Ready;

const QUIETLY: &str = include_str!("request/quietly.py");
const ANSWERING: &str = include_str!("request/answering.py");
const FINDER: &str = include_str!("request/finder.py");
const CONFIRM: &str = include_str!("request/confirm.py");
const RELEASE: &str = include_str!("request/release.py");

/// How far below the stack pointer its text is put: `PyRun_SimpleString()` has read it long before its
/// stack is as deep. The kernel gives a new program's stack 128 KiB (`setup_arg_pages()`, `fs/exec.c`).
const BELOW: u64 = 80 << 10;
/// Bytes that text may have.
const TEXT_MAX: usize = 36 << 10;

/// What an interpreter is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Request<'a> {
    /// To mark the code whose calls are recorded: whether it has, and none of that had run before.
    Mark {
        /// The scope's directories, with real paths.
        directories: &'a [PathBuf],
        /// Whether functions that the scope's code calls are wanted as well.
        external: bool,
        /// Whether C functions that it calls are wanted as well.
        c_calls: bool,
        /// Other processes that have asked for that, and are no more.
        gone: &'a [u32],
    },
    /// Whether it has done so.
    Confirm,
    /// To take that back.
    Release,
}

impl Request<'_> {
    /// The text for `PyRun_SimpleString()`, which runs it as `__main__`, where it leaves nothing. That
    /// answers with 0, or otherwise with -1.
    fn text(&self) -> Vec<u8> {
        let (quietly, source) = (
            literal(QUIETLY.as_bytes()),
            literal(self.source().as_bytes()),
        );
        let asked = self.asked();
        format!("exec({quietly}, {{'source': {source}, 'asked': {asked}}})\0").into_bytes()
    }

    /// The text of a file for a program that runs already: which answers there, by the path that it has for
    /// it, if it still has this id.
    pub(super) fn script(&self, path: &Path, id: u32) -> Vec<u8> {
        let answering = literal(ANSWERING.as_bytes());
        let path = literal(path.as_os_str().as_bytes());
        let (source, asked) = (literal(self.source().as_bytes()), self.asked());
        format!(
            "exec(compile({answering}, '<pytrace>', 'exec'), \
             {{'path': {path}, 'pid': {id}, 'source': {source}, 'asked': {asked}}})\n"
        )
        .into_bytes()
    }

    /// What it is to run, without comments, which take time.
    fn source(&self) -> String {
        let source = match self {
            Request::Mark { .. } => FINDER,
            Request::Confirm => CONFIRM,
            Request::Release => RELEASE,
        };
        let is_code = |line: &&str| !line.is_empty() && !line.trim_start().starts_with('#');
        let lines: Vec<&str> = source.lines().filter(is_code).collect();
        lines.join("\n")
    }

    /// The names that this finds.
    fn asked(&self) -> String {
        let recorder = std::process::id();
        let asked = match self {
            Request::Mark {
                directories,
                external,
                c_calls,
                gone,
            } => {
                let directories = directories.iter();
                let directories = directories.map(|it| literal(it.as_os_str().as_bytes()));
                let directories = directories.collect::<Vec<_>>().join(", ");
                let [external, c_calls] = [external, c_calls].map(|it| u8::from(*it));
                let gone = gone.iter().map(|pid| format!("'{pid}'"));
                let gone = gone.collect::<Vec<_>>().join(", ");
                format!(
                    "'directories': [{directories}], 'external': {external}, 'c_calls': {c_calls}, \
                     'gone': [{gone}], 'program': None"
                )
            }
            Request::Confirm | Request::Release => String::new(),
        };
        format!("{{'recorder': {recorder}, {asked}}}")
    }

    /// Has a halted process, whose stack pointer was `stack` where it was held, run it when it goes on.
    ///
    /// # Errors
    ///
    /// It is not there, or its memory can't be written: it goes on as if nothing had been.
    pub(super) fn make(&self, halt: &Halt, ready: Ready, bias: u64, stack: u64) -> Result<()> {
        let at = |address: u64| address.wrapping_add(bias);
        let mut registers = halt.registers().context("its registers can't be read")?;
        // Not within a system call, which the kernel might restart.
        let is_there = registers.rip == at(ready.next) || registers.rip == at(ready.address);
        if !is_there || registers.orig_rax.cast_signed() >= 0 || stack % 16 != 8 {
            bail!("it is not where it was held");
        }
        if process::has_shadow_stack(halt.pid()) {
            bail!("its stack is guarded by a shadow stack");
        }
        let text = self.text();
        if text.len() > TEXT_MAX {
            bail!("the scope's directories have too long names");
        }
        // Its first instruction is run again: before anything is written to where that has written.
        registers.rip = at(ready.address);
        registers.rsp = stack;
        halt.set_registers(registers)
            .context("its registers can't be set")?;
        // As a call has it, the stack pointer is then 8 bytes off a multiple of 16.
        let text_at = (stack - BELOW) & !15;
        let returns = [at(ready.ret), at(ready.address)].map(u64::to_ne_bytes);
        process::write_memory(halt.pid(), text_at, &text)?;
        process::write_memory(halt.pid(), stack - 16, returns.as_flattened())?;
        registers.rip = at(ready.run_string);
        registers.rsp = stack - 16;
        registers.rdi = text_at;
        halt.set_registers(registers)
            .context("its registers can't be set")
    }
}

/// A Python bytes literal.
pub(super) fn literal(bytes: &[u8]) -> String {
    let mut literal = String::from("b'");
    for &byte in bytes {
        match byte {
            b'\'' | b'\\' => literal.extend(['\\', char::from(byte)]),
            b'\n' => literal.push_str("\\n"),
            b' '..=b'~' => literal.push(char::from(byte)),
            _ => literal.push_str(&format!("\\x{byte:02x}")),
        }
    }
    literal.push('\'');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_pythons() {
        assert_eq!(literal(b"a'b\\c\nd\xff\0"), r"b'a\'b\\c\nd\xff\x00'");
    }

    #[test]
    fn the_text_has_room_below_the_stack() {
        let directories = ["/home/user/project".into()];
        let request = Request::Mark {
            directories: &directories,
            external: true,
            c_calls: true,
            gone: &[],
        };
        let text = request.text();
        assert_eq!(
            text.iter().position(|byte| *byte == 0),
            Some(text.len() - 1)
        );
        assert!(text.len() < TEXT_MAX / 2, "{}", text.len());
        assert!((TEXT_MAX as u64) < BELOW / 2);
    }
}
