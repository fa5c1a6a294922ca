//! Programs that run, and recordings of them. Needs root.

#![allow(dead_code, reason = "not every test uses everything")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pytrace::cpython::{Choice, Found, Interpreter, Plan};
use serde_json::Value;

/// The system's Python.
pub(crate) const PYTHON: &str = "/usr/bin/python3";
/// As long as anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program of `tests/programs/attach`.
pub(crate) fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/programs/attach")
        .join(name)
}

/// Python on a program, not started yet.
pub(crate) fn python(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(PYTHON);
    command.arg(program(name)).args(args);
    command
}

/// A running program, which ends at the latest when this is dropped.
#[derive(Debug)]
pub(crate) struct Target {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Target {
    /// Starts it and waits for it to say that it is ready.
    pub(crate) fn start(mut command: Command) -> Target {
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test needs root: run it with sudo"
        );
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.expect("a program that starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let mut target = Target {
            child,
            input,
            output,
        };
        assert_eq!(target.hear(), "ready");
        target
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to its input.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input.as_mut().expect("its input"), "{line}").expect("a reader");
    }

    /// The next line of its output.
    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    /// Ends its input, and waits for its end.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        drop(self.input.take());
        let said = self.hear();
        (self.child.wait().expect("its end"), said)
    }

    /// Whether it runs on.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_none()
    }

    /// Clock ticks of processor time that it has used.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("its state");
        let fields = stat.rsplit_once(')').expect("a name").1.split_whitespace();
        fields
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().expect("ticks"))
            .sum()
    }

    /// How many of the probes that a recording sets are in its memory, and how many there are.
    pub(crate) fn probes(&self) -> (usize, usize) {
        probes(self.pid())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many of the probes that a recording sets are in a process's memory, and how many there are.
pub(crate) fn probes(pid: u32) -> (usize, usize) {
    const BREAKPOINT: u8 = 0xcc;
    let (file, plan) = plan_of(pid);
    let memory = File::open(format!("/proc/{}/mem", pid)).expect("its memory");
    let mut set = 0;
    for probe in &plan.probes {
        let mut bytes = [[0; 1]; 2];
        let address = address_of(pid, &file, probe.offset);
        memory
            .read_exact_at(&mut bytes[0], address)
            .expect("its text");
        file.read_exact_at(&mut bytes[1], probe.offset)
            .expect("the file's text");
        assert!(
            bytes[0] == bytes[1] || bytes[0] == [BREAKPOINT],
            "{:x?}",
            bytes
        );
        set += usize::from(bytes[0] != bytes[1]);
    }
    (set, plan.probes.len())
}

fn plan_of(pid: u32) -> (File, Plan) {
    let path = pytrace::record::examine::of_process(pid).expect("an interpreter");
    let Found::Interpreter(interpreter) = Interpreter::open(&path).expect("a file") else {
        panic!("{} is no interpreter", path.display());
    };
    let plan = pytrace::cpython::plan(&interpreter, Choice::Auto).expect("a plan");
    (File::open(path).expect("a file"), plan)
}

/// Where a process has an executable byte of a file.
fn address_of(pid: u32, file: &File, offset: u64) -> u64 {
    let inode = file.metadata().expect("a file").ino().to_string();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("its mappings");
    let hex = |text: &str| u64::from_str_radix(text, 16).expect("a number");
    let address = maps.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (start, end) = fields[0].split_once('-')?;
        let into = offset.checked_sub(hex(fields[2]))?;
        let mapped = fields[4] == inode && fields[1].contains('x') && into < hex(end) - hex(start);
        mapped.then(|| hex(start) + into)
    });
    address.expect("the interpreter's text")
}

/// A recording that goes on.
#[derive(Debug)]
pub(crate) struct Recording {
    child: Child,
    directory: tempfile::TempDir,
}

/// What came of a recording.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) code: Option<i32>,
    pub(crate) messages: String,
    pub(crate) trace: Trace,
}

impl Recording {
    /// Starts pytrace on running programs.
    pub(crate) fn start(targets: &[&Target], args: &[&str]) -> Recording {
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_pytrace"));
        for target in targets {
            command.arg("--pid").arg(target.pid().to_string());
        }
        command
            .arg("-o")
            .arg(directory.path().join("trace.json"))
            .args(args);
        let child = command.stderr(Stdio::piped()).spawn().expect("pytrace");
        Recording { child, directory }
    }

