//! The JIT of CPython 3.14 and 3.15 switched on: calls that start in compiled code. Which are recorded, and
//! in what order, is for `tests/truth` to say; here it is how that is found out and told.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;
#[path = "common/sid.rs"]
mod sid;

use std::fs;
use std::path::Path;
use std::process::Command;

use run::{Place, Trace};
use serde_json::Value;
use sid::{PYTHONS, Sid};

/// Calls a function from a loop that the JIT compiles; says whether that was on, and whether its code ran.
const PROGRAM: &str = "\
import sys

def is_compiled(n):
    return sys._jit.is_active()

def loop():
    compiled = 0
    for i in range(6000):
        compiled += is_compiled(i)
    return compiled

print(sys._jit.is_enabled(), loop() > 1000)
";
const CALLS: usize = 6000 + 2;

/// The same, and a generator.
const GENERATOR: &str = "\
def items():
    yield 1

print(sum(items()))
";

impl Sid {
    /// Records a program that a command there runs, with `PYTHON_JIT` as said.
    fn record(&self, command: &Path, program: &str, jit: Option<&str>) -> Recording {
        let place = Place::new();
        let (script, inside) = self.file("x.py");
        fs::write(&script, program).unwrap();
        let mut pytrace = place.pytrace(&["-o", "t.json", "--scope"]);
        pytrace
            .arg(inside.parent().unwrap())
            .args(["--", "chroot"])
            .arg(&self.root)
            .arg(command)
            .arg(&inside)
            .env_remove("PYTHON_JIT")
            .envs(jit.map(|jit| ("PYTHON_JIT", jit)));
        let ran = place.run(pytrace);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let trace = place.trace("t.json");
        Recording {
            printed: ran.text(),
            said: ran.stderr,
            trace,
        }
    }
}

/// What the program printed, what pytrace said, and the trace.
struct Recording {
    printed: String,
    said: String,
    trace: Trace,
}

impl Recording {
    fn inferred(&self) -> impl Iterator<Item = &Value> {
        let events = self.trace.events();
        events.filter(|event| event["args"]["start_inferred"] == true)
    }

    /// All calls are there, and those that started in compiled code say so.
    #[track_caller]
    fn is_of_compiled_code(&self) {
        assert_eq!(self.printed, "True True\n", "{}", self.said);
        assert_eq!(self.trace.events().count(), CALLS, "{}", self.said);
        assert!(self.inferred().count() > 1000, "{}", self.said);
        for event in self.inferred() {
            assert_eq!(event["name"], "is_compiled");
            assert!(event["args"].get("arguments").is_none(), "{event}");
            assert_eq!(event["args"]["return"], "True", "{event}");
        }
        assert!(self.said.contains("the JIT was on"), "{}", self.said);
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn calls_that_start_in_compiled_code_are_found_and_marked() {
    let sid = Sid::new();
    for python in PYTHONS {
        let recording = sid.record(Path::new(python), PROGRAM, Some("1"));
        recording.is_of_compiled_code();
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_jit_that_is_off_leaves_everything_as_it_is() {
    let sid = Sid::new();
    for python in PYTHONS {
        let recording = sid.record(Path::new(python), PROGRAM, Some("0"));
        assert_eq!(recording.printed, "False False\n", "{python}");
        let said = &recording.said;
        assert_eq!(recording.trace.events().count(), CALLS, "{said}");
        assert_eq!(recording.inferred().count(), 0, "{said}");
        assert!(!said.contains("JIT"), "{said}");
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_jit_that_a_program_switches_on_itself_is_noticed_when_it_compiles() {
    let sid = Sid::new();
    for library in ["libpython3.14.so.1.0", "libpython3.15.so.1.0"] {
        let (program, inside) = sid.file("host");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/embedded/jit.c");
        let compiled = Command::new("cc")
            .arg(format!("-DLIBRARY=\"{library}\""))
            .arg("-o")
            .args([&program, Path::new(source)])
            .arg("-ldl")
            .status()
            .unwrap();
        assert!(compiled.success());
        sid.record(&inside, PROGRAM, None).is_of_compiled_code();
        // What it is until then is as with any other.
        let few = sid.record(&inside, "def f(): pass\nf()\n", None);
        assert_eq!(few.trace.events().count(), 2, "{}", few.said);
        assert!(!few.said.contains("JIT"), "{}", few.said);
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn generators_are_not_said_to_be_complete_where_they_may_run_in_compiled_code() {
    let sid = Sid::new();
    for python in PYTHONS {
        let plain = sid.record(Path::new(python), PROGRAM, Some("1")).said;
        assert!(plain.contains(", none lost\n"), "{plain}");
        assert!(!plain.contains("generators"), "{plain}");
        let recording = sid.record(Path::new(python), GENERATOR, Some("1"));
        let said = &recording.said;
        let reason =
            ", not whole: generators may have gone on unseen in compiled code of 1 interpreter\n";
        assert!(said.contains(reason), "{said}");
        assert_eq!(recording.trace.footer()["incomplete"]["compiled"], 1);
    }
}
