//! `pytrace doctor`: what this machine allows, and how an interpreter would be probed.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::cli::{DoctorOptions, Target};
use crate::cpython::{self, Choice, Foreign, Found, Interpreter, Meaning, Plan, PlanKind, Yields};
use crate::error::WithHint as _;
use crate::preflight::Machine;
use crate::record::command::Command;
use crate::record::examine;
use crate::user::User;
use crate::user::confine::{Task, act_for_caller, confine};

/// Prints the machine's abilities and the probe plan.
pub fn run(options: &DoctorOptions) -> Result<()> {
    let mut report = String::new();
    let examined = examine(options, &mut report);
    match io::stdout().write_all(report.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("failed to print the report")
        }
        _ => examined,
    }
}

/// Writes the report, as far as it comes.
fn examine(options: &DoctorOptions, out: &mut String) -> Result<()> {
    let machine = Machine::look();
    writeln!(out, "{machine}")?;
    // What reads programs has the rights of who asks, and those it takes to look into processes.
    let user = User::of_target(false)?;
    match options.pid {
        Some(_) => confine(user.identity().as_ref(), Task::Examine)?,
        None => drop(act_for_caller()?),
    }
    let file = match (options.pid, &options.python) {
        (Some(pid), _) => examine::of_process(pid)?,
        (None, Some(python)) => of_executable(python)?,
        (None, None) => {
            let cwd = std::env::current_dir().context("failed to find the working directory")?;
            let code = Target::Code {
                code: "pass".into(),
                args: Vec::new(),
            };
            let command = Command::resolve(&code, None, &user, &cwd)?;
            of_executable(&command.program)?
        }
    };
    let interpreter = match Interpreter::open(&file)? {
        Found::Interpreter(interpreter) => interpreter,
        Found::NeedsLibpython { .. } => {
            return Err(examine::refusal(&file, &Foreign::Other));
        }
        Found::Foreign(foreign) => return Err(examine::refusal(&file, &foreign)),
    };
    write_interpreter(&file, &interpreter, out)?;
    for (plan, name) in [
        (
            cpython::plan(&interpreter, Choice::Dispatch),
            PlanKind::Dispatch,
        ),
        (cpython::plan(&interpreter, Choice::Usdt), PlanKind::Usdt),
        (cpython::plan_selective(&interpreter), PlanKind::Selective),
    ] {
        writeln!(out)?;
        match plan {
            Ok(plan) => write_plan(&plan, &machine, out)?,
            Err(error) => writeln!(out, "{name}: {}", error.problem)?,
        }
    }
    let plan = cpython::plan(&interpreter, Choice::Auto)
        .hint("name another build of CPython, such as the distribution's own: --python PATH")?;
    writeln!(
        out,
        "\nplan: {} (--probes and --selective force others)",
        plan.kind()
    )?;
    Ok(())
}

/// The file that holds the interpreter of an executable: itself, its libpython, or what the
/// script starts that it is.
fn of_executable(path: &Path) -> Result<PathBuf> {
    let opened = Interpreter::open(path).hint("--python names a Python executable")?;
    match opened {
        Found::Interpreter(_) => Ok(path.to_owned()),
        Found::NeedsLibpython { soname, .. } => examine::behind(path)
            .with_context(|| format!("failed to find {soname}, which {} needs", path.display())),
        Found::Foreign(foreign @ Foreign::Script(_)) => examine::behind(path)
            .with_context(|| format!("{} is {foreign}", path.display()))
            .hint(foreign.cure()),
        Found::Foreign(foreign) => Err(examine::refusal(path, &foreign)),
    }
}

fn write_interpreter(file: &Path, interpreter: &Interpreter, out: &mut String) -> fmt::Result {
    let shape = match (interpreter.position_independent(), interpreter.stripped()) {
        (true, true) => "position-independent, stripped",
        (true, false) => "position-independent",
        (false, true) => "fixed addresses, stripped",
        (false, false) => "fixed addresses",
    };
    let usdt = interpreter
        .notes()
        .iter()
        .filter(|note| note.provider == "python")
        .count();
    writeln!(out, "interpreter      {}", file.display())?;
    let newer = if interpreter.version().is_newer_than_known() {
        ", newer than pytrace: what follows is derived from what this build tells and shows"
    } else {
        ""
    };
    writeln!(
        out,
        "version          CPython {}{newer}",
        interpreter.version()
    )?;
    let gil = if interpreter.free_threaded() {
        ", free-threaded"
    } else {
        ""
    };
    writeln!(out, "build            {shape}{gil}")?;
    writeln!(out, "USDT probes      {usdt}")?;
    writeln!(out, "JIT              {}", interpreter.jit())?;
    writeln!(
        out,
        "debug offsets    {}",
        if interpreter.has_debug_offsets() {
            "yes"
        } else {
            "no (3.13 and later have them)"
        }
    )
}

fn write_plan(plan: &Plan, machine: &Machine, out: &mut String) -> fmt::Result {
    writeln!(out, "{} probes:", plan.kind())?;
    writeln!(
        out,
        "  {:<14} {:<26} {:<24} {:<13} instruction",
        "address", "site", "meaning", "frame in"
    )?;
    for probe in &plan.probes {
        writeln!(
            out,
            "  {:<14} {:<26} {:<24} {:<13} {}{}",
            format!("{:#x}", probe.address),
            probe.site,
            probe.meaning.to_string(),
            probe.frame.to_string(),
            probe.instruction,
            match (probe.emulated, probe.meaning) {
                (true, _) => "",
                (false, Meaning::Yield)
                    if plan.yields == Yields::Inferable && machine.virtual_machine =>
                {
                    "  (only with --exact-yields: single-stepped)"
                }
                (false, _) => "  (single-stepped)",
            },
        )?;
    }
    Ok(())
}
