//! Programs as they are: however they end, the trace holds what ran, and nothing disturbs them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;

use std::fs::{self, File};
use std::process::Stdio;

use nix::sys::signal::Signal;
use run::{PYTHON, Place, TWO_CALLS, eventually};

/// Records `script` with its `args`, and checks exit code, stderr and how the trace says it ended.
fn record(script: &str, code: i32, stderr: &[&str], ended: &str) -> (run::Trace, String) {
    let place = Place::with(script);
    let ran = place.run(place.python(&["--no-imports", "-o", "trace.json", "x.py"]));
    ran.recorded(code, stderr);
    let trace = place.trace("trace.json");
    assert_eq!(trace.ended(), ended);
    (trace, ran.text())
}

#[test]
#[ignore = "needs root"]
fn binary_output_arrives_unchanged_and_before_the_tree() {
    let place = Place::with("import sys\nsys.stdout.buffer.write(bytes(range(256)))\n");
    let ran = place.run(place.python(&["x.py"]));
    ran.recorded(0, &[]);
    let (bytes, tree) = ran.stdout.split_at(256);
    assert!(bytes.iter().copied().eq(0..=255));
    assert!(
        tree.starts_with(b"Process "),
        "{}",
        String::from_utf8_lossy(tree)
    );
}

#[test]
#[ignore = "needs root"]
fn standard_input_is_the_scripts() {
    let place = Place::with("import sys\nprint(sys.stdin.read().upper())\n");
    let mut command = place.python(&["-o", "trace.json", "x.py"]);
    command.stdin(File::open(place.write("input", "hello\nthere")).unwrap());
    let ran = place.run(command);
    ran.recorded(0, &[]);
    assert_eq!(ran.text(), "HELLO\nTHERE\n");
}

#[test]
#[ignore = "needs root"]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Place::with("def f(): pass\nf()\n");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = place.python(&["x.py"]);
    command
        .stdout(writer)
        .stderr(File::create(place.path("stderr")).unwrap());
    let mut child = command.spawn().unwrap();
    let status = eventually("its end", || child.try_wait().unwrap());
    let stderr = fs::read_to_string(place.path("stderr")).unwrap();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(
        stderr.starts_with("pytrace: 2 calls (2 internal, "),
        "{stderr}"
    );

    let show = place.run(place.python(&["-o", "trace.json", "x.py"]));
    show.recorded(0, &[]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let shown = place
        .pytrace(&["show", "trace.json"])
        .stdout(writer)
        .status()
        .unwrap();
    assert_eq!(shown.code(), Some(0));
}

