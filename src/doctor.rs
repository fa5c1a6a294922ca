//! `pytrace doctor`: what this machine allows, and how an interpreter would be probed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};

use crate::cli::{DoctorOptions, Target};
use crate::cpython::{self, Choice, Found, Interpreter, Plan};
use crate::error::WithHint as _;
use crate::preflight::Machine;
use crate::record::command::Command;
use crate::record::interpreters;
use crate::record::user::User;

/// Prints the machine's abilities and the probe plan.
pub fn run(options: &DoctorOptions) -> Result<()> {
    print!("{}", Machine::look());
    let file = match (options.pid, &options.python) {
        (Some(pid), _) => interpreters::of_process(pid)?,
        (None, Some(python)) => of_executable(python)?,
        (None, None) => {
            let user = User::of_target(false)?;
            let cwd = std::env::current_dir().context("failed to find the working directory")?;
            let code = Target::Code { code: "pass".into(), args: Vec::new() };
            let command = Command::resolve(&code, None, &user, &cwd)?;
            of_executable(&command.program)?
        }
    };
    let Found::Interpreter(interpreter) = Interpreter::open(&file)? else {
        return Err(not_python(&file));
    };
    println!();
    print_interpreter(&file, &interpreter);
    for choice in [Choice::Usdt, Choice::Dispatch] {
        println!();
        match cpython::plan(&interpreter, choice) {
            Ok(plan) => print_plan(&plan),
            Err(error) => println!("{choice:?}: {}", error.problem),
        }
    }
    let plan = cpython::plan(&interpreter, Choice::Auto)?;
    println!("\nplan: {} (--probes forces the other)", plan.kind);
    Ok(())
}

/// The file that holds the interpreter of an executable: itself, or its libpython.
fn of_executable(path: &Path) -> Result<PathBuf> {
    let opened = Interpreter::open(path).hint("--python names a Python executable")?;
    match opened {
        Found::Interpreter(_) => Ok(path.to_owned()),
        Found::NeedsLibpython { soname, .. } => interpreters::libpython_of(path).with_context(|| {
            format!("failed to find {soname}, which {} needs", path.display())
        }),
        Found::NotPython => Err(not_python(path)),
    }
}

fn not_python(path: &Path) -> anyhow::Error {
    anyhow!("{} is not a CPython", path.display())
        .hint("name the interpreter itself, not a script that starts it: --python PATH")
}

fn print_interpreter(file: &Path, interpreter: &Interpreter) {
    let shape = match (interpreter.position_independent(), interpreter.stripped()) {
        (true, true) => "position-independent, stripped",
        (true, false) => "position-independent",
        (false, true) => "fixed addresses, stripped",
        (false, false) => "fixed addresses",
    };
    let usdt = interpreter.notes().iter().filter(|note| note.provider == "python").count();
    println!("interpreter      {}", file.display());
    println!("version          CPython {}", interpreter.version());
    println!("build            {shape}");
    println!("USDT probes      {usdt}");
    println!(
        "debug offsets    {}",
        if interpreter.has_debug_offsets() { "yes" } else { "no (3.13 and later have them)" }
    );
}

fn print_plan(plan: &Plan) {
    println!("{} probes:", plan.kind);
    println!(
        "  {:<14} {:<26} {:<24} {:<13} instruction",
        "address", "site", "meaning", "frame in"
    );
    for probe in &plan.probes {
        println!(
            "  {:<14} {:<26} {:<24} {:<13} {}{}",
            format!("{:#x}", probe.address),
            probe.site,
            probe.meaning.to_string(),
            probe.frame.to_string(),
            probe.instruction,
            if probe.emulated { "" } else { "  (single-stepped)" },
        );
    }
}
