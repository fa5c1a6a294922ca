//! A recording says that nothing is missing only where that is so, and not that something is where
//! nothing is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/attach.rs"]
mod attach;
#[path = "common/counted.rs"]
mod counted;
#[path = "common/run.rs"]
mod run;

use std::thread::sleep;
use std::time::Duration;

use attach::Target;
use counted::{counted, counting, recorded};
use run::{Place, Ran, eventually};

/// What a recording says that it lacks, by the summary and by the file; "": nothing.
#[track_caller]
fn missing(place: &Place, ran: &Ran) -> String {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let figures = ran
        .stderr
        .lines()
        .find(|line| line.contains(" import) in "));
    let figures = figures.unwrap_or_else(|| panic!("{}", ran.stderr));
    let said = figures.rsplit_once("not whole: ").map(|(_, why)| why);
    assert_eq!(
        said.is_none(),
        figures.ends_with(", none lost"),
        "{figures}"
    );
    let trace = place.trace("trace.json");
    let incomplete = &trace.footer()["incomplete"];
    let is_empty = incomplete.as_object().is_none_or(serde_json::Map::is_empty);
    assert_eq!(said.is_none(), is_empty, "{figures}: {incomplete}");
    said.unwrap_or_default().to_owned()
}

/// That a recording which says that it is whole has every call; what it says that it lacks.
#[track_caller]
fn whole_or_told(place: &Place, ran: &Ran) -> String {
    let missing = missing(place, ran);
    if missing.is_empty() {
        let recorded = recorded(&place.trace("trace.json"));
        assert_eq!(recorded, counted(place), "{}", ran.stderr);
    }
    missing
}

const RECORD: [&str; 4] = ["--no-external-calls", "-o", "trace.json", "x.py"];

