//! The recorder's loop: drains the ring, lets held processes go, heeds signals, knows when to end.

mod asking;
mod complaints;
mod plans;
mod running;
mod turns;

use std::cell::RefCell;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use libbpf_rs::RingBuffer;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use rustc_hash::{FxHashMap, FxHashSet};

use super::consumer::{Consumer, TurnKind};
use super::examine;
use super::family::Family;
use super::halt::Lingering;
use super::interpreters::{Interpreter, Interpreters, Look};
use super::launch::{Child, Exit};
use super::parents::Parents;
use super::process;
use super::progress::Progress;
use super::script_file::ScriptFile;
use super::signals::{Policy, Reaction, Signals, forward};
use super::standing::Snapshot;
use super::watchdog::Watchdog;
use crate::cpython::Way;
use crate::error::{WithHint as _, say};
use crate::paths::RootResolver;
use crate::recording::Incomplete;
use crate::scope::{Resolver as _, Scope, default_directory, script_of};
use crate::trace::Time;
use crate::tracer::Holds;

/// Records taken before signals and processes are looked at again.
const BATCH: usize = 200_000;
/// How long the loop sleeps at most while records keep coming. The ring must not fill meanwhile:
/// 2 ms are some 200 KB at the highest rate of one thread.
const BUSY: Duration = Duration::from_millis(2);
/// How long it sleeps at most while nothing comes.
const IDLE: Duration = Duration::from_millis(20);
/// How often what is buffered goes to the file, so that a crash of pytrace loses little.
const FLUSH: Duration = Duration::from_secs(1);

/// How long after a look at the stacks all records from before it are in the ring for sure. A
/// kernel program that is interrupted while it writes one takes no longer.
const SETTLED: Duration = Duration::from_millis(2);

/// Why a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The launched program did.
    Exit(Exit),
    /// All attached processes are gone.
    Gone,
    /// `--duration` is over.
    Duration,
    /// The user said so.
    Interrupted,
}

