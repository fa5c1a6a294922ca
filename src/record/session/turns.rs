//! What a session does about what happens to processes: attaches to those that are held, and lets them
//! go.

use std::time::{Duration, Instant};

use anyhow::Result;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Session;
use crate::record::consumer::{Turn, TurnKind};
use crate::record::halt::Halt;
use crate::record::interpreters::Look;
use crate::record::process;
use crate::record::resume::resume;
use crate::tracer::{Held, Why};

/// By then, a copy of a process that was made to run another program does.
const BEFORE_EXEC: Duration = Duration::from_millis(20);

impl Session<'_, '_> {
    /// Follows what has happened to processes: attaches to those that the kernel holds, and lets
    /// them go.
    pub(super) fn heed_turns(&mut self) -> Result<()> {
        loop {
            let turn = self.consumer.borrow_mut().next_turn();
            let Some(turn) = turn else { return Ok(()) };
            let lingering = &mut self.lingering;
            let is_loose = turn.kind.starts() && !turn.held;
            let halt = is_loose.then(|| Halt::new(turn.pid, lingering));
            let has_run = match turn.kind {
                TurnKind::Loaded => self.interpreters.is_loader(turn.pid),
                TurnKind::Compiles => true,
                _ => false,
            };
            let heeded = self.heed(turn);
            if turn.kind.starts() {
                self.look_if_late(turn, halt.as_ref());
            }
            if let Err(error) = heeded
                // Killed meanwhile, or about to end: that will be noticed.
                && process::is_alive(turn.pid)
                && process::program(turn.pid).is_some()
            {
                // It must not run untraced. A program that has run for long must not be lost, either.
                if self.launched == Some(turn.pid) && !has_run {
                    let _ = kill(pid_of(turn), Signal::SIGKILL);
                    return Err(error);
                }
                // It goes on, and what it runs now is left alone.
                self.interpreters.left(turn.pid);
                self.complain(turn.pid, error);
            }
            if let Some(Ok(halt)) = halt {
                halt.let_go(&mut self.lingering);
            }
            self.let_go(turn);
        }
    }

    /// Says so if a process that has just begun to run something may have called functions before its
    /// probes were on, if it has them. `halt` is how it was stopped if it was not held.
    fn look_if_late(&mut self, turn: Turn, halt: Option<&Result<Halt, Errno>>) {
        let pid = turn.pid;
        let is_probed = self.interpreters.bias(pid).is_some();
        // What it runs can't be found out any more, or what it ran.
        let is_gone = process::is_gone(pid);
        let is_python = is_probed || turn.kind.is_copy();
        match halt {
            Some(Err(_)) | None if is_gone => self.note_gone(turn, is_python),
            _ if !is_python => {}
            Some(Err(Errno::EPERM)) => {
                self.say_unheld(pid, "a debugger has it, such as strace");
            }
            Some(Err(Errno::ETIMEDOUT)) => self.say_unheld(pid, "it did not stop in time"),
            Some(Err(why)) => self.say_unheld(pid, why.desc()),
            Some(Ok(halt)) => {
                if self.has_begun(turn, halt) {
                    self.say_unheld(pid, "it had begun to run by then");
                }
            }
            None => match self.holds.is_let_go(pid) {
                Some(true) => self.say_unheld(pid, "somebody has let it go on"),
                Some(false) => {}
                None if self.holds.sees_others() => {
                    self.gone_held.insert(pid, is_python);
                }
                None if process::runs(pid) => self.say_unheld(pid, "somebody has let it go on"),
                None => {}
            },
        }
    }

    /// Whether a process had run Python code of its own before it was halted. What it runs still is taken
    /// into the recording.
    fn has_begun(&mut self, turn: Turn, halt: &Halt) -> bool {
        // A copy has its parent's stack.
        if turn.kind.is_copy() {
            return halt.has_run();
        }
        let Some(snapshot) = self.interpreters.stacks(turn.pid) else {
            return true; // it is not known where its threads are
        };
        let has_threads = snapshot.has_threads;
        self.standing.push(snapshot);
        has_threads
    }

