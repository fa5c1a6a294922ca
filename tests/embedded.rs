//! Python inside other programs: linked into them, shared or static; loaded as they run; in gdb and vim; and
//! several interpreters in one process. What is recorded must be what `sys.setprofile` sees, in order
//! (`tests/embedded/truth.py`). Needs root.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;
#[path = "common/twice.rs"]
mod twice;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use run::{PYTHON, Place};
use serde_json::Value;
use twice::{Debian, OF_INTERPRETERS, SOURCES, Twice, recorded};

/// Compiles a program of `tests/embedded`.
fn compile(place: &Place, source: &str, arguments: &[&str]) -> PathBuf {
    let program = place.path(source).with_extension("");
    let output = Command::new("cc")
        .args(["-O1", "-g", "-o"])
        .arg(&program)
        .arg(Path::new(SOURCES).join(source))
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{source}: {errors}");
    program
}

/// What the system's Python says it is to be compiled and linked with.
fn config(option: &str) -> Vec<String> {
    let output = Command::new("/usr/bin/python3-config")
        .args([option, "--embed"])
        .output()
        .expect("python3-config: scripts/setup.sh test installs it");
    let words = String::from_utf8(output.stdout).unwrap();
    words.split_whitespace().map(str::to_owned).collect()
}

/// A value of the build's configuration of the system's Python.
fn variable(name: &str) -> String {
    let program = "import sys, sysconfig; print(sysconfig.get_config_var(sys.argv[1]))";
    let output = Command::new(PYTHON)
        .args(["-c", program, name])
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// Compiles a program with the system's libpython: the shared one, or that in an archive.
fn linked(place: &Place, source: &str, archive: Option<(&str, &str)>) -> PathBuf {
    let mut arguments = config("--includes");
    match archive {
        None => arguments.extend(config("--ldflags")),
        Some((option, suffix)) => {
            let library = format!(
                "{}/libpython{}{suffix}.a",
                variable("LIBPL"),
                variable("LDVERSION")
            );
            arguments.extend([option.to_owned(), library]);
            arguments.extend(["-lm", "-lz", "-lexpat", "-ldl"].map(str::to_owned));
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    compile(place, source, &arguments)
}

/// host.c, which loads libpython as it runs.
fn loader(place: &Place) -> PathBuf {
    let library = format!("-DLIBRARY={}", variable("INSTSONAME"));
    compile(place, "host.c", &[&library, "-ldl"])
}

/// Three threads of each round, and the main thread.
const HOSTS_THREADS: usize = 7;
const HOSTS_CALLS: usize = 3000;

/// host.c's workload is traced whole.
#[track_caller]
fn hosts_python_is_traced(place: &Place, host: &Path, args: &[&str]) {
    let command = [&[host.to_str().unwrap(), SOURCES], args].concat();
    let twice = Twice::run(place, &command);
    twice.is_whole(&["workload.py"], HOSTS_THREADS, HOSTS_CALLS);
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_program_that_links_libpython_is_traced_whichever_way_it_does() {
    for archive in [None, Some(("-no-pie", "")), Some(("-pie", "-pic"))] {
        let place = Place::new();
        hosts_python_is_traced(&place, &linked(&place, "host.c", archive), &[]);
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn of_a_libpython_that_is_loaded_as_a_program_runs_nothing_is_lost() {
    let place = Place::new();
    hosts_python_is_traced(&place, &loader(&place), &[]);
}

/// As a server's children do: PostgreSQL's load PL/Python when it is first used.
#[test]
#[ignore = "needs root and eBPF"]
fn a_copy_of_a_program_may_load_it_as_well() {
    let place = Place::new();
    hosts_python_is_traced(&place, &loader(&place), &["fork"]);
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_program_without_symbols_is_told_from_one_without_python() {
    let place = Place::new();
    let host = linked(&place, "host.c", Some(("-s", "-pic")));
    let host = host.to_str().unwrap();
    let ran = place.run(place.pytrace(&["-o", "t.json", "--", host, SOURCES]));
    assert_eq!(ran.text(), "ran\n");
    let why = format!(
        "pytrace: no CPython was run: {host} is a program with CPython in it whose symbols were \
         stripped\nhint: use the program from before `strip`, or link it with -rdynamic: then \
         Python's symbols stay\n"
    );
    assert!(ran.stderr.contains(&why), "{}", ran.stderr);
    let ran = place.run(place.pytrace(&["doctor", "--python", host]));
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("symbols were stripped"),
        "{}",
        ran.stderr
    );
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_process_that_has_not_loaded_python_is_refused_with_what_to_do() {
    let place = Place::new();
    let sleeper = place.start(place.command("bash", &["-c", "echo up; sleep 60; true"]));
    sleeper.line("up");
    let pid = sleeper.id().to_string();
    let ran = place.run(place.pytrace(&["--pid", &pid]));
    assert_eq!(ran.code, 1);
    let hint = "a program that loads Python later is traced from its start: pytrace -- ";
    assert!(ran.stderr.contains(hint), "{}", ran.stderr);
}

#[test]
#[ignore = "needs root and eBPF"]
fn gdbs_python_is_traced() {
    let place = Place::new();
    let list = compile(&place, "list.c", &["-O0"]);
    let session = format!("{SOURCES}/gdb_session.py");
    let command = [
        "gdb",
        "-nx",
        "-batch",
        "-x",
        &session,
        list.to_str().unwrap(),
    ];
    let twice = Twice::run(&place, &command);
    twice.is_whole(&["gdb_session.py"], 1, 100);
    assert!(twice.ran.text().contains("length 8\n"), "{:?}", twice.ran);
}

#[test]
#[ignore = "needs root and eBPF"]
fn vims_python_is_traced() {
    let place = Place::new();
    let file = format!("py3file {SOURCES}/vim_session.py");
    let command = ["vim.nox", "-es", "-u", "NONE", "-c", &file, "-c", "qall!"];
    Twice::run(&place, &command).is_whole(&["vim_session.py"], 1, 70);
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_thread_may_switch_between_interpreters_in_the_middle_of_their_calls() {
    let place = Place::new();
    let switching = linked(&place, "switching.c", None);
    let twice = Twice::run(&place, &[switching.to_str().unwrap(), SOURCES]);
    twice.is_whole(&["switched.py"], 1, 3000);
}

#[test]
#[ignore = "needs root and eBPF"]
fn interpreters_with_a_gil_each_are_traced_in_their_threads_and_nested() {
    for (suite, python) in [
        ("trixie", "/usr/bin/python3.13"),
        ("sid", "/usr/bin/python3.14"),
        ("sid", "/usr/bin/python3.15"),
    ] {
        let twice = Debian::new(suite, python).run(&Place::new(), python);
        twice.is_whole(&OF_INTERPRETERS, 4, 7000);
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn pools_of_interpreters_are_traced() {
    for python in ["/usr/bin/python3.14", "/usr/bin/python3.15"] {
        let twice = Debian::new("sid", python).run_program(&Place::new(), python, "pools.py");
        // The main thread, one of each pool, and one for a single call.
        twice.is_whole(&["pools.py", "pooled.py"], 5, 1400);
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_process_with_several_interpreters_is_attached_to() {
    let debian = Debian::new("trixie", "/usr/bin/python3.13");
    let place = Place::new();
    let sources = debian.sources();
    let program = format!("{sources}/interpreters.py");
    let mut command = place.command("chroot", &[]);
    command
        .arg(&debian.root)
        .args([debian.python, &program, "wait"])
        .stdin(std::process::Stdio::piped());
    let mut target = place.start(command);
    target.line("ready");
    let pid = target.id().to_string();
    let options = ["-o", "t.json", "--scope", &sources, "--pid", &pid];
    let recording = place.start(place.pytrace(&options));
    // The stacks that it stands in are read once all probes are on.
    run::eventually("a trace of its threads", || {
        let text = fs::read_to_string(place.path("t.json")).ok()?;
        text.contains("thread_name").then_some(())
    });
    target.say("go\n");
    let ran = recording.wait();
    assert_eq!(target.wait().text(), "ready\nran\n");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let trace = place.trace("t.json");
    let found = recorded(&trace, &OF_INTERPRETERS);
    let mut whole = debian.run(&place, debian.python).truth;
    for calls in &mut whole {
        // What the threads did before they waited: each made its interpreter.
        if calls.first().is_some_and(|first| first == "new") {
            calls.remove(0);
        }
    }
    whole.sort();
    assert!(found == whole, "{}", ran.stderr);
    let standing = |event: &&Value| event["args"]["already_running"] == true;
    let names = |thread: u64| -> Vec<&str> {
        let its = trace.events().filter(|event| event["tid"] == thread);
        its.filter(standing)
            .map(|event| event["name"].as_str().unwrap())
            .collect()
    };
    let main = names(u64::from(pid.parse::<u32>().unwrap()));
    assert!(main.contains(&"main"), "{main:?}");
}