impl fmt::Display for Ended {
    /// As trace files have it: `exit 0`, `interrupted`, ...
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Exit(exit) => write!(f, "{exit}"),
            Ended::Gone => f.write_str("process ended"),
            Ended::Duration => f.write_str("duration"),
            Ended::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// Which code is the scope's, as the command line has it.
#[derive(Debug)]
pub(super) struct ScopeChoice {
    /// `--scope`, absolute; empty: by default rules.
    pub(super) directories: Vec<PathBuf>,
    /// What the default rules go by where pytrace chose the command itself.
    pub(super) launched: Option<Launched>,
}

/// A script or module that pytrace itself starts.
#[derive(Debug)]
pub(super) struct Launched {
    /// The script, if it is one.
    pub(super) script: Option<PathBuf>,
    /// Where it is started.
    pub(super) cwd: PathBuf,
}

/// What is being recorded.
#[derive(Debug)]
pub(super) enum Traced {
    /// A program of our own.
    Launched(Child),
    /// Processes that were there: their ids and descriptors, removed as they end.
    Attached(Vec<(u32, OwnedFd)>),
}

/// A recording in progress.
pub(super) struct Session<'s, 'o> {
    pub(super) interpreters: Interpreters<'o>,
    pub(super) consumer: &'s RefCell<Consumer>,
    pub(super) ring: RingBuffer<'s>,
    pub(super) signals: &'s Signals,
    pub(super) wakers: Epoll,
    /// The process that is of our making: it must not run without its probes.
    pub(super) launched: Option<u32>,
    /// The processes that are followed.
    pub(super) family: Family,
    /// Which of them are held.
    pub(super) holds: Holds,
    /// Copies of programs that may load Python, and when they were made.
    pub(super) copies: Vec<(u32, Instant)>,
    /// Who may have been misled by that.
    pub(super) parents: Parents,
    /// Lets them go should this not.
    pub(super) watchdog: Watchdog,
    /// Whether processes are stopped until there is room in the ring.
    pub(super) lossless: bool,
    /// What is known to be missing.
    pub(super) incomplete: Incomplete,
    /// Processes that ran before their probes were on.
    pub(super) unheld: FxHashSet<u32>,
    /// Processes that were held until their probes would be on, and were ending by then; whether they
    /// certainly ran Python.
    pub(super) gone_held: FxHashMap<u32, bool>,
    /// Whom ptrace can't let go yet.
    pub(super) lingering: Lingering,
    /// Pythons that went on as the recording ended.
    pub(super) left_behind: FxHashSet<u32>,
    /// Processes that may have been about to run another program by then.
    pub(super) unclear: FxHashSet<u32>,
    /// Whether what the scope calls is recorded as well.
    pub(super) external_calls: bool,
    /// Whether C functions are, where interpreters can be asked for that.
    pub(super) c_calls: bool,
    /// Processes whose interpreter has been asked to mark the scope's code.
    pub(super) asked: FxHashMap<u32, asking::Asked>,
    /// Those that are asked as they run their programs, and have not answered yet.
    pub(super) running: FxHashMap<u32, running::Running>,
    /// What they may be asked by: files in processes that were attached to, or why there are none.
    pub(super) scripts: FxHashMap<u32, Result<Rc<ScriptFile>>>,
    /// What has been said of children that can't be traced, each once.
    pub(super) complaints: FxHashSet<String>,
    pub(super) scope: ScopeChoice,
    /// Scope directories in force, in order of first use.
    pub(super) scope_used: Vec<PathBuf>,
    pub(super) progress: Progress,
    /// Stacks of attached processes, until it is clear which threads have had no event.
    pub(super) standing: Vec<Snapshot>,
}

impl<'o> Session<'_, 'o> {
    /// Records until it is over.
    pub(super) fn run(&mut self, traced: &mut Traced, deadline: Option<Instant>) -> Result<Ended> {
        let mut policy = match traced {
            Traced::Launched(_) => Policy::launched(),
            Traced::Attached(_) => Policy::attached(),
        };
        let mut flushed = Instant::now();
        let mut sleep = BUSY;
        loop {
            let before = self.consumer.borrow().records();
            self.drain(BATCH);
            self.heed_turns()?;
            self.watch_copies();
            self.parents.look(&self.holds);
            self.lingering.look();
            self.look_who_answers()?;
            self.check_plans()?;
            let records = self.consumer.borrow().records();
            let all_taken = records - before < BATCH as u64;
            if all_taken && self.standing.iter().all(|stacks| stacks.age() >= SETTLED) {
                self.settle();
            }
            sleep = if records > before || !self.running.is_empty() {
                BUSY
            } else {
                (sleep * 2).min(IDLE)
            };
            if let Some(ended) = self.ended(traced)? {
                return Ok(ended);
            }
            while let Some(received) = self.signals.receive()? {
                match (policy.react(received), &*traced) {
                    (Reaction::Stop, _) => return Ok(Ended::Interrupted),
                    (Reaction::Forward(signal), Traced::Launched(child)) => {
                        forward(signal, child.pid())?;
                    }
                    _ => {}
                }
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Ok(Ended::Duration);
            }
            if now.duration_since(flushed) >= FLUSH {
                self.consumer.borrow_mut().flush();
                self.come_back();
                self.progress.show(&self.consumer.borrow().totals());
                flushed = now;
            }
            if let Some(error) = self.consumer.borrow_mut().failure() {
                self.progress.clear();
                say(format_args!(
                    "pytrace: failed to write the trace: {error}: \
                     the program goes on, its further calls are missing"
                ));
            }
            if all_taken {
                let left = deadline.map_or(sleep, |d| d.saturating_duration_since(now).min(sleep));
                self.wait(left)?;
            }
        }
    }

    /// Takes what is left in the ring, at most `limit` records.
    pub(super) fn drain(&mut self, limit: usize) {
        self.ring.consume_raw_n(limit);
    }

