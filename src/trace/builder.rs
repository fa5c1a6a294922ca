//! Events to calls: per-thread stacks that repair themselves.
//!
//! The kernel program leaves out most of what lies outside the scope, but nothing here
//! relies on that: the scope's rules are applied to whatever arrives. Nor is every start
//! followed by an end that a probe saw. Each event names its frame, and each start its
//! caller's, so what was missed shows at the next event:
//!
//! - an end whose frame is not on the stack is no activation's (3.11+: a call refused at the
//!   recursion limit; 3.12+: the shim of a specialised class call) and is dropped;
//! - frames above the one that ends, or above the caller of the one that starts, have ended
//!   unseen;
//! - a start of the frame on top again is the same start (3.12+: `RESUME` runs again after
//!   instrumentation was switched on);
//! - after lost events, and at a thread's first, the kernel program reports the frames that
//!   are active, and the stack is made to agree;
//! - so it is with frames that began in code compiled by the JIT (3.14+), see `compiled.rs`.
//!
//! Where events have no frames, see `named.rs`.

mod agree;
mod codes;
mod compiled;
mod counts;
mod late;
mod named;
mod natives;
#[cfg(test)]
mod tests;
mod values;

use std::io;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use self::codes::KnownCode;

use super::threads::{Frame, Threads};
use super::{Call, Category, Code, CodeIs, Exit, Kind, Losses, Sink, ThreadId, Time, Totals};
use crate::event::{CodeRecord, Enter, Event, EventKind, Leave};
use crate::value::Describer;

/// Decides what a code object is: its real file, kind and category.
pub trait Classify {
    /// Called once per code object of each process.
    fn classify(&mut self, pid: u32, record: &CodeRecord) -> Code;
}

/// What to leave out, beyond the scope.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    /// Record calls from the scope to code outside.
    pub external_calls: bool,
    /// Record import activity.
    pub imports: bool,
}

/// Builds calls from the events of any number of threads.
#[derive(Debug)]
pub struct Builder<C> {
    classify: C,
    filter: Filter,
    /// By process and address; a later record for the same address replaces the earlier.
    codes: FxHashMap<(u32, u64), KnownCode>,
    threads: Threads,
    /// Processes whose interpreter has marked what is recorded: nothing else is sure to have its end told.
    marked: FxHashSet<u32>,
    /// Processes whose recording has not begun yet, or not with each thread.
    late: FxHashMap<u32, late::Late>,
    /// Processes whose JIT is on.
    compiling: FxHashSet<u32>,
    /// In these: suspended generators, by process and frame, with their code objects.
    suspended: FxHashMap<(u32, u64), u64>,
    totals: Totals,
    losses: Losses,
    /// Puts values in words, where they are recorded.
    describer: Option<Describer>,
}

/// How an activation that is now on the stack got there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Began {
    /// A probe saw it.
    Seen(Enter),
    /// Before the recording, or while events were lost.
    Unseen,
    /// In compiled code, since the thread's previous event.
    Compiled {
        /// As a generator that had yielded before.
        resumed: bool,
    },
}

impl<C: Classify> Builder<C> {
    /// A builder that has seen nothing yet.
    pub fn new(classify: C, filter: Filter) -> Self {
        Builder {
            classify,
            filter,
            codes: FxHashMap::default(),
            threads: Threads::default(),
            marked: FxHashSet::default(),
            late: FxHashMap::default(),
            compiling: FxHashSet::default(),
            suspended: FxHashMap::default(),
            totals: Totals::default(),
            losses: Losses::default(),
            describer: None,
        }
    }

    /// Has arguments, results and exceptions' messages put in words.
    pub fn with_values(self, describer: Option<Describer>) -> Self {
        Builder { describer, ..self }
    }

    /// Of what a process calls, only what is recorded is told of from start to end, or all is.
    pub fn expect_marked(&mut self, pid: u32, marked: bool) {
        match marked {
            true => self.marked.insert(pid),
            false => self.marked.remove(&pid),
        };
    }

    /// What decides about code objects.
    pub fn classifier(&mut self) -> &mut C {
        &mut self.classify
    }

