//! An ELF file, from its bytes to probe plans.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use pytrace::cpython::{Choice, Found, Interpreter, Plan, Way, plan, plan_after, plan_selective};
use pytrace_fuzz::mutate::mutate;

fuzz_target!(|bytes: &[u8]| {
    let length = bytes.len() as u64;
    match Interpreter::from_bytes("fuzz", bytes.to_vec()) {
        Found::Interpreter(interpreter) => {
            let _ = format!("{interpreter:?} {:?}", interpreter.build_id());
            for choice in [Choice::Auto, Choice::Usdt, Choice::Dispatch] {
                check(plan(&interpreter, choice), length);
            }
            check(plan_selective(&interpreter), length);
            for way in [Way::Handlers, Way::PopFunction, Way::Usdt] {
                check(plan_after(&interpreter, Choice::Auto, Some(way)), length);
            }
        }
        Found::Foreign(foreign) => drop(format!("{foreign} {}", foreign.cure())),
        Found::NeedsLibpython { entry, .. } => {
            assert!(entry.is_none_or(|entry| entry < length), "{entry:?}");
        }
    }
});

/// A plan can be attached to the file that it is of; what there is none for, says why.
fn check<E: std::fmt::Display>(plan: Result<Plan, E>, length: u64) {
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(!plan.probes.is_empty());
    for probe in &plan.probes {
        assert!(probe.offset < length, "{probe:?}");
        let semaphore = probe.semaphore.is_none_or(|counter| counter < length);
        assert!(semaphore, "{probe:?}");
    }
    for place in plan
        .ready
        .iter()
        .flat_map(|it| [it.offset].into_iter().chain(it.others))
    {
        assert!(place < length, "{place:?}");
    }
    drop(format!("{plan:?}"));
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // What the fuzzer itself does finds its way in code; what is aimed reaches the tables.
    if seed % 3 == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    mutate(&mut data[..size], seed);
    size
});
