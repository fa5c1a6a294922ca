//! Takes the kernel's records, and makes calls in a file or in memory of them.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::classify::Scopes;
use super::interpreters::Interpreter;
use super::output::TraceFile;
use super::proving::Proving;
use super::session::now;
use super::standing::Snapshot;
use crate::cpython::Way;
use crate::event::{Event, EventKind, decode};
use crate::format::{ChromeWriter, Ended, OutputFile};
use crate::recording::{Collector, Footer, Recording};
use crate::scope::Scope;
use crate::trace::{
    Builder, Call, Filter, Gap, Losses, Missing, Pairing, Sink, ThreadId, Time, Totals,
};
use crate::value::Describer;

/// Where calls go.
#[derive(Debug)]
pub(super) enum Output {
    /// A file, as they end.
    File(Box<ChromeWriter<OutputFile<TraceFile>>>),
    /// Memory, to be shown when the recording has ended.
    Memory(Box<Collector>),
}

impl Output {
    fn process_name(&mut self, pid: u32, name: &str) -> io::Result<()> {
        match self {
            Output::File(file) => file.process_name(pid, name),
            Output::Memory(memory) => {
                memory.process_name(pid, name);
                Ok(())
            }
        }
    }

    fn thread_name(&mut self, thread: ThreadId, name: &str) -> io::Result<()> {
        match self {
            Output::File(file) => file.thread_name(thread, name),
            Output::Memory(memory) => {
                memory.thread_name(thread, name);
                Ok(())
            }
        }
    }
}

impl Sink for Output {
    fn call(&mut self, call: &Call) -> io::Result<()> {
        match self {
            Output::File(file) => file.call(call),
            Output::Memory(memory) => memory.call(call),
        }
    }

    fn gap(&mut self, gap: &Gap) -> io::Result<()> {
        match self {
            Output::File(file) => file.gap(gap),
            Output::Memory(memory) => memory.gap(gap),
        }
    }
}

/// Something in a process's life that the recorder has to act upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) pid: u32,
    pub(super) kind: TurnKind,
    /// When that was.
    pub(super) time: Time,
    /// Whether the process has been stopped: until it gets a SIGCONT.
    pub(super) held: bool,
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnKind {
    /// Its parent has made it.
    Forked { parent: u32 },
    /// As a copy of its parent, which runs an interpreter; it is before its first instruction.
    Born { parent: u32 },
    /// It is before the first instruction of a new program, which its main thread has started, or
    /// another that has taken the main thread's place.
    Executed { by_main: bool },
    /// It is at the new program's entry point.
    Loaded,
    /// Its JIT is about to compile code, and was taken to be off.
    Compiles,
    /// It is about to run the user's program, its stack pointer being there; what a function called before
    /// may have returned.
    Ready { stack: u64, result: i32 },
    /// The ring was half full: it is stopped or, if it is not held, the watchdog halts it.
    Stopped,
    /// It has ended; `in_hold`: when it was stopped on our behalf, and nobody had let it go on.
    Ended { in_hold: bool },
}

impl TurnKind {
    /// Whether the process is a copy of one that runs an interpreter.
    pub(super) fn is_copy(self) -> bool {
        matches!(self, TurnKind::Born { .. })
    }

    /// Whether the process has just begun to run something.
    pub(super) fn starts(self) -> bool {
        matches!(
            self,
            TurnKind::Born { .. } | TurnKind::Executed { .. } | TurnKind::Loaded
        )
    }
}

/// What a finished recording comes to.
#[derive(Debug)]
pub(super) enum Finished {
    /// The file is complete, or as complete as its disk allowed.
    File(Ended),
    /// Everything, in memory.
    Memory(Box<Recording>),
}

/// Turns records into calls.
#[derive(Debug)]
pub(super) struct Consumer {
    builder: Builder<Scopes>,
    output: Output,
    /// What is not passed on yet.
    proving: Proving,
    interpreters: FxHashMap<u32, Rc<Interpreter>>,
    begun: bool,
    named: FxHashSet<ThreadId>,
    last_named: ThreadId,
    turns: VecDeque<Turn>,
    records: u64,
    /// Our own process id.
    own: u32,
    /// The first error of the output; later ones are its consequences.
    failure: Option<io::Error>,
    failed: bool,
}

