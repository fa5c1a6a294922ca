//! `--selective`: interpreters mark the code whose calls are recorded. Which are recorded, and in what order,
//! is for `tests/truth` to say; here it is what else happens, in the program and where it can't be done.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/counted.rs"]
mod counted;
#[path = "common/run.rs"]
mod run;
#[path = "common/sid.rs"]
mod sid;

use std::fs;
use std::process::Command;

use counted::COUNTED;
use run::{Place, Ran, Trace};
use sid::{PYTHONS, Sid};

/// Records `x.py` there, with `--selective`.
fn record(sid: &Sid, place: &Place, python: &str, script: &str, more: &[&str]) -> Ran {
    fs::write(sid.file("x.py").0, script).unwrap();
    fs::write(sid.file("counted.py").0, COUNTED).unwrap();
    record_again(sid, place, python, &[], more)
}

/// The same again, with more options of pytrace's, and more of env's.
fn record_again(sid: &Sid, place: &Place, python: &str, more: &[&str], env: &[&str]) -> Ran {
    let inside = sid.file("x.py").1;
    let mut pytrace = place.pytrace(&["--selective", "-o", "t.json", "--scope"]);
    let directory = inside.parent().unwrap();
    pytrace.arg(directory).args(more);
    pytrace.args(["--", "chroot"]).arg(&sid.root);
    let env = env
        .iter()
        .map(|it| it.replace("HERE", &directory.to_string_lossy()));
    pytrace
        .arg("/usr/bin/env")
        .args(env)
        .arg(python)
        .arg(inside);
    place.run(pytrace)
}

/// The same without pytrace.
fn run_plainly(sid: &Sid, python: &str) -> std::process::Output {
    let mut command = Command::new("chroot");
    command.arg(&sid.root).arg(python).arg(sid.file("x.py").1);
    command.output().unwrap()
}

/// By which plans the interpreters of a trace were probed.
fn plans(trace: &Trace) -> Vec<&str> {
    let interpreters = trace.footer()["interpreters"].as_array().unwrap();
    let plans = interpreters.iter();
    plans.map(|it| it["plan"].as_str().unwrap()).collect()
}

fn calls_of(trace: &Trace, name: &str) -> usize {
    trace.events().filter(|event| event["name"] == name).count()
}

