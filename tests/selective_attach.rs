//! `--selective --pid`: interpreters that run their programs already are asked to mark code, and take that back.
//! Needs root.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/attach.rs"]
mod attach;
#[path = "common/run.rs"]
mod run;
#[path = "common/sid.rs"]
mod sid;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use attach::{Recorded, Recording, Target, program};
use nix::sys::signal::Signal;
use sid::{PYTHONS, Sid};

const NOBODY: u32 = 65534;
const MOMENT: Duration = Duration::from_millis(400);

/// Starts `asked.py` in Debian sid, by a command before it.
fn start(sid: &Sid, python: &str, before: &[&str], args: &[&str]) -> Target {
    let (path, inside) = sid.file("asked.py");
    fs::copy(program("asked.py"), path).unwrap();
    let mut command = Command::new("chroot");
    command.arg(&sid.root).arg("/usr/bin/env").args(before);
    command.arg(python).arg(inside).args(args);
    Target::start(command)
}

fn start_recording(target: &Target, args: &[&str]) -> Recording {
    Recording::start(&[target], &[&["--selective"], args].concat())
}

/// Records a program that does something, which is begun when this returns.
fn record(target: &mut Target, args: &[&str]) -> Recording {
    let recording = start_recording(target, args);
    let name = format!("'pytrace {}'", recording.id());
    let has_begun = |target: &mut Target| {
        let (set, all) = target.probes();
        tools(target).contains(&name) || set == all
    };
    for _ in 0..100 {
        if has_begun(target) {
            break;
        }
        sleep(MOMENT / 10);
    }
    sleep(MOMENT);
    recording
}

/// What it says of its monitoring tools.
fn tools(target: &mut Target) -> String {
    target.tell("tools");
    target.hear()
}

fn count(target: &mut Target, times: &str) {
    target.tell(times);
    assert_eq!(target.hear(), "done");
}

/// The scripts of pytrace's that lie there.
fn scripts(sid: &Sid) -> Vec<String> {
    let entries = fs::read_dir(sid.root.join("tmp")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".pytrace-")).collect()
}

fn is_well(recorded: &Recorded, way: &str) {
    assert_eq!(recorded.code, Some(0), "{}", recorded.messages);
    let messages = &recorded.messages;
    assert!(messages.contains(", none lost"), "{messages}");
    assert!(messages.contains(&format!("{way} probes, ")), "{messages}");
    let is_selective = way == "selective";
    assert_ne!(
        messages.contains("dispatch probes, "),
        is_selective,
        "{messages}"
    );
}

/// It says so of its monitoring tools, no script lies there, and it ends well.
fn has_all_back(sid: &Sid, mut target: Target, before: &str) {
    assert_eq!(tools(&mut target), before);
    assert_eq!(scripts(sid), [""; 0]);
    assert!(target.end().0.success());
}

