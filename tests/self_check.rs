//! What becomes of plans that are wrong: `tests/tools/wrong_plans.rs` records with them. Needs
//! root.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;
#[path = "common/wrong_plans.rs"]
mod wrong_plans;

use std::fs;
use std::path::{Path, PathBuf};

use run::{PYTHON, Place, Ran, Trace};
use serde_json::Value;
use wrong_plans::program;

/// Functions that return and raise, generators that yield and are thrown into; each often
/// enough to be judged.
const PROGRAM: &str = "
import time
time.sleep(0.3) # by now what Python itself has called was judged

def leaf():
    return 1

def fails():
    raise KeyError

def generate():
    try:
        while True:
            yield leaf()
    except ValueError:
        pass

for _ in range(400):
    leaf()
    try:
        fails()
    except KeyError:
        pass
    made = generate()
    next(made)
    try:
        made.throw(ValueError)
    except StopIteration:
        pass
print('ran')
";
/// Each round: `leaf` twice, `fails`, `generate` and its resumption. And the module.
const CALLS: usize = 400 * 5 + 1;

/// An interpreter, and the root directory that it lives in.
struct Interpreter {
    root: PathBuf,
    python: &'static str,
}

impl Interpreter {
    /// The system's: 3.11 or later, whose returns and unwinds are seen in one way only.
    fn of_the_system() -> Interpreter {
        Interpreter {
            root: "/".into(),
            python: PYTHON,
        }
    }

    /// One of another Debian's.
    fn of_debian(suite: &str, python: &'static str) -> Interpreter {
        Interpreter {
            root: run::debian(suite),
            python,
        }
    }

    /// Runs the program in it, with a plan that is wrong.
    fn record(&self, fault: &str, options: &[&str]) -> Recorded {
        let place = Place::new();
        let inside = tempfile::tempdir_in(self.root.join("tmp")).expect("a directory");
        let script = inside.path().join("x.py");
        fs::write(&script, PROGRAM).expect("a script");
        let seen_inside = Path::new("/").join(script.strip_prefix(&self.root).expect("inside"));
        let scope = seen_inside.parent().expect("a directory");
        let mut command = place.command(program().to_str().expect("UTF-8"), &[fault]);
        command
            .args(options)
            .args(["-o", "t.json", "--scope"])
            .arg(scope)
            .args(["--", "chroot"])
            .arg(&self.root)
            .args([self.python, "-I", "-S"])
            .arg(seen_inside);
        Recorded {
            ran: place.run(command),
            trace: place.trace("t.json"),
        }
    }
}

struct Recorded {
    ran: Ran,
    trace: Trace,
}

impl Recorded {
    /// The program ran to its end, and all of its calls were recorded.
    fn is_whole(&self) -> &Self {
        assert_eq!(self.ran.code, 0, "{}", self.ran.stderr);
        assert_eq!(self.ran.text(), "ran\n");
        assert_eq!(self.trace.events().count(), CALLS, "{}", self.ran.stderr);
        self
    }

    /// The program was ended before it could run untraced.
    fn was_refused(&self, why: &str) {
        assert_eq!(self.ran.code, 1, "{}", self.ran.stderr);
        assert_eq!(self.ran.text(), "");
        self.says("can't trace CPython").says(why);
    }

    fn says(&self, text: &str) -> &Self {
        assert!(
            self.ran.stderr.contains(text),
            "{text}: {}",
            self.ran.stderr
        );
        self
    }

    /// What the trace says was found wrong with each plan that was used.
    fn findings(&self) -> Vec<Vec<String>> {
        let interpreters = self.trace.footer()["interpreters"].as_array();
        let mut findings = Vec::new();
        for interpreter in interpreters.expect("interpreters") {
            let texts = interpreter["findings"].as_array().into_iter().flatten();
            let texts = texts.filter_map(Value::as_str).map(str::to_owned);
            findings.push(texts.collect());
        }
        findings
    }

    /// The calls, in the order of their starts.
    fn outline(&self) -> Vec<Outline> {
        let mut calls: Vec<&Value> = self.trace.events().collect();
        calls.sort_by_key(|event| event["args"]["call"].as_u64());
        let outline = calls.into_iter().map(|event| {
            let args = &event["args"];
            Outline {
                name: event["name"].as_str().expect("a name").to_owned(),
                depth: args["depth"].as_u64().expect("a depth"),
                line: args["line"].as_u64().expect("a line"),
                resumed: args["resume"] == true,
            }
        });
        outline.collect()
    }

    fn lost(&self) -> u64 {
        self.trace.footer()["lost"].as_u64().expect("a number")
    }
}

/// What is the same of a call in every run.
#[derive(Debug, PartialEq, Eq)]
struct Outline {
    name: String,
    depth: u64,
    line: u64,
    resumed: bool,
}