    /// Ends what is recorded: lets go whom the kernel holds, and has it hold nobody any more.
    pub(super) fn release(&mut self) {
        self.come_back();
        self.holds.set_lossless(false);
        let others = self.family.descendants();
        let others = others.filter(|&pid| self.interpreters.bias(pid).is_none());
        for pid in others.collect::<Vec<_>>() {
            if self.interpreters.may_be_python(pid) {
                self.unclear.insert(pid);
            }
        }
        self.interpreters.unwatch_all();
        self.interpreters.stop();
        self.drain(usize::MAX >> 1);
        loop {
            let turn = self.consumer.borrow_mut().next_turn();
            let Some(turn) = turn else { break };
            match turn.kind {
                TurnKind::Forked { parent } => {
                    self.family.fork(parent, turn.pid);
                    self.unclear.insert(turn.pid);
                }
                TurnKind::Ended { in_hold } => {
                    self.end_asking(turn.pid);
                    self.note_end(turn.pid, in_hold);
                    self.family.remove(turn.pid);
                }
                // A root that lives on is not left: the recording was to end before it.
                kind if kind.starts()
                    && (!self.family.is_root(turn.pid) || process::is_gone(turn.pid)) =>
                {
                    self.leave(turn);
                }
                _ => {}
            }
            self.let_go(turn);
        }
        let probed = self.family.descendants();
        let probed = probed.filter(|&pid| self.interpreters.bias(pid).is_some());
        self.left_behind.extend(probed);
        // Their ends were not told any more.
        self.incomplete.unseen += self.gone_held.drain().count() as u64;
        self.parents.last_look(&self.holds);
    }

    /// How many Pythons among the descendants lived when the recording ended, or have begun since.
    pub(super) fn outlived(&mut self) -> usize {
        for pid in self.family.descendants() {
            if process::is_alive(pid) {
                // It may have been about to run another program.
                if self.interpreters.may_be_python(pid) {
                    self.left_behind.insert(pid);
                }
            } else if self.unclear.contains(&pid) && !self.left_behind.contains(&pid) {
                self.incomplete.unseen += 1;
            }
        }
        self.left_behind.len()
    }

    /// Ends it: what was traced, and in which scope.
    pub(super) fn finish(self) -> (Interpreters<'o>, Vec<PathBuf>) {
        (self.interpreters, self.scope_used)
    }

    /// Tells everybody that a process runs this interpreter now.
    pub(super) fn begin(&mut self, pid: u32, interpreter: &Rc<Interpreter>) -> Result<()> {
        let resolver = RootResolver::for_process(pid);
        let cwd = match self.family.cwd(pid) {
            Some(known) => known.to_owned(),
            None => process::cwd(pid)?,
        };
        self.family.set_cwd(pid, Some(cwd.clone()));
        let inherited = self.family.inherited(pid);
        let directories = match (&self.scope.directories[..], &self.scope.launched) {
            ([], Some(launched)) => {
                vec![default_directory(
                    launched.script.as_deref(),
                    &launched.cwd,
                    &resolver,
                )]
            }
            ([], None) if inherited.is_some() => inherited.unwrap_or_default().to_vec(),
            ([], None) => {
                let script = script_of(&process::command_line(pid)?);
                vec![default_directory(script.as_deref(), &cwd, &resolver)]
            }
            // A child with another root directory has what it has.
            (given, _) if !self.family.is_root(pid) => given.to_vec(),
            (given, _) => {
                if let Some(missing) = given.iter().find(|dir| !resolver.is_directory(dir)) {
                    let missing = missing.display();
                    return Err(anyhow!(
                        "--scope {missing}: process {pid} has no such directory"
                    ))
                    .hint("name a directory that holds the program's code");
                }
                given.to_vec()
            }
        };
        self.family.set_scope(pid, &directories);
        let scope = Scope::new(&directories, &cwd, Box::new(resolver));
        for directory in scope.directories() {
            if !self.scope_used.contains(directory) {
                self.scope_used.push(directory.clone());
            }
        }
        self.consumer
            .borrow_mut()
            .begin_process(pid, scope, interpreter);
        if let Some(why) = self.interpreters.unselective(pid) {
            let note = format!("{why}: it is traced with the ordinary probes");
            self.say_once(note);
        }
        Ok(())
    }

    /// Follows the process that pytrace has made.
    pub(super) fn launch(&mut self, pid: u32) {
        self.launched = Some(pid);
        self.family.add_root(pid);
    }

