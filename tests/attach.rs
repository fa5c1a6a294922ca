//! Recordings of programs that run already. Needs root.

#[path = "common/attach.rs"]
mod attach;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use attach::{PYTHON, Recorded, Recording, Target, program, python};

/// Records for as long as `--duration` says.
fn record(targets: &[&Target], duration: &str, args: &[&str]) -> Recorded {
    let recorded = Recording::start(targets, &[&["--duration", duration], args].concat()).wait();
    assert_eq!(recorded.code, Some(0), "{}", recorded.messages);
    recorded
}

#[test]
#[ignore = "needs root and BPF"]
fn depth_and_callers_are_right_from_the_first_event() {
    let target = Target::start(python("busy.py", &[]));
    let recorded = record(&[&target], "100ms", &[]);
    let (first, rest) = recorded.trace.calls.split_at(3);
    for (depth, (call, name)) in first.iter().zip(["<module>", "main", "worker"]).enumerate() {
        assert_eq!((call.depth, &*call.name), (depth as u64, name));
        assert!(call.already_running && call.unfinished, "{call:?}");
        assert_eq!(call.category, "internal");
    }
    // At most the two that ran when the first probe fired.
    assert!(rest.iter().skip(2).all(|call| !call.already_running));
    let edges = [
        ("", "<module>"),
        ("<module>", "main"),
        ("inner", "leaf"),
        ("main", "worker"),
    ];
    assert_eq!(
        recorded.trace.edges(),
        [&edges[..], &[("worker", "inner")]].concat()
    );
    assert!(recorded.trace.count("leaf") > 100);
    let (status, rounds) = target.end();
    assert!(
        rounds.parse::<u64>().is_ok_and(|rounds| rounds > 0),
        "{rounds:?}"
    );
    assert_eq!(status.code(), Some(7));
}

#[test]
#[ignore = "needs root and BPF"]
fn all_calls_between_two_points_are_recorded() {
    let mut target = Target::start(python("counting.py", &[]));
    let recording = Recording::begin(&[&target], &[]);
    for times in ["1", "20000", "77"] {
        target.tell(times);
        assert_eq!(target.hear(), "done");
    }
    let recorded = recording.stop();
    assert_eq!(recorded.code, Some(0), "{}", recorded.messages);
    assert_eq!(recorded.trace.footer["lost"], 0);
    assert_eq!(recorded.trace.count("counted"), 20078);
    let edges = [
        ("", "<module>"),
        ("<module>", "serve"),
        ("serve", "counted"),
    ];
    let mut recorded_edges = recorded.trace.edges();
    recorded_edges.retain(|(_, callee)| !callee.contains("Decoder")); // of its input
    assert_eq!(recorded_edges, edges);
    assert!(target.end().0.success());
}

#[test]
#[ignore = "needs root and BPF"]
fn threads_that_wait_are_shown_where_they_wait() {
    let target = Target::start(python("standing.py", &[]));
    let recorded = record(&[&target], "200ms", &["--no-external-calls"]);
    let mut running = recorded.trace.already_running();
    // A busy thread may have been in `leaf`.
    for stack in &mut running {
        if stack[0] == "busy" {
            stack.truncate(1);
        }
    }
    let waiting: [&[&str]; 6] = [
        &["<module>", "main"],
        &["generating", "items"],
        &["locked"],
        &["receiving"],
        &["sleeping", "pause"],
        &["waiting"],
    ];
    assert_eq!(running.len(), 9, "{running:?}");
    assert_eq!(
        running.iter().filter(|stack| stack[..] == ["busy"]).count(),
        3
    );
    for stack in waiting {
        assert!(
            running.iter().any(|names| names == stack),
            "{stack:?} in {running:?}"
        );
    }
    for call in &recorded.trace.calls {
        assert!(
            !call.already_running || call.name == "leaf" || call.unfinished,
            "{call:?}"
        );
        assert!(call.end - call.start < 10_000_000_000, "{call:?}");
    }

    // What they wait in, as far as the scope calls it itself.
    let recorded = record(&[&target], "200ms", &[]);
    let running = recorded.trace.already_running();
    assert!(
        running.contains(&vec!["waiting", "Event.wait"]),
        "{running:?}"
    );
    let event = recorded
        .trace
        .calls
        .iter()
        .find(|call| call.name == "Event.wait");
    assert_eq!(event.expect("it").category, "external");
}

