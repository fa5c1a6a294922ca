//! What is called python and is no CPython that can be traced: one clear line, a cure, and the
//! program unharmed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/elf.rs"]
mod elf;
#[path = "common/run.rs"]
mod run;

use std::fs;

use elf::{EM_AARCH64, EM_X86_64, EXIT, Image, SLEEP, program_32};
use run::{PYTHON, Place, Running, TWO_CALLS, shown};

const OTHERS: &str = "hint: pytrace traces CPython 3.6 to 3.15: run the program with one of these";
const MACHINES: &str = "hint: pytrace traces CPython for x86-64: run the program with one";
const DAMAGED: &str = "hint: install that Python again, or use another one";
const NONE: &str = "hint: name CPython's executable, such as /usr/bin/python3";

/// A file that is called python, what it is, and the cure.
struct Foreign {
    file: Vec<u8>,
    what: &'static str,
    hint: &'static str,
}

/// Those that the kernel runs: they do what `code` does.
fn programs(code: &[u8]) -> Vec<Foreign> {
    let image = |change: &dyn Fn(&mut Image)| {
        let mut image = Image::new(EM_X86_64, code);
        change(&mut image);
        image.build()
    };
    let banner = b"\0MicroPython v1.26.1 on 2025-09-13; linux version\0";
    vec![
        Foreign {
            file: image(&|image| image.needs("libpypy3.10-c.so")),
            what: "PyPy, not CPython",
            hint: OTHERS,
        },
        Foreign {
            file: image(&|image| {
                image.data(".rodata", banner);
            }),
            what: "MicroPython, not CPython",
            hint: OTHERS,
        },
        Foreign {
            file: image(&|image| image.needs("libpython2.7.so.1.0")),
            what: "a Python 2",
            hint: OTHERS,
        },
        Foreign {
            file: without_sections(image(&|_| {})),
            what: "an ELF file without section headers: what it is cannot be seen",
            hint: "hint: use the file from before sstrip; plain strip does no harm",
        },
        Foreign {
            file: without_sections(image(&|image| {
                image.data(".upx", b"UPX!");
            })),
            what: "packed by UPX: what it is cannot be seen",
            hint: "hint: unpack it with `upx -d`",
        },
    ]
}

/// Those that it does not run.
fn no_programs() -> Vec<Foreign> {
    let mut noise = vec![0; 4096];
    for (at, byte) in noise.iter_mut().enumerate() {
        *byte = (at * at % 251) as u8 | 1;
    }
    vec![
        Foreign {
            file: Image::new(EM_AARCH64, EXIT).build(),
            what: "a program for aarch64, not for x86-64",
            hint: MACHINES,
        },
        Foreign {
            file: Vec::new(),
            what: "an empty file",
            hint: NONE,
        },
        Foreign {
            file: noise,
            what: "no program: neither an ELF file nor a script",
            hint: NONE,
        },
    ]
}

/// What `sstrip` does.
fn without_sections(mut file: Vec<u8>) -> Vec<u8> {
    file[40..48].fill(0);
    file[58..64].fill(0);
    file
}

fn put(place: &Place, file: &[u8]) -> String {
    place.write("python3", file);
    place.mode("python3", 0o755);
    shown(&place.path("python3"))
}

/// What doctor ends with.
#[track_caller]
fn doctor(place: &Place, python: &str, lines: &[&str]) {
    let ran = place.run(place.pytrace(&["doctor", "--python", python]));
    let said: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!((ran.code, &said[..]), (1, lines), "{}", ran.text());
}

#[test]
#[ignore = "needs root"]
fn as_the_interpreter_of_a_script_they_are_refused() {
    let place = Place::with(TWO_CALLS);
    let whole = fs::read(PYTHON).unwrap();
    let foreign = |file, what, hint| Foreign { file, what, hint };
    let others = [
        foreign(program_32(), "a 32-bit program", MACHINES),
        foreign(
            whole[..whole.len() / 2].to_vec(),
            "a damaged or cut off ELF file: \
             Invalid ELF section header offset/size/alignment",
            DAMAGED,
        ),
        foreign(
            whole[..60].to_vec(),
            "a damaged or cut off ELF file: Invalid ELF header size or alignment",
            DAMAGED,
        ),
    ];
    // Were they run, they would never end.
    for foreign in programs(SLEEP)
        .into_iter()
        .chain(no_programs())
        .chain(others)
    {
        let python = put(&place, &foreign.file);
        let line = format!("pytrace: {python} is {}", foreign.what);
        let lines = [&*line, foreign.hint];
        place
            .run(place.pytrace(&["--python", &python, "-o", "trace.json", "x.py"]))
            .says(1, &lines);
        assert!(!place.path("trace.json").exists(), "{}", foreign.what);
        doctor(&place, &python, &lines);
    }
}

