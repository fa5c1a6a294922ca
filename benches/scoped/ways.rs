//! The ways to run a program: as it is, and traced.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::place::{Place, output};
use crate::recorded::Recorded;

const PYTRACE: &str = env!("CARGO_BIN_EXE_pytrace");

#[derive(Clone, Copy)]
pub(crate) enum Way {
    Untraced,
    /// The same: what its ratio is off 1 is the machine's doing.
    Again,
    /// With these options, and the probes that it has to say it has used.
    Pytrace(&'static [&'static str], &'static str),
    /// With these options; those that end in `--include_files` have the scope behind them.
    VizTracer(&'static [&'static str]),
    Trace0,
}

pub(crate) const DISPATCH: Way = Way::Pytrace(&["--probes", "dispatch"], "dispatch");
pub(crate) const SELECTIVE: Way = Way::Pytrace(&["--selective"], "selective");
/// Without arguments and results, which the others don't record either.
pub(crate) const SELECTIVE_PLAIN: Way =
    Way::Pytrace(&["--selective", "--no-arg-values"], "selective");
pub(crate) const SELECTIVE_INTERNAL: Way =
    Way::Pytrace(&["--selective", "--no-external-calls"], "selective");
const INCLUDE: &str = "--include_files";

pub(crate) const VIZTRACER: Way = Way::VizTracer(&[]);
/// The cheapest of its settings that leave nothing of the scope's out.
pub(crate) const VIZTRACER_PYTHON: Way = Way::VizTracer(&["--ignore_c_function"]);
/// What it has for a scope, though it leaves out what others' code calls back as well.
pub(crate) const VIZTRACER_SCOPED: Way = Way::VizTracer(&["--ignore_c_function", INCLUDE]);

impl Way {
    pub(crate) fn name(self) -> String {
        match self {
            Way::Untraced => "untraced".into(),
            Way::Again => "untraced, again".into(),
            Way::Pytrace(options, _) => format!("pytrace {}", options.join(" ")),
            Way::VizTracer(options) => format!("viztracer {}", options.join(" ")),
            Way::Trace0 => "trace0 run".into(),
        }
    }

    /// Runs `main.py` in a program's directory, which is the scope, and tells how long the whole command
    /// took. The program writes its own times to `times`. What pytrace writes has to be whole.
    pub(crate) fn run(self, place: &Place, program: &str, times: &str) -> Result<Duration> {
        let time = self.run_into(place, program, times, self.trace())?;
        if let Way::Pytrace(_, plan) = self {
            Recorded::read(&place.to_read(self.trace()), plan)?;
        }
        Ok(time)
    }

    /// The same for what is recorded.
    pub(crate) fn record(
        self,
        place: &Place,
        program: &str,
        times: &str,
    ) -> Result<Option<Recorded>> {
        // Of what trace0 writes, this is what we can read.
        let trace = "trace.json";
        self.run_into(place, program, times, trace)?;
        let file = place.to_read(trace);
        match self {
            Way::Untraced | Way::Again => Ok(None),
            Way::Pytrace(_, plan) => Recorded::read(&file, plan).map(Some),
            _ => Recorded::read_others(&file, &place.program(program)).map(Some),
        }
    }

    /// Where its trace goes by default, by the format's suffix.
    fn trace(self) -> &'static str {
        match self {
            Way::Trace0 => "trace.pftrace",
            _ => "trace.json",
        }
    }

    fn run_into(self, place: &Place, program: &str, times: &str, trace: &str) -> Result<Duration> {
        // To write over a file takes longer than to write a new one.
        remove(&place.to_read(trace))?;
        let mut command = self.command(place, program, trace);
        command.arg(place.program(program).join("main.py"));
        command.arg(place.written(times));
        let start = Instant::now();
        output(&mut command)?;
        let time = start.elapsed();
        if !matches!(self, Way::Untraced | Way::Again) {
            let written = fs::metadata(place.to_read(trace));
            let size = written.map_or(0, |written| written.len());
            ensure!(size > 0, "{} has written no trace", self.name());
        }
        Ok(time)
    }

    /// All of it but the program.
    fn command(self, place: &Place, program: &str, trace: &str) -> Command {
        let scope = place.program(program);
        let interpreter = place.interpreter();
        let python = || {
            let mut command = place.command(interpreter[0]);
            command.args(&interpreter[1..]);
            command
        };
        match self {
            Way::Untraced | Way::Again => python(),
            Way::Pytrace(options, _) => {
                let mut command = place.command(PYTRACE);
                // As the benchmark, and so as the others.
                command.arg("--as-root").args(options);
                command.arg("-o").arg(place.to_read(trace));
                command.arg("--scope").arg(scope).arg("--");
                command.args(&interpreter);
                command
            }
            Way::VizTracer(options) => {
                let mut command = python();
                command.args(["-m", "viztracer", "--quiet", "--output_file"]);
                command.arg(place.written(trace)).args(options);
                if options.ends_with(&[INCLUDE]) {
                    command.arg(scope);
                }
                command.arg("--");
                command
            }
            Way::Trace0 => {
                let mut command = python();
                // It leaves the script's directory out, as Python does not.
                let path = format!("{}:{}", scope.display(), place.python_path());
                command.env("PYTHONPATH", path);
                command.args(["-m", "trace0", "run", "--output"]);
                command.arg(place.written(trace));
                if trace != self.trace() {
                    command.args(["--format", "json"]);
                }
                command
            }
        }
    }
}

fn remove(trace: &Path) -> Result<()> {
    if trace.exists() {
        fs::remove_file(trace).with_context(|| format!("failed to remove {}", trace.display()))?;
    }
    Ok(())
}
