//! `pytrace export`: what becomes of a trace, and of a file that was there before. What the page of a
//! report shows is for `tests/page/report.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use pytrace::format;
use pytrace::recording::Recording;

const TRACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/everything.json");

fn export(trace: &Path, output: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pytrace"));
    command.arg("export").arg(trace).arg("-o").arg(output);
    command.args(options).output().unwrap()
}

fn exported(output: &Path, options: &[&str]) {
    let ended = export(Path::new(TRACE), output, options);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!((&*ended.stdout, &*ended.stderr), (&b""[..], &b""[..]));
}

/// Everything that a recording tells of its calls.
fn told(recording: &Recording) -> Vec<String> {
    let threads = recording.threads.iter();
    let told = threads.flat_map(|thread| {
        thread.calls.iter().map(|row| {
            let code = recording.code(row);
            let arguments = recording.arguments(row);
            let outcome = (
                recording.result(row),
                recording.exception(row),
                recording.message(row),
            );
            let place = (row.number, row.depth, row.start, row.duration, row.flags);
            format!(
                "{:?} {code:?} {arguments:?} {outcome:?} {place:?}",
                thread.id
            )
        })
    });
    told.collect()
}

#[test]
fn a_trace_file_stays_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let before = format::read(Path::new(TRACE)).unwrap();
    for name in ["again.json", "again.json.gz", "AGAIN.JSON"] {
        let path = dir.path().join(name);
        exported(&path, &[]);
        let after = format::read(&path).unwrap();
        assert_eq!(told(&after), told(&before), "{name}");
        assert_eq!(after.footer, before.footer, "{name}");
    }
    let bytes = fs::read(dir.path().join("again.json.gz")).unwrap();
    assert_eq!(bytes[..2], [0x1f, 0x8b]);
}

#[test]
fn a_tree_is_that_of_show() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tree.txt");
    exported(&path, &[]);
    let tree = include_str!("data/everything.tree.txt");
    assert_eq!(fs::read_to_string(&path).unwrap(), tree);
    exported(&path, &["--hide-external", "--hide-imports"]);
    let less = fs::read_to_string(&path).unwrap();
    assert!(tree.contains("(external)") && tree.contains("(import)"));
    assert!(
        !less.contains("(external)") && !less.contains("(import)"),
        "{less}"
    );
}

#[test]
fn values_are_nowhere_in_what_is_to_have_none() {
    let dir = tempfile::tempdir().unwrap();
    let recording = format::read(Path::new(TRACE)).unwrap();
    let rows = recording.threads.iter().flat_map(|thread| &thread.calls);
    let mut values: Vec<String> = Vec::new();
    for row in rows {
        let arguments = recording
            .arguments(row)
            .into_iter()
            .flat_map(|list| list.iter());
        values.extend(arguments.map(|(_, value)| value.to_owned()));
        values.extend(recording.result(row).map(str::to_owned));
        values.extend(recording.message(row).map(str::to_owned));
    }
    // Others may stand there for other reasons.
    values.retain(|value| value.len() > 8);
    assert!(values.len() > 2, "{values:?}");
    for name in ["r.html", "r.json", "r.txt"] {
        let path = dir.path().join(name);
        let has = |options: &[&str]| {
            exported(&path, options);
            let text = fs::read_to_string(&path).unwrap();
            values.iter().filter(|value| text.contains(*value)).count()
        };
        assert!(has(&[]) > 0, "{name}");
        assert_eq!(has(&["--no-values"]), 0, "{name}");
    }
}

#[test]
fn what_was_there_stays_if_nothing_comes_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (page, garbage) = (dir.path().join("r.html"), dir.path().join("g.json"));
    fs::write(&page, "old").unwrap();
    fs::write(&garbage, "no trace").unwrap();
    let failed = |trace: &Path, output: &Path, says: &str| {
        let ended = export(trace, output, &[]);
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(
            said.starts_with("pytrace: ") && said.contains(says),
            "{said}"
        );
        said
    };
    failed(&garbage, &page, "not a trace file");
    failed(&dir.path().join("none.json"), &page, "none.json");
    let said = failed(Path::new(TRACE), &dir.path().join("r.svg"), "r.svg");
    assert!(said.contains("\nhint: "), "{said}");
    failed(
        Path::new(TRACE),
        &dir.path().join("none/r.html"),
        "none/r.html",
    );
    for name in ["full.html", "full.txt", "full.json", "full.json.gz"] {
        let full = dir.path().join(name);
        std::os::unix::fs::symlink("/dev/full", &full).unwrap();
        failed(Path::new(TRACE), &full, "failed to write");
        fs::remove_file(full).unwrap();
    }
    assert_eq!(fs::read_to_string(&page).unwrap(), "old");
    let mut names: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["g.json", "r.html"]);
}

#[test]
fn a_file_that_is_replaced_keeps_its_permissions() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.html");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    exported(&path, &[]);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}
