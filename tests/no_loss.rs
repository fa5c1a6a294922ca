//! Nothing is lost at the highest rate of events that one thread can make. Needs root.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Stdio};

use pytrace::format::read_from;

const CALLS: usize = 2_000_000;
const PROGRAM: &str = "
def step():
    pass

def run(count):
    for _ in range(count):
        step()

run(2_000_000)
";

#[test]
#[ignore = "needs root and eBPF"]
fn a_hot_loop_is_recorded_whole() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "this test needs root: run it with sudo"
    );
    let dir = tempfile::tempdir().expect("a directory");
    let script = dir.path().join("hot.py");
    fs::write(&script, PROGRAM).expect("a script");
    let trace = dir.path().join("trace.json");
    record(&script, &trace);

    let recording = read_from(BufReader::new(File::open(&trace).expect("a trace")));
    let recording = recording.expect("a trace that can be read");
    let footer = recording.footer.as_ref().expect("a complete trace");
    assert_eq!(footer.lost, 0, "events were lost");
    let calls = |name: &str| {
        let rows = recording.threads.iter().flat_map(|thread| &thread.calls);
        rows.filter(|row| recording.code(row).name == name).count()
    };
    assert_eq!(calls("step"), CALLS);
    assert_eq!(calls("run"), 1);
}

fn record(script: &Path, trace: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_pytrace"))
        .args(["--as-root", "--python", "/usr/bin/python3", "-o"])
        .args([trace, script])
        .stdin(Stdio::null())
        .output()
        .expect("pytrace");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
}
