//! Short texts that are anybody's: command lines, `#!` lines, what `/proc` tells, names, paths.
//!
//! The first byte of an input chooses who reads it.

#![no_main]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use pytrace::cli::{self, Command, Target};
use pytrace::error;
use pytrace::explore::Open;
use pytrace::record::fuzzing;
use pytrace::scope::{CodeFacts, Scope, Verdict, default_directory, kind_of, mttl_root, script_of};
use pytrace::value::{DEFAULT_REDACTION, Redaction};
use pytrace::view::Printable;
use pytrace_fuzz::events::AsNamed;
use pytrace_fuzz::looks::check_printable;

fuzz_target!(|bytes: &[u8]| {
    let Some((&reader, bytes)) = bytes.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(bytes);
    match reader % 8 {
        0 => command_line(bytes),
        1 => passed_on(bytes),
        2 => terminal(&text),
        3 => redaction(&text),
        4 => script(bytes),
        5 => maps(&text),
        6 => paths(bytes, &text),
        _ => open_nodes(&text),
    }
});

fn words(bytes: &[u8]) -> Vec<OsString> {
    let words = bytes.split(|&byte| byte == 0);
    words
        .map(|word| OsString::from_vec(word.to_vec()))
        .collect()
}

/// pytrace's own command line: understood, or refused in lines that a terminal can be shown.
fn command_line(bytes: &[u8]) {
    if let Err(error) = cli::parse(words(bytes)) {
        check_printable(&error::report(&error));
        assert!(matches!(
            error::exit_code(&error),
            error::FAILURE | error::USAGE
        ));
    }
}

/// What stands behind `--` is the program's, all of it.
fn passed_on(bytes: &[u8]) {
    let given = words(bytes);
    let line = [OsString::from("--")].into_iter().chain(given.clone());
    let Ok(Command::Record(options)) = cli::parse(line) else {
        panic!("{given:?} is not passed on");
    };
    let Target::Command { program, args } = options.target else {
        panic!("{given:?} is no command");
    };
    assert!([program].into_iter().chain(args).eq(given));
    assert!(options.taken_from_script_args.is_empty());
}

/// What is escaped is safe, and is not escaped again.
fn terminal(text: &str) {
    let shown = Printable(text).to_string();
    check_printable(&shown);
    assert!(!shown.contains('\n'));
    assert_eq!(Printable(&shown).to_string(), shown);
    let line = error::printable(text);
    check_printable(&line);
    assert!(!line.contains('\n'));
}

/// A pattern from the command line, and names of the target's.
fn redaction(text: &str) {
    let (pattern, name) = text.split_once('\n').unwrap_or(("", text));
    let pattern = if pattern.is_empty() {
        DEFAULT_REDACTION
    } else {
        pattern
    };
    let Ok(mut redaction) = Redaction::new(pattern) else {
        return;
    };
    let redacted = redaction.redacts(name);
    assert_eq!(redaction.redacts(name), redacted, "{name}");
    if pattern == DEFAULT_REDACTION && name.to_ascii_lowercase().contains("password") {
        assert!(redacted, "{name}");
    }
    assert!(!Redaction::none().redacts(name));
}

fn script(bytes: &[u8]) {
    for name in ["s", "s.py"] {
        let is = fuzzing::script(bytes, Path::new(name));
        assert!(is.starts_with("Python(") || is.starts_with("Other("));
        if !bytes.starts_with(b"#!") && !bytes.starts_with(b"\x7fELF") {
            assert_eq!(is, "Python(None)");
        }
    }
}

fn maps(text: &str) {
    let libraries = fuzzing::libpythons(text);
    for (at, library) in libraries.iter().enumerate() {
        let name = library.to_string_lossy();
        assert!(name.contains("libpython3.") && text.contains(&*name));
        assert!(!libraries[..at].contains(library), "{name} is there twice");
    }
    for address in [0, 0x1000, 0x7f00_0000_0000, u64::MAX - 1, u64::MAX] {
        fuzzing::file_offset(text, address);
    }
}

/// A process's arguments and a code object's file name.
fn paths(bytes: &[u8], text: &str) {
    let arguments = fuzzing::arguments(bytes);
    let script = script_of(&arguments);
    if let Some(script) = &script {
        let named = arguments
            .iter()
            .any(|argument| argument == script.as_os_str());
        assert!(named, "{script:?} is none of {arguments:?}");
    }
    let directory = default_directory(script.as_deref(), Path::new("/p"), &AsNamed);
    assert!(directory.is_absolute(), "{directory:?}");
    let path = Path::new(OsStr::from_bytes(bytes));
    if let Some(root) = mttl_root(path) {
        assert!(path.starts_with(&root), "{root:?} of {path:?}");
    }
    let scope = Scope::new(&[PathBuf::from("/p")], Path::new("/p"), Box::new(AsNamed));
    let place = scope.locate(text);
    assert_eq!(scope.locate(text), place);
    if place.verdict == Verdict::Internal {
        assert!(Path::new(&*place.file).starts_with("/p"), "{text}");
    }
    kind_of(&CodeFacts {
        name: text,
        qualname: Some(text),
        flags: Some(u32::from(bytes.first().copied().unwrap_or(0))),
        first_argument: Some(text),
        verdict: place.verdict,
    });
}

fn open_nodes(text: &str) {
    if let Ok(open) = Open::parse(text) {
        assert_eq!(Open::parse(&open.to_string()), Ok(open));
    }
}