#[test]
#[ignore = "needs root and BPF"]
fn a_thread_that_goes_on_after_standing_still_is_recorded_from_there() {
    let mut target = Target::start(python("deep.py", &["3"]));
    let recording = Recording::begin(&[&target], &[]);
    target.tell("");
    assert_eq!(target.hear(), "called");
    let (status, _) = target.end();
    assert!(status.success());
    let recorded = recording.wait();
    assert_eq!(recorded.code, Some(0), "{}", recorded.messages);
    assert_eq!(recorded.trace.footer["ended"], "process ended");
    let names: Vec<(&str, bool, bool)> = recorded
        .trace
        .calls
        .iter()
        .filter(|call| call.depth < 4 || call.name == "leaf")
        .map(|call| (&*call.name, call.already_running, call.unfinished))
        .take(5)
        .collect();
    let descend = ("descend", true, false);
    let leaf = ("leaf", false, false);
    assert_eq!(
        names,
        [("<module>", true, false), descend, descend, descend, leaf]
    );
    let leaf = recorded
        .trace
        .calls
        .iter()
        .find(|call| call.name == "leaf")
        .expect("it");
    assert_eq!(leaf.depth, 4);
}

#[test]
#[ignore = "needs root and BPF"]
fn deep_stacks_are_whole() {
    for depth in ["900", "5000"] {
        let levels: u64 = depth.parse().expect("a number");
        let mut target = Target::start(python("deep.py", &[depth]));
        // Asleep first: read from outside. Then the kernel program's own report.
        let recording = Recording::begin(&[&target], &["--no-external-calls"]);
        target.tell("");
        assert_eq!(target.hear(), "called");
        target.tell("");
        assert_eq!(target.hear(), "called");
        // It says so within the call.
        std::thread::sleep(Duration::from_millis(200));
        let recorded = recording.stop();
        let running = recorded
            .trace
            .calls
            .iter()
            .filter(|call| call.already_running);
        assert_eq!(running.count() as u64, levels + 1, "{depth}");
        let leaves: Vec<_> = recorded
            .trace
            .calls
            .iter()
            .filter(|c| c.name == "leaf")
            .collect();
        assert_eq!(leaves.len(), 2);
        for leaf in leaves {
            assert_eq!(leaf.depth, levels + 1);
            assert!(!leaf.unfinished);
        }
        assert!(target.end().0.success());
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn generators_and_coroutines_have_their_callers() {
    let target = Target::start(python("generators.py", &[]));
    let recorded = record(&[&target], "100ms", &["--no-external-calls"]);
    let ours = [
        "<module>", "main", "task", "rest", "delegate", "count", "leaf",
    ];
    let edges: Vec<_> = recorded
        .trace
        .edges()
        .into_iter()
        .filter(|(_, callee)| ours.contains(callee))
        .collect();
    // The event loop, outside the scope, is left out: what it resumes has <module> below it.
    for edge in &edges {
        let expected = [
            ("", "<module>"),
            ("<module>", "main"),
            ("<module>", "task"),
            ("task", "rest"),
            ("task", "delegate"),
            ("delegate", "count"),
            ("count", "leaf"),
        ];
        assert!(expected.contains(edge), "{edges:?}");
    }
    assert!(recorded.trace.count("task") > 10);
    assert!(recorded.trace.count("leaf") > 10);
    assert!(target.end().0.success());
}

#[test]
#[ignore = "needs root and BPF"]
fn several_processes_are_recorded_at_once() {
    let busy = Target::start(python("busy.py", &[]));
    let mut counting = Target::start(python("counting.py", &[]));
    let recording = Recording::begin(&[&busy, &counting], &[]);
    counting.tell("10");
    assert_eq!(counting.hear(), "done");
    // One of them ends; the recording goes on.
    let pids = [busy.pid(), counting.pid()].map(u64::from);
    assert_eq!(busy.end().0.code(), Some(7));
    counting.tell("5");
    assert_eq!(counting.hear(), "done");
    let recorded = recording.stop();
    assert_eq!(recorded.code, Some(0), "{}", recorded.messages);
    assert_eq!(recorded.trace.count("counted"), 15);
    assert!(recorded.trace.count("leaf") > 100);
    for call in &recorded.trace.calls {
        let pid = if matches!(&*call.name, "counted" | "serve") {
            pids[1]
        } else {
            call.pid
        };
        assert_eq!(call.pid, pid, "{call:?}");
        assert!(pids.contains(&call.pid));
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn a_recording_ends_when_it_should_and_the_program_goes_on() {
    let mut target = Target::start(python("busy.py", &[]));
    let begun = Instant::now();
    let recorded = record(&[&target], "500ms", &[]);
    assert!(begun.elapsed() >= Duration::from_millis(500));
    assert_eq!(recorded.trace.footer["ended"], "duration");
    let (set, all) = target.probes();
    assert!(set == 0 && all > 0, "{set} of {all} probes are left");

    let recorded = Recording::begin(&[&target], &[]).stop();
    assert_eq!(recorded.code, Some(0), "{}", recorded.messages);
    assert_eq!(recorded.trace.footer["ended"], "interrupted");
    assert!(!recorded.trace.calls.is_empty());
    assert_eq!(target.probes().0, 0);
    assert!(target.is_alive());

    let recording = Recording::begin(&[&target], &[]);
    assert_eq!(target.end().0.code(), Some(7));
    let recorded = recording.wait();
    assert_eq!(recorded.code, Some(0), "{}", recorded.messages);
    assert_eq!(recorded.trace.footer["ended"], "process ended");
}

#[test]
#[ignore = "needs root and BPF"]
fn probes_come_and_go_without_harm() {
    let mut target = Target::start(python("standing.py", &[]));
    // A scope without code, mostly: the probes fire as often, and there is little to write.
    let nothing = tempfile::tempdir().expect("a directory");
    let nothing = nothing.path().to_str().expect("text");
    for round in 0..20 {
        let args: &[&str] = if round % 5 == 0 {
            &[]
        } else {
            &["--scope", nothing]
        };
        record(&[&target], ["1ms", "20ms"][round % 2], args);
        assert!(target.is_alive(), "after {round} rounds");
    }
    assert_eq!(target.probes().0, 0);
    let ticks = target.ticks();
    std::thread::sleep(Duration::from_millis(300));
    assert!(target.ticks() > ticks, "its busy threads are busy no more");
    assert!(target.end().0.success());
}

#[test]
#[ignore = "needs root and BPF"]
fn an_executable_that_was_deleted_or_replaced_is_found() {
    for replace in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let copy = directory.path().join("python3");
        fs::copy(PYTHON, &copy).expect("a copy");
        let mut command = Command::new(&copy);
        command.arg(program("busy.py")).env("PYTHONHOME", "/usr");
        let target = Target::start(command);
        fs::remove_file(&copy).expect("removed");
        if replace {
            fs::copy("/bin/true", &copy).expect("another");
        }
        let recorded = record(&[&target], "50ms", &[]);
        assert!(recorded.trace.count("leaf") > 10);
        assert_eq!(target.probes().0, 0);
        assert_eq!(target.end().0.code(), Some(7));
    }
}

#[test]
#[ignore = "needs root and BPF"]
fn a_program_in_another_mount_namespace_has_its_own_scope() {
    let directory = tempfile::tempdir().expect("a directory");
    // Nothing of this is visible from outside.
    let setup = "mount -t tmpfs none \"$1\" && cd \"$1\" && mkdir code && cp \"$2\" code/busy.py && \
                 exec \"$3\" ./code/../code/busy.py";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", setup, "sh"]);
    command
        .arg(directory.path())
        .arg(program("busy.py"))
        .arg(PYTHON);
    let target = Target::start(command);
    let recorded = record(&[&target], "50ms", &[]);
    assert!(!directory.path().join("code").exists());
    let scope = directory
        .path()
        .canonicalize()
        .expect("a path")
        .join("code");
    assert_eq!(
        recorded.trace.footer["scope"][0],
        scope.to_str().expect("text")
    );
    assert!(recorded.trace.count("leaf") > 10);
    assert!(
        recorded
            .trace
            .calls
            .iter()
            .all(|call| call.category == "internal")
    );
}

#[test]
#[ignore = "needs root and BPF"]
fn a_program_in_another_pid_namespace_has_the_ids_that_we_know() {
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--kill-child", PYTHON])
        .arg(program("standing.py"));
    let target = Target::start(command);
    let children = format!("/proc/{0}/task/{0}/children", target.pid());
    let inner = fs::read_to_string(children).expect("its children");
    let inner = inner.trim();
    let output = Command::new(env!("CARGO_BIN_EXE_pytrace"))
        .args(["--pid", inner, "--duration", "100ms", "--no-external-calls"])
        .output()
        .expect("pytrace");
    let shown = String::from_utf8_lossy(&output.stdout);
    for task in fs::read_dir(format!("/proc/{inner}/task")).expect("its threads") {
        let tid = task
            .expect("a thread")
            .file_name()
            .into_string()
            .expect("an id");
        assert!(
            shown.contains(&format!("Thread {tid} ")),
            "{tid} is not in\n{shown}"
        );
    }
    assert!(shown.contains("pause"), "{shown}");
}

#[test]
#[ignore = "needs root and BPF"]
fn programs_of_other_users_can_be_recorded() {
    const NOBODY: u32 = 65534;
    let directory = tempfile::tempdir().expect("a directory");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.path(), open).expect("its mode");
    let copy = directory.path().join("busy.py");
    fs::copy(program("busy.py"), &copy).expect("a copy");
    let mut command = Command::new(PYTHON);
    command.arg(&copy).uid(NOBODY).gid(NOBODY).current_dir("/");
    let target = Target::start(command);
    let recorded = record(&[&target], "500ms", &[]);
    assert!(recorded.trace.count("leaf") > 10);
    assert_eq!(target.end().0.code(), Some(7));
}