    fn heed(&mut self, turn: Turn) -> Result<()> {
        let Turn {
            pid, kind, held, ..
        } = turn;
        let look = match kind {
            TurnKind::Forked { parent } => {
                self.family.fork(parent, pid);
                let is_copy = self.copies.iter().any(|(copy, _)| *copy == parent);
                if is_copy || self.interpreters.is_loader(parent) {
                    self.copies.push((pid, Instant::now()));
                }
                return Ok(());
            }
            TurnKind::Born { parent } => {
                self.inherit_asked(pid, parent);
                let look = self.interpreters.forked(pid, parent)?;
                self.follow(pid, look)?;
                return self.begin_copy(pid, held);
            }
            TurnKind::Executed { by_main } => {
                self.copies.retain(|(copy, _)| *copy != pid);
                self.end_asking(pid);
                self.family.set_cwd(pid, None);
                self.standing.retain(|stacks| stacks.pid != pid);
                self.interpreters.executed(pid, by_main, held)
            }
            TurnKind::Loaded => self.interpreters.loaded(pid, held),
            TurnKind::Compiles => return self.go_over_to_compiled(pid, held),
            TurnKind::Ready { stack, result } => return self.heed_ready(turn, stack, result),
            TurnKind::Stopped => return Ok(()),
            TurnKind::Ended { in_hold } => {
                self.copies.retain(|(copy, _)| *copy != pid);
                self.end_asking(pid);
                self.note_end(pid, in_hold);
                // With a root, the recording may be over, which tidies everything at once.
                if !self.family.is_root(pid) {
                    self.interpreters.left(pid);
                    self.consumer.borrow_mut().forget(pid);
                    self.family.remove(pid);
                }
                return Ok(());
            }
        };
        self.follow(pid, look?)
    }

    /// A process has begun something, and goes on without probes, as the recording ends.
    pub(super) fn leave(&mut self, turn: Turn) {
        let (pid, is_copy) = (turn.pid, turn.kind.is_copy());
        self.unclear.remove(&pid);
        if !process::is_gone(pid) {
            if is_copy || self.interpreters.may_be_python(pid) {
                self.left_behind.insert(pid);
            }
        } else {
            self.note_gone(turn, is_copy);
        }
    }

    /// A process has ended, or is about to, without having had its probes.
    fn note_gone(&mut self, turn: Turn, is_python: bool) {
        if turn.held {
            // How it ends will show whether it has run.
            self.gone_held.insert(turn.pid, is_python);
        } else if is_python {
            self.say_unheld(turn.pid, "it has ended by now");
        } else {
            self.incomplete.unseen += 1;
        }
    }

    /// A process has ended: if it was gone when its probes were to be put on, it may have run without.
    pub(super) fn note_end(&mut self, pid: u32, in_hold: bool) {
        match self.gone_held.remove(&pid) {
            Some(true) if !in_hold => self.say_unheld(pid, "somebody has let it go on"),
            Some(false) if !in_hold => self.incomplete.unseen += 1,
            _ => {}
        }
    }

    /// Records a process from now on, if it runs an interpreter.
    fn follow(&mut self, pid: u32, look: Look) -> Result<()> {
        match look {
            Look::Attached(interpreter) => self.begin(pid, &interpreter),
            Look::Loading | Look::Foreign(_) => Ok(()),
        }
    }

    /// Watches copies of programs that may load Python, as far as they go on without another program.
    pub(super) fn watch_copies(&mut self) {
        let grown = self
            .copies
            .extract_if(.., |(_, born)| born.elapsed() >= BEFORE_EXEC);
        for (pid, _) in grown.collect::<Vec<_>>() {
            let look = self.interpreters.copy_of_loader(pid);
            let has_loaded = matches!(look, Ok(Look::Attached(_)));
            if let Err(error) = look.and_then(|look| self.follow(pid, look))
                && process::is_alive(pid)
            {
                self.complain(pid, error);
            }
            if has_loaded {
                self.say_unheld(pid, "it loaded Python before it was watched for that");
            }
        }
    }

    /// Lets a process go on if it is held.
    pub(super) fn let_go(&mut self, turn: Turn) {
        let for_room = turn.kind == TurnKind::Stopped;
        if !turn.held && !for_room {
            return;
        }
        let held = Held {
            pid: turn.pid,
            since: turn.time,
            why: if for_room { Why::Room } else { Why::Probes },
        };
        // If the watchdog has let it go, a stop since then is somebody else's.
        if self.holds.is_held(held) {
            self.holds.release(held);
            if turn.held {
                resume(&self.holds, turn.pid);
            }
        }
        if !turn.held {
            self.watchdog.nudge();
        }
        if !for_room {
            self.parents.child_goes_on(turn.pid);
        }
    }
}

fn pid_of(turn: Turn) -> Pid {
    Pid::from_raw(turn.pid.cast_signed())
}
