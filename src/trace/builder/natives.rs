//! Functions written in C that the scope's code calls, as the interpreter tells where it was asked to
//! (`src/record/request/finder.py`): it runs code objects that stand for their starts and ends, each called
//! by who calls the function.
//!
//! What calls a function of Python's on a C function's behalf has the caller's frame: as on a stack of
//! Python's alone, the scope's code calls it.

use std::io;

use super::{Began, Builder, Classify};
use crate::event::{CodeRecord, Enter, Event};
use crate::trace::threads::NATIVE;
use crate::trace::{Category, Code, Exit, Kind, Sink};

/// What a code object is that pytrace has an interpreter run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    /// Its own lines: nothing of the program's.
    Lines,
    /// It runs where a C function starts.
    Starts,
    /// Where one returns.
    Returns,
    /// Where an exception leaves one.
    Raises,
}

impl Own {
    /// Told by its `co_filename`.
    pub(super) fn of(record: &CodeRecord) -> Option<Own> {
        match &*record.filename.text {
            "<pytrace>" => Some(Own::Lines),
            "<pytrace: C>" => Some(Own::Starts),
            "<pytrace: C returns>" => Some(Own::Returns),
            "<pytrace: C raises>" => Some(Own::Raises),
            _ => None,
        }
    }
}

/// The C function that a code object stands for.
pub(super) fn native(record: &CodeRecord) -> Code {
    Code {
        name: record.name.text.clone(),
        file: "<built-in>".to_owned(),
        line: 0,
        kind: Kind::Builtin,
        category: Category::External,
    }
}

impl<C: Classify> Builder<C> {
    /// What a code object is, if it is none of the program's.
    pub(super) fn own(&self, pid: u32, code: u64) -> Option<Own> {
        self.codes.get(&(pid, code))?.own
    }

    /// Code of pytrace's own starts, called by that of `caller`.
    pub(super) fn enter_own(
        &mut self,
        event: &Event<'_>,
        caller: u64,
        code: u64,
        own: Own,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        match own {
            Own::Lines => Ok(()),
            Own::Starts => self.start_native(event, caller, code, sink),
            Own::Returns => self.end_native(event, caller, Exit::Return, sink),
            Own::Raises => self.end_native(event, caller, Exit::Exception, sink),
        }
    }

    fn start_native(
        &mut self,
        event: &Event<'_>,
        caller: u64,
        code: u64,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        let Some(thread) = self.threads.get_mut(event.thread) else {
            return Ok(());
        };
        let Some(at) = thread.find(caller) else {
            return Ok(());
        };
        // In free-threaded builds, a thread that has no copy of the code yet runs its start twice.
        let above = thread.stack.get(at + 1);
        if above.is_some_and(|above| above.address == caller | NATIVE && above.code == code) {
            return Ok(());
        }
        let importing = thread.stack[at].importing;
        self.end_unseen(event, at + 1, sink)?;
        let (address, began) = (caller | NATIVE, Began::Seen(Enter::Start));
        self.open(event.thread, event.time, address, Some(caller), code, began);
        if let Some(top) = self.threads.get_or_insert(event.thread).stack.last_mut() {
            // Whom it calls, its caller calls.
            top.internal = true;
            top.importing = importing;
        }
        Ok(())
    }

    fn end_native(
        &mut self,
        event: &Event<'_>,
        caller: u64,
        exit: Exit,
        sink: &mut dyn Sink,
    ) -> io::Result<()> {
        let Some(thread) = self.threads.get_mut(event.thread) else {
            return Ok(());
        };
        // Not if its start was not told, as one at the recursion limit.
        let Some(at) = thread.find(caller | NATIVE) else {
            return Ok(());
        };
        self.end_unseen(event, at + 1, sink)?;
        let exception = match exit {
            // The interpreter keeps it to itself while it tells (`C_RAISE`).
            Exit::Exception => b"<unknown>".as_slice(),
            _ => &[],
        };
        self.pop(event, exit, exception, &[], sink)
    }
}
