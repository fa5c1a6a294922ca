//! Having a program that runs already run a script of ours, by the interface that its interpreter has for
//! that (PEP 768, 3.14+): a path and a flag in the state of a thread.
//!
//! The thread that finds the flag is the first that looks at its eval breaker. A program that does anything
//! comes there by itself, with the garbage collector and with who wants the GIL; else a bit of the eval
//! breaker is set. The interpreter changes that word as well, with instructions that nobody can do from
//! outside: so if a thread of the process runs, they are all halted for that moment. CPython's own
//! `sys.remote_exec()` does not, and may undo what was set meanwhile.
//!
//! The main thread is asked first. Where it waits for something, all are: then they are halted in any
//! case, as the states of other threads are freed when those end.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::freeze::Freeze;
use super::interpreters::Interpreter;
use super::process;
use super::request::Request;
use super::script_file::ScriptFile;
use super::session::now;
use super::standing::{self, Found};
use crate::cpython::Remote;

/// After so long, the main thread is made to look.
const FIRST: Duration = Duration::from_millis(20);
/// After so long, all threads are. Others come only of one that has looked.
const ALL: Duration = Duration::from_millis(100);
/// How many threads are asked at most.
const THREADS_MAX: usize = 64;
/// How long it takes a process to halt.
const HALTS: Duration = Duration::from_millis(20);
const PAUSE: Duration = Duration::from_micros(100);
/// How often it is tried to halt a process for taking a script from its threads.
const WITHDRAWALS: usize = 10;
/// How long a script that has been begun may take, which are some 5 ms, or one that a thread should have
/// begun.
const PATIENCE: Duration = Duration::from_secs(1);

/// Something that a process was asked for, and has not answered yet.
#[derive(Debug)]
pub(super) struct Errand {
    pid: u32,
    interpreter: Rc<Interpreter>,
    bias: u64,
    script: Rc<ScriptFile>,
    /// Whether nobody has it before them any more, or one is to.
    is_settled: bool,
    fields: Remote,
    since: Instant,
    /// Whether the main thread was made to look, and whether all were.
    woken: bool,
    all_woken: bool,
    /// Since when the main thread has not the script before it any more.
    begun: Option<Instant>,
    /// Since when one has looked at its eval breaker, and left the flag alone.
    ignored: Option<Instant>,
    /// The state of the main thread, if it has one: which lives as long as its interpreter does.
    main: Option<u64>,
    /// Who had the script put before it: states, and what Python knows the threads by.
    asked: Vec<(u64, u64)>,
    /// What came of it, and when that was clear.
    answer: Option<(Answer, Instant)>,
    /// Those of them that have begun by then, and have not answered yet.
    begun_by: Vec<(u64, u64)>,
    /// Where a thread's state has what Python knows it by.
    thread_id: u16,
    /// The script's path, as it is in the state of a thread.
    path: Vec<u8>,
    /// Whom it could not let go yet.
    halted: Option<Freeze>,
}

/// What a thread says came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// What Python knows the thread by.
    thread: u64,
    /// The code object of the file: as long as a thread runs that, it has not come back yet.
    pub(super) code: u64,
    pub(super) outcome: Outcome,
}

/// How it stands with something that nobody is asked for any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// Nobody had begun.
    Back,
    /// Somebody had, and has answered.
    Answer,
    /// Somebody had, and has not answered: an audit hook may have forbidden it.
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// A handler of this signal has raised an exception within it, which is the program's.
    Interrupted(i32),
    /// Why not.
    Refused(String),
    /// Another thread has come to it before.
    Repeated,
}

