//! Nobody stays stopped for the ring's sake, and nobody is let go whom somebody else has stopped.
//! Needs root.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/attach.rs"]
mod attach;
#[path = "common/run.rs"]
mod run;

use std::fs::{self, File};
use std::io::Read as _;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use run::{PYTHON, Place, Running, eventually};

const CALLS: usize = 400_000;
/// With a ring of one megabyte, and calls without a pause, the program is stopped all the time.
const SMALL: [&str; 4] = ["--ring-size", "1", "--no-arg-values", "-o"];

/// A program that makes CALLS calls, and says when it begins and when it is done. First it does `setup`,
/// and between being up and its calls it waits for `gate`.
fn program(setup: &str, gate: &str) -> String {
    format!(
        "
import os
{setup}
def step():
    pass
def run():
    for _ in range({CALLS}):
        step()
print('up', os.getpid(), flush=True)
{gate}
run()
print('done', flush=True)
"
    )
}

fn busy() -> Place {
    Place::with(&program("", ""))
}

fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

/// The program's id, once it is up.
fn up(running: &Running) -> u32 {
    running.line("up ").parse().unwrap()
}

/// `pytrace -o trace.json ARGS x.py`, with a small ring.
fn record(place: &Place, args: &[&str]) -> Running {
    place.start(place.python(&[&SMALL, args].concat()))
}

#[test]
#[ignore = "needs root and eBPF"]
fn the_program_goes_on_when_pytrace_is_killed() {
    for moment in [0, 5, 30, 100] {
        let place = busy();
        let running = record(&place, &["trace.json", "x.py"]);
        up(&running);
        thread::sleep(Duration::from_millis(moment));
        running.signal(Signal::SIGKILL);
        running.line("done");
        assert_eq!(running.wait().code, -9);
        // What was written is there; a trace in which nothing is yet is said to be none.
        let shown = place.run(place.pytrace(&["show", "trace.json"]));
        let empty = fs::metadata(place.path("trace.json")).unwrap().len() == 0;
        assert_eq!(shown.code, i32::from(empty), "{}", shown.stderr);
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn the_program_goes_on_when_pytrace_is_stopped_and_its_losses_are_counted() {
    let place = busy();
    let running = record(&place, &["trace.json", "x.py"]);
    up(&running);
    running.signal(Signal::SIGSTOP);
    running.line("done");
    running.signal(Signal::SIGCONT);
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(recorded_and_lost(&place), CALLS);
}

/// A reader that takes nothing makes pytrace wait, not the program.
#[test]
#[ignore = "needs root and eBPF"]
fn the_program_goes_on_when_the_output_takes_nothing() {
    let place = busy();
    let path = place.path("trace");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let opened = {
        let path = path.clone();
        thread::spawn(move || File::open(path).unwrap())
    };
    let running = record(&place, &["trace", "x.py"]);
    let mut reader = opened.join().unwrap();
    running.line("done");
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("its output took nothing"),
        "{}",
        ran.stderr
    );
    fs::remove_file(&path).unwrap();
    place.write("trace.json", text);
    assert_eq!(recorded_and_lost(&place), CALLS);
}

/// How many calls of `step` are in the trace, or missing from it.
fn recorded_and_lost(place: &Place) -> usize {
    let trace = place.trace("trace.json");
    let begun = |event: &&serde_json::Value| {
        event["name"] == "step" && event["args"]["already_running"] != true
    };
    let recorded = trace.events().filter(begun).count();
    let lost = trace.footer()["lost_by_thread"].as_array().unwrap();
    let starts = lost.iter().map(|thread| thread["starts"].as_u64().unwrap());
    let lost = starts.sum::<u64>() as usize;
    assert!(lost > 0, "nothing was lost: the test tests nothing");
    recorded + lost
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_program_that_somebody_else_has_stopped_stays_stopped() {
    for by in [Signal::SIGSTOP, Signal::SIGTSTP] {
        let place = busy();
        let running = record(&place, &["trace.json", "x.py"]);
        let program = up(&running);
        for moment in [1, 7, 20] {
            thread::sleep(Duration::from_millis(moment));
            signal(program, by);
            // By now pytrace has taken everything, and let go whom it had stopped.
            thread::sleep(Duration::from_millis(500));
            assert_eq!(state(program), Some('T'), "stopped by {by}");
            signal(program, Signal::SIGCONT);
        }
        running.line("done");
        running.wait().recorded(0, &[]);
        assert_eq!(place.trace("trace.json").footer()["lost"], 0);
    }
}

/// A job of a shell, or of whoever looks after its children: neither that nor the program gets a
/// signal, and all the same nothing is lost.
#[test]
#[ignore = "needs root and eBPF"]
fn nobody_notices_that_a_job_is_halted() {
    let place = busy();
    place.write(
        "parent.py",
        format!(
            "
import os, signal, subprocess
heard = []
signal.signal(signal.SIGCHLD, lambda *_: heard.append(1))
job = subprocess.Popen(['{PYTHON}', 'job.py'], preexec_fn=os.setpgrp)
seen = set()
while True:
    pid, status = os.waitpid(job.pid, os.WUNTRACED | os.WCONTINUED)
    seen.add('stopped' if os.WIFSTOPPED(status) else 'continued' if os.WIFCONTINUED(status) else 'ended')
    if 'ended' in seen:
        break
print('heard', len(heard), *seen, flush=True)
"
        ),
    );
    let setup = "import signal\n\
                 signal.signal(signal.SIGCONT, lambda *_: print('continued', flush=True))";
    let gate = "os.read(os.open('gate', os.O_RDONLY), 1)";
    place.write("job.py", program(setup, gate));
    nix::unistd::mkfifo(&place.path("gate"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let parent = place.start(place.command(PYTHON, &["parent.py"]));
    let job = up(&parent);
    let pid = job.to_string();
    // Half of it holds what is recorded until the watchdog has had its turn.
    let args = [
        "--ring-size",
        "8",
        "--lossless",
        "--pid",
        &pid,
        "-o",
        "trace.json",
    ];
    let running = place.start(place.pytrace(&args));
    eventually("the probes", || {
        let (set, all) = attach::probes(job);
        (set == all).then_some(())
    });
    // They record once the last one is on.
    thread::sleep(Duration::from_millis(200));
    fs::write(place.path("gate"), "go").unwrap();
    parent.line("done");
    let heard = parent.line("heard ");
    assert_eq!(heard, "1 ended", "only of its end");
    assert!(!parent.wait().text().contains("continued\n"));
    running.wait().recorded(0, &[]);
    let trace = place.trace("trace.json");
    assert_eq!(trace.footer()["lost"], 0);
    let steps = trace.events().filter(|event| event["name"] == "step");
    assert_eq!(steps.count(), CALLS);
}