#[test]
#[ignore = "needs root"]
fn a_command_that_runs_one_runs_on_and_fails_in_the_end() {
    let place = Place::new();
    for foreign in programs(EXIT) {
        let python = put(&place, &foreign.file);
        let line = format!("pytrace: no CPython was run: {python} is {}", foreign.what);
        let then = format!("echo before; exec {python}");
        let ran = place.run(place.pytrace(&["--", "sh", "-c", &then]));
        let said: Vec<&str> = ran.stderr.lines().collect();
        assert_eq!(
            (ran.code, &*ran.text(), &said[..]),
            (1, "before\n", &[&*line, foreign.hint][..])
        );
    }
    for foreign in no_programs() {
        let python = put(&place, &foreign.file);
        let line = format!(
            "pytrace: failed to run {python}, which is {}: Exec format error (os error 8)",
            foreign.what
        );
        place
            .run(place.pytrace(&["--", &python]))
            .says(1, &[&line, foreign.hint]);
    }
}

#[test]
#[ignore = "needs root"]
fn attaching_to_one_is_refused_and_leaves_it_alone() {
    let place = Place::new();
    let bits = Foreign {
        file: program_32(),
        what: "a 32-bit program",
        hint: MACHINES,
    };
    for (number, foreign) in programs(SLEEP).into_iter().chain([bits]).enumerate() {
        let name = format!("python3.{number}");
        place.write(&name, &foreign.file);
        place.mode(&name, 0o755);
        let python = shown(&place.path(&name));
        let process: Running = place.start(place.command(&python, &[]));
        let id = process.id().to_string();
        let line = format!(
            "pytrace: process {id} runs {python}, which is {}",
            foreign.what
        );
        place
            .run(place.pytrace(&["--pid", &id]))
            .says(1, &[&line, foreign.hint]);
        let ran = place.run(place.pytrace(&["doctor", "--pid", &id]));
        assert_eq!(
            (ran.code, ran.stderr),
            (1, format!("{line}\n{}\n", foreign.hint))
        );
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        assert!(stat.contains(") S "), "{stat}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_script_that_starts_no_cpython_is_named() {
    let place = Place::with(TWO_CALLS);
    let named = "hint: name the interpreter itself, not a script that starts it";
    let python = put(&place, b"#!/bin/sh\nexit 0\n");
    place
        .run(place.pytrace(&["--python", &python, "x.py"]))
        .says(
            1,
            &[
                &format!("pytrace: no CPython was run: {python} started none"),
                "hint: name the interpreter itself: --python PATH",
            ],
        );
    let line = format!("pytrace: {python} is a script that /bin/sh runs: it runs no CPython");
    doctor(&place, &python, &[&line, named]);

    let python = put(&place, b"#!/nonexistent/sh\n");
    let line = format!(
        "pytrace: failed to run {python}, which is a script that /nonexistent/sh runs: \
         No such file or directory (os error 2)"
    );
    for args in [&["--python", &python, "x.py"][..], &["--", &python]] {
        place.run(place.pytrace(args)).says(1, &[&line, named]);
    }

    // One that does start a CPython is as good as that.
    let python = put(
        &place,
        format!("#!/bin/sh\nexec {PYTHON} \"$@\"\n").as_bytes(),
    );
    let args = ["--python", &python, "-o", "trace.json", "x.py"];
    place.run(place.pytrace(&args)).recorded(0, &[]);
    let ran = place.run(place.pytrace(&["doctor", "--python", &python]));
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    assert!(ran.text().contains("\ninterpreter      /usr/bin/python3"));
}

#[test]
#[ignore = "needs root"]
fn a_python_that_was_stripped_of_its_sections_runs_untraced() {
    let place = Place::with(TWO_CALLS);
    let python = put(&place, &without_sections(fs::read(PYTHON).unwrap()));
    let what = "an ELF file without section headers: what it is cannot be seen";
    let ran = place.run(place.pytrace(&["--", &python, "x.py"]));
    assert_eq!((ran.code, &*ran.text()), (1, "ran\n"));
    assert_eq!(
        ran.stderr,
        format!(
            "pytrace: no CPython was run: {python} is {what}\n\
             hint: use the file from before sstrip; plain strip does no harm\n"
        )
    );
}
