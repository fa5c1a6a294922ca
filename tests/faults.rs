//! What goes wrong with a program, with pytrace or with its output: what was recorded until then is
//! on the disk and opens, and nobody else notices.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;

use std::fs::{self, File};
use std::io::Read as _;
use std::process::Command;

use nix::sys::signal::Signal;
use run::{PYTHON, Place, Trace, eventually};

/// Records `x.py` by itself.
const RECORD: [&str; 5] = [
    "--no-imports",
    "--no-external-calls",
    "-o",
    "trace.json",
    "x.py",
];

/// Records `script`, which ends with `code`, and returns the internal calls.
fn calls_of(script: &str, code: i32, ended: &str) -> Vec<String> {
    let place = Place::with(script);
    let ran = place.run(place.python(&RECORD));
    assert_eq!(ran.code, code, "{}", ran.stderr);
    assert!(ran.stderr.contains(" none lost\n"), "{}", ran.stderr);
    let trace = place.trace("trace.json");
    assert_eq!(trace.ended(), ended);
    trace.calls()
}

/// A program that counts its calls, into the file `done` in the end.
const COUNTING: &str = "import time
def f(): time.sleep(0.001)
print('up', flush=True)
for n in range(1500): f()
open('done', 'w').write(str(n + 1))
";

/// Records that program, has `meanwhile` happen when a part of the trace is on the disk, and waits
/// for both ends. Returns what pytrace said.
fn disturbed(place: &Place, output: &str, meanwhile: impl FnOnce(&run::Running)) -> run::Ran {
    place.write("x.py", COUNTING);
    let args = ["--no-imports", "--no-external-calls", "-o", output, "x.py"];
    let running = place.start(place.python(&args));
    running.line("up");
    eventually("a part of the trace", || {
        (fs::metadata(place.path(output)).ok()?.len() > 10_000).then_some(())
    });
    meanwhile(&running);
    let ran = running.wait();
    eventually("the program's end", || {
        (fs::read_to_string(place.path("done")).ok()? == "1500").then_some(())
    });
    ran
}

/// How many calls of `f` there are.
fn fs_in(trace: &Trace) -> usize {
    trace.events().filter(|event| event["name"] == "f").count()
}

