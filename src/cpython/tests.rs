//! The whole way from a file to a plan, on real interpreters.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::elf::Elf;
use super::*;

/// The system's Python, which this project cannot do without.
const SYSTEM: &str = "/usr/bin/python3";

/// Opens an interpreter, or the library that an executable loads it from.
fn interpreter(path: &Path) -> Interpreter {
    match Interpreter::open(path).expect("a file that can be examined") {
        Found::Interpreter(interpreter) => *interpreter,
        Found::NeedsLibpython {
            soname, runpath, ..
        } => {
            let origin = path
                .canonicalize()
                .expect("a path")
                .parent()
                .map(Path::to_owned);
            let origin = origin.expect("a directory");
            let directories = runpath.unwrap_or_default();
            let expand = |path: &str| path.replace("$ORIGIN", &origin.to_string_lossy());
            let library = directories
                .split(':')
                .map(|directory| Path::new(&expand(directory)).join(expand(&soname)))
                .chain([Path::new("/usr/lib/x86_64-linux-gnu").join(&soname)])
                .find(|library| library.is_file())
                .expect("the library is installed");
            interpreter(&library)
        }
        Found::Foreign(foreign) => panic!("{} is {foreign}", path.display()),
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
    text + &format!(
        "  {:?} {:?} {:?}\n",
        plan.thread_state, plan.threads, plan.layout
    )
}

/// What must hold of any plan.
fn check(interpreter: &Interpreter, plan: &Plan) {
    assert_eq!(plan.version, interpreter.version());
    let layout = plan.layout.as_ref().expect("a plan that reads frames");
    assert!(layout.frame_head <= 128);
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
    assert!(plan.threads.is_some(), "where its threads are is not known");
}

#[test]
fn the_systems_python_has_a_plan() {
    let interpreter = interpreter(Path::new(SYSTEM));
    let plan = plan(&interpreter, Choice::Dispatch).expect("a plan");
    check(&interpreter, &plan);
    assert_eq!(plan.kind(), PlanKind::Dispatch);
    assert!(interpreter.build_id().is_none_or(|id| id.len() >= 16));
    for probe in &plan.probes {
        if let Meaning::Resume { oparg_delta, .. } = probe.meaning {
            assert!(matches!(oparg_delta, -1 | 1), "{oparg_delta}");
        }
    }
}

/// Prints the plans of the interpreters that `PYTRACE_INTERPRETERS` names, separated by colons;
/// else that of the system's.
#[test]
fn plans_of_named_interpreters() {
    let named =
        std::env::var("PYTRACE_INTERPRETERS").unwrap_or_else(|_| "/usr/bin/python3".to_owned());
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
                    println!(" {} in {:?}\n{}", plan.kind(), begun.elapsed(), show(&plan));
                    check(&interpreter, &plan);
                }
                Err(error) => println!(" {error}"),
            }
        }
        if interpreter.jit() != Jit::None {
            let plan = plan_compiled(&interpreter, Choice::Dispatch).expect("a plan");
            println!(" with the JIT\n{}", show(&plan));
            check(&interpreter, &plan);
        }
    }
}

/// The system's Python, or the library it loads, as bytes.
pub(super) fn bytes() -> Vec<u8> {
    let interpreter = interpreter(Path::new(SYSTEM));
    std::fs::read(interpreter.name()).expect("a readable file")
}

/// A shared library made of C code. A C compiler is there: libbpf is built with it.
pub(super) fn library(source: &str, arguments: &[&str]) -> Elf {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name| directory.path().join(name);
    std::fs::write(file("a.c"), source).expect("a file");
    let status = Command::new("cc")
        .args(["-O2", "-fPIC", "-shared", "-Wl,--no-as-needed", "-o"])
        .args([file("a.so"), file("a.c")])
        .args(arguments)
        .status();
    assert!(status.expect("cc can be run").success());
    Elf::parse(std::fs::read(file("a.so")).expect("a library")).expect("an ELF file")
}

/// Goes all the way to a plan, whatever comes of it.
fn attempt(data: Vec<u8>) {
    if let Found::Interpreter(interpreter) = Interpreter::from_bytes("hostile", data) {
        for choice in [Choice::Dispatch, Choice::Usdt] {
            let _ = plan(&interpreter, choice).map_err(|error| error.to_string());
        }
    }
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    let whole = bytes();
    let headers = (0..256).step_by(3);
    let anywhere = (0..whole.len()).step_by(whole.len() / 48);
    for length in headers.chain(anywhere) {
        let found = Interpreter::from_bytes("cut", whole[..length].to_vec());
        assert!(!matches!(found, Found::Interpreter(_)), "{length} bytes");
    }
}

#[test]
fn damaged_tables_are_no_panic() {
    let whole = bytes();
    // The headers at both ends, byte by byte: the tables' places and sizes.
    let sections = u64::from_le_bytes(*whole[40..].first_chunk().expect("a header")) as usize;
    let header = (16..64).chain(64..64 + 56 * 4);
    for at in header.chain(sections + 64..sections + 64 * 12).step_by(5) {
        let mut damaged = whole.clone();
        for byte in damaged.iter_mut().skip(at).take(3) {
            *byte = 0xff;
        }
        let _ = Interpreter::from_bytes("damaged", damaged);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(16))]

    /// Bits flipped all over the file: its code, its dispatch table, its notes.
    #[test]
    fn a_damaged_interpreter_is_no_panic(seed: u64) {
        let mut damaged = bytes();
        let mut random = seed | 1;
        for _ in 0..damaged.len() / 2048 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Past the section and segment headers, which the test above damages.
            let at = 4096 + (random >> 20) as usize % (damaged.len() - 8192);
            damaged[at] ^= 1 << (random & 7);
        }
        attempt(damaged);
    }
}
