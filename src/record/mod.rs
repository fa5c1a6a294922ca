//! A recording: what is executed, as whom, how it is followed, and what becomes of its events.

pub mod command;
pub mod examine;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod interpreters;
pub mod launch;
pub mod signals;

mod calibrate;
mod classify;
mod consumer;
mod deliver;
mod errand;
mod family;
mod freeze;
mod halt;
mod jit;
mod maps;
mod output;
mod parents;
mod process;
mod progress;
mod proving;
mod request;
mod resume;
mod script_file;
mod self_check;
mod session;
mod shebang;
mod standing;
mod summary;
mod watchdog;
mod whereabouts;

use std::cell::RefCell;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, Result, anyhow};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::cli::{Limits, RecordOptions, Redact, Target, ValueOptions};
use crate::cpython;
use crate::error::{self, WithHint as _, say};
use crate::format::{ChromeWriter, Compression, OutputFile};
use crate::preflight::{Machine, Right};
use crate::recording::{self, Collector, Footer, Incomplete};
use crate::trace::Filter;
use crate::tracer::{Settings, Storage, Tracer, ValueLimits};
use crate::user::confine::{Task, confine};
use crate::user::{User, rights};
use crate::value::{DEFAULT_REDACTION, Describer, Redaction};
use command::Command;
use consumer::{Consumer, Output};
use deliver::{conclude, deliver};
use family::Family;
use halt::Lingering;
use interpreters::{Interpreters, Planner};
use launch::{Child, Exit, Suspended};
use output::TraceFile;
use parents::Parents;
use progress::Progress;
use script_file::ScriptFile;
use session::{Ended, Launched, ScopeChoice, Session, Traced};
use signals::{Policy, Reaction, Signals};
use summary::Summary;
use watchdog::Watchdog;

/// Size of the ring buffer where none is asked for. It is mapped twice over, so that pytrace's
/// memory counts double of it.
const RING_MIB: u32 = 16;

/// Exit code of an interrupted recording whose program lives on: 128 + SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;

/// Records as asked, and returns the exit code.
pub fn run(options: &RecordOptions) -> Result<u8> {
    run_with(options, cpython::plan_after)
}

/// What names of redacted values match; `None`: nothing is redacted.
fn redaction_of(values: &ValueOptions) -> Option<&str> {
    match &values.redact {
        Redact::Default => Some(DEFAULT_REDACTION),
        Redact::Pattern(pattern) => Some(pattern),
        Redact::Off => None,
    }
}

/// What the trace says of how values were recorded.
fn values_recorded(values: &ValueOptions) -> recording::Values {
    let limits = values.limits;
    recording::Values {
        max_string: limits.max_string,
        max_items: limits.max_items,
        max_depth: limits.max_depth,
        max_bytes: limits.max_bytes,
        redact: redaction_of(values).map(str::to_owned),
    }
}

/// What puts values in words, as asked for.
fn describer(values: &ValueOptions) -> Result<Describer> {
    let redaction = match redaction_of(values) {
        Some(pattern) => Redaction::new(pattern)?,
        None => Redaction::none(),
    };
    let Limits {
        max_string,
        max_items,
        ..
    } = values.limits;
    Ok(Describer::new(
        redaction,
        max_string as usize,
        max_items as usize,
    ))
}