#[test]
#[ignore = "needs root and BPF"]
fn a_program_that_crashes_leaves_its_calls() {
    for (crash, code, ended) in [
        ("os.abort()", 134, "signal 6 (SIGABRT)"),
        (
            "faulthandler.enable(); faulthandler._sigsegv()",
            139,
            "signal 11 (SIGSEGV)",
        ),
        (
            "resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)); ctypes.string_at(0)",
            139,
            "signal 11 (SIGSEGV)",
        ),
    ] {
        let script = format!(
            "import ctypes, faulthandler, os, resource\nos.chdir('/tmp')\ndef f(): {crash}\nf()\n"
        );
        assert_eq!(
            calls_of(&script, code, ended),
            ["<module>…", "  f…"],
            "{crash}"
        );
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn a_stack_that_overflows_is_recorded_to_its_end() {
    let script = "import sys\n\
                  sys.setrecursionlimit(10**8)\n\
                  class A:\n    \
                      def __repr__(self): return repr(self)\n\
                  def f(): repr(A())\n\
                  f()\n";
    let calls = calls_of(script, 139, "signal 11 (SIGSEGV)");
    assert_eq!(&calls[..3], ["<module>…", "  A", "  f…"]);
    assert!(calls.len() > 1000);
    assert!(calls[3..].iter().all(|call| call.trim() == "A.__repr__…"));
}

/// A memory cgroup with a limit, as long as it lives.
struct Cgroup(std::path::PathBuf);

impl Cgroup {
    fn new(mib: u64) -> Cgroup {
        let name = format!("pytrace-test-{}", std::process::id());
        let (path, limit) = if fs::metadata("/sys/fs/cgroup/memory").is_ok() {
            (
                format!("/sys/fs/cgroup/memory/{name}"),
                "memory.limit_in_bytes",
            )
        } else {
            (format!("/sys/fs/cgroup/{name}"), "memory.max")
        };
        fs::create_dir(&path).expect("the test needs a writable memory cgroup");
        let group = Cgroup(path.into());
        fs::write(group.0.join(limit), (mib << 20).to_string()).unwrap();
        group
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn a_program_that_has_no_memory_left_leaves_its_calls() {
    let group = Cgroup::new(64);
    let take = "    kept = []\n    while True: kept.append(bytearray(10**6))\n";
    let killed = format!(
        "import os\n\
         open({:?}, 'w').write(str(os.getpid()))\n\
         def f():\n{take}\
         f()\n",
        group.0.join("cgroup.procs").display()
    );
    let calls = calls_of(&killed, 137, "signal 9 (SIGKILL)");
    assert_eq!(calls, ["<module>…", "  f…"]);
    let refused = format!(
        "import resource\n\
         resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))\n\
         def f():\n{take}\
         try: f()\n\
         except MemoryError: pass\n"
    );
    assert_eq!(calls_of(&refused, 0, "exit 0"), ["<module>", "  f"]);
}

#[test]
#[ignore = "needs root and BPF"]
fn threads_that_end_inside_a_call_leave_it_unfinished() {
    // By pthread_exit() and by the bare system call; then the main thread, which the others survive.
    for end in ["libc.pthread_exit(None)", "libc.syscall(60, 0)"] {
        let script = format!(
            "import ctypes, os, threading, time\n\
             libc = ctypes.CDLL(None)\n\
             libc.pthread_exit.argtypes = [ctypes.c_void_p]\n\
             def f(): {end}\n\
             threading.Thread(target=f, daemon=True).start()\n\
             while len(os.listdir('/proc/self/task')) > 1: time.sleep(0.001)\n\
             def last(): os._exit(3)\n\
             last()\n"
        );
        let calls = calls_of(&script, 3, "exit 3");
        assert_eq!(calls, ["<module>…", "  last…", "f…"], "{end}");
    }
    let script = "import ctypes, os, threading, time\n\
                  def g(): time.sleep(0.001)\n\
                  def f():\n    \
                      for _ in range(100): g()\n    \
                      os._exit(4)\n\
                  threading.Thread(target=f).start()\n\
                  def h(): ctypes.CDLL(None).syscall(60, 0)\n\
                  h()\n";
    let calls = calls_of(script, 4, "exit 4");
    assert_eq!(&calls[..3], ["<module>…", "  h…", "f…"]);
    assert_eq!(calls.len(), 3 + 100);
}

#[test]
#[ignore = "needs root and BPF"]
fn a_killed_pytrace_has_written_all_but_the_last_second() {
    let place = Place::new();
    let ran = disturbed(&place, "trace.json", |running| {
        running.signal(Signal::SIGKILL)
    });
    assert_eq!(ran.code, -9);
    let trace = place.run(place.pytrace(&["show", "trace.json"]));
    assert_eq!((trace.code, &*trace.stderr), (0, ""));
    assert!(
        trace.text().contains("The file ends early"),
        "{}",
        trace.text()
    );
    let recording = pytrace::format::read(&place.path("trace.json")).unwrap();
    let kept: usize = recording
        .threads
        .iter()
        .map(|thread| thread.calls.len())
        .sum();
    assert!(recording.truncated && kept > 10, "{kept}");
}

#[test]
#[ignore = "needs root and BPF"]
fn a_terminal_that_closes_costs_nothing() {
    // script(1) makes the terminal; killed, it takes the terminal with it.
    let place = Place::new();
    place.write(
        "x.py",
        format!("import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n{COUNTING}"),
    );
    let words = format!(
        "{} --python {PYTHON} --no-imports --no-external-calls -o trace.json x.py",
        env!("CARGO_BIN_EXE_pytrace")
    );
    let terminal = place.start(place.command("script", &["-q", "-f", "-c", &words, "typescript"]));
    eventually("a part of the trace", || {
        (fs::metadata(place.path("trace.json")).ok()?.len() > 10_000).then_some(())
    });
    terminal.signal(Signal::SIGKILL);
    terminal.wait();
    eventually("the program's end", || {
        fs::metadata(place.path("done")).ok()
    });
    eventually("the trace's end", || {
        fs::read_to_string(place.path("trace.json"))
            .ok()?
            .ends_with("}\n")
            .then_some(())
    });
    let trace = place.trace("trace.json");
    assert_eq!((fs_in(&trace), trace.ended()), (1500, "exit 0"));
}

#[test]
#[ignore = "needs root and BPF"]
fn a_trace_that_was_removed_is_there_again() {
    let place = Place::new();
    let path = place.path("trace.json");
    let ran = disturbed(&place, "trace.json", |_| fs::remove_file(&path).unwrap());
    ran.recorded(
        0,
        &["pytrace: trace.json was removed while the trace was written to it: it is there again"],
    );
    assert_eq!(fs_in(&place.trace("trace.json")), 1500);
}

#[test]
#[ignore = "needs root and BPF"]
fn a_trace_whose_directory_or_place_is_gone_is_said_to_be_lost() {
    let place = Place::new();
    fs::create_dir(place.path("sub")).unwrap();
    let ran = disturbed(&place, "sub/trace.json", |_| {
        fs::remove_dir_all(place.path("sub")).unwrap();
    });
    let claim = ", not whole: its file is not complete\n";
    assert!(ran.stderr.contains(claim), "{}", ran.stderr);
    ran.recorded(
        1,
        &["pytrace: sub/trace.json was removed while the trace was written to it, and it can't be \
           written again: No such file or directory (os error 2): the trace is lost"],
    );
    let place = Place::new();
    let ran = disturbed(&place, "trace.json", |_| {
        place.write("other", "somebody else's");
        fs::rename(place.path("other"), place.path("trace.json")).unwrap();
    });
    ran.recorded(
        1,
        &["pytrace: trace.json was removed while the trace was written to it, and another file is \
           in its place: the trace is lost"],
    );
    assert_eq!(
        fs::read(place.path("trace.json")).unwrap(),
        b"somebody else's"
    );
}

#[test]
#[ignore = "needs root and BPF"]
fn a_trace_that_was_moved_is_said_to_be_where_it_is() {
    let place = Place::new();
    let ran = disturbed(&place, "trace.json", |_| {
        fs::rename(place.path("trace.json"), place.path("moved.json")).unwrap();
    });
    ran.recorded(
        0,
        &["pytrace: trace.json was moved while the trace was written to it"],
    );
    let moved = fs::canonicalize(place.path("moved.json")).unwrap();
    let there = format!("pytrace: trace in {}\n", moved.display());
    assert!(ran.stderr.ends_with(&there), "{}", ran.stderr);
    assert_eq!(fs_in(&place.trace("moved.json")), 1500);
}

#[test]
#[ignore = "needs root and BPF"]
fn of_a_trace_that_was_emptied_the_rest_opens() {
    let place = Place::new();
    let ran = disturbed(&place, "trace.json", |_| {
        File::create(place.path("trace.json")).unwrap();
    });
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let says =
        "trace.json was emptied by another program while the trace was written to it: the first ";
    assert!(ran.stderr.contains(says), "{}", ran.stderr);
    let trace = place.trace("trace.json");
    let kept = fs_in(&trace);
    assert!((100..1500).contains(&kept), "{kept}");
    assert_eq!(trace.ended(), "exit 0");
}

#[test]
#[ignore = "needs root and BPF"]
fn a_limit_for_the_size_of_files_is_a_full_disk() {
    let place = Place::with("def f(): pass\nfor _ in range(20000): f()\nprint('end')\n");
    let code = format!(
        "ulimit -f 200; exec {} --python {PYTHON} {}",
        env!("CARGO_BIN_EXE_pytrace"),
        RECORD.join(" ")
    );
    let ran = place.run(place.command("/bin/bash", &["-c", &code]));
    assert_eq!((ran.code, &*ran.text()), (1, "end\n"), "{}", ran.stderr);
    let last: Vec<&str> = ran.stderr.lines().rev().take(2).collect();
    assert!(
        last[1].ends_with("calls are missing: File too large (os error 27)"),
        "{last:?}"
    );
    assert!(
        last[0].ends_with("raise the limit for the size of files, `ulimit -f`"),
        "{last:?}"
    );
    let trace = place.trace("trace.json");
    let kept = trace.events().count() as u64;
    assert_eq!(kept + trace.footer()["lost"].as_u64().unwrap(), 20_001);
}

#[test]
#[ignore = "needs root and BPF"]
fn the_program_has_the_limits_and_signals_that_it_would_have() {
    // A limit that pytrace outlives is the program's own to die of.
    let place = Place::new();
    let code = format!(
        "ulimit -f 200; exec {} -- dd if=/dev/zero of=big bs=1M count=1 status=none",
        env!("CARGO_BIN_EXE_pytrace")
    );
    let ran = place.run(place.command("/bin/bash", &["-c", &code]));
    assert_eq!(ran.code, 128 + 25, "{}", ran.stderr);
}

#[test]
#[ignore = "needs root and BPF"]
fn a_reader_that_leaves_a_pipe_costs_the_trace_only() {
    let place = Place::with("def f(): pass\nfor _ in range(100000): f()\nprint('end')\n");
    let made = Command::new("mkfifo")
        .arg(place.path("fifo"))
        .status()
        .unwrap();
    assert!(made.success());
    let path = place.path("fifo");
    let reader = std::thread::spawn(move || {
        let mut first = [0; 16];
        File::open(path).unwrap().read_exact(&mut first).unwrap();
        first
    });
    let args = ["--no-imports", "--no-external-calls", "-o", "fifo", "x.py"];
    // Its reader may be slower than we are.
    let ran = eventually("a reader", || {
        let ran = place.run(place.python(&args));
        (!ran.stderr.contains("start its reader first")).then_some(ran)
    });
    assert_eq!(&reader.join().unwrap(), b"{\"traceEvents\":[");
    assert_eq!((ran.code, &*ran.text()), (1, "end\n"), "{}", ran.stderr);
    let last: Vec<&str> = ran.stderr.lines().rev().take(2).collect();
    assert_eq!(
        last,
        [
            "hint: its reader has to read to the end",
            "pytrace: failed to complete fifo: Broken pipe (os error 32)",
        ]
    );
}
