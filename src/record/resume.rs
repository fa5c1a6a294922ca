//! Letting processes go on that were stopped on our behalf, and nobody else's.
//!
//! A SIGCONT ends all stops of a process, and takes away those that are still waiting. Who else has sent
//! one is known to a kernel program (`bpf/foreign.h`), which sees each signal where it is generated, and
//! so also what came between a look and the SIGCONT that followed it.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::process;
use crate::tracer::Holds;

/// How often somebody else may be quicker than we are in one go. Who sends signals without a pause would
/// keep us busy for ever.
const HASTE: usize = 1000;

/// How often it is looked whether our own SIGSTOP has come, and how long in between: an interrupt sends
/// it, which a kernel with PREEMPT_RT gives to a thread that has to wait for its turn.
const LOOKS: usize = 100;
const PAUSE: Duration = Duration::from_micros(100);

/// Lets a process go on that was stopped on our behalf, unless somebody else has stopped it as well.
pub(super) fn resume(holds: &Holds, pid: u32) {
    match holds.is_wanted_stopped(pid) {
        // Who wants that lets it go on.
        Some(true) => {}
        Some(false) => {
            for _ in 0..LOOKS {
                if !holds.is_due(pid) {
                    break;
                }
                thread::sleep(PAUSE);
            }
            // Gone is as good.
            let _ = process::signal(pid, Signal::SIGCONT);
            for _ in 0..HASTE {
                let Some(owed) = holds.owed(pid) else { break };
                if process::signal(pid, owed).is_err() {
                    break;
                }
            }
        }
        None => resume_by_looks(pid),
    }
}

/// Lets a process go on by what `/proc` tells alone: another's stop that came before ours was acted on,
/// or after the look, is not seen.
///
/// A SIGSTOP that came when the process was stopped already is heeded: its sender lets the process go.
/// The others may mean something else to the program, and are sent again.
pub(super) fn resume_by_looks(pid: u32) {
    // In this order: the one that is to stop it may reach it in between.
    let has_stopped = process::is_stopped(pid);
    let waiting = process::waiting_signals(pid);
    let waits = |signal: Signal| waiting >> (signal as i32 - 1) & 1 != 0;
    // The one that stopped it is not waiting any more when it has.
    if has_stopped && waits(Signal::SIGSTOP) {
        return;
    }
    let others = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU];
    // Gone is as good.
    let _ = process::signal(pid, Signal::SIGCONT);
    for other in others.into_iter().filter(|other| waits(*other)) {
        let _ = process::signal(pid, other);
    }
}