/// The same with plans from elsewhere.
pub fn run_with(options: &RecordOptions, planner: Planner) -> Result<u8> {
    let signals = Signals::install().context("failed to take over signals")?;
    let machine = Machine::look();
    machine.check_recording()?;
    let user = User::of_target(options.as_root)?;
    if let Some(note) = options.taken_note() {
        say(format_args!("pytrace: {note}"));
    }
    for note in &user.notes {
        say(format_args!("pytrace: {note}"));
    }
    let cwd = std::env::current_dir().context("failed to find the working directory")?;
    let mut start = prepare(options, &user, &cwd)?;
    let scope = rights::as_user(&user, || scope_choice(options, &cwd))??;
    let mut whereabouts = None;
    let output = match &options.output {
        Some(path) => {
            rights::as_user(&user, || check_output(path, &options.target))??;
            let (file, place) = TraceFile::open(path, &user)?;
            whereabouts = Some(place);
            let file = OutputFile::new(file, Compression::of(path));
            Output::File(Box::new(ChromeWriter::new(file)))
        }
        None => Output::Memory(Box::new(Collector::new())),
    };
    let filter = Filter {
        external_calls: options.external_calls,
        imports: options.imports,
    };
    let describer = options.values.as_ref().map(describer).transpose()?;
    let consumer = RefCell::new(Consumer::new(output, filter, describer));

    // Whether processes may be another user's than the one that pytrace will be.
    let others = options.follow || matches!(start, Start::Processes(_));
    let mut storage = Storage::default();
    let settings = Settings {
        ring_bytes: options.ring_size_mib.unwrap_or(RING_MIB) << 20,
        external_calls: options.external_calls,
        attach_cookies: machine.attach_cookies,
        preallocate: machine.preallocates(),
        private_stacks: machine.private_stacks(),
        uprobe_multi: machine.multi_probes(),
        signals_tasks: machine.signals_tasks(),
        follow: options.follow,
        only_user: (!others || !machine.has(Right::Kill)).then_some(user.uid.as_raw()),
        values: options
            .values
            .as_ref()
            .map(|values| ValueLimits::from(values.limits)),
    };
    let mut tracer = Tracer::load(&mut storage, settings)?;
    let holds = tracer.holds()?;
    let watchdog = Watchdog::start(&holds)?;
    tracer.set_watchdog(watchdog.id().as_raw().cast_unsigned())?;
    holds.set_lossless(options.lossless);
    let ring = tracer.ring(|bytes| consumer.borrow_mut().take(bytes))?;
    let started = Instant::now();
    let started_at = SystemTime::now();
    let mut program = None;
    let suspended = match &start {
        Start::Command { command, .. } => {
            // With the user's rights, while there are others; what it is, is found out without them.
            program = rights::read_as_user(&command.program, &user).ok();
            // Who has changed their mind by now does not want it to start.
            if let Some(received) = signals.receive()? {
                return Ok(Exit::Signal(received.signal as i32).code());
            }
            let suspended = Suspended::spawn(command, &user, signals.original())
                .context("failed to start the program")?;
            tracer.watch(suspended.pid().as_raw().cast_unsigned(), true)?;
            Some(suspended)
        }
        Start::Processes(_) => None,
    };
    let scripts = match &start {
        Start::Processes(processes) if options.selective => {
            let scripts = processes
                .iter()
                .map(|(pid, _)| (*pid, ScriptFile::create(*pid).map(Rc::new)));
            scripts.collect()
        }
        _ => FxHashMap::default(),
    };
    // The program exists, with the limits and the rights that it was to have.
    allow_descriptors();
    let task = Task::Record {
        others,
        singly: !machine.multi_probes(),
        asks: options.selective,
    };
    confine(user.identity().as_ref(), task)?;
    let mut traced =
        match (suspended, &mut start) {
            (Some(suspended), Start::Command { command, .. }) => {
                let found = program.as_ref().and_then(examine::of_file);
                if !matches!(options.target, Target::Command { .. }) {
                    examine::check(&command.program, found.as_ref())?;
                }
                let found = found.as_ref();
                Traced::Launched(suspended.release().map_err(|error| {
                    examine::not_runnable(&command.program, found, error.into())
                })?)
            }
            (_, Start::Processes(processes)) => Traced::Attached(std::mem::take(processes)),
            (None, Start::Command { .. }) => unreachable!("a command was started above"),
        };
    let wakers = session::wakers(tracer.ring_fd(), &signals, &traced)?;
    let mut session = Session {
        interpreters: Interpreters::new(
            tracer,
            planner,
            options.probes,
            machine.virtual_machine && !options.exact_yields,
            options.selective,
        ),
        consumer: &consumer,
        ring,
        signals: &signals,
        wakers,
        launched: None,
        family: Family::default(),
        holds,
        copies: Vec::new(),
        parents: Parents::default(),
        watchdog,
        lossless: options.lossless,
        external_calls: options.external_calls,
        c_calls: options.c_calls,
        asked: FxHashMap::default(),
        running: FxHashMap::default(),
        scripts,
        complaints: FxHashSet::default(),
        incomplete: Incomplete::default(),
        unheld: FxHashSet::default(),
        gone_held: FxHashMap::default(),
        lingering: Lingering::default(),
        left_behind: FxHashSet::default(),
        unclear: FxHashSet::default(),
        scope,
        scope_used: Vec::new(),
        progress: Progress::new(),
        standing: Vec::new(),
    };
    match &traced {
        Traced::Launched(child) => session.launch(child.pid().as_raw().cast_unsigned()),
        Traced::Attached(processes) => {
            for (pid, _) in processes {
                session.attach(*pid)?;
            }
        }
    }
    let deadline = options
        .duration
        .and_then(|duration| Instant::now().checked_add(duration));
    let outcome = session.run(&mut traced, deadline);
    let elapsed = started.elapsed();
    if let (Err(_), Traced::Launched(child)) = (&outcome, &traced) {
        // The program was not let go on, or can't be watched any more.
        let _ = signals::forward(nix::sys::signal::Signal::SIGKILL, child.pid());
        let _ = child.wait();
    }
    session.release();
    let outside = session.interpreters.tracer().outside();
    // Before detaching, as all probes together are removed as fast as one; a target that lives
    // on is recorded those few milliseconds longer.
    let calibration = match consumer.borrow().totals().calls {
        0 => None,
        _ => calibrate::cost_per_call(&mut session.interpreters),
    };
    let (cost, probes) = calibration.unzip();
    let marked = session.marked()?;
    session.interpreters.detach(probes);
    session.drain(usize::MAX >> 1);
    session.settle();
    session.progress.clear();
    let outlived = match outcome {
        Ok(Ended::Exit(_) | Ended::Gone) => session.outlived(),
        _ => 0,
    };
    for (thread, loss) in session.interpreters.tracer().unreported_losses() {
        // What our own process has lost is the calibration's.
        if thread.pid != std::process::id() {
            consumer.borrow_mut().lose(thread, loss);
        }
    }
    consumer.borrow_mut().end(session::now());
    session.prove_rest();
    let incomplete = Incomplete {
        outlived: outlived as u64,
        broken_off: outcome.is_err(),
        ..std::mem::take(&mut session.incomplete)
    };
    session.take_back(&marked);
    let (interpreters, scope_used) = session.finish();
    let asked_for = match (&start, &options.target) {
        (_, Target::Command { .. }) | (Start::Processes(_), _) => None,
        (Start::Command { command, .. }, _) => Some(&*command.program),
    };
    let consumer = consumer.into_inner();
    if !consumer.has_begun()
        && let Err(error) = outcome
    {
        return Err(error);
    }
    // What was recorded before an error is kept.
    let lossless = options.lossless;
    let mut summary = Summary::new(
        &consumer,
        &interpreters,
        elapsed,
        cost,
        incomplete,
        lossless,
        asked_for,
    );
    let as_it_runs = matches!(traced, Traced::Attached(_));
    summary.were_outside(outside, as_it_runs);
    let footer = Footer {
        command: start.command_line(),
        scope: scope_used
            .iter()
            .map(|dir| dir.display().to_string())
            .collect(),
        values: options.values.as_ref().map(values_recorded),
        started_at: summary::rfc3339(started_at),
        ended: match &outcome {
            Ok(ended) => ended.to_string(),
            Err(error) => format!("error: {error:#}"),
        },
        ..summary.footer()
    };
    let finished = consumer.finish(footer);
    let settled = whereabouts.map(|whereabouts| whereabouts.settle());
    let (output, settled) = match settled.transpose() {
        Ok(path) => (path, Ok(())),
        Err(error) => (None, Err(error)),
    };
    summary.written(&finished, settled.is_ok());
    let (code, summed_up) = match (&outcome, &traced) {
        // A Python was asked for, and none was traced.
        (Ok(Ended::Exit(exit)), _) if exit.code() == 0 && summary.lacks_python() => {
            (error::FAILURE, false)
        }
        (Ok(Ended::Exit(exit)), _) => (exit.code(), false),
        (Ok(Ended::Duration), Traced::Launched(child)) => {
            summary.print(output.as_deref());
            (wait_for(child, &signals)?, true)
        }
        (Ok(Ended::Interrupted), Traced::Launched(_)) => (INTERRUPTED, false),
        _ => (0, false),
    };
    // A Ctrl-C that came with the program's end was the program's; the next one ends the printing.
    while signals.receive()?.is_some() {}
    drop(signals);
    let delivered = deliver(finished, options.output.as_deref()).and(settled);
    if !summed_up {
        summary.print(output.as_deref().filter(|_| delivered.is_ok()));
    }
    conclude(outcome.map(|_| code), delivered)
}

