//! An ELF file, from its bytes to probe plans.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use pytrace::cpython::{Choice, Found, Interpreter, plan};
use pytrace_fuzz::mutate::mutate;

fuzz_target!(|bytes: &[u8]| {
    match Interpreter::from_bytes("fuzz", bytes.to_vec()) {
        Found::Interpreter(interpreter) => {
            let _ = format!("{interpreter:?} {:?}", interpreter.build_id());
            for choice in [Choice::Auto, Choice::Usdt, Choice::Dispatch] {
                match plan(&interpreter, choice) {
                    Ok(plan) => drop(format!("{plan:?} {:?}", plan.resume_opcodes())),
                    Err(error) => drop(error.to_string()),
                }
            }
        }
        Found::Foreign(foreign) => drop(format!("{foreign} {}", foreign.cure())),
        Found::NeedsLibpython { .. } => {}
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // What the fuzzer itself does finds its way in code; what is aimed reaches the tables.
    if seed % 3 == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    if let Some(bytes) = data.get_mut(..size) {
        mutate(bytes, seed);
    }
    size
});
