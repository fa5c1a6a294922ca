//! The source of a function, where who serves may read it.
//!
//! Which file that is, the trace says, and a trace is anybody's: it can name any file of this machine.
//! What is shown is shown to the user who could read it anyway, on a page of that user's own; still, only
//! what looks like Python is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::Serialize;

use super::refusal::Refusal;
use crate::trace::{Code, Kind};

/// Bytes of a file.
const LARGEST: u64 = 8 << 20;
/// Lines that are sent.
const LINES: usize = 4_000;
/// Characters of a line.
const CHARACTERS: usize = 2_000;
/// Bytes of JSON for all lines.
const BYTES: usize = 800_000;
/// What Python's source files are called.
const ENDINGS: [&str; 4] = ["py", "pyi", "pyw", "pyx"];

/// Lines of a source file; `/api/source` in `docs/serve-api.md`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Source {
    path: String,
    /// The function's first line, and its last one as far as its indentation tells.
    line: usize,
    last: usize,
    /// Number of the first of `lines`.
    first: usize,
    lines: Vec<String>,
}

/// Why there are no lines to show. That is no failure of the request: browsers would report one.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Unreadable {
    path: String,
    line: u32,
    reason: String,
}

impl Unreadable {
    pub(super) fn new(code: &Code, refusal: Refusal) -> Self {
        Unreadable {
            path: cut(&code.file),
            line: code.line,
            reason: refusal.line,
        }
    }
}

/// Reads the lines around the function of `code`.
///
/// # Errors
///
/// Why they can't be read.
pub(super) fn read(code: &Code) -> Result<Source, Refusal> {
    let text = text(Path::new(&code.file))?;
    let lines: Vec<&str> = text.lines().collect();
    let line = (code.line as usize).max(1);
    if line > lines.len().max(1) {
        return Err(Refusal::missing(
            "the file has changed: it has not so many lines",
        ));
    }
    let last = match code.kind {
        Kind::Module => lines.len().max(1),
        Kind::Lambda | Kind::Comprehension => line,
        _ => last_line(&lines, line - 1) + 1,
    };
    let (first, lines) = around(&lines, line - 1);
    Ok(Source {
        path: code.file.clone(),
        line,
        last,
        first: first + 1,
        lines,
    })
}

/// Whether [`read`] could read the file.
pub(super) fn is_readable(code: &Code) -> bool {
    open(Path::new(&code.file)).is_ok()
}

/// What a source file holds, with what is no text replaced.
fn text(path: &Path) -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    // It may grow meanwhile.
    open(path)?
        .take(LARGEST)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let text = String::from_utf8_lossy(&bytes);
    let is_plain = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    Ok(text
        .chars()
        .map(|c| match is_plain(c) {
            true => c,
            false => char::REPLACEMENT_CHARACTER,
        })
        .collect())
}

/// Opens a regular file that looks like Python.
fn open(path: &Path) -> Result<File, Refusal> {
    if !path.is_absolute() {
        return Err(Refusal::missing("it has no file"));
    }
    // A FIFO is not waited for, and a terminal does not become ours.
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let mut file = options.open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let no_source = || Refusal::missing("it is no source file");
    if !metadata.is_file() {
        return Err(no_source());
    }
    if metadata.len() > LARGEST {
        return Err(unreadable(io::ErrorKind::FileTooLarge.into()));
    }
    // What it is called where it is: a link may call anything source, and whoever made it may have made
    // the trace.
    let real = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(unreadable)?;
    let has_ending = real
        .extension()
        .is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known));
    if !has_ending {
        let mut start = [0; 128];
        let count = file.read(&mut start).map_err(unreadable)?;
        if !is_python_script(&start[..count]) {
            return Err(no_source());
        }
        file.rewind().map_err(unreadable)?;
    }
    Ok(file)
}

fn unreadable(error: io::Error) -> Refusal {
    Refusal::missing(format!("the file can't be read: {error}"))
}

/// Whether its first line says that Python runs it.
fn is_python_script(start: &[u8]) -> bool {
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or(start);
    line.starts_with(b"#!") && memchr::memmem::find(line, b"python").is_some()
}

/// Index of the last line of the function that begins at the line `first`, decorators included: it is
/// the last one before a line that is indented no more than its `def`.
fn last_line(lines: &[&str], first: usize) -> usize {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let Some(own) = lines.get(first).map(|line| indentation(line)) else {
        return first;
    };
    let begins = |line: &str| {
        let words = ["def ", "async ", "class "];
        indentation(line) == own && words.iter().any(|word| line.trim_start().starts_with(word))
    };
    let Some(definition) = lines[first..].iter().position(|line| begins(line)) else {
        return first;
    };
    let mut last = first + definition;
    for (index, line) in lines.iter().enumerate().skip(last + 1) {
        let text = line.trim_start();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        // The end of a list of parameters stands where `def` does.
        if indentation(line) <= own && !text.starts_with([')', ']']) {
            break;
        }
        last = index;
    }
    last
}

