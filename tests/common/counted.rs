//! Programs whose processes count their calls themselves, and recordings of them.

#![allow(dead_code, reason = "not every test uses everything")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::run::{Place, Trace};

/// What programs count by: each process writes how often it has called `f` since it is
/// that process, into a file that is called like its id.
pub(crate) const COUNTED: &str = "
import os
calls = 0
def reset():
    global calls
    calls = 0
os.register_at_fork(after_in_child=reset)
def f():
    global calls
    calls += 1
def run(n):
    for _ in range(n):
        f()
    name = os.path.join(os.path.dirname(os.path.abspath(__file__)), f'{os.getpid()}.n')
    with open(name + '.new', 'w') as out:
        out.write(str(calls))
    os.rename(name + '.new', name) # whoever finds it finds all of it
";

/// A directory with a script and what it counts by.
pub(crate) fn counting(script: &str) -> Place {
    let place = Place::with(script);
    place.write("counted.py", COUNTED);
    place
}

/// Calls of `f` by process, as the processes counted them.
pub(crate) fn counted(place: &Place) -> BTreeMap<u64, usize> {
    counted_in(&place.path(""))
}

/// The same, in any directory.
pub(crate) fn counted_in(directory: &Path) -> BTreeMap<u64, usize> {
    let files = fs::read_dir(directory).unwrap();
    let counts = files.filter_map(|file| {
        let path = file.unwrap().path();
        let pid = path.file_name()?.to_str()?.strip_suffix(".n")?;
        let count = fs::read_to_string(&path).unwrap();
        Some((pid.parse().unwrap(), count.parse().unwrap()))
    });
    counts.collect()
}

/// Calls of `f` by process, as they were recorded.
pub(crate) fn recorded(trace: &Trace) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for event in trace.events().filter(|event| event["name"] == "f") {
        *counts.entry(event["pid"].as_u64().unwrap()).or_default() += 1;
    }
    counts
}

/// Records `x.py`, and compares the calls of each of `processes` processes with its own count.
pub(crate) fn agrees(script: &str, processes: usize) -> Trace {
    let place = counting(script);
    let ran = place.run(place.python(&["--no-external-calls", "-o", "trace.json", "x.py"]));
    ran.recorded(0, &[]);
    let trace = place.trace("trace.json");
    let counts = counted(&place);
    assert_eq!(counts.len(), processes, "{counts:?}");
    assert_eq!(recorded(&trace), counts);
    trace
}
