//! How a session asks interpreters that run their programs already to mark the scope's code, and to take that
//! back.

use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow};
use nix::sys::signal::Signal;

use super::Session;
use super::asking::{Asked, LATE};
use crate::record::errand::{Answer, Errand, Given, Outcome};
use crate::record::interpreters::Interpreter;
use crate::record::process;
use crate::record::request::Request;
use crate::record::script_file::ScriptFile;
use crate::record::standing::Snapshot;

/// After so long it is said that a process has not answered yet.
const LONG: Duration = Duration::from_secs(2);
/// How long a thread may take to come back from where it has answered.
const WAY_BACK: Duration = Duration::from_secs(1);
/// How long processes have at the end to take back what they were asked for.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often it is asked, should handlers of signals interrupt it.
const TIMES: usize = 5;
const PAUSE: Duration = Duration::from_millis(1);
/// What `finder.py` says if another pytrace has asked before, which is named behind it.
const ANOTHER: &str = "another recording of it is in progress, by process ";

/// A process that was asked as it runs.
#[derive(Debug)]
pub(in crate::record) struct Running {
    stage: Stage,
    script: Rc<ScriptFile>,
    /// How often it has been asked.
    times: usize,
    /// Where its threads were at the beginning.
    stacks: Option<Snapshot>,
    /// Others that have asked it, and are no more.
    gone: Vec<u32>,
    is_said: bool,
}

#[derive(Debug)]
enum Stage {
    Asked(Box<Errand>),
    /// It has answered, then.
    Answered(Answer, Instant),
}

/// A process that has marked code, to be asked to take that back.
#[derive(Debug)]
pub(in crate::record) struct Marked {
    pid: u32,
    interpreter: Rc<Interpreter>,
    bias: u64,
    /// What it is asked by.
    script: Rc<ScriptFile>,
}

impl Session<'_, '_> {
    /// Asks a process that has just been attached to.
    pub(super) fn ask_as_it_runs(&mut self, pid: u32, script: Rc<ScriptFile>) -> Result<()> {
        self.consumer.borrow_mut().hold_back(pid);
        match self.begin_errand(pid, &script, &[]) {
            Ok(errand) => {
                self.asked.insert(pid, Asked::AsItRuns);
                let running = Running {
                    stage: Stage::Asked(Box::new(errand)),
                    script,
                    times: 1,
                    stacks: self.interpreters.stacks(pid),
                    gone: Vec::new(),
                    is_said: false,
                };
                self.running.insert(pid, running);
                Ok(())
            }
            Err(why) => self.do_without_asking(pid, &why),
        }
    }

    fn begin_errand(&mut self, pid: u32, script: &Rc<ScriptFile>, gone: &[u32]) -> Result<Errand> {
        let directories = self.consumer.borrow_mut().scope_of(pid);
        let request = Request::Mark {
            directories: &directories,
            external: self.external_calls,
            c_calls: self.c_calls,
            gone,
        };
        let probed = self.interpreters.probed(pid).map(Rc::clone);
        let (interpreter, bias) = probed
            .zip(self.interpreters.bias(pid))
            .ok_or_else(|| anyhow!("it has ended"))?;
        Errand::new(pid, &interpreter, bias, request, script)
    }

    /// Looks who has answered.
    pub(super) fn look_who_answers(&mut self) -> Result<()> {
        let pids: Vec<u32> = self.running.keys().copied().collect();
        for pid in pids {
            let Some(mut running) = self.running.remove(&pid) else {
                continue;
            };
            match self.look_at(pid, &mut running) {
                Ok(None) => {
                    self.running.insert(pid, running);
                }
                Ok(Some(())) => {
                    self.asked.insert(pid, Asked::Answered);
                    self.begin_here(pid)?;
                    self.scripts.insert(pid, Ok(running.script));
                }
                Err(why) => self.do_without_asking(pid, &why)?,
            }
        }
        Ok(())
    }

    /// Whether a process has done what it was asked for, and goes on with what it did.
    fn look_at(&mut self, pid: u32, running: &mut Running) -> Result<Option<()>> {
        let (answer, since) = match &mut running.stage {
            Stage::Asked(errand) => {
                if let Some(answer) = errand.look()? {
                    running.stage = Stage::Answered(answer, Instant::now());
                } else if errand.age() >= LONG && errand.is_waited_for() && !running.is_said {
                    running.is_said = true;
                    self.say_once(format!(
                        "process {pid} runs no Python code at the moment: what it calls is recorded \
                         from when it does"
                    ));
                }
                return Ok(None);
            }
            Stage::Answered(answer, since) => (answer, since),
        };
        let snapshot = self.interpreters.stacks(pid);
        let stacks = snapshot.iter().flat_map(|snapshot| &snapshot.stacks);
        let mut frames = stacks.flat_map(|stack| &stack.frames);
        if frames.any(|(_, code)| *code == answer.code) && since.elapsed() < WAY_BACK {
            return Ok(None);
        }
        let why = match answer.outcome.clone() {
            Outcome::Done | Outcome::Repeated => return Ok(Some(())),
            Outcome::Refused(why) => why,
            Outcome::Interrupted(signal) => {
                send_again(pid, signal);
                if running.times == TIMES {
                    return Err(anyhow!(
                        "its signals' handlers raise exceptions all the time"
                    ));
                }
                return self.ask_again(pid, running);
            }
        };
        let another = why.strip_prefix(ANOTHER).and_then(|it| it.parse().ok());
        match another {
            Some(another) if !process::is_pytrace(another) && !running.gone.contains(&another) => {
                running.gone.push(another);
                running.script.remove_that_of(another);
                self.ask_again(pid, running)
            }
            _ => Err(Error::msg(why)),
        }
    }

