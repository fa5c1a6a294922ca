//! Writes a recording that is in memory.

use std::io;
use std::sync::Arc;

use super::chrome::ChromeWriter;
use super::output::Output;
use crate::recording::{Flags, Footer, Recording, Row};
use crate::trace::{self, Arguments, Call, Code, Exit, Sink as _, ThreadId};

/// Writes `recording` to `output` as a recorder would have, thread by thread.
///
/// Of another tool's trace that is what pytrace understands of it: its calls.
pub fn write<O: Output>(recording: &Recording, output: O) -> io::Result<()> {
    let mut writer = ChromeWriter::new(output);
    // The writer knows a code object by its address.
    let codes: Vec<Arc<Code>> = recording.codes.iter().cloned().map(Arc::new).collect();
    let mut process = None;
    for thread in &recording.threads {
        if process != Some(thread.id.pid) && !thread.process_name.is_empty() {
            writer.process_name(thread.id.pid, &thread.process_name)?;
        }
        process = Some(thread.id.pid);
        if !thread.name.is_empty() {
            writer.thread_name(thread.id, &thread.name)?;
        }
        for row in &thread.calls {
            writer.call(&call(recording, &codes, thread.id, row))?;
        }
        for gap in &thread.gaps {
            writer.gap(&trace::Gap {
                thread: thread.id,
                after_call: gap.after_call,
                depth: gap.depth,
                since: gap.since,
                until: gap.until,
                starts: gap.starts,
                ends: gap.ends,
            })?;
        }
    }
    let footer = recording.footer.clone().unwrap_or_else(|| Footer {
        format: Footer::FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Footer::default()
    });
    match writer.finish(&footer)?.failure {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

fn call(recording: &Recording, codes: &[Arc<Code>], thread: ThreadId, row: &Row) -> Call {
    let code = Arc::clone(&codes[row.code as usize]);
    let arguments = recording.arguments(row);
    Call {
        thread,
        number: row.number,
        depth: row.depth,
        category: code.category,
        code,
        start: row.start,
        duration: row.duration,
        resumed: row.flags.has(Flags::RESUMED),
        already_running: row.flags.has(Flags::ALREADY_RUNNING),
        start_inferred: row.flags.has(Flags::START_INFERRED),
        exit: exit(row.flags),
        exception: recording.exception(row).map(Arc::from),
        message: recording.message(row).map(Box::from),
        arguments: arguments.map(|arguments| Arguments::new(arguments.iter())),
        result: recording.result(row).map(Box::from),
    }
}

/// What the file tells of an end; it tells no returns from ends that no probe saw.
fn exit(flags: Flags) -> Exit {
    if flags.has(Flags::UNFINISHED) {
        Exit::Unfinished
    } else if flags.has(Flags::RAISED) {
        Exit::Exception
    } else if flags.has(Flags::END_INFERRED) {
        Exit::InferredYield
    } else if flags.has(Flags::YIELDED) {
        Exit::Yield
    } else {
        Exit::Return
    }
}
