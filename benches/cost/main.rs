//! What tracing costs: `make bench`, or as root `cost [calls] [values] [memory] [start] [consume]
//! [derive] [bystander]`; on many interpreters: `make bench-matrix`, or `cost matrix`.
//!
//! Absolute times are this machine's, this minute. What carries over are ratios of what was
//! measured in turns within one run; of several rounds the fastest counts, since everything else
//! that a machine does makes a round slower, never faster.

#![allow(missing_docs, reason = "a program")]

mod bystander;
mod calls;
mod consume;
mod derive;
mod floor;
#[path = "../common/machine.rs"]
mod machine;
mod matrix;
mod memory;
#[path = "../common/outcome.rs"]
mod outcome;
mod python;
mod start;
mod values;

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};

use crate::python::Python;

type Measure = fn(&Python) -> Result<()>;

const SECTIONS: [(&str, Measure); 7] = [
    ("calls", calls::measure),
    ("values", values::measure),
    ("memory", memory::measure),
    ("start", start::measure),
    ("consume", consume::measure),
    ("derive", derive::measure),
    ("bystander", bystander::measure),
];

fn main() -> ExitCode {
    outcome::of(run())
}

fn run() -> Result<()> {
    // `cargo bench` adds options that are meant for the standard harness.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    if let Some(unknown) = wanted
        .iter()
        .find(|name| *name != "matrix" && !SECTIONS.iter().any(|(known, _)| known == name))
    {
        bail!(
            "no such benchmark: {unknown}; there are calls, values, memory, start, consume, derive, bystander, and matrix"
        );
    }
    ensure!(
        nix::unistd::geteuid().is_root(),
        "this needs root: run `make bench`"
    );
    if wanted == ["matrix"] {
        machine::print();
        return matrix::measure();
    }
    let python = Python::find()?;
    machine::print();
    print_interpreter(&python);
    for (name, measure) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            println!();
            measure(&python)?;
        }
    }
    Ok(())
}

fn print_interpreter(python: &Python) {
    println!(
        "interpreter  CPython {} ({}), {} probes",
        python.plan.version,
        python.path.display(),
        python.plan.kind()
    );
    println!("reproduce    make bench PYTHON={}", python.path.display());
}