    /// Starts pytrace and waits until it records.
    pub(crate) fn begin(targets: &[&Target], args: &[&str]) -> Recording {
        let mut recording = Recording::start(targets, args);
        let begun = Instant::now();
        for target in targets {
            while matches!(target.probes(), (set, all) if set < all) {
                assert!(begun.elapsed() < PATIENCE, "no probes");
                if recording.child.try_wait().expect("its state").is_some() {
                    panic!("pytrace gave up: {}", recording.wait().messages);
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        // They record once the last one is on.
        std::thread::sleep(Duration::from_millis(200));
        recording
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("pytrace");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Interrupts it, as Ctrl-C does.
    pub(crate) fn stop(self) -> Recorded {
        self.signal(Signal::SIGINT);
        self.wait()
    }

    /// Waits for it to end by itself.
    pub(crate) fn wait(self) -> Recorded {
        let output = self.child.wait_with_output().expect("its end");
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        let trace = fs::read(self.directory.path().join("trace.json")).unwrap_or_default();
        let trace = Trace::of(serde_json::from_slice(&trace).unwrap_or_default());
        Recorded {
            code: output.status.code(),
            messages,
            trace,
        }
    }
}

/// A trace file.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// In order, by thread.
    pub(crate) calls: Vec<Call>,
    pub(crate) footer: Value,
}

/// One call of a trace file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) pid: u64,
    pub(crate) tid: u64,
    pub(crate) number: u64,
    pub(crate) depth: u64,
    pub(crate) name: String,
    pub(crate) category: String,
    /// Nanoseconds.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) already_running: bool,
    pub(crate) unfinished: bool,
    /// Index of its caller.
    pub(crate) parent: Option<usize>,
}

impl Trace {
    fn of(mut file: Value) -> Trace {
        let events = file["traceEvents"].as_array().cloned().unwrap_or_default();
        let nanoseconds = |value: &Value| (value.as_f64().expect("a time") * 1000.0) as u64;
        let calls = events
            .iter()
            .filter(|event| event["ph"] == "X")
            .map(|event| {
                let args = &event["args"];
                let start = nanoseconds(&event["ts"]);
                Call {
                    pid: event["pid"].as_u64().expect("a pid"),
                    tid: event["tid"].as_u64().expect("a tid"),
                    number: args["call"].as_u64().expect("a number"),
                    depth: args["depth"].as_u64().expect("a depth"),
                    name: event["name"].as_str().expect("a name").to_owned(),
                    category: event["cat"].as_str().expect("a category").to_owned(),
                    start,
                    end: start + nanoseconds(&event["dur"]),
                    already_running: args["already_running"] == true,
                    unfinished: args["unfinished"] == true,
                    parent: None,
                }
            });
        let mut calls: Vec<Call> = calls.collect();
        calls.sort_by_key(|call| (call.tid, call.number));
        let mut trace = Trace {
            calls,
            footer: file["pytrace"].take(),
        };
        trace.nest();
        trace
    }

    /// Finds the callers, and checks that calls are numbered without a hole and that depths are
    /// those of the nesting.
    fn nest(&mut self) {
        let mut open: Vec<usize> = Vec::new();
        for at in 0..self.calls.len() {
            let call = &self.calls[at];
            let before = at.checked_sub(1).map(|at| &self.calls[at]);
            let before = before.filter(|before| before.tid == call.tid);
            assert_eq!(
                call.number,
                before.map_or(0, |before| before.number) + 1,
                "{call:?}"
            );
            if before.is_none() {
                open.clear();
            }
            assert!(call.depth as usize <= open.len(), "{call:?} has no caller");
            open.truncate(call.depth as usize);
            self.calls[at].parent = open.last().copied();
            open.push(at);
        }
    }

    /// How many calls of a function began while it was recorded.
    pub(crate) fn count(&self, name: &str) -> usize {
        let begun = |call: &&Call| call.name == name && !call.already_running;
        self.calls.iter().filter(begun).count()
    }

    /// For each thread the names of what ran already, outermost first; sorted.
    pub(crate) fn already_running(&self) -> Vec<Vec<&str>> {
        let mut threads: Vec<(u64, Vec<&str>)> = Vec::new();
        for call in self.calls.iter().filter(|call| call.already_running) {
            match threads.last_mut() {
                Some((tid, names)) if *tid == call.tid => names.push(&call.name),
                _ => threads.push((call.tid, vec![&call.name])),
            }
        }
        let mut threads: Vec<Vec<&str>> = threads.into_iter().map(|(_, names)| names).collect();
        threads.sort();
        threads
    }

    /// All pairs of caller and callee, each once; sorted.
    pub(crate) fn edges(&self) -> Vec<(&str, &str)> {
        let caller = |call: &Call| call.parent.map_or("", |at| &*self.calls[at].name);
        let mut edges: Vec<(&str, &str)> = self
            .calls
            .iter()
            .map(|call| (caller(call), &*call.name))
            .collect();
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}