#[test]
#[ignore = "needs root and BPF"]
fn a_child_that_begins_as_the_program_ends_is_told_of() {
    // At once, and where the recording has ended already: in each, it is one child's calls that may miss.
    for pause in [0, 1, 2, 5, 10, 50] {
        let place = counting(&format!(
            "
import os, subprocess, sys
child = 'import time; time.sleep({pause} / 1000); import counted; counted.run(3)'
subprocess.Popen([sys.executable, '-c', child])
os._exit(0)
"
        ));
        let ran = place.run(place.python(&RECORD));
        let counts = eventually("the child's end", || {
            Some(counted(&place)).filter(|counts| counts.len() == 1)
        });
        let missing = missing(&place, &ran);
        let recorded = recorded(&place.trace("trace.json"));
        if recorded != counts {
            // What has ended by the time pytrace looks may have been anything.
            let told = [
                "1 child process outlived the program, and went on untraced",
                "1 program had ended before it was seen whether it was Python",
            ];
            let of = format!("after {pause} ms: {recorded:?} of {counts:?}");
            assert!(told.contains(&&*missing), "{of}: {}", ran.stderr);
        }
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn a_child_that_is_no_python_may_outlive_the_program() {
    let place = counting(
        "
import subprocess
from counted import run
subprocess.Popen(['sleep', '2'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
subprocess.run('sleep 2 > /dev/null 2>&1 &', shell=True)
run(3)
",
    );
    let ran = place.run(place.python(&RECORD));
    ran.recorded(0, &[]);
    assert_eq!(missing(&place, &ran), "");
    assert_eq!(recorded(&place.trace("trace.json")), counted(&place));
}

/// Has a process that was there execute another program while it is recorded; what is missing.
fn attached_to_at_its_exec() -> String {
    let place = counting(
        "
import os, sys
print('ready', flush=True)
input()
os.execv(sys.executable, [sys.executable, 'next.py'])
",
    );
    place.write("next.py", "from counted import run\nrun(50)\n");
    let mut target = Target::start(place.command(run::PYTHON, &["x.py"]));
    let pid = target.pid().to_string();
    let arguments = [&RECORD[..3], &["--pid", &pid]].concat();
    let recording = place.start(place.pytrace(&arguments));
    eventually("the probes", || {
        matches!(target.probes(), (set, all) if set == all).then_some(())
    });
    // They record once the last one is on.
    sleep(Duration::from_millis(200));
    target.tell("go");
    let ran = recording.wait();
    let missing = whole_or_told(&place, &ran);
    if !missing.is_empty() {
        assert_eq!(missing, "the first calls of 1 process may be missing");
        let why = "could not be held until it is traced (it had begun to run by then)";
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
    missing
}

#[test]
#[ignore = "needs root and BPF"]
fn what_a_process_that_was_there_executes_is_recorded_from_its_start_on_or_that_is_said() {
    // It is stopped some time after its start, which a machine under load makes longer.
    let whole = (0..6).filter(|_| attached_to_at_its_exec().is_empty());
    assert!(
        whole.count() > 0,
        "nothing was ever recorded from its start on"
    );
}

#[test]
#[ignore = "needs root and BPF"]
fn a_copy_that_becomes_another_program_counts_as_what_it_was() {
    // The job of a shell, which is not held: pytrace may find another program by the time it looks, or
    // a process that makes a copy of itself.
    let execs = "run(3); os.execv('/bin/sleep', ['sleep', '0.1'])";
    let forks = "run(3); os.fork() or os._exit(0); os.wait(); os._exit(0)";
    for does in [execs, forks] {
        let place = counting(&format!(
            "
import os
from counted import run
run(1)
memory = bytearray(100 << 20)
for n in range(5):
    pid = os.fork()
    if pid == 0:
        {does}
    os.waitpid(pid, 0)
"
        ));
        let job = ["--", "bash", "-c", "set -m; $0 x.py", run::PYTHON];
        let ran = place.run(place.pytrace(&[&RECORD[..3], &job].concat()));
        whole_or_told(&place, &ran);
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn what_ran_while_pytrace_stood_still_is_told_of() {
    // The watchdog lets it go on; and what is not held has ended, but for its last words, which nobody
    // takes yet.
    let held = "subprocess.run([sys.executable, 'y.py'])";
    let job = "job = subprocess.Popen([sys.executable, 'y.py'], stdout=full, process_group=0)";
    for (starts, wait) in [(held, "0"), (job, "1")] {
        let place = counting(&format!(
            "
import fcntl, os, signal, subprocess, sys, time
from counted import f
f()
reader, full = os.pipe()
room = fcntl.fcntl(full, fcntl.F_GETPIPE_SZ)
os.write(full, b'x' * room)
pytrace = os.getppid()
os.kill(pytrace, signal.SIGSTOP)
{starts}
time.sleep({wait})
os.kill(pytrace, signal.SIGCONT)
time.sleep(0.3)
os.read(reader, room)
if {wait}: job.wait()
"
        ));
        place.write("y.py", "from counted import run\nrun(3)\nprint('y')\n");
        let ran = place.run(place.python(&RECORD));
        let missing = whole_or_told(&place, &ran);
        assert!(!missing.is_empty(), "{starts}: {}", ran.stderr);
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn a_child_that_somebody_lets_go_on_is_told_of_also_if_it_ends_at_once() {
    // Who sends SIGCONT all the time lets each go on before its probes are on, or does not.
    let place = counting(
        "
import os, signal, sys
from counted import run
for n in range(40):
    pid = os.fork()
    if pid == 0:
        run(1)
        os._exit(0)
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        os.kill(pid, signal.SIGCONT)
",
    );
    let ran = place.run(place.python(&RECORD));
    let missing = missing(&place, &ran);
    let (recorded, counts) = (recorded(&place.trace("trace.json")), counted(&place));
    let short = counts
        .iter()
        .filter(|(pid, calls)| recorded.get(pid) != Some(calls))
        .count();
    assert!(short > 0, "nobody was let go: it is not tried");
    let told = missing
        .strip_prefix("the first calls of ")
        .unwrap_or_else(|| panic!("{missing}"));
    let told: usize = told.split(' ').next().unwrap().parse().unwrap();
    assert!(told >= short, "{told} of {short}: {}", ran.stderr);
}

#[test]
#[ignore = "needs root and BPF"]
fn a_child_that_is_killed_while_it_is_held_lacks_nothing() {
    let place = counting(
        "
import os, signal
from counted import run
for n in range(40):
    pid = os.fork()
    if pid == 0:
        while True: pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
run(2)
",
    );
    let ran = place.run(place.python(&RECORD));
    assert_eq!(missing(&place, &ran), "", "{}", ran.stderr);
    assert_eq!(recorded(&place.trace("trace.json")), counted(&place));
}
