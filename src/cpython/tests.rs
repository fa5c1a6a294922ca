//! The whole way from a file to a plan, on real interpreters.

use std::path::Path;
use std::time::Instant;

use super::*;

/// The system's Python, which this project cannot do without.
const SYSTEM: &str = "/usr/bin/python3";

/// Opens an interpreter, or the library that an executable loads it from.
fn interpreter(path: &Path) -> Interpreter {
    match Interpreter::open(path).expect("a file that can be examined") {
        Found::Interpreter(interpreter) => *interpreter,
        Found::NeedsLibpython { soname, runpath } => {
            let origin = path
                .canonicalize()
                .expect("a path")
                .parent()
                .map(Path::to_owned);
            let origin = origin.expect("a directory");
            let directories = runpath.unwrap_or_default();
            let library = directories
                .split(':')
                .map(|directory| {
                    Path::new(&directory.replace("$ORIGIN", &origin.to_string_lossy()))
                        .join(&soname)
                })
                .chain([origin.join("../lib").join(&soname)])
                .chain([Path::new("/usr/lib/x86_64-linux-gnu").join(&soname)])
                .find(|library| library.is_file())
                .expect("the library is installed");
            interpreter(&library)
        }
        Found::NotPython => panic!("{} is not Python", path.display()),
    }
}

fn show(plan: &Plan) -> String {
    let mut text = String::new();
    for probe in &plan.probes {
        let cost = if probe.emulated { ' ' } else { '!' };
        text += &format!(
            "  {:#x} {cost} {:18} frame {:12} {:?}   {}{}\n",
            probe.address,
            probe.site,
            probe.frame.to_string(),
            probe.meaning,
            probe.instruction,
            probe
                .semaphore
                .map_or(String::new(), |at| format!(" semaphore at {at:#x}")),
        );
    }
    text + &format!("  {:?} {:?}\n", plan.thread_state, plan.layout)
}

/// What must hold of any plan.
fn check(interpreter: &Interpreter, plan: &Plan) {
    assert_eq!(plan.version, interpreter.version());
    assert!(plan.layout.frame_head <= 128);
    let mut addresses: Vec<u64> = plan.probes.iter().map(|probe| probe.address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(
        addresses.len(),
        plan.probes.len(),
        "two probes in one place:\n{}",
        show(plan)
    );
    let starts = plan.probes.iter().any(|probe| {
        matches!(
            probe.meaning,
            Meaning::Resume { .. } | Meaning::Eval { .. } | Meaning::UsdtEntry
        )
    });
    assert!(
        starts,
        "nothing tells that a function starts:\n{}",
        show(plan)
    );
    let freed = plan
        .probes
        .iter()
        .filter(|probe| probe.meaning == Meaning::CodeFreed);
    assert_eq!(freed.count(), 1);
}

#[test]
fn the_systems_python_has_a_plan() {
    let interpreter = interpreter(Path::new(SYSTEM));
    let plan = plan(&interpreter, Choice::Dispatch).expect("a plan");
    check(&interpreter, &plan);
    assert_eq!(plan.kind, PlanKind::Dispatch);
    for probe in &plan.probes {
        if let Meaning::Resume { oparg_delta, .. } = probe.meaning {
            assert!(matches!(oparg_delta, -1 | 1), "{oparg_delta}");
        }
    }
}

/// Prints the plans of the interpreters that `PYTRACE_INTERPRETERS` names, separated by colons.
#[test]
#[ignore = "needs PYTRACE_INTERPRETERS"]
fn plans_of_named_interpreters() {
    let named = std::env::var("PYTRACE_INTERPRETERS").expect("PYTRACE_INTERPRETERS is set");
    for path in named.split(':') {
        let begun = Instant::now();
        let interpreter = interpreter(Path::new(path));
        let opened = begun.elapsed();
        println!(
            "{} is CPython {}{}{}{}, opened in {opened:?}",
            interpreter.name(),
            interpreter.version(),
            if interpreter.position_independent() {
                ", position-independent"
            } else {
                ""
            },
            if interpreter.stripped() {
                ", stripped"
            } else {
                ""
            },
            if interpreter.has_debug_offsets() {
                ", with debug offsets"
            } else {
                ""
            },
        );
        for choice in [Choice::Dispatch, Choice::Usdt] {
            let begun = Instant::now();
            match plan(&interpreter, choice) {
                Ok(plan) => {
                    println!(" {} in {:?}\n{}", plan.kind, begun.elapsed(), show(&plan));
                    check(&interpreter, &plan);
                }
                Err(error) => println!(" {error}"),
            }
        }
    }
}