/// Lets pytrace have as many files open as it may: each probe of each process takes one.
fn allow_descriptors() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Where it may not, there are fewer.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// What a recording begins with.
enum Start {
    Command { command: Command, line: Vec<String> },
    Processes(Vec<(u32, std::os::fd::OwnedFd)>),
}

impl Start {
    fn command_line(&self) -> Vec<String> {
        match self {
            Start::Command { line, .. } => line.clone(),
            Start::Processes(_) => Vec::new(),
        }
    }
}

fn prepare(options: &RecordOptions, user: &User, cwd: &Path) -> Result<Start> {
    if let Target::Processes(pids) = &options.target {
        let processes = pids.iter().map(|&pid| {
            let opened = process::open(pid)?;
            process::check_access(pid)?;
            Ok((pid, opened))
        });
        return Ok(Start::Processes(processes.collect::<Result<_>>()?));
    }
    let command = Command::resolve(&options.target, options.python.as_deref(), user, cwd)?;
    let line = command
        .argv
        .iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    Ok(Start::Command { command, line })
}

/// Refuses to write the trace over the script.
fn check_output(output: &Path, target: &Target) -> Result<()> {
    let identity = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        metadata.is_file().then(|| (metadata.dev(), metadata.ino()))
    };
    match target {
        Target::Script { path, .. }
            if identity(path).is_some_and(|script| identity(output) == Some(script)) =>
        {
            Err(anyhow!("-o {} is the script itself", output.display()))
                .hint("name another file for the trace")
        }
        _ => Ok(()),
    }
}

