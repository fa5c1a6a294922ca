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
            let halt = self.is_loose(turn).then(|| Halt::new(turn.pid));
            // What it runs can't be found out any more.
            let unseen = matches!(halt, Some(Err(_))) && process::program(turn.pid).is_none();
            self.incomplete.unseen += u64::from(unseen);
            let has_run = match turn.kind {
                TurnKind::Loaded => self.interpreters.is_loader(turn.pid),
                TurnKind::Compiles => true,
                _ => false,
            };
            let heeded = self.heed(turn);
            // Who has ended meanwhile could not be probed.
            let is_python = heeded.is_err() || self.interpreters.bias(turn.pid).is_some();
            match halt {
                _ if unseen || !is_python => {}
                Some(Err(_)) if !process::is_alive(turn.pid) => {
                    self.say_unheld(turn.pid, "it has ended by now");
                }
                Some(Err(Errno::EPERM)) => {
                    self.say_unheld(turn.pid, "a debugger has it, such as strace");
                }
                Some(Err(why)) => self.say_unheld(turn.pid, why.desc()),
                None if starts(turn) && turn.held && process::runs(turn.pid) => {
                    self.say_unheld(turn.pid, "somebody has let it go on");
                }
                _ => {}
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
            self.let_go(turn);
        }
    }

    /// Whether a process that has just begun to run something is not held, as it may not be.
    fn is_loose(&self, turn: Turn) -> bool {
        starts(turn) && !turn.held && !self.family.is_root(turn.pid)
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
            TurnKind::Born { parent } => self.interpreters.forked(pid, parent),
            TurnKind::Executed { by_main } => {
                self.copies.retain(|(copy, _)| *copy != pid);
                self.standing.retain(|stacks| stacks.pid != pid);
                self.interpreters.executed(pid, by_main, held)
            }
            TurnKind::Loaded => self.interpreters.loaded(pid),
            TurnKind::Compiles => return self.go_over_to_compiled(pid, held),
            TurnKind::Stopped => return Ok(()),
            TurnKind::Ended => {
                self.copies.retain(|(copy, _)| *copy != pid);
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

/// Whether a process has just begun to run something.
fn starts(turn: Turn) -> bool {
    matches!(
        turn.kind,
        TurnKind::Born { .. } | TurnKind::Executed { .. } | TurnKind::Loaded
    )
}

fn pid_of(turn: Turn) -> Pid {
    Pid::from_raw(turn.pid.cast_signed())
}
