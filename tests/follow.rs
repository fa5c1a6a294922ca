//! Trees of processes: each child is recorded from its first instruction on, and none is disturbed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/counted.rs"]
mod counted;
#[path = "common/run.rs"]
mod run;

use std::fs;
use std::path::PathBuf;

use counted::{COUNTED, agrees, counted, counting, recorded};
use nix::sys::signal::Signal;
use run::{Place, eventually};

#[test]
#[ignore = "needs root and BPF"]
fn forked_children_are_recorded_from_the_fork_on() {
    let script = "
import os
from counted import f, run
def middle(n):
    f()
    pid = os.fork()
    if pid == 0:
        run(n)
        os._exit(7)
    assert os.waitpid(pid, 0)[1] == 7 << 8
for n in range(1, 6):
    middle(n)
run(3)
";
    let trace = agrees(script, 6);
    // What the parent was in at the fork was running already in the child.
    let middles = trace.events().filter(|event| event["name"] == "middle");
    let (inherited, own): (Vec<_>, Vec<_>) =
        middles.partition(|event| event["args"]["already_running"] == true);
    assert_eq!((inherited.len(), own.len()), (5, 5));
    for event in inherited {
        assert_eq!(event["args"]["unfinished"], true, "{event}");
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn children_of_every_making_are_recorded() {
    let script = "
import multiprocessing, os, subprocess, sys, threading
import counted
def child(n):
    return [sys.executable, '-c', f'import counted; counted.run({n})']
def main():
    subprocess.run(child(1), check=True)                                    # vfork, exec
    subprocess.run(child(2), check=True, preexec_fn=counted.f)              # fork, exec
    os.waitpid(os.posix_spawn(sys.executable, child(3), os.environ), 0)
    os.waitpid(os.spawnv(os.P_NOWAIT, sys.executable, child(4)), 0)
    nested = f'{sys.executable} -c \"import counted; counted.run(5)\"'
    subprocess.run(f'({nested}; true) | cat; true', shell=True, check=True)
    subprocess.run(['env', 'sh', '-c', f'exec {nested}'], check=True, start_new_session=True)
    for method in 'fork', 'spawn', 'forkserver':
        process = multiprocessing.get_context(method).Process(target=counted.run, args=(6,))
        process.start()
        process.join()
        assert process.exitcode == 0
    def in_thread():
        pid = os.fork()
        if pid == 0:
            counted.run(7)
            os._exit(0)
        os.waitpid(pid, 0)
    threads = [threading.Thread(target=in_thread) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    read, write = os.pipe()
    if os.fork() == 0:                                                      # a daemon
        os.setsid()
        if os.fork() == 0:
            counted.run(8)
            os._exit(0)
        os._exit(0)
    os.wait()
    os.close(write)
    assert os.read(read, 1) == b''                                          # the daemon's end
    counted.run(9)
if __name__ == '__main__':
    os.environ['PYTHONPATH'] = os.path.dirname(os.path.abspath(__file__))
    main()
";
    // The preexec_fn's call is one of a process that runs another program then, where it counts
    // anew: without it in the comparison.
    let place = counting(script);
    let ran = place.run(place.python(&["--no-external-calls", "-o", "trace.json", "x.py"]));
    ran.recorded(0, &[]);
    let counts = counted(&place);
    let trace = place.trace("trace.json");
    let mut seen = recorded(&trace);
    let preexec = counts.iter().find(|(_, count)| **count == 2).unwrap().0;
    *seen.get_mut(preexec).unwrap() -= 1;
    assert_eq!(seen, counts);
    assert_eq!(counts.len(), 6 + 3 + 4 + 2, "{counts:?}");
}

#[test]
#[ignore = "needs root and BPF"]
fn hundreds_of_short_lives_leave_nothing_behind() {
    let place = counting(
        "
import os, sys
from counted import run
for n in range(500):
    if os.fork() == 0:
        run(2)
        os._exit(0)
    if n % 8 == 7:
        for _ in range(8): os.wait()
for _ in range(500 % 8): os.wait()
print('all', flush=True)
sys.stdin.read()
",
    );
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = place.python(&["--no-external-calls", "-o", "trace.json", "x.py"]);
    command.stdin(reader);
    let running = place.start(command);
    running.line("all");
    // Each process has several links, each a descriptor, while it lives; the kernel programs and
    // their maps are some 70.
    let descriptors = format!("/proc/{}/fd", running.id());
    eventually("the links to be gone", || {
        (fs::read_dir(&descriptors).unwrap().count() < 100).then_some(())
    });
    drop(writer);
    running.wait().recorded(0, &[]);
    let counts = counted(&place);
    // Fewer where an id came back.
    assert!(counts.len() > 450, "{}", counts.len());
    assert_eq!(
        recorded(&place.trace("trace.json")).values().sum::<usize>(),
        1000
    );
}

#[test]
#[ignore = "needs root and BPF"]
fn children_are_left_alone_on_demand() {
    let place = counting(
        "
import os
from counted import run
if os.fork() == 0:
    run(2)
    os._exit(0)
os.wait()
run(3)
",
    );
    let ran = place.run(place.python(&[
        "--no-follow",
        "--no-external-calls",
        "-o",
        "trace.json",
        "x.py",
    ]));
    ran.recorded(0, &[]);
    assert_eq!(counted(&place).len(), 2);
    let counts = recorded(&place.trace("trace.json"));
    assert_eq!(counts.values().collect::<Vec<_>>(), [&3]);
}

#[test]
#[ignore = "needs root and BPF"]
fn children_that_outlive_the_program_go_on_untraced() {
    let place = counting(
        "
import os, sys, time
from counted import f, run
if os.fork() == 0:
    f()
    open('up', 'w').close()
    while not os.path.exists('go'): time.sleep(0.01)
    run(1)
    os._exit(0)
while not os.path.exists('up'): time.sleep(0.01)
",
    );
    let ran = place.run(place.python(&["--no-external-calls", "-o", "trace.json", "x.py"]));
    ran.recorded(0, &[]);
    let claim = ", not whole: 1 child process outlived the program, and went on untraced\n";
    assert!(ran.stderr.contains(claim), "{}", ran.stderr);
    place.write("go", "");
    eventually("the child's end", || {
        counted(&place)
            .values()
            .any(|&count| count == 2)
            .then_some(())
    });
    let counts = recorded(&place.trace("trace.json"));
    assert_eq!(counts.values().collect::<Vec<_>>(), [&1]);
}

#[test]
#[ignore = "needs root and BPF"]
fn children_of_an_attached_process_are_recorded() {
    let place = counting(
        "
import os, subprocess, sys, time
from counted import run
print('up', flush=True)
while not os.path.exists('go'): time.sleep(0.01)
if os.fork() == 0:
    run(2)
    os._exit(0)
os.wait()
subprocess.run([sys.executable, '-c', 'import counted; counted.run(3)'], check=True)
",
    );
    let target = place.start(place.command(run::PYTHON, &["x.py"]));
    target.line("up");
    let pid = target.id().to_string();
    let tracing =
        place.start(place.pytrace(&["--no-external-calls", "-o", "trace.json", "--pid", &pid]));
    eventually("the first call", || {
        let trace = fs::metadata(place.path("trace.json")).ok()?;
        (trace.len() > 0).then_some(())
    });
    place.write("go", "");
    assert_eq!(target.wait().code, 0);
    tracing.wait().recorded(0, &[]);
    assert_eq!(recorded(&place.trace("trace.json")), counted(&place));
}

#[test]
#[ignore = "needs root and BPF"]
fn each_interpreter_of_a_tree_has_its_own_plan() {
    let root = std::env::var_os("PYTRACE_TRIXIE")
        .expect("scripts/root-tests.sh says where Debian trixie is");
    let root = PathBuf::from(root);
    let place = counting("");
    // The child sees its program under the same path as we do ours.
    let name = place.path("").file_name().unwrap().to_owned();
    let inside = tempfile::Builder::new()
        .prefix(&name)
        .rand_bytes(0)
        .tempdir_in(root.join("tmp"))
        .unwrap();
    fs::write(inside.path().join("counted.py"), COUNTED).unwrap();
    place.write(
        "x.py",
        format!(
            "
import os, subprocess, sys
from counted import run
run(2)
child = ['chroot', {:?}, 'python3', '-c', \"import sys; sys.path[0] = '/tmp/{}'; import counted; counted.run(3)\"]
subprocess.run(child, check=True)
",
            root.display(),
            name.display()
        ),
    );
    let ran = place.run(place.python(&["--no-external-calls", "-o", "trace.json", "x.py"]));
    ran.recorded(0, &[]);
    let trace = place.trace("trace.json");
    let mut counts: Vec<usize> = recorded(&trace).into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts, [2, 3]);
    let interpreters = trace.footer()["interpreters"].as_array().unwrap();
    let versions: Vec<&str> = interpreters
        .iter()
        .map(|interpreter| interpreter["version"].as_str().unwrap())
        .collect();
    assert_eq!(interpreters.len(), 2, "{interpreters:?}");
    assert_ne!(versions[0], versions[1]);
    assert!(versions[1].starts_with("3.13."), "{versions:?}");
}

#[test]
#[ignore = "needs root and BPF"]
fn the_jobs_of_a_shell_are_recorded_and_not_taken_for_stopped() {
    // They are stopped some time after their start, which a machine under load makes longer.
    let place = counting("import time\nfrom counted import run\ntime.sleep(2)\nrun(3)\n");
    let jobs = "set -m; $0 x.py; echo first $?; $0 x.py | cat; echo second $?; jobs";
    let ran = place.run(place.pytrace(&[
        "--no-external-calls",
        "-o",
        "trace.json",
        "--",
        "bash",
        "-c",
        jobs,
        run::PYTHON,
    ]));
    ran.recorded(0, &[]);
    assert_eq!(ran.text(), "first 0\nsecond 0\n");
    let counts = counted(&place);
    assert_eq!(counts.values().collect::<Vec<_>>(), [&3, &3]);
    assert_eq!(recorded(&place.trace("trace.json")), counts);
}

#[test]
#[ignore = "needs root and BPF"]
fn nobody_stays_stopped_when_pytrace_is_killed() {
    let place = counting(
        "
import os
from counted import run
print('up', flush=True)
for n in range(300):
    if os.fork() == 0:
        run(1)
        os._exit(0)
    os.wait()
open('done', 'w').close()
",
    );
    let running = place.start(place.python(&["-o", "trace.json", "x.py"]));
    // In most of its time now, one child is held.
    eventually("the first children", || {
        (counted(&place).len() > 9).then_some(())
    });
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().code, -9);
    eventually("the program's end", || {
        fs::metadata(place.path("done")).ok()
    });
    assert_eq!(counted(&place).values().sum::<usize>(), 300);
}

#[test]
#[ignore = "needs root and BPF"]
fn what_a_process_group_leaves_behind_is_not_hung_up() {
    // The leader of a group of its own ends while its child may be held: were that a SIGSTOP, the
    // kernel would send SIGHUP to the group.
    let leader = "import os, time\n\
                  if os.fork() == 0:\n    \
                      time.sleep(0.05)\n    \
                      open(f'{os.getpid()}.lives', 'w').close()\n";
    let script = format!(
        "import subprocess, sys, time\n\
         for _ in range(20):\n    \
             subprocess.run([sys.executable, '-c', {leader:?}], preexec_fn=lambda: \
                 __import__('os').setpgrp())\n\
         time.sleep(1)\n"
    );
    let place = Place::with(&script);
    let ran = place.run(place.python(&["-o", "trace.json", "x.py"]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let files = fs::read_dir(place.path("")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.ends_with(".lives")).count(), 20);
}