fn scope_choice(options: &RecordOptions, cwd: &Path) -> Result<ScopeChoice> {
    let launched = |script: Option<&PathBuf>| {
        Some(Launched {
            script: script.cloned(),
            cwd: cwd.to_owned(),
        })
    };
    let launched = match &options.target {
        Target::Script { path, .. } if path.as_os_str() == "-" => launched(None),
        Target::Script { path, .. } => launched(Some(path)),
        Target::Module { .. } | Target::Code { .. } => launched(None),
        Target::Command { .. } | Target::Processes(_) => None,
    };
    let directories: Vec<PathBuf> = options.scope.iter().map(|dir| cwd.join(dir)).collect();
    // What another root directory holds is looked up when its process is there.
    if launched.is_some() {
        for directory in &directories {
            if !directory.is_dir() {
                let what = if directory.exists() {
                    "is not a directory"
                } else {
                    "does not exist"
                };
                return Err(anyhow!("--scope {} {what}", directory.display()))
                    .hint("name a directory that holds the program's code");
            }
        }
    }
    Ok(ScopeChoice {
        directories,
        launched,
    })
}

/// The recording is over, the program is not: waits for it, as it is ours.
fn wait_for(child: &Child, signals: &Signals) -> Result<u8> {
    let mut policy = Policy::launched();
    loop {
        if let Some(exit) = child.try_wait().context("failed to wait")? {
            return Ok(exit.code());
        }
        while let Some(received) = signals.receive()? {
            match policy.react(received) {
                Reaction::Stop => return Ok(INTERRUPTED),
                Reaction::Forward(signal) => signals::forward(signal, child.pid())?,
                Reaction::Wait => {}
            }
        }
        session::wait_for_either(child, signals)?;
    }
}