#[test]
#[ignore = "needs root and eBPF"]
fn the_thread_state_has_a_frame_that_a_register_has_not() {
    let recorded = Interpreter::of_the_system().record("register:RESUME", &[]);
    let finding = "RESUME: the frame is taken from the thread state";
    recorded.is_whole().says(finding);
    assert_eq!(recorded.findings(), [[finding]]);
    assert_eq!(recorded.lost(), 0);
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_plan_without_frames_is_refused() {
    let recorded = Interpreter::of_the_system().record("offset", &[]);
    recorded.was_refused("no frame in");
    assert!(recorded.lost() > 0, "what was not recorded is counted");
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_plan_whose_returns_have_no_frame_is_refused() {
    let recorded = Interpreter::of_the_system().record("register:RETURN_VALUE", &[]);
    recorded.was_refused("RETURN_VALUE: no frame in r9 at 16 of 16 hits");
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_plan_that_misses_returns_is_refused() {
    let recorded = Interpreter::of_the_system().record("site:RETURN_VALUE", &[]);
    recorded.was_refused("starts and ends do not go together");
}

#[test]
#[ignore = "needs root and eBPF"]
fn what_a_rare_site_misses_is_counted() {
    let recorded = Interpreter::of_the_system().record("register:YIELD_VALUE", &[]);
    recorded.is_whole().says("as the self-check found");
    assert!(recorded.lost() >= 400, "each yield: {}", recorded.lost());
}

#[test]
#[ignore = "needs root and eBPF"]
fn pops_are_seen_in_their_function_where_the_handlers_are_wrong() {
    let trixie = Interpreter::of_debian("trixie", "/usr/bin/python3.13");
    let recorded = trixie.record("register:RETURN_VALUE", &[]);
    recorded.is_whole();
    recorded.says("going over to the function that pops its frames");
    let findings = recorded.findings();
    assert_eq!(findings.len(), 2);
    assert!(findings[1].is_empty(), "the plan gone over to");
    let gone = "calls may be missing from before the probes of 1 interpreter were replaced";
    recorded.says(&format!(", not whole: {gone}\n"));
    assert_eq!(recorded.trace.footer()["incomplete"]["replanned"], 1);
    let shown = &recorded.trace.shown;
    assert!(
        shown.contains(&format!("\nNot whole: {gone}.\n")),
        "{shown}"
    );
}

#[test]
#[ignore = "needs root and eBPF"]
fn the_interpreters_own_probes_are_used_where_others_are_wrong() {
    let bullseye = Interpreter::of_debian("bullseye", "/usr/bin/python3.9");
    let recorded = bullseye.record("register:exit_eval_frame", &[]);
    recorded
        .is_whole()
        .says("going over to its own probes (USDT)");
    let forced = bullseye.record("register:exit_eval_frame", &["--probes", "dispatch"]);
    forced.was_refused("exit_eval_frame: no frame in r9");
}

#[test]
#[ignore = "needs root and eBPF"]
fn names_are_left_where_the_layout_of_objects_is_unknown() {
    let goes_on = PROGRAM.lines().position(|line| line.contains("yield"));
    let goes_on = goes_on.expect("a generator") as u64 + 1;
    for (suite, python, sees_throws) in [
        ("bullseye", "/usr/bin/python3.9", true),
        ("sid", "/usr/bin/python3.15", false),
    ] {
        let interpreter = Interpreter::of_debian(suite, python);
        let mut expected = interpreter.record("none", &[]).is_whole().outline();
        if !sees_throws {
            expected.retain(|call| !call.resumed);
        }
        for call in &mut expected {
            if std::mem::take(&mut call.resumed) {
                call.line = goes_on;
            }
        }
        let recorded = interpreter.record("layout", &[]);
        recorded.says("only names are known");
        assert_eq!(recorded.ran.text(), "ran\n");
        assert_eq!(recorded.outline(), expected, "{python}");
        assert_eq!(recorded.lost(), 0);
        let findings = recorded.findings();
        assert_eq!(findings.len(), 1);
        assert!(findings[0][0].starts_with("only names"), "{findings:?}");
        let claim = match sees_throws {
            true => ", none lost\n",
            false => ", not whole: the probes of 1 interpreter do not see every call\n",
        };
        recorded.says(claim);
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn names_are_left_where_frames_are_found_nowhere() {
    let bullseye = Interpreter::of_debian("bullseye", "/usr/bin/python3.9");
    let recorded = bullseye.record("offset", &["--probes", "usdt"]);
    recorded
        .says("function__entry: no frame in")
        .says("going over to the names that its own probes (USDT) give");
    assert_eq!(recorded.ran.text(), "ran\n");
    let calls = recorded.trace.events().count();
    // The module may have started by then.
    assert!((CALLS - 1..=CALLS).contains(&calls), "{calls}");
}

#[test]
#[ignore = "needs root and eBPF"]
fn exceptions_are_told_by_the_thread_state_where_a_register_is_wrong() {
    let bullseye = Interpreter::of_debian("bullseye", "/usr/bin/python3.9");
    let recorded = bullseye.record("value", &["--probes", "dispatch"]);
    recorded
        .is_whole()
        .says("exceptions are told by the thread state");
    let raised = recorded.trace.events();
    let raised = raised.filter(|event| event["args"]["exception"] == "KeyError");
    assert_eq!(raised.count(), 400);
}
