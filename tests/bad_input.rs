//! Bad input of any kind gets one clear line, a cure where there is one, and costs nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;

use std::fs;
use std::process::Command;

use run::{NOBODY, Place, TWO_CALLS, shown};

/// What is said where `SUDO_UID` is set, but nobody has called sudo.
const NO_SUDO: &str = "pytrace: the environment from before sudo could not be read: \
                       the target gets sudo's, with your HOME, USER and SHELL";
const DIRECTORY_OF_CODE: &str = "hint: name a directory that holds the program's code";

/// Under the identity that sudo leaves behind.
fn as_nobody(mut command: Command) -> Command {
    command
        .env("SUDO_UID", NOBODY.to_string())
        .env("SUDO_GID", NOBODY.to_string());
    command
}

#[test]
#[ignore = "needs root"]
fn what_is_no_python_script_is_refused() {
    let place = Place::new();
    fs::copy("/bin/true", place.path("elf")).unwrap();
    place.write("tool", "#!/bin/sh\necho hi\n");
    fs::create_dir(place.path("empty")).unwrap();
    for (script, lines) in [
        (
            "none.py",
            [
                "pytrace: no such script: none.py",
                "hint: -m MODULE runs a module, `-- COMMAND` any command",
            ],
        ),
        (
            "ls",
            [
                "pytrace: no such script: ls",
                "hint: ls is a command: pytrace -- ls",
            ],
        ),
        (
            "elf",
            [
                "pytrace: elf is no Python script: it is an executable program",
                "hint: to trace every python it starts: pytrace -- ./elf",
            ],
        ),
        (
            "tool",
            [
                "pytrace: tool is no Python script: it is run by /bin/sh",
                "hint: to trace every python it starts: pytrace -- ./tool",
            ],
        ),
        (
            "empty",
            [
                "pytrace: empty is a directory without a __main__.py",
                "hint: name the script in it",
            ],
        ),
    ] {
        place
            .run(place.python(&["-o", "trace.json", script]))
            .says(1, &lines);
        assert!(!place.path("trace.json").exists(), "{script}");
    }
}