/// As many lines around the line `at` as there is room for, and the index of the first of them.
fn around(lines: &[&str], at: usize) -> (usize, Vec<String>) {
    let mut left = BYTES;
    let mut take = |line: &str| {
        let cut = cut(line);
        // Quotes, a comma, and what is escaped.
        let escaped = cut.bytes().filter(|byte| b"\"\\\t".contains(byte)).count();
        left = left.checked_sub(cut.len() + escaped + 3)?;
        Some(cut)
    };
    let (mut before, mut behind) = (Vec::new(), Vec::new());
    let (mut above, mut below) = (
        lines[..at.min(lines.len())].iter().rev(),
        lines[at..].iter(),
    );
    loop {
        let count = before.len() + behind.len();
        let next = below.next().filter(|_| count < LINES);
        let next = next
            .and_then(|line| take(line))
            .map(|line| behind.push(line));
        let count = before.len() + behind.len();
        let previous = above.next().filter(|_| count < LINES);
        let previous = previous
            .and_then(|line| take(line))
            .map(|line| before.push(line));
        if next.is_none() && previous.is_none() {
            break;
        }
    }
    let first = at - before.len();
    before.reverse();
    before.append(&mut behind);
    (first, before)
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::reply::to_json;
    use crate::trace::Category;
    use std::os::unix::fs::symlink;

    fn code(file: &Path, line: u32) -> Code {
        Code {
            name: "f".into(),
            file: file.to_str().unwrap().into(),
            line,
            kind: Kind::Function,
            category: Category::Internal,
        }
    }

    fn refused(file: &Path) -> String {
        let refusal = read(&code(file, 1)).unwrap_err();
        assert_eq!(refusal.status, 404, "{refusal:?}");
        assert!(!is_readable(&code(file, 1)));
        refusal.line
    }

    #[test]
    fn lines_come_with_the_extent_of_the_function() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.py");
        let text = "import x\n\n@x.y(\n  1,\n)\ndef f(\n  a,\n):\n    if a:\n# here\n\n        return\n\n\ndef g():\n\tpass\n";
        fs::write(&file, text).unwrap();
        let source = read(&code(&file, 3)).unwrap();
        assert_eq!((source.line, source.last, source.first), (3, 12, 1));
        assert_eq!(source.lines, text.lines().collect::<Vec<_>>());
        assert!(is_readable(&code(&file, 3)));
        assert_eq!(read(&code(&file, 15)).unwrap().last, 16);
        let module = Code {
            kind: Kind::Module,
            ..code(&file, 0)
        };
        let source = read(&module).unwrap();
        assert_eq!((source.line, source.last), (1, 16));
        let refusal = read(&code(&file, 99)).unwrap_err();
        assert_eq!(
            refusal.line,
            "the file has changed: it has not so many lines"
        );
    }

    #[test]
    fn only_regular_files_that_look_like_python_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let no_source = "it is no source file";
        for (name, text, shown) in [
            ("script", "#!/usr/bin/env python3\npass\n", true),
            ("shell", "#!/bin/sh\npython\n", false),
            ("secret", "root:x:0:0\n", false),
            ("a.pyw", "x", true),
            ("a.pyc", "x", false),
        ] {
            fs::write(path(name), text).unwrap();
            match shown {
                true => assert!(read(&code(&path(name), 1)).is_ok(), "{name}"),
                false => assert_eq!(refused(&path(name)), no_source, "{name}"),
            }
        }
        fs::create_dir(path("d.py")).unwrap();
        assert_eq!(refused(&path("d.py")), no_source);
        symlink(path("secret"), path("link.py")).unwrap();
        assert_eq!(refused(&path("link.py")), no_source);
        symlink(path("a.pyw"), path("link")).unwrap();
        assert!(read(&code(&path("link"), 1)).is_ok());
        symlink("/dev/zero", path("zero.py")).unwrap();
        assert_eq!(refused(&path("zero.py")), no_source);
        nix::unistd::mkfifo(&path("fifo.py"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(refused(&path("fifo.py")), no_source);
        let large = File::create(path("large.py")).unwrap();
        large.set_len(LARGEST + 1).unwrap();
        assert_eq!(
            refused(&path("large.py")),
            "the file can't be read: file too large"
        );
        assert!(refused(&path("none.py")).contains("No such file"));
        for name in ["<string>", "relative.py", ""] {
            assert_eq!(refused(Path::new(name)), "it has no file");
        }
        assert!(refused(Path::new("/a\0b.py")).starts_with("the file can't be read: "));
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.py");
        fs::write(&file, b"a\x1b[2J\tb\xff\r\n").unwrap();
        let source = read(&code(&file, 1)).unwrap();
        assert_eq!(source.lines, ["a\u{fffd}[2J\tb\u{fffd}"]);
    }

    #[test]
    fn of_a_large_file_as_much_is_sent_as_fits() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.py");
        let short: String = (1..=10_000).map(|line| format!("{line}\n")).collect();
        fs::write(&file, short).unwrap();
        let source = read(&code(&file, 5_000)).unwrap();
        assert_eq!(source.lines.len(), LINES);
        assert_eq!(source.lines[5_000 - source.first], "5000");
        let source = read(&code(&file, 10_000)).unwrap();
        assert_eq!(source.lines.len(), LINES);
        assert_eq!(source.lines[10_000 - source.first], "10000");

        let long = "\"".repeat(3_000) + "\n";
        fs::write(&file, long.repeat(2_000)).unwrap();
        let source = read(&code(&file, 1_000)).unwrap();
        assert!(source.lines.len() > 100);
        assert!(to_json(&source).is_ok());
    }
}
