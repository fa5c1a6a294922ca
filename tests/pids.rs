//! What `--pid` may lead to: Python, in containers too, or one clear line.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;

use std::fs;

use run::{PYTHON, Place, eventually, shown};

const ANY_PYTHON: &str = "hint: `pgrep -a python` lists the processes that run Python";

#[test]
#[ignore = "needs root"]
fn processes_that_are_no_python_are_named_for_what_they_are() {
    let place = Place::new();
    let sleep = place.start(place.command("/bin/sleep", &["60"]));
    let gone = {
        let mut child = place.command("/bin/true", &[]).spawn().unwrap();
        child.wait().unwrap();
        child.id()
    };
    place.write(
        "parent.py",
        "import os, threading, time\n\
         zombie = os.fork() or os._exit(0)\n\
         thread = threading.Thread(target=time.sleep, args=(60,), daemon=True)\n\
         thread.start()\n\
         print('ids', zombie, thread.native_id, flush=True)\n\
         time.sleep(60)\n",
    );
    let parent = place.start(place.command(PYTHON, &["parent.py"]));
    let ids = parent.line("ids ");
    let (zombie, thread) = ids.split_once(' ').unwrap();
    eventually("the zombie", || {
        let stat = fs::read_to_string(format!("/proc/{zombie}/stat")).unwrap();
        stat.contains(") Z ").then_some(())
    });
    let (sleep_id, parent_id) = (sleep.id(), parent.id());
    let sleep_program = shown(&fs::read_link(format!("/proc/{sleep_id}/exe")).unwrap());
    for (pid, message, hint) in [
        (
            gone.to_string(),
            format!("there is no process {gone}"),
            ANY_PYTHON.to_owned(),
        ),
        (
            sleep_id.to_string(),
            format!("process {sleep_id} runs {sleep_program}, which is not a CPython"),
            ANY_PYTHON.to_owned(),
        ),
        (
            zombie.to_owned(),
            format!(
                "process {zombie} has ended: it is a zombie that its parent has not collected yet"
            ),
            String::new(),
        ),
        (
            "2".to_owned(),
            "process 2 is a thread of the kernel: it runs no program".to_owned(),
            ANY_PYTHON.to_owned(),
        ),
        (
            thread.to_owned(),
            format!("{thread} is a thread of process {parent_id}, not a process"),
            format!("hint: --pid {parent_id} records all of its threads"),
        ),
    ] {
        let message = format!("pytrace: {message}");
        let lines: Vec<&str> = [message.as_str(), hint.as_str()]
            .into_iter()
            .filter(|line| !line.is_empty())
            .collect();
        place.write("trace.json", "an older trace");
        place
            .run(place.pytrace(&["-o", "trace.json", "--pid", &pid]))
            .says(1, &lines);
        assert_eq!(
            fs::read(place.path("trace.json")).unwrap(),
            b"an older trace"
        );
    }
}

#[test]
#[ignore = "needs root"]
fn pytrace_does_not_trace_itself() {
    let place = Place::new();
    let code = format!("exec {} --pid $$", env!("CARGO_BIN_EXE_pytrace"));
    let running = place.start(place.command("/bin/sh", &["-c", &code]));
    let pid = running.id();
    running.wait().says(
        1,
        &[
            &format!("pytrace: process {pid} is pytrace itself"),
            ANY_PYTHON,
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn a_process_that_is_named_twice_is_traced_once() {
    let place = Place::new();
    let target = place.endless();
    let pid = target.id().to_string();
    place
        .run(place.pytrace(&[
            "-o",
            "trace.json",
            "--duration",
            "300ms",
            "--pid",
            &pid,
            "--pid",
            &pid,
        ]))
        .recorded(0, &[]);
    let trace = place.trace("trace.json");
    assert_eq!(trace.ended(), "duration");
    let mut numbers: Vec<u64> = trace
        .events()
        .map(|event| event["args"]["call"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert!(numbers.len() > 2, "{}", trace.shown);
    numbers.dedup();
    assert_eq!(numbers.len(), trace.events().count());
}

#[test]
#[ignore = "needs root"]
fn a_container_is_traced_by_the_hosts_id_and_its_own_ids_are_recognised() {
    let place = Place::new();
    place.write(
        "loop.py",
        "import time\ndef f(): time.sleep(0.005)\nwhile True: f()\n",
    );
    // The shell is process 1 in there, python 2: here a thread of the kernel.
    let container = place.start(place.command(
        "unshare",
        &[
            "--pid",
            "--mount",
            "--uts",
            "--fork",
            "--mount-proc",
            "--kill-child",
            "sh",
            "-c",
            &format!("{PYTHON} loop.py & echo up $!; wait"),
        ],
    ));
    assert_eq!(container.line("up "), "2");
    let pid = eventually("python in the container", || {
        fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
            let id = entry.file_name().into_string().ok()?;
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let exe = fs::read_link(entry.path().join("exe")).ok()?;
            let inside = format!("\nNSpid:\t{id}\t2\n");
            (status.contains(&inside) && shown(&exe).contains("python")).then_some(id)
        })
    });
    place.run(place.pytrace(&["--pid", "2"])).says(
        1,
        &[
            "pytrace: process 2 is a thread of the kernel: it runs no program",
            &format!("hint: the process whose id is 2 in its container is {pid} here: --pid {pid}"),
        ],
    );
    let args = ["-o", "trace.json", "--duration", "300ms", "--pid", &pid];
    place.run(place.pytrace(&args)).recorded(0, &[]);
    let trace = place.trace("trace.json");
    assert!(
        trace.calls().iter().any(|call| call.trim() == "f"),
        "{}",
        trace.shown
    );
}