#[test]
#[ignore = "needs root"]
fn pythons_own_complaints_are_left_to_python() {
    let place = Place::with("def f(:\n");
    let ran = place.run(place.python(&["-o", "trace.json", "x.py"]));
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("SyntaxError: invalid syntax\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(place.trace("trace.json").ended(), "exit 1");
}

#[test]
#[ignore = "needs root"]
fn the_user_must_be_able_to_read_the_script() {
    let place = Place::with(TWO_CALLS);
    place.mode("x.py", 0o600);
    place.run(as_nobody(place.python(&["x.py"]))).says(
        1,
        &[
            NO_SUDO,
            "pytrace: failed to read the script x.py: Permission denied (os error 13)",
            "hint: user 65534 must be able to read it",
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn a_working_directory_that_is_gone_is_named() {
    let place = Place::with(TWO_CALLS);
    let code = format!(
        "mkdir d; cd d; rmdir ../d; exec {} x.py",
        env!("CARGO_BIN_EXE_pytrace")
    );
    place.run(place.command("/bin/sh", &["-c", &code])).says(
        1,
        &["pytrace: failed to find the working directory: No such file or directory (os error 2)"],
    );
}

#[test]
#[ignore = "needs root"]
fn interpreters_that_are_none_are_refused() {
    let place = Place::with(TWO_CALLS);
    let directory = shown(&place.path(""));
    let directory = directory.trim_end_matches('/');
    for (python, lines) in [
        (
            "/nonexistent/python",
            [
                "pytrace: failed to use /nonexistent/python: No such file or directory (os error 2)"
                    .to_owned(),
                "hint: --python wants an interpreter you may execute: a path, or a name in PATH"
                    .to_owned(),
            ],
        ),
        (
            directory,
            [
                format!("pytrace: failed to use {directory}: permission denied"),
                format!("hint: --python wants the program: {directory}/bin/python"),
            ],
        ),
    ] {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        place.run(place.pytrace(&["--python", python, "x.py"])).says(1, &lines);
    }
}

#[test]
#[ignore = "needs root"]
fn without_root_there_is_a_way_to_get_it() {
    let place = Place::with(TWO_CALLS);
    // Where cargo builds others may not be able to look.
    fs::copy(env!("CARGO_BIN_EXE_pytrace"), place.path("pytrace")).unwrap();
    let nobody = [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "./pytrace",
    ];
    for args in [
        &["x.py"][..],
        &["--pid", "1"],
        &["-m", "pip"],
        &["--", "true"],
    ] {
        let ran = place.run(place.command("setpriv", &[&nobody, args].concat()));
        // Older kernels want CAP_SYS_ADMIN as well.
        let needed = "pytrace: recording needs root or CAP_BPF, CAP_PERFMON";
        let hint = "\nhint: run it with sudo: sudo pytrace ...; \
                    `pytrace doctor` tells what each right is for\n";
        assert!(
            ran.code == 1 && ran.stderr.starts_with(needed) && ran.stderr.ends_with(hint),
            "{args:?}: {}",
            ran.stderr
        );
    }
}

#[test]
#[ignore = "needs root"]
fn a_root_that_may_not_use_bpf_is_told_what_it_lacks() {
    let place = Place::with(TWO_CALLS);
    for (lacks, names) in [
        ("-bpf,-sys_admin,-perfmon", "CAP_BPF, CAP_PERFMON"),
        ("-sys_ptrace", "CAP_SYS_PTRACE"),
    ] {
        let pytrace = env!("CARGO_BIN_EXE_pytrace");
        let args = [
            "--bounding-set",
            lacks,
            "--inh-caps",
            lacks,
            pytrace,
            "x.py",
        ];
        place.run(place.command("setpriv", &args)).says(
            1,
            &[
                &format!("pytrace: root lacks rights here: {names}"),
                "hint: in a container, start it with --privileged, or record from the host",
            ],
        );
    }
}

#[test]
#[ignore = "needs root"]
fn scopes_must_be_directories() {
    let place = Place::with(TWO_CALLS);
    let script = shown(&place.path("x.py"));
    for (scope, why) in [
        ("/nonexistent", "does not exist"),
        (&script, "is not a directory"),
    ] {
        place
            .run(place.python(&["-o", "trace.json", "--scope", scope, "x.py"]))
            .says(
                1,
                &[
                    &format!("pytrace: --scope {scope} {why}"),
                    DIRECTORY_OF_CODE,
                ],
            );
        assert!(!place.path("trace.json").exists());
    }
    let target = place.endless();
    let pid = target.id().to_string();
    place
        .run(place.pytrace(&["--scope", "/nonexistent", "--pid", &pid]))
        .says(
            1,
            &[
                &format!("pytrace: --scope /nonexistent: process {pid} has no such directory"),
                DIRECTORY_OF_CODE,
            ],
        );
}

#[test]
fn files_that_are_no_traces_are_refused() {
    let place = Place::of_anyone();
    for (name, content) in [
        ("empty.json", ""),
        ("text.json", "hello"),
        ("other.json", "{\"a\":1}"),
        ("numbers.json", "[{\"a\":1}]"),
    ] {
        place.write(name, content);
    }
    let other = "hint: pytrace shows its own traces and other tools' Chrome trace JSON, \
                 plain or gzipped";
    for (file, why, hint) in [
        (
            "none.json",
            "No such file or directory (os error 2)",
            Some("hint: `pytrace -o FILE SCRIPT` records one"),
        ),
        (
            ".",
            "Is a directory (os error 21)",
            Some("hint: name a trace file in it"),
        ),
        ("/dev/null", "not a trace file: it is empty", Some(other)),
        ("empty.json", "not a trace file: it is empty", Some(other)),
        ("text.json", "not a trace file: it is not JSON", Some(other)),
        (
            "other.json",
            "not a trace file: it has no traceEvents",
            Some(other),
        ),
        (
            "numbers.json",
            "not a trace file: its objects are no events",
            Some(other),
        ),
    ] {
        let message = format!("pytrace: failed to read {file}: {why}");
        let lines: Vec<&str> = [message.as_str()].into_iter().chain(hint).collect();
        place.run(place.pytrace(&["show", file])).says(1, &lines);
    }
}

#[test]
#[ignore = "needs root"]
fn of_a_trace_that_was_cut_off_everything_before_is_shown() {
    let place = Place::with(TWO_CALLS);
    place
        .run(place.python(&["-o", "trace.json", "x.py"]))
        .recorded(0, &[]);
    let whole = fs::read(place.path("trace.json")).unwrap();
    let text = String::from_utf8(whole).unwrap();
    let module = text.find("\"<module>\"").unwrap();
    place.write("cut.json", &text[..module]);
    let shown = place.run(place.pytrace(&["show", "cut.json"]));
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    let text = shown.text();
    assert!(
        text.contains("\nf") && text.contains(" [x.py:1]") && !text.contains("<module>"),
        "{text}"
    );
    assert!(text.ends_with("The file ends early: calls that had not ended by then are missing.\n"));
}

#[test]
fn command_lines_that_make_no_sense_exit_with_2() {
    let place = Place::of_anyone();
    let help = "hint: `pytrace --help` lists the forms and options";
    for (args, message, hint) in [
        (
            &[][..],
            "nothing to trace: name a SCRIPT, -m, -c, -- COMMAND or --pid",
            help,
        ),
        (
            &["--pid", "0"],
            "invalid value '0' for '--pid <PID>': 0 is not in 1..=4194304",
            help,
        ),
        (
            &["--pid", "5", "x.py"],
            "--pid attaches to a running process: it can't start a program as well",
            help,
        ),
        (
            &["--frob", "x.py"],
            "unexpected argument '--frob' found",
            "hint: a similar argument exists: '--probes'",
        ),
        (
            &["show"],
            "the following required arguments were not provided: <TRACE>",
            help,
        ),
    ] {
        place
            .run(place.pytrace(args))
            .says(2, &[&format!("pytrace: {message}"), hint]);
    }
}

#[test]
#[ignore = "needs root"]
fn a_command_that_is_not_found_is_said_to_be() {
    let place = Place::with(TWO_CALLS);
    place.mode("x.py", 0o644);
    for (command, why) in [
        ("nosuchcommand", "No such file or directory (os error 2)"),
        ("./x.py", "Permission denied (os error 13)"),
    ] {
        place.run(place.pytrace(&["--", command])).says(
            1,
            &[
                &format!("pytrace: failed to run {command}: {why}"),
                "hint: `-- COMMAND` wants a program you may execute: a path, or a name in PATH",
            ],
        );
    }
}