    /// Attaches to a process that runs already.
    pub(super) fn attach(&mut self, pid: u32) -> Result<()> {
        self.interpreters.tracer().watch(pid, false)?;
        self.family.add_root(pid);
        let script = self.scripts.remove(&pid);
        if let Some(Ok(_)) = &script {
            self.interpreters.may_ask_as_it_runs(pid);
        }
        let interpreter = match self.interpreters.loaded(pid, false)? {
            Look::Attached(interpreter) => interpreter,
            Look::Loading => bail!("process {pid} has not loaded its libraries yet"),
            Look::Foreign(foreign) => return Err(examine::refusal_of(pid, &foreign)),
        };
        self.begin(pid, &interpreter)?;
        match script {
            Some(Ok(script)) if interpreter.plan.way == Way::Selective => {
                return self.ask_as_it_runs(pid, script);
            }
            Some(Err(why)) => self.say_unaskable(pid, &why),
            _ => {}
        }
        self.standing.extend(self.interpreters.stacks(pid));
        Ok(())
    }

    /// Reports the stacks of threads that have had no event. All records from before the looks
    /// at them must have been taken.
    pub(super) fn settle(&mut self) {
        for stacks in self.standing.drain(..) {
            self.consumer.borrow_mut().stand_still(&stacks);
        }
        self.consumer.borrow_mut().know_all();
    }

    fn ended(&mut self, traced: &mut Traced) -> Result<Option<Ended>> {
        match traced {
            Traced::Launched(child) => match child.try_wait().context("failed to wait")? {
                Some(exit) => {
                    self.drain(usize::MAX >> 1);
                    self.consumer
                        .borrow_mut()
                        .end_process(child.pid().as_raw().cast_unsigned(), now());
                    Ok(Some(Ended::Exit(exit)))
                }
                None => Ok(None),
            },
            Traced::Attached(processes) => {
                let mut gone = Vec::new();
                processes.retain(|(pid, pidfd)| {
                    let ended = is_readable(pidfd.as_fd());
                    if ended {
                        gone.push(*pid);
                    }
                    !ended
                });
                if !gone.is_empty() {
                    self.drain(usize::MAX >> 1);
                    self.settle();
                }
                for pid in gone {
                    self.consumer.borrow_mut().end_process(pid, now());
                    if self.running.contains_key(&pid) {
                        self.end_asking(pid);
                    }
                    self.interpreters.left(pid);
                    self.interpreters.tracer().unwatch(pid);
                }
                Ok(processes.is_empty().then_some(Ended::Gone))
            }
        }
    }

    /// Sleeps until there is something to do, at most `timeout`.
    fn wait(&self, timeout: Duration) -> Result<()> {
        let timeout = EpollTimeout::try_from(timeout).unwrap_or(EpollTimeout::ZERO);
        match self.wakers.wait(&mut [EpollEvent::empty(); 8], timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => bail!("failed to wait for events: {errno}"),
        }
    }
}

/// What wakes the loop from its sleep: records that must not wait, signals, ends of processes.
pub(super) fn wakers(
    ring: BorrowedFd<'_>,
    signals: &Signals,
    traced: &Traced,
) -> Result<Epoll, Errno> {
    let wakers = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let level = EpollEvent::new(EpollFlags::EPOLLIN, 0);
    // Edge-triggered: only the kernel programs' explicit wake-ups count. The ring is hardly ever
    // empty, and a loop that woke for every record would slow the target down.
    wakers.add(
        ring,
        EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0),
    )?;
    wakers.add(signals, level)?;
    match traced {
        Traced::Launched(child) => wakers.add(child, level)?,
        Traced::Attached(processes) => {
            for (_, pidfd) in processes {
                wakers.add(pidfd, level)?;
            }
        }
    }
    Ok(wakers)
}

/// Sleeps until the program ends or a signal comes.
pub(super) fn wait_for_either(child: &Child, signals: &Signals) -> Result<()> {
    let mut fds = [child.as_fd(), signals.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    match poll(&mut fds, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => bail!("failed to wait for the program: {errno}"),
    }
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1..))
}

/// The kernel's monotonic clock, which the records' times are of.
pub(super) fn now() -> Time {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    let time = time.map(Duration::from).unwrap_or_default();
    Time(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}