#[test]
#[ignore = "needs root and BPF"]
fn the_program_sees_nothing_of_it() {
    let sid = Sid::new();
    // Everything by which a program might tell, but for two monitoring tools.
    let script = "
import gc, os, sys, threading, warnings
def f(): return sorted(sys.modules)
print(sys.argv, sys.path, f(), sorted(vars()), sys.flags, sys.orig_argv, sorted(vars(sys)))
print(sorted(os.environ.items()), os.getcwd(), os.open('/', 0), warnings.filters)
print(sys.gettrace(), sys.getprofile(), len(threading.enumerate()), sys.excepthook, sys.getrecursionlimit())
print(hasattr(sys, 'last_exc'), gc.isenabled(), gc.get_threshold(), [f.__code__.co_filename])
print('to stderr', file=sys.stderr)
sys.exit(7)
";
    for python in PYTHONS {
        let place = Place::new();
        let ran = record(&sid, &place, python, script, &[]);
        let plain = run_plainly(&sid, python);
        // env(1) sets one.
        let without = |text: &str| {
            let text = text.replace(" object at ", " ");
            text.lines()
                .map(|line| line.replace("('_', '/usr/bin/env'), ", ""))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            without(&ran.text()),
            without(&String::from_utf8(plain.stdout).unwrap())
        );
        assert_eq!((ran.code, plain.status.code()), (7, Some(7)));
        assert!(ran.stderr.starts_with("to stderr\n"), "{}", ran.stderr);
        let trace = place.trace("t.json");
        assert_eq!(
            (plans(&trace), calls_of(&trace, "f")),
            (vec!["selective"], 1)
        );
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn copies_and_children_are_recorded_whole() {
    let sid = Sid::new();
    let script = "
import multiprocessing, os, subprocess, sys, threading
from counted import run

if __name__ == '__main__':
    run(3)
    if not os.fork():
        run(5)
        os._exit(0)
    os.wait()
    subprocess.run([sys.executable, '-c', 'import counted; counted.run(7)'],
                   env={**os.environ, 'PYTHONPATH': os.path.dirname(__file__)})
    subprocess.run([sys.executable, '-I', '-S', __file__, 'x']) if len(sys.argv) < 2 else None
    for method in 'fork', 'spawn':
        child = multiprocessing.get_context(method).Process(target=run, args=(11,))
        child.start()
        child.join()
    thread = threading.Thread(target=run, args=(13,))
    thread.start()
    thread.join()
"
    .replace(
        "from counted import run",
        "sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))\nfrom counted import run",
    );
    for python in PYTHONS {
        for file in fs::read_dir(sid.inside.path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|it| it == "n") {
                fs::remove_file(path).unwrap();
            }
        }
        let place = Place::new();
        let ran = record(&sid, &place, python, &script, &[]);
        ran.recorded(0, &[]);
        let trace = place.trace("t.json");
        assert_eq!(plans(&trace), ["selective"]);
        let counts = counted::counted_in(sid.inside.path());
        assert_eq!(counts.len(), 10, "{counts:?}");
        assert_eq!(counted::recorded(&trace), counts);
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn what_is_outside_the_scope_hits_no_probe() {
    let sid = Sid::new();
    // Some 200,000 calls, which would take a quarter of a second: deepcopy() itself is marked, as it is
    // called, and the function in between is not.
    let (path, _) = sid.file("x.py");
    let elsewhere = sid.inside.path().join("lib/python3.0");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::write(
        elsewhere.join("outside.py"),
        "def many():\n    for _ in range(200000): once()\ndef once(): pass\n",
    )
    .unwrap();
    let script = "
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib/python3.0'))
import outside
def f(): outside.many()
f()
";
    for python in PYTHONS {
        let place = Place::new();
        let ran = record(&sid, &place, python, script, &[]);
        ran.recorded(0, &[]);
        let trace = place.trace("t.json");
        let calls = ["f", "many", "once"].map(|name| calls_of(&trace, name));
        assert_eq!(calls, [1, 1, 0], "{}", path.display());
        assert!(!ran.stderr.contains("outside the scope"), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("a recorded call costs "),
            "{}",
            ran.stderr
        );
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn what_handlers_of_signals_raise_reaches_the_program() {
    let sid = Sid::new();
    let script = "
import signal, time
raised = 0
def handler(*_): raise TimeoutError
def spin():
    end = time.monotonic() + 5  # for a signal that is lost
    while time.monotonic() < end: len(''); abs(1)
signal.signal(signal.SIGALRM, handler)
for _ in range(60):
    signal.setitimer(signal.ITIMER_REAL, 0.003)
    try: spin()
    except TimeoutError: raised += 1
print(raised)
";
    for python in PYTHONS {
        let place = Place::new();
        let ran = record(&sid, &place, python, script, &[]);
        assert_eq!((ran.code, &*ran.text()), (0, "60\n"), "{}", ran.stderr);
        assert!(ran.stderr.contains(", none lost"), "{}", ran.stderr);
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn nothing_of_the_programs_is_run_to_find_what_it_calls() {
    let sid = Sid::new();
    let script = "
import functools
def tell(*_): print('ran'); return True
class Meta(type):
    __eq__ = tell
    __hash__ = tell
    __getattribute__ = tell
class Odd(metaclass=Meta):
    def __call__(self): pass
class Module: __eq__ = tell
class partial:
    __module__ = Module()
    func = property(tell)
    def __call__(self): pass
class Name(str):
    __hash__ = tell
    startswith = tell
class Sub(functools.partial): pass
def f(): pass
def named(): pass
named.__code__ = f.__code__.replace(co_filename=Name(f.__code__.co_filename))
def main():
    for callable in Odd(), partial(), f, f.__call__, Sub(f), named: callable()
main()
";
    for python in PYTHONS {
        let place = Place::new();
        let ran = record(&sid, &place, python, script, &[]);
        assert_eq!((ran.code, &*ran.text()), (0, ""), "{}", ran.stderr);
        assert!(calls_of(&place.trace("t.json"), "f") >= 3, "{}", ran.stderr);
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn nothing_of_pytraces_own_is_recorded() {
    for python in ["/usr/bin/python3.14", "/usr/bin/python3.15"] {
        let sid = Sid::new();
        let place = Place::new();
        let script = "
from concurrent import interpreters
def f(): return len('')
def main():
    for _ in range(1000): f()
    interpreters.create().close()
    for _ in range(1000): f()
main()
";
        let ran = record(&sid, &place, python, script, &[]);
        let trace = place.trace("t.json");
        assert_eq!(
            (ran.code, calls_of(&trace, "f")),
            (0, 2000),
            "{}",
            ran.stderr
        );
        assert_eq!(calls_of(&trace, "calls") + calls_of(&trace, "begins"), 0);
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn what_ordinary_probes_hit_outside_the_scope_is_said_with_the_cure() {
    let sid = Sid::new();
    let place = Place::new();
    let script = "
import copy
def f(x): return copy.deepcopy(x)
deep = [[i] for i in range(20000)]
for _ in range(10): f(deep)
";
    let (path, inside) = sid.file("x.py");
    fs::write(path, script).unwrap();
    let mut pytrace = place.pytrace(&["-o", "t.json", "--scope"]);
    pytrace
        .arg(inside.parent().unwrap())
        .args(["--", "chroot"])
        .arg(&sid.root)
        .args([PYTHONS[0], inside.to_str().unwrap()]);
    let ran = place.run(pytrace);
    ran.recorded(0, &[]);
    let share = " % of the calls that its probes saw were outside the scope: up to ";
    assert!(ran.stderr.contains(share), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("hint: --selective spares most of that"),
        "{}",
        ran.stderr
    );
}

/// Two calls of `f`, in the scope.
const TWO: &str = "def f(): pass\nf()\nf()\n";

#[test]
#[ignore = "needs root and BPF"]
fn where_the_tool_ids_are_taken_the_ordinary_probes_see_everything() {
    let sid = Sid::new();
    let elsewhere = tempfile::tempdir_in(sid.root.join("tmp")).unwrap();
    fs::write(
        elsewhere.path().join("sitecustomize.py"),
        "import sys\nfor tool in 3, 5: sys.monitoring.use_tool_id(tool, 'mine')\n",
    )
    .unwrap();
    let inside = elsewhere.path().strip_prefix(&sid.root).unwrap();
    let path = format!("PYTHONPATH=/{}", inside.display());
    for python in PYTHONS {
        let place = Place::new();
        let script =
            format!("{TWO}import sys\nprint([sys.monitoring.get_tool(i) for i in range(6)])\n");
        let ran = record(&sid, &place, python, &script, &[&path]);
        let told = "can't be asked to mark the scope's code (its monitoring tool ids are taken): \
                    it is traced with the ordinary probes";
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        assert!(ran.stderr.contains(", none lost"), "{}", ran.stderr);
        assert_eq!(ran.text(), "[None, None, None, 'mine', None, 'mine']\n");
        let trace = place.trace("t.json");
        assert_eq!(
            (plans(&trace), calls_of(&trace, "f")),
            (vec!["selective", "dispatch"], 2)
        );
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn other_interpreters_in_the_process_are_traced_as_well() {
    let sid = Sid::new();
    fs::write(sid.file("module.py").0, "def g(): pass\n").unwrap();
    let script = "
import os, sys
from concurrent import interpreters
import module
def main():
    module.g()
    other = interpreters.create()
    here = os.path.dirname(os.path.abspath(__file__))
    other.exec(f'import sys; sys.path.insert(0, {here!r}); import module; module.g(); module.g()')
    other.close()
    module.g()
main()
";
    for python in PYTHONS {
        let place = Place::new();
        let ran = record(&sid, &place, python, script, &[]);
        assert!(
            ran.stderr.contains("it makes another interpreter"),
            "{}",
            ran.stderr
        );
        let lacks = "calls may be missing from before the probes of 1 interpreter were replaced";
        assert!(ran.stderr.contains(lacks), "{}", ran.stderr);
        let trace = place.trace("t.json");
        assert_eq!(plans(&trace), ["selective", "dispatch"]);
        assert_eq!((calls_of(&trace, "g"), calls_of(&trace, "main")), (4, 1));
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn what_the_scope_ran_before_the_program_is_told_of() {
    let sid = Sid::new();
    fs::write(
        sid.file("sitecustomize.py").0,
        "def early(): pass\nearly()\n",
    )
    .unwrap();
    for python in PYTHONS {
        let place = Place::new();
        let script = format!("{TWO}import sitecustomize\nsitecustomize.early()\n");
        let ran = record(&sid, &place, python, &script, &["PYTHONPATH=HERE"]);
        let told = "(code of the scope ran before the program): its first calls may be missing";
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        assert!(
            ran.stderr
                .contains("the first calls of 1 process may be missing"),
            "{}",
            ran.stderr
        );
        let trace = place.trace("t.json");
        assert_eq!(plans(&trace), ["selective"]);
        assert_eq!((calls_of(&trace, "f"), calls_of(&trace, "early")), (2, 1));
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn versions_without_monitoring_are_traced_as_ever() {
    let place = Place::with(TWO);
    let ran = place.run(place.python(&["--selective", "-o", "t.json", "x.py"]));
    let trace = place.trace("t.json");
    assert_eq!((ran.code, calls_of(&trace, "f")), (0, 2), "{}", ran.stderr);
    if plans(&trace) != ["selective"] {
        let note = "--selective needs CPython 3.12 or later: it is traced with the ordinary probes";
        assert!(ran.stderr.contains(note), "{}", ran.stderr);
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn c_functions_are_recorded_as_a_profile_function_sees_them() {
    let sid = Sid::new();
    let script = "
import functools, json, math, sys, threading, zlib
seen = []
def profile(frame, event, function):
    if event == 'c_call' and frame.f_code.co_filename == __file__:
        seen.append(function.__name__)
class Own(list):
    def append(self, item): super().append(item)
def key(item): return -abs(item)
def numbers():
    for number in range(3): yield math.sqrt(number)
def fails(function, *arguments):
    try: function(*arguments)
    except (TypeError, ValueError, OverflowError): pass
def deep(depth):
    return len(str(depth)) if not depth else max(map(deep, [depth - 1]))
def main():
    numbered = sorted([3, 1, 2], key=key)
    append = numbered.append
    append(4); numbered.append(5); Own().append(6); list.append(numbered, 7)
    dict.fromkeys(numbered); str.maketrans('a', 'b'); int.from_bytes(b'x', 'big')
    list(numbers()); ''.join(map(str, numbered)); max(numbered, key=lambda it: -it)
    functools.reduce(lambda a, b: a + b, numbered); functools.partial(len, 'x')()
    json.dumps({'a': numbered}); zlib.compressobj().compress(b'x'); deep(4)
    fails(int, 'x'); fails(math.sqrt, -1); fails(len, 1); fails(numbered.index, 99); fails(math.exp, 1e9)
    [isinstance(it, int) for it in numbered]; exec('len(\"\")'); eval('abs(1)')
    thread = threading.Thread(target=sorted, args=([2, 1],)); thread.start(); thread.join()
if len(sys.argv) > 1:
    sys.setprofile(profile); main(); sys.setprofile(None)
    print(' '.join(seen[:-1]))
else: main()
";
    for python in PYTHONS {
        let place = Place::new();
        record(&sid, &place, python, script, &[]).recorded(0, &[]);
        let is_c = |event: &&serde_json::Value| event["args"]["kind"] == "builtin";
        assert_eq!(place.trace("t.json").events().filter(is_c).count(), 0);
        // What the truth is, without pytrace.
        let mut plain = Command::new("chroot");
        let plain = plain.arg(&sid.root).arg(python).arg(sid.file("x.py").1);
        let expected = String::from_utf8(plain.arg("tell").output().unwrap().stdout).unwrap();
        assert!(expected.split_whitespace().count() > 30, "{expected}");

        let ran = record_again(&sid, &place, python, &["--c-calls"], &[]);
        ran.recorded(0, &[]);
        let trace = place.trace("t.json");
        let mut found: Vec<(u64, u64, &str)> = trace
            .events()
            .filter(is_c)
            .map(|event| {
                let (args, name) = (&event["args"], event["name"].as_str().unwrap());
                let (depth, number) = (args["depth"].as_u64(), args["call"].as_u64());
                (number.unwrap(), depth.unwrap(), name)
            })
            .collect();
        found.sort_unstable();
        // Not what the module itself calls.
        let found = found.iter().filter(|(_, depth, _)| *depth > 1);
        let found: Vec<&str> = found.map(|it| it.2.rsplit('.').next().unwrap()).collect();
        assert_eq!(found.join(" "), expected.trim_end(), "{}", ran.stderr);
    }
}
