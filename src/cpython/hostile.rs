//! Interpreters that were tampered with: whatever comes of it, it is no panic and soon done.

use std::time::{Duration, Instant};

use super::layout::Gil;
use super::*;

#[path = "../../tests/common/elf.rs"]
mod elf;
#[path = "../../tests/common/miniature.rs"]
mod miniature;
#[path = "../../tests/common/mutate.rs"]
mod mutate;
#[path = "../../tests/common/objects.rs"]
mod objects;

use elf::Image;
use miniature::Dispatch;
use objects::MINORS;

const CHOICES: [Choice; 3] = [Choice::Auto, Choice::Usdt, Choice::Dispatch];

/// What comes of each choice, where the file is an interpreter at all.
fn outcomes(bytes: Vec<u8>) -> Vec<Result<Plan, Problem>> {
    let Found::Interpreter(interpreter) = Interpreter::from_bytes("hostile", bytes) else {
        return Vec::new();
    };
    CHOICES
        .into_iter()
        .map(|choice| plan(&interpreter, choice).map_err(|error| error.problem))
        .collect()
}

#[test]
fn miniatures_have_plans() {
    for minor in MINORS {
        let found = Interpreter::from_bytes("miniature", miniature::interpreter(minor));
        let Found::Interpreter(interpreter) = found else {
            panic!("3.{minor}: {found:?}");
        };
        assert_eq!(interpreter.version().minor, minor);
        match plan(&interpreter, Choice::Dispatch) {
            Ok(plan) => assert_eq!(
                plan.layout,
                Layout::of(plan.version, Gil::With),
                "3.{minor}"
            ),
            Err(error) => panic!("3.{minor}: {error}"),
        }
        let has_usdt = plan(&interpreter, Choice::Usdt).is_ok();
        assert_eq!(has_usdt, matches!(minor, 9 | 15), "3.{minor}");
        // In 3.15 that takes a function besides, which the miniature has not.
        let names = plan_after(&interpreter, Choice::Auto, Some(Way::Usdt));
        let layout = names.ok().map(|plan| plan.layout);
        assert_eq!(layout, (minor == 9).then_some(None), "3.{minor}");
    }
}

/// Opcodes are confirmed by frozen modules, which miniatures have none of.
#[test]
fn a_newer_version_that_tells_too_little_has_no_plan() {
    let mut bytes = miniature::interpreter(15);
    let cookie = b"xdebugpy";
    let mut places = bytes.windows(cookie.len());
    let offsets = places
        .position(|bytes| bytes == cookie)
        .expect("debug offsets");
    // The minor version in PY_VERSION_HEX, the next word.
    let minor = offsets + cookie.len() + 2;
    assert_eq!(bytes[minor], 15);
    bytes[minor] = 16;
    let outcomes = outcomes(bytes);
    assert_eq!(outcomes.len(), CHOICES.len());
    for outcome in outcomes {
        let problem = outcome.expect_err("a problem");
        assert!(matches!(problem, Problem::Newer(_)), "{problem:?}");
    }
}

/// A miniature's probes.
fn probes(minor: u8, kind: Dispatch) -> Vec<Probe> {
    let file = miniature::interpreter_with(minor, kind);
    let Found::Interpreter(interpreter) = Interpreter::from_bytes("miniature", file) else {
        panic!("3.{minor}, {kind:?}: not an interpreter");
    };
    let plan = plan(&interpreter, Choice::Dispatch).expect("a plan");
    assert_eq!(plan.way, Way::Handlers, "3.{minor}, {kind:?}");
    plan.probes
}

/// What they say of their frames, by site.
fn frames(minor: u8, kind: Dispatch) -> Vec<(&'static str, Meaning, String)> {
    let probes = probes(minor, kind);
    let sites = probes.iter();
    let sites = sites.filter(|probe| probe.frame != FrameSource::None);
    assert!(sites.clone().all(|probe| probe.emulated));
    sites
        .map(|probe| (probe.site, probe.meaning, probe.frame.to_string()))
        .collect()
}

#[test]
fn a_switch_has_a_plan_with_frames_on_the_stack() {
    for minor in [13, 15] {
        let frames = frames(minor, Dispatch::Switch);
        for site in ["RESUME", "RETURN_VALUE", "YIELD_VALUE"] {
            let found = frames.iter().find(|(name, ..)| *name == site);
            let (_, _, frame) = found.expect(site);
            assert_eq!(frame, "[rbp-48]", "3.{minor}: {site}");
        }
    }
}

#[test]
fn handlers_that_are_functions_have_a_plan() {
    for minor in [13, 15] {
        let frames = frames(minor, Dispatch::TailCalls);
        let of = |site| -> Vec<(Meaning, &str)> {
            let found = frames.iter().filter(|(name, ..)| *name == site);
            found
                .map(|(_, meaning, frame)| (*meaning, &**frame))
                .collect()
        };
        let unwind = Meaning::Pop { thread_state: None };
        assert_eq!(of("exit_unwind"), [(unwind, "r12")], "3.{minor}");
        assert_eq!(of("RETURN_VALUE"), [(Meaning::Return, "r12")]);
        assert_eq!(of("YIELD_VALUE"), [(Meaning::Yield, "callee of r12")]);
        // One for each copy of the evaluator.
        assert_eq!(of("throw"), [(Meaning::Throw, "r12"); 2]);
    }
}

