//! What tracing costs a program of which only a small part is of the scope:
//! `make bench ONLY=scoped`.
//!
//! Real programs, a few per cent of whose calls are their own code's, run untraced, by pytrace and by
//! others that trace calls; and a library's loop runs that is none of the scope's. Each round runs
//! every way once, the next round begins with another; what counts is the ratio to the untraced run
//! of the same round, for a machine is faster in one minute than in the next. `ROUNDS` says how many.
//!
//! `INTERPRETER` is PYTHON or, in another system's root directory, ROOT:PYTHON, and `PACKAGES` the
//! `site-packages` that `fetch-packages.sh` has filled for it: `scripts/bench-scoped.sh` finds both.

#![allow(missing_docs, reason = "a program")]

#[path = "../common/machine.rs"]
mod machine;
#[path = "../common/outcome.rs"]
mod outcome;
mod outside;
mod place;
mod recorded;
mod spread;
mod ways;
mod workloads;

use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};

use crate::place::Place;

fn main() -> ExitCode {
    outcome::of(run())
}

fn run() -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "this needs root: run `make bench`"
    );
    let given = |name| std::env::var(name).with_context(|| format!("{name} is not set"));
    let interpreter = given("INTERPRETER")?;
    let place = Place::new(&interpreter, given("PACKAGES")?.as_ref())?;
    machine::print();
    println!("interpreter  {interpreter}, {}", place.version()?);
    println!("packages     {}", place.packages()?);
    workloads::measure(&place)?;
    outside::measure(&place)
}

/// How many rounds, unless the environment says otherwise.
fn rounds(default: usize) -> Result<usize> {
    let rounds = match std::env::var("ROUNDS").as_deref() {
        Ok("") | Err(_) => default,
        Ok(rounds) => rounds.parse().context("ROUNDS is a number")?,
    };
    ensure!(rounds > 0, "ROUNDS is 1 or more");
    Ok(rounds)
}