impl Consumer {
    pub(super) fn new(output: Output, filter: Filter, describer: Option<Describer>) -> Self {
        Consumer {
            builder: Builder::new(Scopes::default(), filter).with_values(describer),
            output,
            proving: Proving::default(),
            interpreters: FxHashMap::default(),
            begun: false,
            named: FxHashSet::default(),
            last_named: ThreadId::default(),
            turns: VecDeque::new(),
            records: 0,
            own: std::process::id(),
            failure: None,
            failed: false,
        }
    }

    /// A process runs this interpreter from now on.
    pub(super) fn begin_process(&mut self, pid: u32, scope: Scope, interpreter: &Rc<Interpreter>) {
        self.builder
            .classifier()
            .insert(pid, scope, interpreter.plan.has_qualified_names());
        self.interpreters.insert(pid, Rc::clone(interpreter));
        self.expect(pid, interpreter.plan.way);
        self.proving.begin(pid, interpreter);
        self.begun = true;
        let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let name = cmdline
            .split(|&byte| byte == 0)
            .filter(|arg| !arg.is_empty())
            .map(String::from_utf8_lossy)
            .collect::<Vec<_>>()
            .join(" ");
        let result = self.output.process_name(pid, &name);
        self.note(result);
        // It may have ended when its first record is looked at.
        self.name_thread(ThreadId { pid, tid: pid });
    }

    /// Has the builder know which events come of a process.
    fn expect(&mut self, pid: u32, way: Way) {
        if way == Way::Compiled {
            self.builder.expect_compiled(pid);
        }
        self.builder.expect_marked(pid, way == Way::Selective);
    }

    /// A process is recorded later.
    pub(super) fn hold_back(&mut self, pid: u32) {
        self.builder.hold_back(pid);
    }

    /// It is from here on: all that has come before is taken.
    pub(super) fn begin_here(&mut self, pid: u32) {
        self.builder.begin_here(pid);
    }

    /// Nothing of what has come before any beginning comes any more.
    pub(super) fn know_all(&mut self) {
        self.builder.know_all();
    }

    /// The directories of a process's scope.
    pub(super) fn scope_of(&mut self, pid: u32) -> Vec<PathBuf> {
        self.builder.classifier().directories(pid).to_owned()
    }

