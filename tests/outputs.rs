//! Where the trace goes: what can't be written costs no more than it must.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use run::{NOBODY, PYTHON, Place, TWO_CALLS, shown};

/// Many more calls than a small disk takes, and the exit code that the first argument names.
const MANY_CALLS: &str = "import sys\n\
                          def f(): pass\n\
                          for i in range(20000): f()\n\
                          print('end')\n\
                          sys.exit(int(sys.argv[1]))\n";
const CALLS: u64 = 20_001;
const MAKE_ROOM: &str = "hint: make room, or write to another disk";

/// A disk, as long as it lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(place: &Place, kib: u32) -> SmallDisk {
        let path = place.path("disk");
        fs::create_dir(&path).unwrap();
        let mount = ["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"];
        let mounted = Command::new("mount")
            .args(mount)
            .arg(&path)
            .status()
            .unwrap();
        assert!(mounted.success());
        SmallDisk(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// A copy of the system's interpreter that takes itself for CPython 3.31.
fn python_of_the_future(place: &Place) -> String {
    let code = "import sys; print(sys.hexversion)";
    let version = place.run(place.command(PYTHON, &["-c", code])).text();
    let version = version.trim().parse::<u64>().unwrap().to_le_bytes();
    let mut binary = fs::read(PYTHON).unwrap();
    let places: Vec<usize> = (0..binary.len() - 8)
        .step_by(8)
        .filter(|&at| binary[at..at + 8] == version)
        .collect();
    let [at] = places[..] else {
        panic!("{PYTHON} has its Py_Version at {places:x?}, not in one place");
    };
    binary[at..at + 8].copy_from_slice(&0x031f_0000_u64.to_le_bytes());
    place.write("python3.31", binary);
    place.mode("python3.31", 0o755);
    shown(&fs::canonicalize(place.path("python3.31")).unwrap())
}

/// What is said of it.
fn refusal(python: &str) -> [String; 2] {
    [
        format!(
            "pytrace: can't trace CPython 3.31.0 ({python}): \
             this version is not supported; supported are 3.6 to 3.15"
        ),
        format!("hint: `pytrace doctor --python {python}` shows what was found"),
    ]
}

#[test]
#[ignore = "needs root"]
fn a_place_that_can_not_be_written_to_is_refused_before_anything_runs() {
    let place = Place::with("open('ran', 'w')\n");
    fs::create_dir(place.path("dir")).unwrap();
    for (output, why, hint) in [
        (
            "none/trace.json",
            "No such file or directory (os error 2)",
            "create the directory first: mkdir -p none",
        ),
        (
            "dir",
            "Is a directory (os error 21)",
            "name a file in it: dir/trace.json",
        ),
        (
            "x.py/trace.json",
            "Not a directory (os error 20)",
            "x.py is not a directory",
        ),
    ] {
        place.run(place.python(&["-o", output, "x.py"])).says(
            1,
            &[
                &format!("pytrace: failed to open {output} for writing: {why}"),
                &format!("hint: {hint}"),
            ],
        );
    }
    let mut command = place.python(&["-o", "trace.json", "x.py"]);
    command
        .env("SUDO_UID", NOBODY.to_string())
        .env("SUDO_GID", NOBODY.to_string());
    place.run(command).says(
        1,
        &[
            "pytrace: the environment from before sudo could not be read: \
             the target gets sudo's, with your HOME, USER and SHELL",
            "pytrace: failed to open trace.json for writing: Permission denied (os error 13)",
            "hint: user 65534 may not write there; choose another FILE for -o",
        ],
    );
    assert!(!place.path("ran").exists());
}

#[test]
#[ignore = "needs root"]
fn the_script_is_not_written_over() {
    let place = Place::with(TWO_CALLS);
    std::os::unix::fs::symlink("x.py", place.path("link.json")).unwrap();
    for output in ["x.py", "./x.py", "link.json"] {
        place.run(place.python(&["-o", output, "x.py"])).says(
            1,
            &[
                &format!("pytrace: -o {output} is the script itself"),
                "hint: name another file for the trace",
            ],
        );
        assert_eq!(fs::read_to_string(place.path("x.py")).unwrap(), TWO_CALLS);
    }
}

#[test]
#[ignore = "needs root"]
fn an_unknown_interpreter_runs_nothing_and_costs_no_older_trace() {
    let place = Place::with("open('ran', 'w')\n");
    let python = python_of_the_future(&place);
    let lines = refusal(&python);
    let lines = [&*lines[0], &*lines[1]];
    for options in [
        &["--python", "./python3.31", "x.py"][..],
        &["--", "./python3.31", "x.py"],
    ] {
        place
            .run(place.pytrace(&[&["-o", "new.json"], options].concat()))
            .says(1, &lines);
        assert!(!place.path("new.json").exists());
        place.write("old.json", "an older trace");
        place
            .run(place.pytrace(&[&["-o", "old.json"], options].concat()))
            .says(1, &lines);
        assert_eq!(fs::read(place.path("old.json")).unwrap(), b"an older trace");
        assert!(!place.path("ran").exists());
    }

    // A process that runs already goes on.
    place.write(
        "up.py",
        "import time\nprint('up', flush=True)\ntime.sleep(60)\n",
    );
    let target = place.start(place.command("./python3.31", &["up.py"]));
    target.line("up");
    place
        .run(place.pytrace(&["--pid", &target.id().to_string()]))
        .says(1, &lines);
    let stat = fs::read_to_string(format!("/proc/{}/stat", target.id())).unwrap();
    assert!(stat.contains(") S "), "{stat}");
}

#[test]
#[ignore = "needs root"]
fn what_ran_before_an_unknown_interpreter_is_kept() {
    let place = Place::with(
        "import os, sys\n\
         def last(): os.execv('./python3.31', ['python3.31', '-c', 'open(\"ran\", \"w\")'])\n\
         last()\n",
    );
    let python = python_of_the_future(&place);
    let lines = refusal(&python);
    let ran = place.run(place.python(&["-o", "trace.json", "x.py"]));
    ran.recorded(1, &[&lines[0], &lines[1]]);
    let trace = place.trace("trace.json");
    assert_eq!(trace.calls(), ["<module>…", "  last…"]);
    let problem = lines[0].strip_prefix("pytrace: ").unwrap();
    assert_eq!(trace.ended(), format!("error: {problem}"));
    assert!(!place.path("ran").exists());
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_costs_the_last_calls_and_says_how_many() {
    let place = Place::with(MANY_CALLS);
    let _disk = SmallDisk::at(&place, 128);
    for (exit, code) in [("0", 1), ("7", 7)] {
        let ran = place.run(place.python(&["-o", "disk/trace.json", "x.py", exit]));
        assert_eq!(
            (ran.code, ran.text().as_str()),
            (code, "end\n"),
            "{}",
            ran.stderr
        );
        let trace = place.trace("disk/trace.json");
        let kept = trace.events().count() as u64;
        let missing = CALLS - kept;
        assert!(kept > 500, "{}", trace.shown);
        assert_eq!(trace.footer()["lost"], missing);
        assert_eq!(trace.ended(), format!("exit {exit}"));
        let claim = " calls could not be written\n";
        assert!(ran.stderr.contains(claim), "{}", ran.stderr);
        let last: Vec<&str> = ran.stderr.lines().rev().take(2).collect();
        assert_eq!(
            last,
            [
                "hint: the file is complete up to there; make room, or write to another disk",
                &format!(
                    "pytrace: failed to write the whole trace: {missing} calls are missing: \
                     No space left on device (os error 28)"
                ),
            ]
        );
        let json = place.command(PYTHON, &["-m", "json.tool", "disk/trace.json"]);
        assert_eq!(place.run(json).code, 0);
        fs::remove_file(place.path("disk/trace.json")).unwrap();
    }
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_costs_a_compressed_trace_no_more() {
    let place = Place::with(MANY_CALLS);
    let _disk = SmallDisk::at(&place, 64);
    let ran = place.run(place.python(&["-o", "disk/trace.json.gz", "x.py", "0"]));
    assert_eq!(
        (ran.code, ran.text().as_str()),
        (1, "end\n"),
        "{}",
        ran.stderr
    );
    let recording = pytrace::format::read(&place.path("disk/trace.json.gz")).unwrap();
    let kept: usize = recording
        .threads
        .iter()
        .map(|thread| thread.calls.len())
        .sum();
    let missing = CALLS - kept as u64;
    assert!(
        kept > 1000 && !recording.truncated,
        "{kept}: {}",
        ran.stderr
    );
    assert_eq!(recording.footer.unwrap().lost, missing);
    let says = format!("failed to write the whole trace: {missing} calls are missing: ");
    assert!(ran.stderr.contains(&says), "{}", ran.stderr);
}

#[test]
#[ignore = "needs root"]
fn a_disk_without_any_room_is_said_to_be_full_and_the_program_runs_on() {
    let place = Place::with(MANY_CALLS);
    for (exit, code) in [("0", 1), ("7", 7)] {
        let ran = place.run(place.python(&["-o", "/dev/full", "x.py", exit]));
        assert_eq!(
            (ran.code, ran.text().as_str()),
            (code, "end\n"),
            "{}",
            ran.stderr
        );
        let last: Vec<&str> = ran.stderr.lines().rev().take(2).collect();
        assert_eq!(
            last,
            [
                MAKE_ROOM,
                "pytrace: failed to complete /dev/full: no storage space"
            ]
        );
    }
}

#[test]
#[ignore = "needs root"]
fn an_older_trace_is_replaced_whole() {
    let place = Place::with(TWO_CALLS);
    place.write("trace.json", "x".repeat(100_000));
    place
        .run(place.python(&["-o", "trace.json", "x.py"]))
        .recorded(0, &[]);
    assert_eq!(place.trace("trace.json").calls(), ["<module>", "  f"]);
    assert!(fs::metadata(place.path("trace.json")).unwrap().size() < 10_000);
}
