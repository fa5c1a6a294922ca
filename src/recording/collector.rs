//! Keeps calls in memory, for when no file was asked for.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::{Builder, Flags, Footer, Recording, Row};
use crate::trace::{Call, Category, Code, Exit, Gap, Sink, ThreadId};

/// A [`Sink`] that makes a [`Recording`] of what it is given.
#[derive(Debug, Default)]
pub struct Collector {
    builder: Builder,
    /// By address and category: the codes are kept, so that no address is used twice.
    codes: HashMap<(usize, Category), (Arc<Code>, u32)>,
}

impl Collector {
    /// An empty one.
    pub fn new() -> Self {
        Collector::default()
    }

    /// Names a process.
    pub fn process_name(&mut self, pid: u32, name: &str) {
        self.builder.names.process(pid, name.to_owned());
    }

    /// Names a thread.
    pub fn thread_name(&mut self, thread: ThreadId, name: &str) {
        self.builder.names.thread(thread, name.to_owned());
    }

    /// Ends the recording.
    pub fn finish(self, footer: Footer) -> Recording {
        self.builder.finish(Some(footer), false)
    }

    fn code(&mut self, call: &Call) -> u32 {
        let key = (Arc::as_ptr(&call.code) as usize, call.category);
        let names = &mut self.builder.names;
        let (_, index) = self.codes.entry(key).or_insert_with(|| {
            let code = Code {
                category: call.category,
                ..(*call.code).clone()
            };
            (call.code.clone(), names.code(&code))
        });
        *index
    }
}

impl Sink for Collector {
    fn call(&mut self, call: &Call) -> io::Result<()> {
        let code = self.code(call);
        let exception = call.exception.as_deref();
        let mut flags = Flags::default();
        flags.set(Flags::RESUMED, call.resumed);
        flags.set(Flags::ALREADY_RUNNING, call.already_running);
        flags.set(Flags::START_INFERRED, call.start_inferred);
        flags.set(Flags::UNFINISHED, call.exit == Exit::Unfinished);
        flags.set(Flags::END_INFERRED, call.exit == Exit::InferredYield);
        flags.set(
            Flags::RAISED,
            call.exit == Exit::Exception || exception.is_some(),
        );
        flags.set(
            Flags::YIELDED,
            call.exit == Exit::Yield && call.result.is_some(),
        );
        let outcome = match flags.has(Flags::RAISED) {
            true => &call.message,
            false => &call.result,
        };
        let texts = &mut self.builder.texts;
        let arguments = call.arguments.as_ref();
        let arguments = arguments.and_then(|arguments| texts.add(arguments.borrowed().text()));
        let outcome = outcome.as_deref().and_then(|text| texts.add(text));
        let row = Row {
            start: call.start,
            duration: call.duration,
            number: call.number,
            code,
            depth: call.depth,
            exception: exception.and_then(|name| self.builder.names.exception(name)),
            arguments,
            outcome,
            flags,
        };
        self.builder.call(call.thread, row, true);
        Ok(())
    }

    fn gap(&mut self, gap: &Gap) -> io::Result<()> {
        self.builder.gap(gap.thread, gap.into());
        Ok(())
    }
}