    fn ask_again(&mut self, pid: u32, running: &mut Running) -> Result<Option<()>> {
        running.times += 1;
        let errand = self.begin_errand(pid, &running.script, &running.gone)?;
        running.stage = Stage::Asked(Box::new(errand));
        Ok(None)
    }

    pub(super) fn do_without_asking(&mut self, pid: u32, why: &Error) -> Result<()> {
        self.running.remove(&pid);
        self.do_without(pid, true, why)?;
        self.begin_here(pid)
    }

    /// Has a process that runs recorded from here on, as if it had been attached to just now.
    pub(super) fn begin_here(&mut self, pid: u32) -> Result<()> {
        self.interpreters.forget_stacks(pid)?;
        self.drain(usize::MAX >> 1);
        self.consumer.borrow_mut().begin_here(pid);
        self.standing.retain(|stacks| stacks.pid != pid);
        self.standing.extend(self.interpreters.stacks(pid));
        Ok(())
    }

    /// At the end: what was not answered is not asked for any more. Returns who has marked code, and can be
    /// asked to take that back.
    pub(in crate::record) fn marked(&mut self) -> Result<Vec<Marked>> {
        for (pid, mut running) in std::mem::take(&mut self.running) {
            // Who has not run since, is where it was.
            if let Some(mut stacks) = running.stacks {
                let now = self.interpreters.stacks(pid);
                let now = now.map(|now| now.stacks).unwrap_or_default();
                stacks.stacks.retain(|stack| now.contains(stack));
                self.begin_here(pid)?;
                self.standing.retain(|stacks| stacks.pid != pid);
                self.standing.push(stacks);
            }
            let given = match &mut running.stage {
                Stage::Asked(errand) => errand.give_up(),
                Stage::Answered(..) => Given::Answer,
            };
            match given {
                Given::Back => {}
                Given::Answer => _ = self.scripts.insert(pid, Ok(running.script)),
                Given::Nothing => {
                    self.say_late(pid, LATE, "it did not run what it was asked to");
                }
            }
        }
        let mut marked: Vec<Marked> = Vec::new();
        for (root, script) in &self.scripts {
            let Ok(script) = script else { continue };
            // Also one that is probed otherwise by now; and copies.
            let answered = self
                .interpreters
                .probed(*root)
                .zip(self.interpreters.bias(*root));
            let answered = answered.map(|(interpreter, bias)| (*root, interpreter, bias));
            for (pid, interpreter, bias) in answered.into_iter().chain(self.interpreters.asked()) {
                let is_listed = marked.iter().any(|listed| listed.pid == pid);
                if !is_listed && script.is_seen_by(pid) && process::is_alive(pid) {
                    marked.push(Marked {
                        pid,
                        interpreter: Rc::clone(interpreter),
                        bias,
                        script: Rc::clone(script),
                    });
                }
            }
        }
        Ok(marked)
    }

    /// Has them take it back.
    pub(in crate::record) fn take_back(&mut self, marked: &[Marked]) {
        let since = Instant::now();
        for of in marked {
            let pid = of.pid;
            match take_back(of, since) {
                Ok(true) => {}
                Ok(false) => {
                    let path = of.script.path().display();
                    let note = format!(
                        "process {pid} runs no Python code at the moment: when it does, it takes back \
                         what it was asked for, by {path}"
                    );
                    self.say_once(note);
                    if let Err(why) = of.script.leave() {
                        self.say_kept(pid, &why.into());
                    }
                }
                Err(_) if !process::is_alive(pid) => {}
                Err(why) => self.say_kept(pid, &why),
            }
        }
    }

    fn say_kept(&mut self, pid: u32, why: &Error) {
        self.say_once(format!(
            "process {pid} goes on with tool ids of pytrace's, as it can't be asked to free them \
             ({why:#}): its calls cost a little more until it ends"
        ));
    }
}

/// Whether a process has taken it back; else it will.
fn take_back(of: &Marked, since: Instant) -> Result<bool> {
    if of.script.is_left() {
        return Err(anyhow!("its script is left to another process"));
    }
    for _ in 0..TIMES {
        let mut errand = Errand::new(
            of.pid,
            &of.interpreter,
            of.bias,
            Request::Release,
            &of.script,
        )?;
        let answer = loop {
            if let Some(answer) = errand.look()? {
                break answer;
            }
            if since.elapsed() >= FAREWELL {
                return Ok(!errand.leave_to_one()?);
            }
            sleep(PAUSE);
        };
        match answer.outcome {
            Outcome::Done | Outcome::Repeated => return Ok(true),
            Outcome::Refused(why) => return Err(Error::msg(why)),
            Outcome::Interrupted(signal) => send_again(of.pid, signal),
        }
    }
    Err(anyhow!(
        "its signals' handlers raise exceptions all the time"
    ))
}

/// A signal's handler has raised an exception where nobody takes it: the program's code gets another.
fn send_again(pid: u32, signal: i32) {
    if let Ok(signal) = Signal::try_from(signal) {
        let _ = process::signal(pid, signal);
    }
}
