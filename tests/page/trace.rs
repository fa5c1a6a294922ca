//! Traces made by hand, whose every row is known.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// What a trace tells of a call.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) name: &'a str,
    pub(crate) file: &'a str,
    pub(crate) line: u32,
    pub(crate) category: &'a str,
    pub(crate) arguments: &'a [(&'a str, &'a str)],
    pub(crate) result: Option<&'a str>,
    pub(crate) exception: Option<(&'a str, &'a str)>,
    pub(crate) unfinished: bool,
    /// What it takes beside what it calls, in nanoseconds.
    pub(crate) itself: u64,
}

/// A plain function of that name.
pub(crate) fn call(name: &str) -> Call<'_> {
    Call {
        name,
        file: "train.py",
        line: 1,
        category: "internal",
        arguments: &[],
        result: None,
        exception: None,
        unfinished: false,
        itself: 1000,
    }
}

/// A trace file in the making, and the folder of its program.
pub(crate) struct Trace {
    events: Vec<Value>,
    footer: Map<String, Value>,
    directory: TempDir,
    clock: u64,
    thread: (u32, u32),
    number: u64,
    open: Vec<Open>,
}

struct Open {
    start: u64,
    event: Value,
}

impl Trace {
    pub(crate) fn new() -> Trace {
        let directory = tempfile::tempdir().expect("a directory");
        // Started by root, the server reads sources as somebody else.
        let open = Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), open).expect("a directory of ours");
        let footer = json!({
            "format": 1, "version": "0.1.0", "command": ["python3", "train.py"],
            "scope": [directory.path()],
            "interpreters": [{"path": "/usr/bin/python3", "version": "3.11.2", "plan": "dispatch"}],
            "lost": 0, "started_at": "2026-11-20T10:00:00Z", "ended": "exit 0",
        });
        let Value::Object(footer) = footer else {
            unreachable!("an object was written");
        };
        let mut trace = Trace {
            events: Vec::new(),
            footer,
            directory,
            clock: 5_000_000,
            thread: (0, 0),
            number: 0,
            open: Vec::new(),
        };
        trace.thread(100, 100, "python3");
        trace
    }

    /// Goes on with another thread; all calls of the one before have to be over.
    pub(crate) fn thread(&mut self, pid: u32, tid: u32, name: &str) {
        assert!(self.open.is_empty(), "a call is open");
        self.thread = (pid, tid);
        self.number = 0;
        self.events.push(json!({
            "ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": name},
        }));
        self.events.push(json!({
            "ph": "M", "name": "process_name", "pid": pid, "tid": pid, "args": {"name": format!("python3 {pid}.py")},
        }));
    }

    /// Something that the recorder says of the whole.
    pub(crate) fn say(&mut self, name: &str, value: Value) {
        self.footer.insert(name.into(), value);
    }

    pub(crate) fn enter(&mut self, call: Call<'_>) {
        let (pid, tid) = self.thread;
        self.number += 1;
        let arguments: Map<String, Value> = call
            .arguments
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.into()))
            .collect();
        let file = self.directory.path().join(call.file);
        let mut event = json!({
            "ph": "X", "pid": pid, "tid": tid, "name": call.name, "cat": call.category,
            "args": {
                "call": self.number, "depth": self.open.len(), "file": file, "line": call.line,
                "kind": "function", "arguments": arguments,
            },
        });
        if let Some((exception, message)) = call.exception {
            event["args"]["exception"] = exception.into();
            event["args"]["message"] = message.into();
        } else if call.unfinished {
            event["args"]["unfinished"] = true.into();
        } else {
            event["args"]["return"] = call.result.unwrap_or("None").into();
        }
        self.open.push(Open {
            start: self.clock,
            event,
        });
        self.clock += call.itself;
    }

    pub(crate) fn leave(&mut self) {
        let Open { start, mut event } = self.open.pop().expect("a call is open");
        self.clock += 10;
        event["ts"] = (start as f64 / 1e3).into();
        event["dur"] = ((self.clock - start) as f64 / 1e3).into();
        self.events.push(event);
    }

    /// A call, and what it calls.
    pub(crate) fn within(&mut self, call: Call<'_>, calls: impl FnOnce(&mut Trace)) {
        self.enter(call);
        calls(self);
        self.leave();
    }

    /// A call that calls nothing.
    pub(crate) fn leaf(&mut self, call: Call<'_>) {
        self.within(call, |_| ());
    }

    /// Loses events: here, for so many nanoseconds. What is open goes on behind it.
    pub(crate) fn lose(&mut self, starts: u64, ends: u64, took: u64) {
        let (pid, tid) = self.thread;
        let micros = |time: u64| time as f64 / 1e3;
        self.events.push(json!({
            "ph": "i", "s": "t", "pid": pid, "tid": tid, "ts": micros(self.clock),
            "name": format!("{} events lost", starts + ends), "cat": "gap",
            "args": {
                "after_call": self.number, "depth": self.open.len(), "starts": starts, "ends": ends,
                "until": micros(self.clock + took),
            },
        }));
        self.clock += took;
        let lost = self.footer["lost"].as_u64().expect("a number");
        self.say("lost", (lost + starts + ends).into());
    }

    /// Writes a file of the program.
    pub(crate) fn source(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("a file");
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes the trace file.
    pub(crate) fn save(&self) -> PathBuf {
        assert!(self.open.is_empty(), "a call is open");
        let path = self.path().join("trace.json");
        let whole = json!({
            "traceEvents": self.events, "displayTimeUnit": "ns", "pytrace": self.footer,
        });
        fs::write(&path, whole.to_string()).expect("a file");
        path
    }
}

/// Rounds of the loop of [`training`].
pub(crate) const STEPS: u32 = 6;
/// The slowest of them, from 0.
pub(crate) const SLOWEST: u32 = 3;

/// A loop in which another stands: six times `load` and `step`, of 13 calls, three of them `layer`s
/// of 3 calls. Before and after it stands what happens once: an import, an exception, a library.
pub(crate) fn training() -> Trace {
    let mut trace = Trace::new();
    let mut lines = vec!["# line"; 120];
    lines[87] = "def step(batch):";
    trace.source("train.py", &lines.join("\n"));
    trace.within(call("<module>"), |trace| {
        let imported = Call {
            category: "import",
            ..call("_find_and_load")
        };
        trace.leaf(imported);
        trace.within(call("main"), |trace| {
            trace.leaf(call("setup"));
            for index in 0..STEPS {
                step(trace, index);
            }
            trace.within(call("save"), |trace| {
                trace.leaf(Call {
                    category: "external",
                    ..call("dumps")
                });
                trace.leaf(Call {
                    exception: Some(("OSError", "disk full")),
                    ..call("write_file")
                });
            });
        });
    });
    trace.thread(100, 101, "logger");
    trace.within(call("log_forever"), |trace| {
        trace.leaf(call("emit"));
    });
    trace
}

fn step(trace: &mut Trace, index: u32) {
    let number = index.to_string();
    trace.leaf(Call {
        arguments: &[("index", &number)],
        ..call("load")
    });
    let step = Call {
        line: 88,
        arguments: &[("batch", &format!("list[8] of batch {number}"))],
        ..call("step")
    };
    trace.within(step, |trace| {
        trace.within(call("forward"), |trace| {
            for _ in 0..3 {
                trace.within(call("layer"), |trace| {
                    trace.leaf(call("attention"));
                    trace.leaf(Call {
                        itself: if index == SLOWEST { 50_000 } else { 1000 },
                        ..call("mlp")
                    });
                });
            }
        });
        trace.leaf(call("backward"));
    });
}
