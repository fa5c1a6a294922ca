//! Programs of `tests/embedded` that run twice: by themselves, writing down what they call, and recorded.

#![allow(dead_code, reason = "not every test uses everything")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{self, Place, Ran, Trace};

/// The programs.
pub(crate) const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/embedded");

const PYTRACE: &str = env!("CARGO_BIN_EXE_pytrace");

/// Functions that run while nothing is written down yet, or not any more.
const BEFORE_AND_AFTER: [&str; 7] = [
    "begin",
    "end",
    "main",
    "Worker.__init__",
    "Worker.run",
    "prepare",
    "enter",
];

/// The names of the functions that a thread calls, in order.
pub(crate) type Calls = Vec<String>;

fn compared(name: &str) -> bool {
    !BEFORE_AND_AFTER.contains(&name)
}

/// What each thread calls of the functions in these files, by a trace. Sorted.
pub(crate) fn recorded(trace: &Trace, files: &[&str]) -> Vec<Calls> {
    let mut threads: BTreeMap<u64, Vec<(u64, String)>> = BTreeMap::new();
    for event in trace.events() {
        let args = &event["args"];
        let file = Path::new(args["file"].as_str().unwrap()).file_name();
        let is_body = matches!(args["kind"].as_str().unwrap(), "module" | "class_body");
        let name = event["name"].as_str().unwrap();
        if !is_body && compared(name) && files.iter().any(|wanted| file == Some(wanted.as_ref())) {
            assert!(args["unfinished"] != true, "{event}");
            let thread = threads.entry(event["tid"].as_u64().unwrap()).or_default();
            thread.push((args["call"].as_u64().unwrap(), name.to_owned()));
        }
    }
    sorted(threads.into_values())
}

/// The same by what truth.py wrote.
fn truth(path: &Path) -> Vec<Calls> {
    let mut threads: BTreeMap<u64, Vec<(u64, String)>> = BTreeMap::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        let (thread, calls): (u64, Vec<(u64, String)>) = serde_json::from_str(line).unwrap();
        let calls = calls.into_iter().filter(|(_, name)| compared(name));
        threads.entry(thread).or_default().extend(calls);
    }
    sorted(threads.into_values().filter(|calls| !calls.is_empty()))
}

/// Each thread's calls by time, or number.
fn sorted(threads: impl Iterator<Item = Vec<(u64, String)>>) -> Vec<Calls> {
    let mut all: Vec<Calls> = threads
        .map(|mut calls| {
            calls.sort();
            calls.into_iter().map(|(_, name)| name).collect()
        })
        .collect();
    all.sort();
    all
}

/// A program that has run twice: by itself, and recorded.
pub(crate) struct Twice {
    pub(crate) truth: Vec<Calls>,
    pub(crate) trace: Trace,
    pub(crate) ran: Ran,
}

impl Twice {
    pub(crate) fn run(place: &Place, command: &[&str]) -> Twice {
        Twice::run_in(place, Path::new("/"), SOURCES, command, &[PYTRACE])
    }

    /// In another root directory, where the sources are at `sources`, and recorded by this program.
    fn run_in(
        place: &Place,
        root: &Path,
        sources: &str,
        command: &[&str],
        recorder: &[&str],
    ) -> Twice {
        let inside = tempfile::tempdir_in(root.join("tmp")).unwrap();
        let path = inside.path().join("truth");
        let seen = Path::new("/").join(path.strip_prefix(root).unwrap());
        let (program, args) = command.split_first().unwrap();
        let mut alone = place.command(program, args);
        alone.env("TRUTH", seen).env("PYTHONPATH", sources);
        let ran = place.run(alone);
        assert_eq!(ran.code, 0, "{}", ran.stderr);

        let options = ["-o", "t.json", "--scope", sources, "--"];
        let (program, own) = recorder.split_first().unwrap();
        let mut traced = place.command(program, &[own, &options, command].concat());
        traced.env("PYTHONPATH", sources);
        let ran = place.run(traced);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        Twice {
            truth: truth(&path),
            trace: place.trace("t.json"),
            ran,
        }
    }

    /// All calls of these files' functions were recorded, in order; at least so many.
    #[track_caller]
    pub(crate) fn is_whole(&self, files: &[&str], threads: usize, calls: usize) -> &Self {
        let found = recorded(&self.trace, files);
        let all = found.iter().map(Vec::len).sum::<usize>();
        assert!(found == self.truth, "{all} calls: {}", self.ran.stderr);
        assert_eq!(found.len(), threads, "{}", self.ran.stderr);
        assert!(all >= calls, "{all} calls");
        assert_eq!(self.trace.footer()["lost"], 0);
        self
    }
}

/// Another system, with the programs in it.
pub(crate) struct Debian {
    pub(crate) root: PathBuf,
    sources: tempfile::TempDir,
    pub(crate) python: &'static str,
}

impl Debian {
    pub(crate) fn new(suite: &str, python: &'static str) -> Debian {
        let root = run::debian(suite);
        let sources = tempfile::tempdir_in(root.join("tmp")).unwrap();
        for source in fs::read_dir(SOURCES).unwrap() {
            let source = source.unwrap().path();
            fs::copy(&source, sources.path().join(source.file_name().unwrap())).unwrap();
        }
        Debian {
            root,
            sources,
            python,
        }
    }

    /// Where the programs are, as seen in it.
    pub(crate) fn sources(&self) -> String {
        let inside = self.sources.path().strip_prefix(&self.root).unwrap();
        format!("/{}", inside.to_str().unwrap())
    }

    /// Runs interpreters.py.
    pub(crate) fn run(&self, place: &Place, python: &str) -> Twice {
        self.run_by(place, python, "interpreters.py", &[PYTRACE])
    }

    /// Runs one of the programs.
    pub(crate) fn run_program(&self, place: &Place, python: &str, program: &str) -> Twice {
        self.run_by(place, python, program, &[PYTRACE])
    }

    /// The same, recorded by this program instead of pytrace.
    pub(crate) fn run_by(
        &self,
        place: &Place,
        python: &str,
        program: &str,
        recorder: &[&str],
    ) -> Twice {
        let sources = self.sources();
        let program = format!("{sources}/{program}");
        let root = self.root.to_str().unwrap();
        let command = ["chroot", root, python, &program];
        Twice::run_in(place, &self.root, &sources, &command, recorder)
    }
}

pub(crate) const OF_INTERPRETERS: [&str; 2] = ["interpreters.py", "workload.py"];