    /// Takes the next event. Calls that end with it go to `sink`.
    ///
    /// Returns what the code object is that an [`EventKind::Code`] describes.
    pub fn push(&mut self, event: &Event<'_>, sink: &mut dyn Sink) -> io::Result<Option<CodeIs>> {
        if !self.late.is_empty() && self.is_of_before(event) {
            return Ok(None);
        }
        match &event.kind {
            EventKind::Enter {
                frame,
                previous,
                code,
                how,
                values,
            } => {
                self.agree(event, sink)?;
                if *how == Enter::ResumeAgain {
                    self.leave(event, *frame, Exit::InferredYield, &[], &[], sink)?;
                }
                match how {
                    Enter::Named => self.enter_named(event, *frame, *code),
                    _ => self.enter(event, *frame, *previous, *code, *how, sink)?,
                }
                if *how == Enter::Start {
                    self.take_arguments(event.thread, *frame, values);
                }
            }
            EventKind::Exit {
                frame,
                how,
                exception,
                values,
            } => {
                self.agree(event, sink)?;
                let exit = match how {
                    Leave::Return | Leave::Named => Exit::Return,
                    Leave::Yield => Exit::Yield,
                    Leave::Unwind => Exit::Exception,
                    Leave::InferredYield => Exit::InferredYield,
                    Leave::NeverRan => return self.never_ran(event, sink).map(|()| None),
                };
                self.leave(event, *frame, exit, exception, values, sink)?;
            }
            EventKind::Running {
                frame,
                code,
                depth,
                cut,
                compiled,
            } => {
                let thread = self.threads.get_or_insert(event.thread);
                if *depth == 0 {
                    thread.running.clear();
                }
                thread.running.push((*frame, *code));
                thread.running_cut = *cut;
                thread.running_compiled = *compiled;
            }
            EventKind::Code(record) => return Ok(Some(self.meet_code(event.thread.pid, record))),
            EventKind::Exec { .. } | EventKind::ProcessEnd { .. } => {
                self.end_process(event.thread.pid, event.time, sink)?;
            }
            EventKind::ThreadEnd => self.end_thread(event.thread, event.time, sink)?,
            EventKind::Type(record) => self.meet_type(event.thread.pid, record),
            EventKind::Parameters(parameters) => {
                self.meet_parameters(event.thread.pid, parameters);
            }
            EventKind::Gap(missing) => self.lose(event.thread, *missing),
            EventKind::Loaded { .. }
            | EventKind::Fork { .. }
            | EventKind::Born { .. }
            | EventKind::Stopped { .. }
            | EventKind::Compiles { .. }
            | EventKind::Ready { .. } => {}
        }
        Ok(None)
    }

    /// Ends every thread of a process: its open calls are unfinished.
    pub fn end_process(&mut self, pid: u32, time: Time, sink: &mut dyn Sink) -> io::Result<()> {
        let mut threads: Vec<ThreadId> = self
            .threads
            .ids()
            .filter(|thread| thread.pid == pid)
            .collect();
        threads.sort_unstable();
        for thread in threads {
            self.end_thread(thread, time, sink)?;
        }
        self.codes.retain(|(of, _), _| *of != pid);
        self.stop_compiling(pid);
        self.marked.remove(&pid);
        self.late.remove(&pid);
        if let Some(describer) = &mut self.describer {
            describer.forget(pid);
        }
        Ok(())
    }

    /// Ends everything.
    pub fn finish(&mut self, time: Time, sink: &mut dyn Sink) -> io::Result<()> {
        let mut threads: Vec<ThreadId> = self.threads.ids().collect();
        threads.sort_unstable();
        for thread in threads {
            self.end_thread(thread, time, sink)?;
        }
        Ok(())
    }

    fn enter(
        &mut self,
        event: &Event<'_>,
        frame: u64,
        previous: u64,
        code: u64,
        how: Enter,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        let has_marked = self.has_marked(event.thread.pid);
        if has_marked && let Some(own) = self.own(event.thread.pid, code) {
            return self.enter_own(event, previous, code, own, sink);
        }
        let Some(thread) = self.threads.get_mut(event.thread) else {
            return Ok(());
        };
        thread.pairs.start(frame);
        if let Some(top) = thread.stack.last() {
            if top.address == frame && top.code == code {
                if how == Enter::Start {
                    thread.pairs.miss();
                }
                return Ok(());
            }
            if top.address != previous
                && previous != 0
                && let Some(caller) = thread.find(previous)
            {
                let keep = caller + 1 + usize::from(thread.calls_natively(caller));
                self.end_unseen(event, keep, sink)?;
            }
        }
        if has_marked && !self.counts(event.thread, previous, code) {
            return Ok(()); // it starts for the first time, and won't be told of again
        }
        self.run_on(event.thread.pid, frame);
        let began = Began::Seen(how);
        self.open(event.thread, event.time, frame, Some(previous), code, began);
        Ok(())
    }

    fn has_marked(&self, pid: u32) -> bool {
        !self.marked.is_empty() && self.marked.contains(&pid)
    }

    /// Whether an activation that starts concerns the scope.
    fn counts(&mut self, id: ThreadId, caller: u64, code: u64) -> bool {
        let top = self.threads.get_or_insert(id).stack.last();
        let called_by_scope = top.is_some_and(|top| top.calls_from_scope(Some(caller)));
        let known = self.codes.get(&(id.pid, code));
        known.is_some_and(|known| known.counts(called_by_scope, self.filter))
    }

