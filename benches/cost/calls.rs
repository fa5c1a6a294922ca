//! What a call costs: fib(20), which times itself.

use std::mem::MaybeUninit;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pytrace::preflight::Machine;

use crate::floor::Floor;
use crate::python::{Python, Waiting, output, program};

const ROUNDS: usize = 8;
/// Repeats of fib(20) in each round; `fib.py` reports the fastest.
const REPEATS: u64 = 10;
/// Calls in each, as in `fib.py`.
const CALLS: u64 = 21_891;
/// At most this much more than the floor is what a call is meant to cost.
const TARGET: f64 = 1.35;
/// bpftrace does not say when its probes are on.
const BPFTRACE_STARTS: Duration = Duration::from_secs(4);

pub(crate) fn measure(python: &Python) -> Result<()> {
    println!("== calls: fib(20), ns of its processor time per call, fastest of {ROUNDS} rounds");
    let directory = tempfile::tempdir()?;
    let trace = directory.path().join("trace.json");
    let mut storage = MaybeUninit::uninit();
    let floor = Floor::load(&mut storage, Machine::look().multi_probes())?;
    let profilers = profilers(python);
    let bpftrace = Bpftrace::find(python)?;

    let mut best = Best::default();
    let mut hits = 0;
    for round in 0..ROUNDS {
        best.take("untraced", untraced(python, "plain", directory.path())?);
        let before = floor.hits();
        best.take(
            "floor",
            with_floor(python, &floor, &program("fib.py"), REPEATS)?,
        );
        hits = floor.hits() - before;
        best.take(
            "pytrace",
            recorded(
                python,
                &trace,
                &program("fib.py"),
                REPEATS,
                &["--no-arg-values"],
            )?,
        );
        for &profiler in &profilers {
            best.take(profiler, untraced(python, profiler, directory.path())?);
        }
        if round < 2
            && let Some(bpftrace) = &bpftrace
            && let Some(time) = bpftrace.run(python, &directory.path().join("usdt.txt"))?
        {
            best.take("bpftrace USDT", time);
        }
    }

    let untraced = best.of("untraced");
    let floor = best.of("floor") - untraced;
    println!(
        "{:<14} {:>9} {:>9} {:>9}",
        "", "per call", "added", "/ floor"
    );
    for &(name, time) in &best.0 {
        let added = time - untraced;
        if name == "untraced" {
            println!("{name:<14} {time:>9.1}");
        } else {
            println!("{name:<14} {time:>9.1} {added:>9.1} {:>9.2}", added / floor);
        }
    }
    println!(
        "floor: the plan's probes, with a kernel program that only counts: {:.2} hits per call",
        hits as f64 / (CALLS * REPEATS) as f64
    );
    let ratio = (best.of("pytrace") - untraced) / floor;
    println!("pytrace adds {ratio:.2} times what the floor does; target: at most {TARGET}");
    match bpftrace {
        None => println!("bpftrace: not installed, or the interpreter has no probes: not compared"),
        Some(bpftrace) => println!("bpftrace: {}", bpftrace.seen()),
    }
    Ok(())
}

/// The fastest times, in order of first appearance.
#[derive(Default)]
struct Best(Vec<(&'static str, f64)>);

impl Best {
    fn take(&mut self, name: &'static str, time: f64) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, best)) => *best = best.min(time),
            None => self.0.push((name, time)),
        }
    }

    fn of(&self, name: &str) -> f64 {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(f64::NAN, |&(_, best)| best)
    }
}

fn untraced(python: &Python, mode: &str, directory: &Path) -> Result<f64> {
    let result = directory.join("result.json").display().to_string();
    number(&python.output(&[&program("fib.py"), mode, &REPEATS.to_string(), &result])?)
}

/// What a program that times itself says when all of the plan's probes only count.
pub(crate) fn with_floor(
    python: &Python,
    floor: &Floor<'_>,
    program: &str,
    repeats: u64,
) -> Result<f64> {
    let repeats = repeats.to_string();
    let mut process = Waiting::start(python.command(), program, &["wait", &repeats])?;
    let links = floor.attach(&python.plan, process.pid(), &process.interpreter()?)?;
    process.go()?;
    let time = number(&process.line()?);
    drop(links);
    time
}

/// What it says when it is recorded with these options.
pub(crate) fn recorded(
    python: &Python,
    trace: &Path,
    program: &str,
    repeats: u64,
    options: &[&str],
) -> Result<f64> {
    let mut command = python.pytrace(trace, options);
    command.args([program, "plain", &repeats.to_string()]);
    number(&output(&mut command)?)
}

fn profilers(python: &Python) -> Vec<&'static str> {
    let importable = |module: &str| python.output(&["-c", &format!("import {module}")]).is_ok();
    let known = [("cprofile", "cProfile"), ("viztracer", "viztracer")];
    known
        .into_iter()
        .filter(|(_, module)| importable(module))
        .map(|(mode, _)| mode)
        .collect()
}

pub(crate) fn number(text: &str) -> Result<f64> {
    text.trim()
        .parse()
        .with_context(|| format!("fib.py printed {text:?}"))
}

/// bpftrace, printing what the interpreter's own probes say.
struct Bpftrace {
    script: String,
    seen: std::cell::Cell<(usize, usize)>,
}

impl Bpftrace {
    /// `None` where it is not installed, or the interpreter was built without probes.
    fn find(python: &Python) -> Result<Option<Bpftrace>> {
        let installed = Command::new("bpftrace").arg("--version").output().is_ok();
        let process = Waiting::start(python.command(), &program("fib.py"), &["wait"])?;
        let file = process.interpreter()?;
        let notes = crate::python::open(&file)?.notes().to_vec();
        let has = |name: &str| notes.iter().any(|note| note.name == name);
        if !installed || !has("function__entry") || !has("function__return") {
            return Ok(None);
        }
        let file = std::fs::read_link(&file).unwrap_or(file);
        let file = file.display();
        let say = |sign| {
            format!(
                "{{ printf(\"%llu %d {sign} %s %s %d\\n\", nsecs, tid, str(arg0), str(arg1), arg2); }}"
            )
        };
        let script = format!(
            "usdt:{file}:python:function__entry {} usdt:{file}:python:function__return {}",
            say('+'),
            say('-'),
        );
        Ok(Some(Bpftrace {
            script,
            seen: Default::default(),
        }))
    }

    /// `None` where its probes were not all on in time.
    fn run(&self, python: &Python, log: &Path) -> Result<Option<f64>> {
        let repeats = REPEATS.to_string();
        let mut process =
            Waiting::start(python.command(), &program("fib.py"), &["wait", &repeats])?;
        let mut bpftrace = Command::new("bpftrace")
            .args(["-p", &process.pid().to_string(), "-e", &self.script, "-o"])
            .arg(log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        thread::sleep(BPFTRACE_STARTS);
        ensure!(bpftrace.try_wait()?.is_none(), "bpftrace could not attach");
        process.go()?;
        let time = number(&process.line()?)?;
        drop(process);
        bpftrace.wait()?;
        let text = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
        let count = |sign| text.lines().filter(|line| line.contains(sign)).count();
        let seen = (count(" + "), count(" - "));
        if (seen.1 as u64) < CALLS * REPEATS {
            return Ok(None);
        }
        self.seen.set(seen);
        Ok(Some(time))
    }

    fn seen(&self) -> String {
        let (starts, ends) = self.seen.get();
        let calls = (CALLS * REPEATS) as usize;
        format!("of {calls} calls, it printed {starts} starts and {ends} ends")
    }
}
