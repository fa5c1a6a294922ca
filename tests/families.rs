//! Trees of processes of every making: the odd, the short-lived and those that come back under
//! another's id are recorded, and nobody in them comes to harm.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/counted.rs"]
mod counted;
#[path = "common/run.rs"]
mod run;

use std::fs;

use counted::{COUNTED, agrees, counted, counting, recorded};
use run::{Trace, eventually};

/// Records `x.py`; returns the trace, what the program said and the numbers of calls of `f` in
/// its processes, in order of size: for processes that know themselves by other ids than we do.
fn sizes(script: &str) -> (Trace, String, Vec<usize>) {
    let place = counting(script);
    let ran = place.run(place.python(&["--no-external-calls", "-o", "trace.json", "x.py"]));
    ran.recorded(0, &[]);
    let trace = place.trace("trace.json");
    let mut sizes: Vec<usize> = recorded(&trace).into_values().collect();
    sizes.sort_unstable();
    (trace, ran.text(), sizes)
}

#[test]
#[ignore = "needs root and BPF"]
fn a_program_that_another_thread_starts_is_recorded() {
    // The thread takes the place of the main thread, and its id.
    let script = "
import os, sys, threading
from counted import f
def start(n):
    code = f'import counted\\nfor _ in range({n}): counted.f()'
    os.execv(sys.executable, [sys.executable, '-c', code])
def in_thread(n):
    f()
    thread = threading.Thread(target=start, args=(n,))
    thread.start()
    thread.join()
if os.fork() == 0:
    in_thread(5)
os.wait()
in_thread(8)
";
    let (trace, _, sizes) = sizes(script);
    assert_eq!(sizes, [1 + 5, 1 + 8]);
    let starts = trace.events().filter(|event| event["name"] == "start");
    for event in starts {
        assert_eq!(event["args"]["unfinished"], true, "{event}");
        assert_ne!(event["pid"], event["tid"], "{event}");
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn clones_with_odd_flags_are_recorded() {
    // Without a signal at their end, with shared files, descriptors, semaphores' undo lists,
    // in a pid namespace of their own.
    let script = "
import ctypes, os
import counted
clone = lambda flags: ctypes.CDLL(None).syscall(56, flags, 0, 0, 0, 0)
CHILD_SIGNAL, FS, FILES, SIGHAND, PTRACE, SYSVSEM, NEWPID = 17, 0x200, 0x400, 0x800, 0x2000, 0x40000, 0x20000000
for flags in 0, CHILD_SIGNAL, FS | FILES | CHILD_SIGNAL, PTRACE | SYSVSEM, NEWPID | CHILD_SIGNAL:
    pid = clone(flags)
    assert pid >= 0
    if pid == 0:
        for _ in range(3): counted.f()
        os._exit(0)
    assert os.waitpid(pid, 0x40000000)[1] == 0 # __WALL
";
    assert_eq!(sizes(script).2, [3; 5]);
}

#[test]
#[ignore = "needs root and BPF"]
fn pools_of_processes_are_recorded() {
    let script = "
import multiprocessing, time
from concurrent.futures import ProcessPoolExecutor
from counted import f
def work(n):
    for _ in range(n): f()
    time.sleep(0.01)
def main():
    for method in 'fork', 'spawn', 'forkserver':
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            list(pool.map(work, range(10)))
            assert sum(pool.map(len, ['abc'] * 4)) == 12
if __name__ == '__main__':
    main()
";
    let (trace, _, sizes) = sizes(script);
    assert_eq!(sizes.iter().sum::<usize>(), 3 * 45);
    let works = trace.events().filter(|event| event["name"] == "work");
    assert_eq!(works.count(), 3 * 10);
}

#[test]
#[ignore = "needs root and BPF"]
fn pythons_behind_other_programs_are_recorded() {
    let place = counting(
        "
import os, subprocess, sys
code = 'import counted; counted.run(3)'
python = [sys.executable, '-c', code]
words = f\"{sys.executable} -c '{code}'\"
env = {**os.environ, 'PYTHONPATH': os.path.dirname(os.path.abspath(__file__))}
def run(*command, **how):
    subprocess.run(command, check=True, env=env, **how)
for shell in 'dash', 'bash':
    run(shell, '-c', f'{words} & {words}; wait; {words} | cat; ({words}); eval \"{words}\"; exec {words}')
run('env', 'A=B', *python)
run('timeout', '50', *python)
run('timeout', '--foreground', '50', *python)
run('nohup', *python, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
run('setsid', '-w', *python)
run('nice', *python)
run('xargs', '-P4', '-n1', *python, input=b'1 2 3 4')
open('Makefile', 'w').write('all: a b c\\n%:\\n\\t@' + words + '\\n')
run('make', '-s', '-j3')
",
    );
    let ran = place.run(place.python(&["--no-external-calls", "-o", "trace.json", "x.py"]));
    ran.recorded(0, &[]);
    let counts = counted(&place);
    assert_eq!(counts.len(), 2 * 6 + 6 + 4 + 4, "{counts:?}");
    assert_eq!(recorded(&place.trace("trace.json")), counts);
}

#[test]
#[ignore = "needs root and BPF"]
fn who_imitates_a_stop_of_its_child_does_not_stay_stopped() {
    // As sudo, su and nsenter do it.
    let imitator = "
import os, signal, sys
pid = os.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    _, status = os.waitpid(pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        sys.exit(os.waitstatus_to_exitcode(status))
    os.kill(os.getpid(), signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)
";
    let place = counting("");
    place.write("imitator.py", imitator);
    place.write(
        "x.py",
        "
import subprocess, sys
for n in range(5):
    code = f'import counted; counted.run({n})'
    command = [sys.executable, 'imitator.py', sys.executable, '-c', code]
    assert subprocess.run(command).returncode == 0
",
    );
    let ran = place.run(place.python(&["--no-external-calls", "-o", "trace.json", "x.py"]));
    // Each lets its child go on by itself, and so before its time: that is said, once, if it did.
    ran.but_for("(somebody has let it go on)").recorded(0, &[]);
    assert_eq!(counted(&place).len(), 5);
    // Of its calls none is made up.
    let (seen, counts) = (recorded(&place.trace("trace.json")), counted(&place));
    for (pid, calls) in seen {
        assert!(calls <= counts[&pid], "{pid}: {calls} of {counts:?}");
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn sudo_in_between_neither_stops_nor_hides_anything() {
    let place = counting(
        "
import os, subprocess, sys
os.chmod('.', 0o777)
for n in 3, 4:
    code = f'import sys; sys.path[0] = {os.getcwd()!r}; import counted; counted.run({n})'
    subprocess.run(['sudo', '-n', '-u', 'nobody', sys.executable, '-B', '-c', code], check=True)
",
    );
    let ran = place.run(place.python(&["--no-external-calls", "-o", "trace.json", "x.py"]));
    ran.recorded(0, &[]);
    let counts = counted(&place);
    assert_eq!(counts.values().sum::<usize>(), 7);
    assert_eq!(recorded(&place.trace("trace.json")), counts);
}

#[test]
#[ignore = "needs root and BPF"]
fn children_that_give_up_rights_are_recorded() {
    let script = "
import os, subprocess, sys
from counted import run
os.chmod('.', 0o777)
if os.fork() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    if os.fork() == 0:
        run(3)
        os._exit(0)
    os.wait()
    subprocess.run([sys.executable, '-B', '-c', 'import counted; counted.run(4)'], check=True)
    run(2)
    os._exit(0)
os.wait()
run(1)
";
    agrees(script, 4);
}

#[test]
#[ignore = "needs root and BPF"]
fn children_behind_a_seccomp_filter_are_recorded() {
    // It forbids kill, tgkill and ptrace.
    let script = "
import ctypes, os, struct, subprocess, sys
from counted import run
code = [(0x20, 0, 0, 0), (0x15, 2, 0, 62), (0x15, 1, 0, 234), (0x15, 0, 1, 101), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *each) for each in code))
program = struct.pack('HxxxxxxQ', 6, ctypes.addressof(code))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
try:
    os.kill(os.getpid(), 0)
    sys.exit('no filter')
except PermissionError:
    pass
if os.fork() == 0:
    run(3)
    os._exit(0)
os.wait()
subprocess.run([sys.executable, '-c', 'import counted; counted.run(4)'], check=True)
";
    agrees(script, 2);
}

#[test]
#[ignore = "needs root and BPF"]
fn children_in_other_namespaces_are_recorded_under_the_ids_that_we_know() {
    let script = "
import subprocess, sys
python = [sys.executable, '-c', 'import counted; counted.f(); counted.f()']
away = ['unshare', '-Urmpf', '--mount-proc']
words = f\"{python[0]} -c '{python[2]}'\"
subprocess.run([*away, *python], check=True)
subprocess.run([*away, 'sh', '-c', f'{words}; {words} & wait; echo $$'], check=True)
";
    let (trace, said, sizes) = sizes(script);
    assert_eq!((&*said, &sizes[..]), ("1\n", &[2, 2, 2][..]));
    let pids = recorded(&trace).into_keys();
    assert!(pids.into_iter().all(|pid| pid > 3), "{}", trace.shown);
}

#[test]
#[ignore = "needs root and BPF"]
fn an_id_that_comes_back_is_another_process() {
    // As a copy of the same Python, as another program, and as another Python; then as a thread.
    let script = "
import ctypes, os, struct, sys, threading, time
from counted import f
libc = ctypes.CDLL(None, use_errno=True)
def fork_as(pid):
    set_tid = ctypes.c_int(pid)
    arguments = struct.pack('11Q', 0, 0, 0, 0, 17, 0, 0, 0, ctypes.addressof(set_tid), 1, 0)
    while (got := libc.syscall(435, arguments, len(arguments))) < 0: # clone3
        assert ctypes.get_errno() == 17 # a thread of that id has not quite ended
        time.sleep(0.001)
    return got
def calls(n):
    for _ in range(n): f()
def life(what):
    if what == 'copy':
        calls(3)
    elif what == 'true':
        os.execv('/bin/true', ['true'])
    else:
        calls(2)
        os.execv(sys.executable, [sys.executable, '-c', 'import counted\\nfor _ in range(7): counted.f()'])
    os._exit(0)
pid = os.fork()
if pid == 0: os._exit(0)
os.waitpid(pid, 0)
for what in 'copy', 'true', 'copy', 'python', 'copy', 'python', 'true', 'copy':
    child = fork_as(pid)
    if child == 0: life(what)
    assert child == pid and os.waitpid(pid, 0)[1] == 0
def thread():
    if threading.get_native_id() == pid: calls(5)
for _ in range(1000):
    open('/proc/sys/kernel/ns_last_pid', 'w').write(str(pid - 1))
    it = threading.Thread(target=thread)
    it.start()
    it.join()
    if it.native_id == pid: break
else:
    sys.exit('no thread got that id')
child = fork_as(pid)
if child == 0: life('copy')
os.waitpid(pid, 0)
print(os.getpid(), pid)
";
    let (trace, said, _) = sizes(script);
    let (parent, child) = said.trim().split_once(' ').unwrap();
    let (parent, child) = (parent.parse().unwrap(), child.parse().unwrap());
    let counts = recorded(&trace);
    assert_eq!(counts[&child], 5 * 3 + 2 * (2 + 7), "{counts:?}");
    assert_eq!((counts[&parent], counts.len()), (5, 2), "{counts:?}");
}

#[test]
#[ignore = "needs root and BPF"]
fn children_killed_at_any_moment_are_no_matter() {
    let script = "
import os, signal, subprocess, sys, time
from counted import run
for n in range(100):
    pid = os.fork()
    if pid == 0:
        while True: pass
    time.sleep(n / 10000)
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
for n in range(40):
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
    time.sleep(n / 1000)
    child.kill()
    assert child.wait() == -signal.SIGKILL
run(2)
";
    agrees(script, 1);
}

#[test]
#[ignore = "needs root and BPF"]
fn a_program_that_starts_itself_again_and_again_is_recorded() {
    let script = "
import os, sys
from counted import f
left = int((sys.argv + ['30'])[1])
f()
if left: os.execv(sys.executable, [sys.executable, 'x.py', str(left - 1)])
";
    assert_eq!(sizes(script).2, [31]);
}

#[test]
#[ignore = "needs root and BPF"]
fn a_tree_that_grows_fast_is_recorded_whole() {
    let script = "
import os
from counted import run
def grow(levels):
    children = []
    for _ in range(3 if levels else 0):
        pid = os.fork()
        if pid == 0: grow(levels - 1)
        children.append(pid)
    for pid in children: assert os.waitpid(pid, 0)[1] == 0
    run(2)
    os._exit(0)
if os.fork() == 0: grow(4)
assert os.wait()[1] == 0
";
    agrees(script, 1 + 3 + 9 + 27 + 81);
}

#[test]
#[ignore = "needs root and BPF"]
fn orphans_are_recorded_and_adopted() {
    let script = "
import os, subprocess, sys, time
from counted import run
read, write = os.pipe()
for _ in range(5):
    if os.fork() == 0:
        starter = os.getpid()
        if os.fork() == 0:
            while os.getppid() == starter: time.sleep(0.001)
            run(3)
            os._exit(0)
        os._exit(0)
    os.wait()
orphan = f'{sys.executable} -c \"import time, counted; time.sleep(0.2); counted.run(2)\"'
subprocess.run(f'({orphan} &); exit 0', shell=True, pass_fds=[write])
os.close(write)
assert os.read(read, 1) == b''                                              # all have ended
";
    agrees(script, 6);
}

#[test]
#[ignore = "needs root and BPF"]
fn a_child_that_a_debugger_has_goes_on_and_it_is_said_that_it_could_not_be_held() {
    let place = counting(
        "
import subprocess, sys
code = 'import counted, os; pid = os.fork(); counted.run(50); pid and os.wait()'
subprocess.run(['strace', '-f', '-o', 'log', sys.executable, '-c', code], check=True)
",
    );
    let ran = place.run(place.python(&["--no-external-calls", "-o", "trace.json", "x.py"]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let said = ran.stderr.contains(
        " could not be held until it is traced (a debugger has it, such as strace): \
         its first calls may be missing\n",
    );
    assert!(said, "{}", ran.stderr);
    let counts = counted(&place);
    assert_eq!(counts.values().collect::<Vec<_>>(), [&50, &50]);
    let trace = place.trace("trace.json");
    for (pid, calls) in recorded(&trace) {
        assert!(calls <= counts[&pid]);
    }
    let gone = "the first calls of 2 processes may be missing";
    let claim = format!(", not whole: {gone}\n");
    assert!(ran.stderr.contains(&claim), "{}", ran.stderr);
    assert_eq!(trace.footer()["incomplete"]["unheld"], 2);
    let shown = format!("\nNot whole: {gone}.\n");
    assert!(trace.shown.contains(&shown), "{}", trace.shown);
    // Nobody was stopped for us where the debugger sees it.
    let log = fs::read_to_string(place.path("log")).unwrap();
    assert!(!log.contains("--- SIGSTOP"), "{log}");
}

#[test]
#[ignore = "needs root and BPF"]
fn short_lives_leave_no_zombie_and_nobody_stopped() {
    let place = counting(
        "
import os
print('up', flush=True)
for n in range(200):
    pid = os.fork()
    if pid == 0:
        if n % 2: os.execv('/bin/true', ['true'])
        os._exit(0)
    os.waitpid(pid, 0)
print('all', os.getpid(), flush=True)
while not os.path.exists('go'): __import__('time').sleep(0.01)
",
    );
    place.write("counted.py", COUNTED);
    let running = place.start(place.python(&["-o", "trace.json", "x.py"]));
    let script = running.line("all ");
    let states = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let stats =
            processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
        let children = stats.filter_map(|stat| {
            let (_, fields) = stat.rsplit_once(") ")?;
            let mut fields = fields.split(' ');
            let (state, parent) = (fields.next()?.to_owned(), fields.next()?);
            let ours = [&script, &running.id().to_string()].contains(&&parent.to_owned());
            ours.then_some(state)
        });
        children.collect::<Vec<_>>()
    };
    // The program itself and the watchdog.
    eventually("two sleeping children", || {
        (states() == ["S", "S"]).then_some(())
    });
    place.write("go", "");
    running.wait().recorded(0, &[]);
}