#[test]
#[ignore = "needs root and BPF"]
fn all_calls_are_recorded_and_it_is_taken_back() {
    let sid = Sid::new();
    for python in PYTHONS {
        for more in ["", "--no-external-calls"] {
            let mut target = start(&sid, python, &[], &["idle"]);
            let before = tools(&mut target);
            assert_eq!(before, "[]");
            let more: &[&str] = if more.is_empty() { &[] } else { &[more] };
            let recording = record(&mut target, more);
            assert!(tools(&mut target).contains("('pytrace "));
            for times in ["1", "20000", "77"] {
                count(&mut target, times);
            }
            let recorded = recording.stop();
            is_well(&recorded, "selective");
            assert_eq!(recorded.trace.count("counted"), 20078);
            let edges = recorded.trace.edges();
            for edge in [
                ("", "<module>"),
                ("<module>", "serve"),
                ("serve", "counted"),
            ] {
                assert!(edges.contains(&edge), "{edges:?}");
            }
            has_all_back(&sid, target, &before);
        }
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn another_thread_is_asked_where_the_main_thread_waits() {
    let sid = Sid::new();
    for python in PYTHONS {
        let mut target = start(&sid, python, &[], &["thread"]);
        let recording = start_recording(&target, &[]);
        sleep(MOMENT * 3);
        count(&mut target, "100");
        let recorded = recording.stop();
        is_well(&recorded, "selective");
        assert_eq!(recorded.trace.count("counted"), 100);
        assert!(recorded.trace.count("worked") > 50);
        let running = recorded.trace.already_running();
        assert!(running.contains(&vec!["<module>", "serve"]), "{running:?}");
        has_all_back(&sid, target, "[]");
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn who_does_nothing_is_asked_when_it_does_something() {
    let sid = Sid::new();
    let python = PYTHONS[0];
    // It does while it is recorded.
    let mut target = start(&sid, python, &[], &[]);
    let recording = start_recording(&target, &[]);
    sleep(Duration::from_secs(3));
    count(&mut target, "1");
    sleep(MOMENT);
    count(&mut target, "200");
    let recorded = recording.stop();
    is_well(&recorded, "selective");
    let messages = &recorded.messages;
    assert!(
        messages.contains("runs no Python code at the moment"),
        "{messages}"
    );
    assert!((200..=201).contains(&recorded.trace.count("counted")));
    // It waits for its input again: it takes it back when that comes.
    assert!(messages.contains("takes back"), "{messages}");
    assert_eq!(scripts(&sid).len(), 1);
    count(&mut target, "1");
    assert_eq!(tools(&mut target), "[]");
    assert_eq!(scripts(&sid), [""; 0]);

    // It does not.
    let recorded = start_recording(&target, &["--duration", "300ms"]).wait();
    assert_eq!(recorded.code, Some(0), "{}", recorded.messages);
    assert_eq!(recorded.trace.already_running(), [["<module>", "serve"]]);
    assert!(recorded.trace.calls.iter().all(|call| call.unfinished));
    count(&mut target, "1");
    assert_eq!(tools(&mut target), "[]");
    assert!(target.end().0.success());
}

#[test]
#[ignore = "needs root and BPF"]
fn what_can_not_be_asked_is_recorded_with_the_ordinary_probes() {
    let sid = Sid::new();
    let python = PYTHONS[0];
    let taken = "import sys; [sys.monitoring.use_tool_id(it, 'theirs') for it in (3, 4)]";
    fs::write(sid.file("sitecustomize.py").0, taken).unwrap();
    let inside = sid.file("asked.py").1;
    let path = format!("PYTHONPATH={}", inside.parent().unwrap().display());
    for (before, why) in [
        (
            "PYTHON_DISABLE_REMOTE_DEBUG=1",
            "PYTHON_DISABLE_REMOTE_DEBUG",
        ),
        (&*path, "its monitoring tool ids are taken"),
    ] {
        let mut target = start(&sid, python, &[before], &["idle"]);
        let before = tools(&mut target);
        let recording = record(&mut target, &[]);
        count(&mut target, "100");
        let recorded = recording.stop();
        is_well(&recorded, "dispatch");
        assert!(recorded.messages.contains(why), "{}", recorded.messages);
        assert_eq!(recorded.trace.count("counted"), 100);
        has_all_back(&sid, target, &before);
    }
    // An interpreter that has no such interface.
    let target = Target::start(attach::python("busy.py", &[]));
    let recorded = start_recording(&target, &["--duration", "100ms"]).wait();
    assert_eq!(recorded.code, Some(0), "{}", recorded.messages);
    assert!(
        recorded.messages.contains("ordinary probes"),
        "{}",
        recorded.messages
    );
    assert!(recorded.trace.count("leaf") > 10);
}

#[test]
#[ignore = "needs root and BPF"]
fn what_a_killed_pytrace_has_left_is_taken_over() {
    let sid = Sid::new();
    let mut target = start(&sid, PYTHONS[0], &[], &["idle"]);
    let killed = record(&mut target, &[]);
    killed.signal(Signal::SIGKILL);
    killed.wait();
    count(&mut target, "100");
    assert!(tools(&mut target).contains("pytrace "));
    let recording = record(&mut target, &[]);
    count(&mut target, "100");
    // Another one finds it taken.
    let other = start_recording(&target, &["--duration", "300ms"]).wait();
    assert!(
        other.messages.contains("another recording"),
        "{}",
        other.messages
    );
    let recorded = recording.stop();
    is_well(&recorded, "selective");
    assert_eq!(recorded.trace.count("counted"), 100);
    has_all_back(&sid, target, "[]");
}

#[test]
#[ignore = "needs root and BPF"]
fn programs_of_others_and_in_other_namespaces_find_what_they_are_to_run() {
    let sid = Sid::new();
    let everybodys = fs::Permissions::from_mode(0o755);
    fs::set_permissions(sid.inside.path(), everybodys).unwrap();
    chown(sid.inside.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let setpriv = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    // What it has in /tmp is nobody else's.
    let setup = "mount -t tmpfs none \"$1/mnt\" && cp \"$2\" \"$1/mnt\" && \
                 mount -t tmpfs -o mode=1777 none \"$1/tmp\" && \
                 exec chroot \"$1\" \"$3\" /mnt/asked.py idle";
    let mut apart = Command::new("unshare");
    apart.args(["-m", "sh", "-c", setup, "sh"]).arg(&sid.root);
    apart.arg(program("asked.py")).arg(PYTHONS[0]);
    let of_others = start(&sid, PYTHONS[0], &setpriv, &["idle"]);
    for mut target in [of_others, Target::start(apart)] {
        let recording = record(&mut target, &[]);
        count(&mut target, "100");
        let recorded = recording.stop();
        is_well(&recorded, "selective");
        assert_eq!(recorded.trace.count("counted"), 100);
        has_all_back(&sid, target, "[]");
    }
    // With ids of its own.
    let mut target = start(
        &sid,
        PYTHONS[0],
        &["unshare", "--pid", "--fork", "--kill-child"],
        &["idle"],
    );
    let children = format!("/proc/{0}/task/{0}/children", target.pid());
    let inner = fs::read_to_string(children).unwrap();
    let trace = sid.file("t.json").0;
    let mut pytrace = Command::new(env!("CARGO_BIN_EXE_pytrace"));
    pytrace.args([
        "--selective",
        "--duration",
        "1s",
        "--pid",
        inner.trim(),
        "-o",
    ]);
    let running = pytrace.arg(&trace).spawn().unwrap();
    sleep(MOMENT * 2);
    count(&mut target, "100");
    assert!(running.wait_with_output().unwrap().status.success());
    assert!(
        fs::read_to_string(Path::new(&trace))
            .unwrap()
            .matches("\"counted\"")
            .count()
            >= 100
    );
    assert_eq!(tools(&mut target), "[]");
    assert!(target.end().0.success());
}

/// Records `troubled.py` in that trouble; also returns what it has said, on both its outputs.
fn troubled(sid: &Sid, trouble: &str, args: &[&str]) -> (Recorded, Vec<String>) {
    let (path, inside) = sid.file("troubled.py");
    fs::copy(program("troubled.py"), path).unwrap();
    let errors = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new("chroot");
    command
        .arg(&sid.root)
        .arg(PYTHONS[0])
        .arg(inside)
        .arg(trouble);
    command.stderr(errors.reopen().unwrap());
    let mut target = Target::start(command);
    sleep(MOMENT / 2);
    let recorded = start_recording(&target, args).wait();
    assert_eq!(recorded.code, Some(0), "{trouble}: {}", recorded.messages);
    let mut said = vec![target.hear()];
    while said.last().is_some_and(|line| line != "end") {
        said.push(target.hear());
    }
    assert!(target.end().0.success());
    assert_eq!(fs::read_to_string(errors.path()).unwrap(), "", "{trouble}");
    assert_eq!(scripts(sid), [""; 0], "{trouble}");
    (recorded, said)
}

#[test]
#[ignore = "needs root and BPF"]
fn programs_in_trouble_are_not_in_more() {
    let sid = Sid::new();
    // Threads that sleep when the recording ends, and wake one after the other.
    let (recorded, _) = troubled(&sid, "threads", &["--duration", "1500ms"]);
    assert!(recorded.trace.count("called") > 50);
    // No exception of a signal's handler is lost.
    let (recorded, said) = troubled(&sid, "signals", &["--duration", "1s"]);
    assert_eq!(said[0], "1000", "{}", recorded.messages);
    // Who may not be asked is recorded with the ordinary probes.
    let (recorded, _) = troubled(&sid, "audit", &["--duration", "3s"]);
    let messages = &recorded.messages;
    assert!(messages.contains("it did not run the script"), "{messages}");
    assert!(recorded.trace.count("called") > 50, "{messages}");
    // Nothing is missing of a program that ends.
    let (recorded, _) = troubled(&sid, "ends", &[]);
    is_well(&recorded, "selective");
    // Who makes another interpreter is probed otherwise, and still gives back what it has.
    let (recorded, said) = troubled(&sid, "interpreters", &["--duration", "3500ms"]);
    let messages = &recorded.messages;
    assert!(
        messages.contains("it makes another interpreter"),
        "{messages}"
    );
    assert!(recorded.trace.count("called") > 200, "{messages}");
    assert_eq!(said[0], "[]", "{messages}");
}

#[test]
#[ignore = "needs root and BPF"]
fn recordings_with_marks_again_and_again_cost_the_program_nothing() {
    let cycles = std::env::var("PYTRACE_CYCLES").map_or(30, |cycles| cycles.parse().unwrap());
    let sid = Sid::new();
    let mut target = start(&sid, PYTHONS[0], &[], &["idle", "thread"]);
    let before = tools(&mut target);
    let resident = |target: &Target| {
        let status = fs::read_to_string(format!("/proc/{}/status", target.pid())).unwrap();
        let mut lines = status.lines();
        let size = lines.find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        size.split_whitespace()
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let mut size = 0;
    for cycle in 0..cycles {
        let duration = ["1ms", "30ms", "200ms"][cycle % 3];
        let recorded =
            Recording::start(&[&target], &["--selective", "--duration", duration]).wait();
        assert_eq!(recorded.code, Some(0), "{cycle}: {}", recorded.messages);
        assert!(
            !recorded.messages.contains("ordinary probes"),
            "{cycle}: {}",
            recorded.messages
        );
        if cycle % 10 == 0 {
            assert_eq!(tools(&mut target), before, "{cycle}");
        }
        if cycle == 10 {
            size = resident(&target);
        }
    }
    assert_eq!(tools(&mut target), before); // and collects garbage
    let after = resident(&target);
    println!("{cycles} times: {size} KiB after 10, then {after} KiB");
    // A page lost each time would be more, of a thousand; some memory is not given back at once.
    assert!(after < size + 1000, "{size} {after}");
    count(&mut target, "1000");
    has_all_back(&sid, target, &before);
}