impl Errand {
    /// Asks a process.
    ///
    /// # Errors
    ///
    /// Its interpreter takes no scripts, or not now.
    pub(super) fn new(
        pid: u32,
        interpreter: &Rc<Interpreter>,
        bias: u64,
        request: Request<'_>,
        script: &Rc<ScriptFile>,
    ) -> Result<Errand> {
        let plan = &interpreter.plan;
        let fields = plan
            .remote
            .context("only CPython 3.14 or newer can be asked as it runs")?;
        let interpreters = standing::interpreters(pid, plan, bias);
        let interpreters = interpreters.context("it is not known where its threads are")?;
        let [Found { state, threads }] = &interpreters[..] else {
            bail!("it has {} interpreters", interpreters.len());
        };
        if int(pid, state.wrapping_add(fields.interpreter_enabled.into()))? != 1 {
            bail!("it takes no scripts: PYTHON_DISABLE_REMOTE_DEBUG or the like");
        }
        let path = script.path();
        let in_state = [path.as_os_str().as_bytes(), b"\0"].concat();
        if in_state.len() > usize::from(fields.path_size) {
            bail!("the path of the script is too long");
        }
        let id = process::innermost_id(pid).context("it has ended")?;
        script
            .put(&request.script(path, id))
            .context("the script can't be written")?;
        let main = threads.iter().find(|(_, tid)| *tid == pid);
        Ok(Errand {
            pid,
            interpreter: Rc::clone(interpreter),
            bias,
            script: Rc::clone(script),
            is_settled: false,
            fields,
            since: Instant::now(),
            woken: false,
            all_woken: false,
            begun: None,
            ignored: None,
            main: main.map(|(state, _)| *state),
            asked: Vec::new(),
            answer: None,
            begun_by: Vec::new(),
            thread_id: plan.layout.as_ref().map_or(0, |it| it.tstate_thread_id),
            path: in_state,
            halted: None,
        })
    }