    /// Takes one record.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.records += 1;
        let event = match decode(bytes) {
            Ok(event) => event,
            Err(error) => {
                debug_assert!(false, "{error}");
                return;
            }
        };
        if event.thread.pid == self.own {
            return; // the calibration's
        }
        match event.kind {
            EventKind::Fork { parent } => self.turn(&event, TurnKind::Forked { parent }, false),
            EventKind::Born { parent, held } => {
                self.turn(&event, TurnKind::Born { parent }, held);
            }
            EventKind::Exec { held } => {
                let by_main = event.thread.tid == event.thread.pid;
                self.turn(&event, TurnKind::Executed { by_main }, held);
            }
            EventKind::Loaded { held } => self.turn(&event, TurnKind::Loaded, held),
            EventKind::Compiles { held } => self.turn(&event, TurnKind::Compiles, held),
            EventKind::Ready {
                stack,
                result,
                held,
            } => self.turn(&event, TurnKind::Ready { stack, result }, held),
            EventKind::ProcessEnd { held } => {
                self.turn(&event, TurnKind::Ended { in_hold: held }, false);
            }
            EventKind::Stopped { held } => self.turn(&event, TurnKind::Stopped, held),
            EventKind::ThreadEnd => {}
            _ if event.thread == self.last_named => {}
            _ => self.name_thread(event.thread),
        }
        match self
            .builder
            .push(&event, &mut self.proving.before(&mut self.output))
        {
            Ok(None) => {}
            Ok(Some(is)) => {
                let interpreter = self.interpreters.get(&event.thread.pid);
                if let (EventKind::Code(code), Some(interpreter)) = (&event.kind, interpreter) {
                    let pid = event.thread.pid;
                    interpreter.verdicts.answer(pid, code.address, code.id, is);
                }
            }
            Err(error) => self.note(Err(error)),
        }
    }

    /// The interpreter of these processes is probed in another way from now on.
    pub(super) fn replace_interpreter(&mut self, pids: &[u32], interpreter: &Rc<Interpreter>) {
        for pid in pids {
            self.interpreters.insert(*pid, Rc::clone(interpreter));
            self.proving.begin(*pid, interpreter);
            self.expect(*pid, interpreter.plan.way);
            let qualified = interpreter.plan.has_qualified_names();
            self.builder.classifier().set_qualified(*pid, qualified);
            if interpreter.plan.layout.is_none() {
                // What runs has a frame, and the new plan will tell of its end without.
                self.end_process(*pid, now());
            }
        }
        self.builder.forget_pairing(pids);
    }

    /// How the first starts and ends of these processes' threads go together, or of their main
    /// threads only.
    pub(super) fn pairing(&self, pids: &[u32], main_only: bool) -> Pairing {
        self.builder.pairing(pids, main_only)
    }

    /// What is kept back until its plan has proved right.
    pub(super) fn proving(&self) -> &Proving {
        &self.proving
    }

    /// An interpreter's plan has proved right.
    pub(super) fn trust(&mut self, interpreter: &Interpreter) {
        let result = self.proving.trust(interpreter, &mut self.output);
        self.note(result);
    }

    /// It has proved wrong: what it has told is forgotten. Returns how many calls that were.
    pub(super) fn distrust(&mut self, interpreter: &Interpreter) -> u64 {
        let mut calls = 0;
        for call in self.proving.distrust(interpreter) {
            self.builder.uncount(&call);
            calls += 1;
        }
        calls
    }

    /// The next thing to act upon.
    pub(super) fn next_turn(&mut self) -> Option<Turn> {
        self.turns.pop_front()
    }

    /// The process has ended.
    pub(super) fn end_process(&mut self, pid: u32, time: Time) {
        let result =
            self.builder
                .end_process(pid, time, &mut self.proving.before(&mut self.output));
        self.note(result);
    }

    /// Forgets a process that has ended: its id may be another's soon.
    pub(super) fn forget(&mut self, pid: u32) {
        self.builder.classifier().remove(pid);
        self.interpreters.remove(&pid);
        self.named.retain(|thread| thread.pid != pid);
        self.last_named = ThreadId::default();
    }

    /// Takes the stacks of those threads that have had no event.
    pub(super) fn stand_still(&mut self, snapshot: &Snapshot) {
        for stack in &snapshot.stacks {
            let thread = ThreadId {
                pid: snapshot.pid,
                tid: stack.tid,
            };
            if self.builder.has_seen(thread) {
                continue;
            }
            self.name_thread(thread);
            let codes = |address| snapshot.codes.get(&address);
            let result = self.builder.stand_still(
                thread,
                &stack.frames,
                stack.cut,
                codes,
                snapshot.time,
                &mut self.proving.before(&mut self.output),
            );
            self.note(result);
        }
    }

    /// Whether a process is or was recorded.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Writes out what is buffered, once there is something to keep.
    pub(super) fn flush(&mut self) {
        if let Output::File(file) = &mut self.output
            && self.begun
        {
            let result = file.flush();
            self.note(result);
        }
    }

    pub(super) fn totals(&self) -> Totals {
        self.builder.totals()
    }

    pub(super) fn losses(&self) -> &Losses {
        self.builder.losses()
    }

    /// A thread has lost this, and has had no event since.
    pub(super) fn lose(&mut self, thread: ThreadId, missing: Missing) {
        self.builder.lose(thread, missing);
    }

    /// Records taken so far.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// The first error of the output, if there was one. Once.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Ends the open calls.
    pub(super) fn end(&mut self, time: Time) {
        let result = self
            .builder
            .finish(time, &mut self.proving.before(&mut self.output));
        self.note(result);
    }

    /// Completes the output.
    pub(super) fn finish(self, footer: Footer) -> io::Result<Finished> {
        match self.output {
            Output::File(file) => file.finish(&footer).map(Finished::File),
            Output::Memory(memory) => Ok(Finished::Memory(Box::new(memory.finish(footer)))),
        }
    }

    fn turn(&mut self, event: &Event<'_>, kind: TurnKind, held: bool) {
        let pid = event.thread.pid;
        let time = event.time;
        self.turns.push_back(Turn {
            pid,
            kind,
            time,
            held,
        });
    }

    fn name_thread(&mut self, thread: ThreadId) {
        self.last_named = thread;
        if !self.named.insert(thread) {
            return;
        }
        let comm = format!("/proc/{}/task/{}/comm", thread.pid, thread.tid);
        if let Ok(name) = fs::read(comm) {
            let name = String::from_utf8_lossy(&name);
            let result = self.output.thread_name(thread, name.trim_end_matches('\n'));
            self.note(result);
        }
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            if !self.failed {
                self.failure = Some(error);
            }
            self.failed = true;
        }
    }
}
