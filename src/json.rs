//! A recording and its repeating patterns as JSON, for scripts and checks.
//!
//! `docs/show-json.md` is the contract: every member, its unit and its range. The text is written
//! while the lists are walked, so there is no copy of it in memory, and nothing recurses: calls nest
//! as deep as they like.
//!
//! ```json
//! {"format":1,"grouping":"near",
//! "threads":[
//! {"pid":812,"tid":812,"calls":13,"items":[
//! {"call":1,"name":"<module>","file":"/p/train.py","line":1,"items":[
//! {"repeat":6,"calls_per_repetition":2,"first_call":2,"last_call":13,"items":[
//! {"call":2,"name":"Trainer.step","file":"/p/train.py","line":88,"items":[
//! {"call":3,"name":"Trainer.check","file":"/p/train.py","line":99}]}]}]}]}
//! ],
//! "stats":{"calls":13,"rows":4}}
//! ```
//!
//! Pure: no BPF, no file system, no clock.

mod call;
mod gap;
mod nest;
mod repeat;
mod statistics;

use std::io::{self, Write};

use serde::Serialize;

use crate::pattern::{Node, Patterns};
use crate::recording::{self, Footer, Recording, Thread};
use call::{CallMembers, self_times};
use gap::GapMembers;
use nest::Nest;
use repeat::RepeatMembers;
use statistics::StatisticsMembers;

/// Version of the form. It changes when a member changes its meaning or goes away, not when one is
/// added.
const FORMAT: u32 = 1;

/// What is written of a recording.
#[derive(Debug, Clone, Copy)]
pub struct JsonOptions {
    /// Whether arguments, results and messages of exceptions are.
    pub values: bool,
    /// How many calls were left out of the recording as asked for, which is told.
    pub left_out: u64,
}

impl Default for JsonOptions {
    fn default() -> Self {
        JsonOptions {
            values: true,
            left_out: 0,
        }
    }
}

/// What comes before the threads.
#[derive(Serialize)]
struct Head<'r> {
    format: u32,
    grouping: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<&'r Footer>,
}

#[derive(Serialize)]
struct ThreadMembers<'r> {
    pid: u32,
    tid: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    process: &'r str,
    calls: usize,
}

/// Writes `recording`, grouped by its `patterns`; without them, call by call. `out` should be
/// buffered.
pub fn write_json(
    recording: &Recording,
    patterns: Option<&Patterns<'_>>,
    options: JsonOptions,
    out: &mut impl Write,
) -> io::Result<()> {
    let grouping = patterns.map_or("none", |patterns| patterns.nearness().as_str());
    let mut nest = Nest::new(
        out,
        &Head {
            format: FORMAT,
            grouping,
            recording: recording.footer.as_ref(),
        },
        "threads",
    )?;
    for (index, thread) in recording.threads.iter().enumerate() {
        nest.begin(&ThreadMembers {
            pid: thread.id.pid,
            tid: thread.id.tid,
            name: &thread.name,
            process: &thread.process_name,
            calls: thread.calls.len(),
        })?;
        let calls = Calls {
            recording,
            options,
            thread,
            self_times: self_times(&thread.calls),
        };
        match patterns {
            Some(patterns) => calls.write_grouped(patterns, index, &mut nest)?,
            None => calls.write_plain(&mut nest)?,
        }
        nest.end()?;
    }
    nest.finish(
        "stats",
        &StatisticsMembers::of(recording, patterns, options),
    )
}

/// Ends the calls of this depth and beyond.
fn end_to<W: Write>(depth: u32, open: &mut u32, nest: &mut Nest<'_, W>) -> io::Result<()> {
    while *open > depth {
        nest.end()?;
        *open -= 1;
    }
    Ok(())
}

/// The calls of a thread, on their way out.
struct Calls<'r> {
    recording: &'r Recording,
    options: JsonOptions,
    thread: &'r Thread,
    self_times: Vec<u64>,
}

impl Calls<'_> {
    fn write_grouped<W: Write>(
        &self,
        patterns: &Patterns<'_>,
        index: usize,
        nest: &mut Nest<'_, W>,
    ) -> io::Result<()> {
        let mut lists = vec![patterns.thread(index)];
        while let Some(list) = lists.last_mut() {
            match list.next() {
                Some(Node::Call(call)) => {
                    nest.begin(&self.call(call.index()))?;
                    lists.push(call.callees());
                }
                Some(Node::Gap(gap)) => {
                    nest.begin(&GapMembers::from(gap))?;
                    nest.end()?;
                }
                Some(Node::Repeat(repeat)) => {
                    nest.begin(&RepeatMembers::of(&repeat, &self.thread.calls))?;
                    lists.push(repeat.body());
                }
                None => {
                    lists.pop();
                    // The first list is the thread's, which its caller ends.
                    if !lists.is_empty() {
                        nest.end()?;
                    }
                }
            }
        }
        Ok(())
    }

    fn write_plain<W: Write>(&self, nest: &mut Nest<'_, W>) -> io::Result<()> {
        let mut open = 0;
        let calls = recording::Calls::all(self.thread);
        let mut gaps = calls.gaps().iter().peekable();
        for (index, row) in self.thread.calls.iter().enumerate() {
            while let Some(gap) = gaps.next_if(|gap| gap.position <= index) {
                end_to(gap.depth, &mut open, nest)?;
                nest.begin(&GapMembers::from(gap))?;
                nest.end()?;
            }
            end_to(row.depth, &mut open, nest)?;
            nest.begin(&self.call(index))?;
            open += 1;
        }
        for gap in gaps {
            end_to(gap.depth, &mut open, nest)?;
            nest.begin(&GapMembers::from(gap))?;
            nest.end()?;
        }
        end_to(0, &mut open, nest)
    }

    fn call(&self, index: usize) -> CallMembers<'_> {
        let row = &self.thread.calls[index];
        CallMembers::of(self.recording, row, self.self_times[index], self.options)
    }
}