#[test]
fn what_is_yielded_is_in_a_register_if_the_frame_is_left_by_then() {
    for minor in [13, 15] {
        let probes = probes(minor, Dispatch::TailCalls);
        let yields = probes.iter().find(|probe| probe.site == "YIELD_VALUE");
        let rcx = Yielded::In(Register(1));
        assert_eq!(yields.expect("a probe").yielded, Some(rcx), "3.{minor}");
    }
}

/// A damaged file is examined as fast as a whole one, or nearly.
#[test]
fn tampered_miniatures_are_no_panic() {
    const PATIENCE: Duration = Duration::from_secs(5);
    let whole = MINORS.map(miniature::interpreter);
    let (mut with, mut without, mut misfits) = (0, 0, 0);
    for seed in 0..4000 {
        let mut bytes = whole[seed as usize % whole.len()].clone();
        mutate::mutate(&mut bytes, seed);
        let begun = Instant::now();
        let outcomes = outcomes(bytes);
        match outcomes.iter().any(Result::is_ok) {
            true => with += 1,
            false => without += 1,
        }
        let is_misfit = |it: &Result<Plan, _>| match it {
            Ok(plan) => plan.layout.is_some_and(|layout| layout.objects.is_none()),
            Err(problem) => matches!(problem, Problem::Layout(_)),
        };
        if outcomes.iter().any(is_misfit) {
            misfits += 1;
        }
        assert!(begun.elapsed() < PATIENCE, "seed {seed}");
    }
    // Neither all of the damage is noticed at once, nor does it all go unnoticed.
    assert!(with > 400 && without > 400, "{with} plans, {without} none");
    // Type objects are among what is damaged.
    assert!(misfits > 300, "{misfits} with other objects");
}

#[test]
fn cut_off_miniatures_are_no_panic() {
    for minor in MINORS {
        let whole = miniature::interpreter(minor);
        for length in (0..whole.len()).step_by(61) {
            let outcomes = outcomes(whole[..length].to_vec());
            assert!(outcomes.iter().all(Result::is_err), "3.{minor}: {length}");
        }
    }
}

/// The same on the system's, whose machine code is as intricate as it gets.
#[test]
fn the_systems_python_tampered_with_is_no_panic() {
    let whole = std::fs::read("/usr/bin/python3").expect("a readable file");
    for seed in 0..300 {
        let mut bytes = whole.clone();
        mutate::mutate(&mut bytes, seed);
        if seed % 5 == 0 {
            bytes.truncate(bytes.len() / 300 * seed as usize);
        }
        // Only some go on to a plan, which takes longest.
        match Interpreter::from_bytes("hostile", bytes) {
            Found::Interpreter(interpreter) if seed % 8 == 0 => {
                let _ = plan(&interpreter, Choice::Dispatch);
            }
            _ => {}
        }
    }
}

#[test]
fn other_pythons_are_told_apart() {
    let empty = || Image::new(elf::EM_X86_64, elf::EXIT);
    let needs = |library| {
        let mut image = empty();
        image.needs(library);
        image
    };
    let exports = |symbols: &[&str]| {
        let mut image = empty();
        let symbols: Vec<(&str, u64)> = symbols.iter().map(|name| (*name, 1)).collect();
        image.exports(&symbols);
        image
    };
    let mut micropython = empty();
    micropython.data(".rodata", b"\0\0MicroPython v1.26.1 on 2025-09-13; linux\0");
    let mut about_it = empty();
    about_it.data(
        ".rodata",
        b"not MicroPython v1.26\0MicroPython vs. CPython\0",
    );
    for (image, what) in [
        (needs("libpypy3.10-c.so"), "PyPy, not CPython"),
        (exports(&["pypy_main_startup"]), "PyPy, not CPython"),
        (micropython, "MicroPython, not CPython"),
        (about_it, "not a CPython"),
        (needs("libpython2.7.so.1.0"), "a Python 2"),
        (
            exports(&["PyEval_EvalFrameEx", "PyInt_Type", "PyCode_Type"]),
            "a Python 2",
        ),
        (
            exports(&["PyEval_EvalFrameEx", "PyCode_Type"]),
            "a CPython older than 3.6",
        ),
        (
            exports(&["_PyEval_EvalFrameDefault", "PyCode_Type"]),
            "a CPython of unknown version",
        ),
        (empty(), "not a CPython"),
    ] {
        match Interpreter::from_bytes("a.out", image.build()) {
            Found::Foreign(foreign) => assert_eq!(foreign.to_string(), what),
            found => panic!("{found:?} is {what}"),
        }
    }
}
