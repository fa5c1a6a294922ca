//! What a call and a generator's item cost on many interpreters: `make bench-matrix`.

use std::fs;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use pytrace::cpython::{Choice, FrameSource, Meaning, Plan, Yields};
use pytrace::preflight::Machine;
use tempfile::TempDir;

use crate::calls::{number, recorded, with_floor};
use crate::floor::Floor;
use crate::python::{Python, program};

const ROUNDS: usize = 5;
const REPEATS: u64 = 5;
/// At most this much more than the floor is what a call or an item is meant to cost, where it
/// starts and ends at branches, and elsewhere.
const TARGET_BRANCHES: f64 = 1.35;
const TARGET: f64 = 1.6;

/// The programs, and what they count.
const PROGRAMS: [(&str, &str); 2] = [("fib.py", "call"), ("items.py", "item")];

/// Measures those that the environment variable `PYTHONS` names, separated by spaces: `PYTHON`
/// or, in another system's root directory, `ROOT:PYTHON`.
pub(crate) fn measure() -> Result<()> {
    let named = std::env::var("PYTHONS").unwrap_or_default();
    println!("\n== matrix: ns of processor time per call of fib(20) and per generator item,");
    println!("   fastest of {ROUNDS} rounds; floor: the same probes, counting only");
    println!(
        "{:<9} {:<9} {:<5} {:>8} {:>8} {:>8} {:>6} {:>7}  interpreter",
        "version", "probes", "per", "untraced", "+floor", "+pytrace", "ratio", "target"
    );
    let mut missed = Vec::new();
    for name in named.split_ascii_whitespace() {
        let programs = Programs::new(name)?;
        for choice in [Choice::Dispatch, Choice::Usdt] {
            match programs.python(choice) {
                Ok(python) => programs.measure(&python, name, &mut missed)?,
                // Most have no probes of their own that would serve.
                Err(_) if choice == Choice::Usdt => {}
                Err(error) => return Err(error.context(format!("{name} has no plan"))),
            }
        }
    }
    for line in &missed {
        println!("over the target: {line}");
    }
    Ok(())
}

/// The programs, where an interpreter finds them.
struct Programs {
    path: PathBuf,
    root: Option<PathBuf>,
    /// Copies in another root; there the path is the part behind that.
    copies: Option<TempDir>,
    trace: TempDir,
}

impl Programs {
    fn new(name: &str) -> Result<Programs> {
        let (root, path) = match name.split_once(':') {
            None => (None, PathBuf::from(name)),
            Some((root, path)) => (Some(PathBuf::from(root)), PathBuf::from(path)),
        };
        let copies = match &root {
            None => None,
            Some(root) => {
                let copies = TempDir::new_in(root.join("tmp"))
                    .with_context(|| format!("{} is no system's root", root.display()))?;
                for (name, _) in PROGRAMS {
                    fs::copy(program(name), copies.path().join(name))?;
                }
                Some(copies)
            }
        };
        Ok(Programs {
            path,
            root,
            copies,
            trace: tempfile::tempdir()?,
        })
    }

    fn path_of(&self, name: &str) -> Result<String> {
        let (Some(copies), Some(root)) = (&self.copies, &self.root) else {
            return Ok(program(name));
        };
        let inside = copies.path().strip_prefix(root)?;
        Ok(Path::new("/").join(inside).join(name).display().to_string())
    }

    fn python(&self, choice: Choice) -> Result<Python> {
        let waiting = self.path_of("fib.py")?;
        Python::probed(self.path.clone(), self.root.clone(), &waiting, choice)
    }

    fn measure(&self, python: &Python, name: &str, missed: &mut Vec<String>) -> Result<()> {
        let mut storage = MaybeUninit::uninit();
        let floor = Floor::load(&mut storage, Machine::look().multi_probes())?;
        let trace = self.trace.path().join("trace.json");
        for (file, unit) in PROGRAMS {
            let program = self.path_of(file)?;
            let [mut plain, mut floored, mut traced] = [f64::MAX; 3];
            for _ in 0..ROUNDS {
                let args = [&program, "plain", &REPEATS.to_string()];
                plain = plain.min(number(&python.output(&args)?)?);
                floored = floored.min(with_floor(python, &floor, &program, REPEATS)?);
                traced = traced.min(recorded(
                    python,
                    &trace,
                    &program,
                    REPEATS,
                    &["--no-arg-values"],
                )?);
            }
            ensure!(floored > plain, "{name}: no probe was hit");
            let ratio = (traced - plain) / (floored - plain);
            let target = target(&python.plan, unit);
            let line = format!(
                "{:<9} {:<9} {unit:<5} {plain:>8.1} {:>8.1} {:>8.1} {ratio:>6.2} {target:>7.2}  {name}",
                python.plan.version.to_string(),
                python.plan.kind().to_string(),
                floored - plain,
                traced - plain,
            );
            println!("{line}");
            if ratio > target {
                missed.push(line);
            }
        }
        Ok(())
    }
}

fn target(plan: &Plan, unit: &str) -> f64 {
    let ends = |meaning| match meaning {
        Meaning::Return | Meaning::ReturnConstant => unit == "call",
        Meaning::Yield => unit == "item",
        Meaning::Resume { .. } | Meaning::Eval { .. } | Meaning::EvalExit { .. } => true,
        // Exceptions and what is instrumented.
        Meaning::Throw | Meaning::Unwind | Meaning::Pop { .. } => false,
        Meaning::GeneratorMade | Meaning::CodeFreed | Meaning::TypeFreed => false,
        Meaning::UsdtEntry | Meaning::UsdtReturn => true,
        // Only where the JIT is on.
        Meaning::Executor { .. } | Meaning::Pending => false,
    };
    let at_branches = plan
        .probes
        .iter()
        .filter(|probe| ends(probe.meaning) && !probe.site.starts_with("INSTRUMENTED"))
        .all(|probe| {
            // Whose frame is to be looked for costs more.
            let has_frame = !matches!(probe.frame, FrameSource::YieldedTo(_));
            has_frame && probe.instruction.starts_with('j')
        });
    if at_branches && (unit == "call" || plan.yields == Yields::Probed) {
        TARGET_BRANCHES
    } else {
        TARGET
    }
}
