//! Nothing is lost, whatever the rate of events and however little room there is for them. Needs root.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};

use run::Place;

/// The highest rate of events that one thread can make.
fn hot_loop(calls: u64) -> String {
    format!(
        "
def step():
    pass

def run(count):
    for _ in range(count):
        step()

run({calls})
"
    )
}

/// What a trace says of a hot loop, read line by line: each call is one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Steps {
    /// How many calls there are.
    steps: u64,
    /// Those that did not come in the order of their numbers, from 3 on: `<module>` and `run` are the
    /// first two, and end last.
    out_of_order: u64,
    /// Whether the end says that none was lost.
    none_lost: bool,
}

fn read_steps(trace: impl std::io::Read) -> Steps {
    let mut reader = BufReader::with_capacity(1 << 20, trace);
    let mut read = Steps::default();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).unwrap() > 0 {
        let text = String::from_utf8_lossy(&line);
        if text.contains("\"name\":\"step\",\"cat\":\"internal\"") {
            read.steps += 1;
            let number = format!("\"args\":{{\"call\":{},\"depth\":2,", read.steps + 2);
            read.out_of_order += u64::from(!text.contains(&number));
        }
        read.none_lost |= text.contains("\"pytrace\":{") && text.contains("\"lost\":0,");
        line.clear();
    }
    read
}

/// 20 million events, more than half a gigabyte of records, through a ring of one megabyte.
#[test]
#[ignore = "needs root and eBPF"]
fn a_hot_loop_is_recorded_whole_through_a_small_ring() {
    const CALLS: u64 = 10_000_000;
    let place = Place::with(&hot_loop(CALLS));
    // Not kept: a file of more than a gigabyte may not fit.
    let trace = place.path("trace");
    nix::unistd::mkfifo(&trace, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let reader = std::thread::spawn(move || read_steps(File::open(trace).unwrap()));
    let running =
        place.start(place.python(&["--ring-size", "1", "--no-arg-values", "-o", "trace", "x.py"]));
    let read = reader.join().unwrap();
    running.wait().recorded(0, &[]);
    let whole = Steps {
        steps: CALLS,
        out_of_order: 0,
        none_lost: true,
    };
    assert_eq!(read, whole);
}

/// The same by all threads of several processes at once, with values, which take room as well.
#[test]
#[ignore = "needs root and eBPF"]
fn threads_and_children_share_a_small_ring_and_lose_nothing() {
    let place = Place::with(
        "
import os, threading
def step(text, number):
    return text * 20
def run(count):
    for number in range(count):
        step('abc', number)
children = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        run(30_000)
        os._exit(0)
    children.append(pid)
threads = [threading.Thread(target=run, args=(30_000,)) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
",
    );
    let ran = place.run(place.python(&["--ring-size", "1", "-o", "trace.json", "x.py"]));
    ran.recorded(0, &[]);
    let trace = fs::read_to_string(place.path("trace.json")).unwrap();
    let steps = trace
        .lines()
        .filter(|line| line.contains("\"name\":\"step\""));
    let mut by_thread = std::collections::BTreeMap::new();
    for step in steps {
        assert!(step.contains("\"return\":"), "{step}");
        let (_, tid) = step.split_once("\"tid\":").unwrap();
        let tid = tid.split(',').next().unwrap().to_owned();
        *by_thread.entry(tid).or_insert(0) += 1;
    }
    assert_eq!(by_thread.into_values().collect::<Vec<_>>(), [30_000; 6]);
    assert!(trace.contains("\"lost\":0,"));
}