    /// How long ago that was.
    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Whether it has been answered, which is to be asked again and again.
    ///
    /// # Errors
    ///
    /// It won't be.
    pub(super) fn look(&mut self) -> Result<Option<Answer>> {
        if let Some(halted) = &mut self.halted {
            if !halted.thaw() {
                return Ok(None);
            }
            self.halted = None;
        }
        let answers = self.answers().context("its answer can't be read")?;
        if self.answer.is_none()
            && let Some(first) = answers.iter().find(|it| it.outcome != Outcome::Repeated)
        {
            let first = first.clone();
            if self.all_woken {
                self.withdraw();
            }
            self.answer = Some((first, Instant::now()));
        }
        if let Some((answer, since)) = &self.answer {
            let is_over = since.elapsed() >= PATIENCE;
            let answer = answer.clone();
            self.is_settled = self.have_answered(&answers) || is_over;
            return Ok(self.is_settled.then_some(answer));
        }
        if let Some(main) = self.main {
            if !self.waits(main) && !self.all_woken {
                if int(self.pid, self.pending(main))? == 1 {
                    return Ok(None); // somebody else's comes first
                }
                if self.asked.is_empty() {
                    self.put(main)?;
                } else if self.begun.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                    bail!("it did not run the script {}", self.script.path().display());
                }
                return Ok(None);
            }
            let ignores = self.woken && self.waits(main) && !self.is_to_look(main)?;
            if !ignores {
                self.ignored = None;
            } else if self.ignored.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                bail!("its interpreter was built without that (--without-remote-debug)");
            }
        }
        if self.age() >= ALL && !self.all_woken {
            self.wake_all()?;
        } else if let Some(main) = self.main
            && self.age() >= FIRST
            && !self.woken
        {
            self.wake_main(main)?;
        }
        Ok(None)
    }

    /// Whether a thread has it before it, and has not come to it yet.
    pub(super) fn is_waited_for(&self) -> bool {
        self.all_woken || self.main.is_some_and(|main| self.waits(main))
    }

    /// Asks nobody any more, and waits for those that have begun.
    pub(super) fn give_up(&mut self) -> Given {
        if self.answer.is_none() {
            self.withdraw();
        }
        let has_begun = !self.begun_by.is_empty();
        let since = Instant::now();
        self.is_settled = true;
        loop {
            let answers = self.answers().unwrap_or_default();
            let have_answered = self.have_answered(&answers);
            if have_answered || since.elapsed() >= PATIENCE {
                return match answers.is_empty() {
                    false => Given::Answer,
                    true if has_begun => Given::Nothing,
                    true => Given::Back,
                };
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Asks one thread only, which will do it when it comes to it, without pytrace. Whether none has come to it
    /// meanwhile.
    pub(super) fn leave_to_one(mut self) -> Result<bool> {
        if self.give_up() != Given::Back {
            return Ok(false);
        }
        let left = self.while_halted(|errand| {
            let mut one = errand.main;
            errand.each_thread(|_, state| one = one.or(Some(state)));
            let one = one.context("it has no threads")?;
            errand.put(one)?;
            errand.wake(one)
        });
        left.context("it does not halt")?.map(|()| true)
    }

    /// Takes the script from those that have it before them, and finds out who has begun.
    fn withdraw(&mut self) {
        for _ in 0..WITHDRAWALS {
            let taken = self.while_halted(|errand| {
                errand.each_thread(|errand, state| {
                    let asked = errand.asked.iter().find(|(asked, _)| *asked == state);
                    let Some(asked) = asked.copied() else { return };
                    if errand.waits(state) {
                        let pending = errand.pending(state);
                        let _ = process::write_memory(errand.pid, pending, &0_u32.to_ne_bytes());
                    } else {
                        errand.begun_by.push(asked);
                    }
                });
            });
            if taken.is_some() {
                return;
            }
        }
        // Nobody else is to make a file by that name.
        self.script.keep();
    }

    /// Whether all have answered that had begun, as far as they have not ended.
    fn have_answered(&mut self, answers: &[Answer]) -> bool {
        let has_answered = |thread| answers.iter().any(|answer| answer.thread == thread);
        self.begun_by.retain(|(_, thread)| !has_answered(*thread));
        if !self.begun_by.is_empty() {
            let mut alive = Vec::new();
            self.each_thread(|_, state| alive.push(state));
            self.begun_by.retain(|(state, _)| alive.contains(state));
        }
        self.begun_by.is_empty()
    }

    fn wake_main(&mut self, main: u64) -> Result<()> {
        // Where nobody runs, nobody changes it.
        let woken = match process::is_running(self.pid) {
            true => self.while_halted(|errand| errand.wake(main)),
            false => Some(self.wake(main)),
        };
        self.woken = woken.is_some();
        woken.unwrap_or(Ok(()))
    }

    fn wake_all(&mut self) -> Result<()> {
        let woken = self.while_halted(|errand| {
            let mut woken = Ok(());
            errand.each_thread(|errand, state| {
                let asked = errand.put(state).and_then(|()| errand.wake(state));
                if woken.is_ok() {
                    woken = asked;
                }
            });
            woken
        });
        self.all_woken = woken.is_some();
        self.woken |= self.all_woken;
        woken.unwrap_or(Ok(()))
    }

    /// What the threads have written.
    fn answers(&self) -> io::Result<Vec<Answer>> {
        let answers = self.script.answers()?;
        Ok(answers.lines().filter_map(Answer::of).collect())
    }

    /// With the states of its threads, of which none is freed meanwhile if the process is halted.
    fn each_thread(&mut self, mut act: impl FnMut(&mut Self, u64)) {
        let interpreters =
            standing::interpreters(self.pid, &self.interpreter.plan, self.bias).unwrap_or_default();
        let threads = interpreters.iter().flat_map(|found| &found.threads);
        for (state, _) in threads.take(THREADS_MAX) {
            act(self, *state);
        }
    }

    /// What comes of something that is done while the process is halted; `None` if it does not halt.
    fn while_halted<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let halted = Freeze::new(self.pid, now());
        let done = self.has_halted().then(|| act(self));
        self.let_go(halted);
        done
    }

    /// Waits until no thread runs: those that are in the kernel stop before they come out.
    fn has_halted(&self) -> bool {
        let begun = Instant::now();
        while process::is_running(self.pid) {
            if begun.elapsed() >= HALTS {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }

    fn let_go(&mut self, mut halted: Freeze) {
        let begun = Instant::now();
        while !halted.thaw() {
            if begun.elapsed() >= HALTS {
                self.halted = Some(halted);
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Puts the script before a thread, unless somebody else's is there.
    fn put(&mut self, state: u64) -> Result<()> {
        if int(self.pid, self.pending(state))? == 1 {
            return Ok(());
        }
        let thread = read(self.pid, state.wrapping_add(self.thread_id.into()))?;
        let path_at = state.wrapping_add(self.fields.tstate_path.into());
        process::write_memory(self.pid, path_at, &self.path)?;
        process::write_memory(self.pid, self.pending(state), &1_u32.to_ne_bytes())?;
        self.asked.push((state, u64::from_ne_bytes(thread)));
        Ok(())
    }

    /// Whether a thread has it before it.
    fn waits(&self, state: u64) -> bool {
        let path_at = state.wrapping_add(self.fields.tstate_path.into());
        let path = process::read_memory(self.pid, path_at, self.path.len());
        let is_ours = path.is_some_and(|path| path == self.path);
        is_ours && int(self.pid, self.pending(state)).is_ok_and(|pending| pending == 1)
    }

    /// Has a thread look whether there is something to do.
    fn wake(&self, state: u64) -> Result<()> {
        let at = self.breaker(state);
        let low = read::<1>(self.pid, at)?[0];
        process::write_memory(self.pid, at, &[low | Remote::BREAK])
    }

    fn is_to_look(&self, state: u64) -> Result<bool> {
        Ok(read::<1>(self.pid, self.breaker(state))?[0] & Remote::BREAK != 0)
    }

    fn breaker(&self, state: u64) -> u64 {
        state.wrapping_add(self.fields.tstate_eval_breaker.into())
    }

    fn pending(&self, state: u64) -> u64 {
        state.wrapping_add(self.fields.tstate_pending.into())
    }
}

impl Drop for Errand {
    /// No thread may have a script before it that is about to be removed.
    fn drop(&mut self) {
        if !self.is_settled {
            self.give_up();
        }
    }
}

impl Answer {
    /// A line of what `request/answering.py` has written.
    fn of(line: &str) -> Option<Answer> {
        let mut words = line.strip_prefix("#pytrace ")?.splitn(3, ' ');
        let mut number = || u64::from_str_radix(words.next()?, 16).ok();
        let (thread, code) = (number()?, number()?);
        let outcome = match words.next()? {
            "done" => Outcome::Done,
            "repeated" => Outcome::Repeated,
            what if what.starts_with("interrupted ") => {
                Outcome::Interrupted(what.strip_prefix("interrupted ")?.parse().ok()?)
            }
            refused => Outcome::Refused(refused.strip_prefix("refused ")?.to_owned()),
        };
        Some(Answer {
            thread,
            code,
            outcome,
        })
    }
}

fn read<const LENGTH: usize>(pid: u32, address: u64) -> Result<[u8; LENGTH]> {
    let bytes = process::read_memory(pid, address, LENGTH);
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.context("its memory can't be read")
}

fn int(pid: u32, address: u64) -> Result<u32> {
    read(pid, address).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_lines() {
        let answer = |outcome| {
            Some(Answer {
                thread: 0x7f01,
                code: 0xab,
                outcome,
            })
        };
        for (line, expected) in [
            ("#pytrace 7f01 ab done", answer(Outcome::Done)),
            ("#pytrace 7f01 ab repeated", answer(Outcome::Repeated)),
            (
                "#pytrace 7f01 ab refused its ids are taken",
                answer(Outcome::Refused("its ids are taken".to_owned())),
            ),
            (
                "#pytrace 7f01 ab interrupted 15",
                answer(Outcome::Interrupted(15)),
            ),
            ("#pytrace 7f01 ab don", None), // it is about to be written
            ("#pytrace 7f01", None),
            ("# 7f01 ab done", None),
            ("", None),
        ] {
            assert_eq!(Answer::of(line), expected, "{line}");
        }
    }
}
