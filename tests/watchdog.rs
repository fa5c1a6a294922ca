//! Nobody stays stopped for the ring's sake, and nobody is let go whom somebody else has stopped.
//! Needs root.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/attach.rs"]
mod attach;
#[path = "common/run.rs"]
mod run;

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
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

/// A program that makes calls until it gets a SIGUSR1.
const ENDLESS: &str = "
import os, signal
over = False
def end(*_):
    global over
    over = True
signal.signal(signal.SIGUSR1, end)
def step():
    pass
print('up', os.getpid(), flush=True)
while not over:
    step()
print('done', flush=True)
";

/// Somebody else, who sends signals to a program that is recorded.
struct Stranger {
    pytrace: u32,
    program: u32,
    phases: Phases,
}

impl Stranger {
    /// Records a program that makes calls without a pause, on one processor with pytrace. The stranger
    /// has another, if there is one, so that its signals come at any moment of pytrace's own.
    fn disturbs(disturb: impl FnOnce(Stranger) + Send) {
        let place = Place::with(ENDLESS);
        let processors = processors();
        let (first, last) = (processors[0], processors[processors.len() - 1]);
        let mut command = place.python(&[&SMALL[..], &["trace.json", "x.py"]].concat());
        // SAFETY: one system call.
        unsafe {
            command.pre_exec(move || {
                run_on(first);
                Ok(())
            });
        }
        let running = place.start(command);
        let (pytrace, program) = (running.id(), up(&running));
        thread::scope(|scope| {
            scope.spawn(|| {
                run_on(last);
                let phases = Phases(1);
                disturb(Stranger {
                    pytrace,
                    program,
                    phases,
                });
            });
        });
        signal(program, Signal::SIGUSR1);
        running.line("done");
        running.wait().recorded(0, &[]);
        assert_eq!(place.trace("trace.json").footer()["lost"], 0);
    }

    /// Lets the program run for up to some milliseconds: pytrace stops it more often than that.
    fn pause(&mut self) {
        thread::sleep(Duration::from_micros(self.phases.below(4000)));
    }

    fn send(&self, by: Signal) {
        signal(self.program, by);
    }

    /// How often the program has got the processor: no more as long as it is stopped.
    fn turns(&self) -> u64 {
        count(self.program, "voluntary_ctxt_switches")
            + count(self.program, "nonvoluntary_ctxt_switches")
    }

    /// Whether the program comes to rest. One that pytrace has let go by mistake does not, and is
    /// stopped for the ring's sake again and again.
    fn stays_stopped(&self) -> bool {
        /// A program that has not acted on the stop yet, or is sent it anew, takes some.
        const LOOKS: u32 = 200;
        (0..LOOKS).any(|_| {
            thread::sleep(Duration::from_millis(5));
            self.rests()
        })
    }

    /// Whether the program is stopped by somebody else than pytrace. Pytrace has been woken before the
    /// program stops for the ring's sake, and does not sleep before it has let it go.
    fn rests(&self) -> bool {
        let turns = self.turns();
        let is_stopped = || state(self.program) == Some('T');
        let syscall = || fs::read_to_string(format!("/proc/{}/syscall", self.pytrace)).unwrap();
        let sleeps = || syscall().split(' ').next() == Some(&libc::SYS_epoll_wait.to_string());
        is_stopped() && sleeps() && is_stopped() && self.turns() == turns
    }
}

/// A number in `/proc/PID/status`.
fn count(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap().trim().parse().unwrap()
}

/// The processors that this may run on.
fn processors() -> Vec<usize> {
    // SAFETY: a set of bits, and the kernel fills it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        assert_eq!(
            libc::sched_getaffinity(0, size_of_val(&set), &raw mut set),
            0
        );
        (0..libc::CPU_SETSIZE as usize)
            .filter(|&processor| libc::CPU_ISSET(processor, &set))
            .collect()
    }
}

/// Has the calling thread, and what it starts, run on this processor alone.
fn run_on(processor: usize) {
    // SAFETY: a set of bits, which the kernel reads.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        assert_eq!(
            libc::sched_setaffinity(0, size_of_val(&set), &raw const set),
            0
        );
    }
}

/// Moments that are spread evenly and the same in each run (xorshift).
struct Phases(u64);

impl Phases {
    /// A number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_program_that_somebody_else_has_stopped_stays_stopped() {
    const ROUNDS: u32 = 50;
    for by in [Signal::SIGSTOP, Signal::SIGTSTP] {
        Stranger::disturbs(|mut stranger| {
            let ended = (0..ROUNDS).filter(|_| {
                stranger.pause();
                stranger.send(by);
                let stays = stranger.stays_stopped();
                stranger.send(Signal::SIGCONT);
                !stays
            });
            assert_eq!(
                ended.count(),
                0,
                "of {ROUNDS} stops by {by}, pytrace has ended some"
            );
        });
    }
}

/// Signals in such haste that some come between a look of pytrace's and what it does then: of going by
/// `/proc` alone, that made one in some 60 of these rounds end wrong.
#[test]
#[ignore = "needs root and eBPF"]
fn of_stops_and_continuations_by_somebody_else_the_last_counts() {
    const ROUNDS: u32 = 300;
    Stranger::disturbs(|mut stranger| {
        for round in 0..ROUNDS {
            stranger.pause();
            for _ in 0..stranger.phases.below(64) {
                let which = stranger.phases.below(2) as usize;
                stranger.send([Signal::SIGSTOP, Signal::SIGCONT][which]);
                for _ in 0..stranger.phases.below(2000) {
                    std::hint::spin_loop();
                }
            }
            stranger.send(Signal::SIGSTOP);
            assert!(stranger.stays_stopped(), "stopped last, in round {round}");
            let turns = stranger.turns();
            stranger.send(Signal::SIGCONT);
            eventually("the program to go on", || {
                (stranger.turns() > turns).then_some(())
            });
        }
    });
}

/// Both hold its children at the same moments. Neither's stop is taken for somebody else's, who would
/// have to end it.
#[test]
#[ignore = "needs root and eBPF"]
fn two_recordings_of_a_program_do_not_wait_for_each_other() {
    let children = "
import subprocess, sys
for _ in range(5):
    subprocess.run([sys.executable, '-S', '-c', 'pass'], check=True)
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
";
    let place = Place::with(&program(children, ""));
    let inner = place.python(&[&SMALL[..], &["inner.json", "x.py"]].concat());
    let mut args: Vec<&str> = SMALL.to_vec();
    args.extend(["outer.json", "--"]);
    let command: Vec<_> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| word.to_str().unwrap())
        .collect();
    args.extend(command);
    let running = place.start(place.pytrace(&args));
    running.line("done");
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for trace in ["inner.json", "outer.json"] {
        let trace = place.trace(trace);
        let steps = trace.events().filter(|event| event["name"] == "step");
        assert_eq!(steps.count(), CALLS, "{}", ran.stderr);
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