    /// Pushes an activation. `caller` is its caller's frame; `None`: the frame on top.
    fn open(
        &mut self,
        id: ThreadId,
        time: Time,
        address: u64,
        caller: Option<u64>,
        code: u64,
        began: Began,
    ) {
        let Some(known) = self.codes.get(&(id.pid, code)) else {
            debug_assert!(
                false,
                "the kernel program describes a code object before its use"
            );
            return;
        };
        let thread = self.threads.get_or_insert(id);
        let top = thread.stack.last();
        let depth = top.map_or(0, |top| top.depth);
        if !known.activation {
            // Whoever it calls, its caller calls.
            let shim = Frame {
                address,
                code,
                call: None,
                internal: top.is_some_and(|top| top.internal),
                importing: top.is_some_and(|top| top.importing),
                depth,
            };
            thread.stack.push(shim);
            return;
        }
        let under_import = top.is_some_and(|top| top.importing);
        let internal = known.code.category == Category::Internal;
        let called_by_scope = top.is_some_and(|top| top.calls_from_scope(caller));
        let category = match known.code.category {
            Category::Internal if under_import && known.code.kind == Kind::Module => {
                Category::Import
            }
            category => category,
        };
        let external_calls = self.filter.external_calls;
        let counts = known.counts(called_by_scope, self.filter);
        let recorded = counts
            && (internal || external_calls)
            && (category != Category::Import || self.filter.imports);
        let call = recorded.then(|| {
            thread.calls += 1;
            Call {
                thread: id,
                number: thread.calls,
                depth,
                code: Arc::clone(&known.code),
                category,
                start: time,
                duration: 0,
                resumed: match began {
                    Began::Seen(how) => !matches!(how, Enter::Start | Enter::Named),
                    Began::Unseen => false,
                    Began::Compiled { resumed } => resumed,
                },
                already_running: began == Began::Unseen,
                start_inferred: matches!(began, Began::Compiled { .. }),
                exit: Exit::Unfinished,
                exception: None,
                message: None,
                arguments: None,
                result: None,
            }
        });
        if recorded {
            self.totals.calls += 1;
            self.totals.starts_inferred += u64::from(matches!(began, Began::Compiled { .. }));
            *self.totals.of(category) += 1;
            self.totals.may_lack_resumptions |= self.compiling.contains(&id.pid)
                && matches!(known.code.kind, Kind::Generator | Kind::Coroutine);
        }
        thread.stack.push(Frame {
            address,
            code,
            depth: depth + u32::from(recorded),
            call,
            internal,
            importing: if counts {
                category == Category::Import
            } else {
                under_import
            },
        });
    }

    fn leave(
        &mut self,
        event: &Event<'_>,
        frame: u64,
        exit: Exit,
        exception: &[u8],
        values: &[u8],
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        let has_marked = self.has_marked(event.thread.pid);
        let Some(thread) = self.threads.get_mut(event.thread) else {
            return Ok(());
        };
        let Some(at) = thread.find(frame) else {
            // Exceptions are told of wherever they leave a frame.
            if !has_marked {
                thread.pairs.end_elsewhere(frame);
            }
            return Ok(());
        };
        thread.pairs.end();
        self.end_unseen(event, at + 1, sink)?;
        self.pop(event, exit, exception, values, sink)
    }

    /// Ends the activation on top.
    fn pop(
        &mut self,
        event: &Event<'_>,
        exit: Exit,
        exception: &[u8],
        values: &[u8],
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        let Some(thread) = self.threads.get_mut(event.thread) else {
            return Ok(());
        };
        let left = thread.stack.pop();
        if let Some(Frame { address, code, .. }) = left
            && matches!(exit, Exit::Yield | Exit::InferredYield)
        {
            self.suspend(event.thread.pid, address, code);
        }
        if let Some(Frame {
            call: Some(mut call),
            ..
        }) = left
        {
            call.duration = event.time.0.saturating_sub(call.start.0);
            call.exit = exit;
            call.exception = match exception {
                // Without a name it would pass for a return.
                [] => (exit == Exit::Exception).then(|| Arc::from("<unreadable>")),
                name => Some(Arc::from(String::from_utf8_lossy(name))),
            };
            self.take_result(event.thread.pid, &mut call, values);
            sink.call(&call)?;
        }
        Ok(())
    }

    fn end_thread(&mut self, id: ThreadId, time: Time, sink: &mut dyn Sink) -> io::Result<()> {
        self.cut(id, 0, time, Exit::Unfinished, sink)?;
        self.close_gap(id, 0, time, sink)?;
        // Its number stays: the id may come back, and calls are numbered per id.
        if let Some(thread) = self.threads.get_mut(id) {
            thread.stack = Vec::new();
            thread.running = Vec::new();
        }
        Ok(())
    }

    /// Those above the first `keep` have ended by now, and no probe saw it.
    fn end_unseen(
        &mut self,
        event: &Event<'_>,
        keep: usize,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        if let Some(thread) = self.threads.get_mut(event.thread)
            && let Some(above) = thread.stack.get(keep..)
        {
            thread.pairs.lose(above);
        }
        self.cut(event.thread, keep, event.time, Exit::Unseen, sink)
    }

    /// Ends the activations above the first `keep`.
    fn cut(
        &mut self,
        id: ThreadId,
        keep: usize,
        time: Time,
        exit: Exit,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        let Some(thread) = self.threads.get_mut(id) else {
            return Ok(());
        };
        while thread.stack.len() > keep {
            if let Some(Frame {
                call: Some(mut call),
                ..
            }) = thread.stack.pop()
            {
                call.duration = time.0.saturating_sub(call.start.0);
                call.exit = exit;
                sink.call(&call)?;
            }
        }
        Ok(())
    }
}