#[test]
#[ignore = "needs root"]
fn nobody_at_the_other_end_of_standard_error_is_no_error_either() {
    let place = Place::with("def f(): pass\nf()\n");
    for args in [
        &["--python", PYTHON, "x.py"][..],
        &["doctor", "--python", PYTHON],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = place.pytrace(args);
        let status = command
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .status();
        assert_eq!(status.unwrap().code(), Some(0), "{args:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_daemon_lives_on_untraced_when_its_starter_has_ended() {
    let place = Place::with(
        "import os, sys, time\n\
         def work(): time.sleep(0.01)\n\
         def daemon():\n    \
             os.setsid()\n    \
             while not os.path.exists('stop'): work()\n    \
             os.rename('stop', 'stopped')\n    \
             os._exit(0)\n\
         def main():\n    \
             pid = os.fork()\n    \
             if pid == 0: daemon()\n    \
             print('daemon', pid)\n\
         main()\n",
    );
    let ran = place.run(place.python(&["-o", "trace.json", "x.py"]));
    ran.recorded(0, &[]);
    let text = ran.text();
    let daemon = text.trim().strip_prefix("daemon ").unwrap();
    let daemon: u32 = daemon.parse().unwrap();
    let stat = fs::read_to_string(format!("/proc/{daemon}/stat")).unwrap();
    assert!(!stat.contains(") T ") && !stat.contains(") Z "), "{stat}");
    place.write("stop", "");
    eventually("the daemon at work", || {
        place.path("stopped").exists().then_some(())
    });
    let trace = place.trace("trace.json");
    assert_eq!(trace.ended(), "exit 0");
    assert!(
        trace.calls().contains(&"  main".to_owned()),
        "{}",
        trace.shown
    );
}

#[test]
#[ignore = "needs root"]
fn relative_file_names_mean_where_the_program_was_started() {
    let place = Place::with(
        "import os\n\
         os.chdir('/')\n\
         exec(compile('def late(): pass\\nlate()', 'made.py', 'exec'))\n",
    );
    place
        .run(place.python(&["-o", "trace.json", "x.py"]))
        .recorded(0, &[]);
    let trace = place.trace("trace.json");
    assert_eq!(trace.calls(), ["<module>", "  <module>", "    late"]);
    let made = fs::canonicalize(place.path("")).unwrap().join("made.py");
    let late = trace
        .events()
        .find(|event| event["name"] == "late")
        .unwrap();
    assert_eq!(late["args"]["file"], made.display().to_string());
}

#[test]
#[ignore = "needs root"]
fn a_script_may_delete_itself() {
    let script = "import os\nos.remove(__file__)\ndef f(): pass\nf()\n";
    let (trace, _) = record(script, 0, &[], "exit 0");
    assert_eq!(trace.calls(), ["<module>", "  f"]);
}

#[test]
#[ignore = "needs root"]
fn calls_that_os_exit_cuts_off_are_unfinished() {
    let script = "import os\ndef a(): b()\ndef b(): os._exit(3)\na()\n";
    let (trace, _) = record(script, 3, &[], "exit 3");
    assert_eq!(trace.calls(), ["<module>…", "  a…", "    b…"]);
}

#[test]
#[ignore = "needs root"]
fn an_exit_with_a_text_is_the_scripts_own() {
    let script = "import sys\ndef f(): sys.exit('too bad')\nf()\n";
    let (trace, _) = record(script, 1, &["too bad"], "exit 1");
    assert_eq!(trace.calls(), ["<module>", "  f"]);
}

#[test]
#[ignore = "needs root"]
fn a_crash_leaves_the_calls_that_led_to_it() {
    let script = "import ctypes\ndef f(): ctypes.string_at(0)\nf()\n";
    let (trace, _) = record(script, 139, &[], "signal 11 (SIGSEGV)");
    assert_eq!(trace.calls(), ["<module>…", "  f…"]);
}

#[test]
#[ignore = "needs root"]
fn a_killed_program_leaves_its_calls() {
    let script = "import os\ndef f(): os.kill(os.getpid(), 9)\nf()\n";
    let (trace, _) = record(script, 137, &[], "signal 9 (SIGKILL)");
    assert_eq!(trace.calls(), ["<module>…", "  f…"]);
}

#[test]
#[ignore = "needs root"]
fn a_thread_inside_a_call_at_the_end_is_unfinished() {
    let script = "import threading, time\n\
                  def wait(): started.set(); time.sleep(100)\n\
                  started = threading.Event()\n\
                  threading.Thread(target=wait, daemon=True).start()\n\
                  started.wait()\n\
                  time.sleep(0.1)\n";
    let (trace, _) = record(script, 0, &[], "exit 0");
    let calls = trace.calls();
    assert!(calls.contains(&"<module>".to_owned()), "{}", trace.shown);
    assert!(
        calls.iter().any(|call| call.trim() == "wait…"),
        "{}",
        trace.shown
    );
}

#[test]
#[ignore = "needs root"]
fn a_program_that_becomes_another_keeps_its_calls() {
    let other_python = format!(
        "import os\n\
         open('next.py', 'w').write('def g(): pass\\ng()')\n\
         def f(): os.execv('{PYTHON}', ['python3', 'next.py'])\n\
         f()\n"
    );
    let (trace, _) = record(&other_python, 0, &[], "exit 0");
    assert_eq!(trace.calls(), ["<module>…", "  f…", "<module>", "  g"]);
    let echo = "import os\ndef f(): os.execv('/bin/echo', ['echo', 'hi'])\nf()\n";
    let (trace, said) = record(echo, 0, &[], "exit 0");
    assert_eq!(
        (trace.calls(), &*said),
        (vec!["<module>…".into(), "  f…".into()], "hi\n")
    );
}

/// A script that prints `up` inside a call, and what it does about SIGINT and SIGTERM.
fn waiting(handlers: &str) -> String {
    format!(
        "import os, signal, sys, time\n\
         {handlers}\n\
         def f():\n    \
             print('up', os.getpid(), flush=True)\n    \
             for i in range(3000): time.sleep(0.02)\n\
         f()\n"
    )
}

#[test]
#[ignore = "needs root"]
fn ctrl_c_is_the_scripts_and_the_trace_is_saved() {
    let place = Place::with(&waiting(""));
    let running = place.start(place.python(&["--no-imports", "-o", "trace.json", "x.py"]));
    running.line("up ");
    running.signal_group(Signal::SIGINT);
    let ran = running.wait();
    assert_eq!(ran.code, 130);
    assert!(
        ran.stderr
            .starts_with("Traceback (most recent call last):\n"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("\nKeyboardInterrupt\n"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.ends_with("pytrace: trace in trace.json\n"),
        "{}",
        ran.stderr
    );
    let trace = place.trace("trace.json");
    assert_eq!(trace.ended(), "signal 2 (SIGINT)");
    assert_eq!(trace.calls(), ["<module>", "  f"]);
    for event in trace.events().filter(|event| event["cat"] == "internal") {
        assert_eq!(event["args"]["exception"], "KeyboardInterrupt", "{event}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_script_may_take_ctrl_c_as_it_likes() {
    let handler = "signal.signal(signal.SIGINT, lambda *_: os._exit(0))";
    let place = Place::with(&waiting(handler));
    let running = place.start(place.python(&["-o", "trace.json", "x.py"]));
    running.line("up ");
    running.signal_group(Signal::SIGINT);
    running.wait().recorded(0, &[]);
    assert_eq!(place.trace("trace.json").ended(), "exit 0");
}

#[test]
#[ignore = "needs root"]
fn the_second_ctrl_c_ends_the_recording_of_a_script_that_does_not_end() {
    let handler = "signal.signal(signal.SIGINT, lambda *_: print('no', flush=True))";
    let place = Place::with(&waiting(handler));
    let running = place.start(place.python(&["-o", "trace.json", "x.py"]));
    let script = running.line("up ");
    running.signal_group(Signal::SIGINT);
    running.line("no");
    // Python is through with the first; let pytrace be, too.
    std::thread::sleep(std::time::Duration::from_millis(300));
    running.signal_group(Signal::SIGINT);
    let group = running.id();
    running.wait().recorded(130, &[]);
    let stat = fs::read_to_string(format!("/proc/{script}/stat")).unwrap();
    let of_pytrace = nix::unistd::Pid::from_raw(group.cast_signed());
    nix::sys::signal::killpg(of_pytrace, Signal::SIGKILL).unwrap();
    assert!(
        stat.contains(") S ") || stat.contains(") R "),
        "lives on: {stat}"
    );
    let trace = place.trace("trace.json");
    assert_eq!(trace.ended(), "interrupted");
    assert!(
        trace
            .calls()
            .starts_with(&["<module>…".into(), "  f…".into()]),
        "{}",
        trace.shown
    );
}

#[test]
#[ignore = "needs root"]
fn ctrl_c_before_the_start_starts_nothing() {
    let place = Place::with("open('ran', 'w')\n");
    let running = place.start(place.python(&["-o", "trace.json", "x.py"]));
    let status = format!("/proc/{}/status", running.id());
    eventually("pytrace to take over signals", || {
        let status = fs::read_to_string(&status).ok()?;
        let blocked = status
            .lines()
            .find_map(|line| line.strip_prefix("SigBlk:\t"))?;
        (u64::from_str_radix(blocked, 16).ok()? & 2 != 0).then_some(())
    });
    running.signal_group(Signal::SIGINT);
    running.wait().says(130, &[]);
    assert!(!place.path("ran").exists() && !place.path("trace.json").exists());
}

#[test]
#[ignore = "needs root"]
fn a_program_that_is_held_runs_on_when_pytrace_is_killed() {
    let place = Place::with(&waiting(""));
    let running = place.start(place.python(&["-o", "trace.json", "x.py"]));
    let children = format!("/proc/{0}/task/{0}/children", running.id());
    let state = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    };
    let script = eventually("the program being held", || {
        let children = fs::read_to_string(&children).ok()?;
        let stopped = |child: &&str| state(child) == Some('T');
        Some(children.split_whitespace().find(stopped)?.to_owned())
    });
    running.signal(Signal::SIGKILL);
    assert_eq!(running.line("up "), script);
    let group = nix::unistd::Pid::from_raw(running.id().cast_signed());
    assert_eq!(running.wait().code, -9);
    nix::sys::signal::killpg(group, Signal::SIGKILL).unwrap();
}

#[test]
#[ignore = "needs root"]
fn terminations_are_passed_on() {
    for (handlers, code, ended) in [
        ("", 143, "signal 15 (SIGTERM)"),
        (
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))",
            7,
            "exit 7",
        ),
    ] {
        let place = Place::with(&waiting(handlers));
        let running = place.start(place.python(&["-o", "trace.json", "x.py"]));
        running.line("up ");
        running.signal(Signal::SIGTERM);
        running.wait().recorded(code, &[]);
        let trace = place.trace("trace.json");
        assert_eq!(trace.ended(), ended);
        let calls = trace.calls().join("\n");
        assert!(
            calls.starts_with("<module>") && calls.contains("\n  f"),
            "{calls}"
        );
    }
}

#[test]
#[ignore = "needs root"]
fn commands_pass_on_their_exit_code_and_the_pythons_they_become_are_traced() {
    let place = Place::with(TWO_CALLS);
    place.write(
        "shim",
        format!("#!/usr/bin/env bash\nset -e\nexec {PYTHON} \"$@\"\n"),
    );
    place.mode("shim", 0o755);
    let exec = format!("exec {PYTHON} x.py");
    for command in [
        &["--", "sh", "-c", &exec][..],
        &["--", "env", PYTHON, "x.py"],
        &["--", "./shim", "x.py"],
        &["--python", "./shim", "x.py"],
    ] {
        let args = [&["-o", "trace.json"], command].concat();
        let ran = place.run(place.pytrace(&args));
        ran.recorded(0, &[]);
        assert_eq!(ran.text(), "ran\n", "{command:?}");
        assert_eq!(
            place.trace("trace.json").calls(),
            ["<module>", "  f"],
            "{command:?}"
        );
    }
    for (code, text) in [(0, "hi\n"), (5, "")] {
        let script = format!("printf '{}'; exit {code}", text.replace('\n', "\\n"));
        let ran = place.run(place.pytrace(&["--", "sh", "-c", &script]));
        assert_eq!((ran.code, &*ran.text()), (code, text));
        assert_eq!(
            ran.stderr,
            "pytrace: no CPython was run: nothing to trace\n"
        );
    }
}

#[test]
#[ignore = "needs root"]
fn closed_standard_streams_are_no_error() {
    let place = Place::with("def f(): pass\nf()\n");
    let code = format!(
        "exec {} --python {PYTHON} -o trace.json x.py <&- >&- 2>&-",
        env!("CARGO_BIN_EXE_pytrace")
    );
    let mut command = place.command("/bin/sh", &["-c", &code]);
    let status = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(place.trace("trace.json").calls(), ["<module>", "  f"]);
}
