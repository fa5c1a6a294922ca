//! What a user tries who may use sudo for pytrace and for nothing else: to have it write, remove, show or
//! run what is root's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/run.rs"]
mod run;
mod swaps;

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::pty::openpty;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use run::{NOBODY, PYTHON, Place, Ran, shown};

const SECRET: &str = "root's own\n";

/// What pytrace says first where nobody's sudo is not among its ancestors.
const NO_SUDO: &str = "pytrace: the environment from before sudo could not be read: \
                       the target gets sudo's, with your HOME, USER and SHELL";

/// A directory of the user's, `home`, and one of root's, `root`, that the user can't look into; in
/// both a script and a file.
fn place() -> Place {
    let place = Place::new();
    for (name, mode, owner) in [("home", 0o755, NOBODY), ("root", 0o700, 0)] {
        fs::create_dir(place.path(name)).unwrap();
        let script = place.write(&format!("{name}/x.py"), "def f(): pass\nf()\n");
        let file = place.write(&format!("{name}/file"), SECRET);
        for path in [&script, &file, &place.path(name)] {
            chown(path, Some(owner), Some(owner)).unwrap();
        }
        place.mode(name, mode);
    }
    place.write("open", SECRET);
    place
}

/// `sudo pytrace ARGS` by nobody, in `home`.
fn sudo(place: &Place, args: &[&str]) -> Command {
    let mut command = place.pytrace(args);
    command.current_dir(place.path("home"));
    command
        .env("SUDO_UID", NOBODY.to_string())
        .env("SUDO_GID", NOBODY.to_string());
    command
}

fn records(place: &Place, output: &str) -> Ran {
    place.run(sudo(place, &["--python", PYTHON, "-o", output, "x.py"]))
}

/// What is root's is as it was, and nothing has come to it.
#[track_caller]
fn is_untouched(place: &Place) {
    for file in ["root/file", "open"] {
        assert_eq!(
            fs::read_to_string(place.path(file)).unwrap(),
            SECRET,
            "{file}"
        );
        assert_eq!(fs::metadata(place.path(file)).unwrap().uid(), 0, "{file}");
    }
    let mut names: Vec<_> = fs::read_dir(place.path("root"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["file", "x.py"]);
}

#[test]
#[ignore = "needs root"]
fn no_way_of_naming_a_file_leads_to_one_that_the_user_may_not_write() {
    let place = place();
    let home = |name: &str| place.path("home").join(name);
    symlink("../root/file", home("to_closed")).unwrap();
    symlink("../open", home("to_open")).unwrap();
    symlink("../root/new", home("to_nothing")).unwrap();
    symlink("../root", home("directory")).unwrap();
    symlink("to_open", home("twice")).unwrap();
    fs::hard_link(place.path("open"), home("hard")).unwrap();
    fs::create_dir(home("sticky")).unwrap();
    fs::set_permissions(home("sticky"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::write(home("sticky/t.json"), SECRET).unwrap();
    let device = |name: &str, kind, mode, number| {
        let mode = Mode::from_bits_truncate(mode);
        mknod(&home(name), kind, mode, number).unwrap();
    };
    device("kmsg", SFlag::S_IFCHR, 0o600, makedev(1, 11));
    device("fifo", SFlag::S_IFIFO, 0o600, 0);
    let open = shown(&fs::canonicalize(place.path("open")).unwrap());
    for output in [
        "to_closed",
        "to_open",
        "to_nothing",
        "directory/new",
        "directory/file",
        "twice",
        "hard",
        "sticky/t.json",
        "kmsg",
        "fifo",
        "../open",
        "../new",
        "/etc/passwd",
        "/proc/sys/kernel/core_pattern",
        "/proc/self/mem",
        &open,
    ] {
        records(&place, output).says(
            1,
            &[
                NO_SUDO,
                &format!(
                    "pytrace: failed to open {output} for writing: Permission denied (os error 13)"
                ),
                &format!("hint: user {NOBODY} may not write there; choose another FILE for -o"),
            ],
        );
        is_untouched(&place);
        assert!(!place.path("new").exists());
        assert_eq!(fs::read_to_string(home("sticky/t.json")).unwrap(), SECRET);
    }
}

#[test]
#[ignore = "needs root"]
fn a_descriptor_of_pytraces_gives_no_rights_to_its_file() {
    let place = place();
    // Only what sudo passes on: the standard streams; here one that root has opened.
    for output in ["/proc/self/fd/1", "/dev/stdout", "/dev/fd/1"] {
        let mut command = sudo(&place, &["--python", PYTHON, "-o", output, "x.py"]);
        let root = File::options()
            .append(true)
            .open(place.path("root/file"))
            .unwrap();
        let child = command.stdout(root).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("for writing: Permission denied"), "{said}");
        is_untouched(&place);
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn harmless_places_are_written_to_as_the_user_would() {
    let place = place();
    records(&place, "/dev/null").recorded(0, &[NO_SUDO]);
    let link = place.path("home/link");
    symlink("new.json", &link).unwrap();
    records(&place, "link").recorded(0, &[NO_SUDO]);
    assert!(link.is_symlink());
    let made = fs::metadata(place.path("home/new.json")).unwrap();
    assert_eq!((made.uid(), made.gid()), (NOBODY, NOBODY));
    is_untouched(&place);
}

#[test]
#[ignore = "needs root"]
fn what_is_read_is_not_what_is_written() {
    let place = place();
    fs::hard_link(place.path("home/x.py"), place.path("home/hard.py")).unwrap();
    symlink("x.py", place.path("home/link.py")).unwrap();
    for output in ["x.py", "./x.py", "hard.py", "link.py", "../home/x.py"] {
        records(&place, output).says(
            1,
            &[
                NO_SUDO,
                &format!("pytrace: -o {output} is the script itself"),
                "hint: name another file for the trace",
            ],
        );
    }
    assert!(
        fs::read_to_string(place.path("home/x.py"))
            .unwrap()
            .starts_with("def f")
    );
}

#[test]
#[ignore = "needs root and eBPF"]
fn traces_are_read_and_exported_with_the_users_rights() {
    let place = place();
    records(&place, "t.json").recorded(0, &[NO_SUDO]);
    fs::copy(place.path("home/t.json"), place.path("root/x.py")).unwrap();
    symlink("../root/file", place.path("home/to_closed.html")).unwrap();
    symlink("../root", place.path("home/directory")).unwrap();
    let refused = "Permission denied (os error 13)";
    for (args, says) in [
        (&["show", "../root/x.py"][..], "failed to read ../root/x.py"),
        (
            &["export", "../root/x.py", "-o", "t.html"],
            "failed to read ../root/x.py",
        ),
        (
            &["serve", "../root/x.py", "0"],
            "failed to read ../root/x.py",
        ),
        (
            &["export", "t.json", "-o", "directory/t.html"],
            "failed to write directory/t.html",
        ),
        (
            &["export", "t.json", "-o", "../t.html"],
            "failed to write ../t.html",
        ),
    ] {
        let ran = place.run(sudo(&place, args));
        let said = format!("pytrace: {says}: {refused}\n");
        assert!(
            ran.code == 1 && ran.stderr.starts_with(&said),
            "{args:?}: {}",
            ran.stderr
        );
    }
    assert_eq!(fs::read_dir(place.path("root")).unwrap().count(), 2);
    // A link that leads out of reach is a name like others, and replaced by what is whole.
    let ran = place.run(sudo(&place, &["export", "t.json", "-o", "to_closed.html"]));
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    assert_eq!(fs::read_to_string(place.path("root/file")).unwrap(), SECRET);
    // Onto itself.
    let ran = place.run(sudo(&place, &["export", "t.json", "-o", "t.json"]));
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    assert_eq!(place.trace("home/t.json").calls(), ["<module>", "  f"]);
}

#[test]
#[ignore = "needs root and eBPF"]
fn the_pager_is_no_shell_of_roots() {
    let place = place();
    records(&place, "t.json").recorded(0, &[NO_SUDO]);
    let pty = openpty(None, None).unwrap();
    let mut command = sudo(&place, &["show", "t.json"]);
    command
        .env("PAGER", "id -u; cat >/dev/null; cat ../root/file")
        .stdout(pty.slave);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    let mut text = Vec::new();
    // A terminal that nobody has open any more ends with an error.
    let _ = File::from(pty.master).read_to_end(&mut text);
    child.wait().unwrap();
    assert_eq!(
        String::from_utf8(text).unwrap().trim_end(),
        NOBODY.to_string()
    );
}

#[test]
#[ignore = "needs root"]
fn what_the_user_can_not_see_looks_as_if_it_were_not_there() {
    let place = place();
    fs::create_dir(place.path("root/project")).unwrap();
    fs::copy(PYTHON, place.path("root/python")).unwrap();
    for name in ["project", "nothing"] {
        let directory = format!("../root/{name}");
        let scope = place.path("home").join(&directory);
        place
            .run(sudo(
                &place,
                &["--python", PYTHON, "--scope", &directory, "x.py"],
            ))
            .says(
                1,
                &[
                    NO_SUDO,
                    &format!(
                        "pytrace: --scope {} does not exist",
                        shown(&canonical_start(&scope, &place))
                    ),
                    "hint: name a directory that holds the program's code",
                ],
            );
    }
    for name in ["python", "project", "nothing", "file"] {
        let python = format!("../root/{name}");
        let ran = place.run(sudo(&place, &["--python", &python, "x.py"]));
        ran.says(
            1,
            &[
                NO_SUDO,
                &format!("pytrace: failed to use {python}: Permission denied (os error 13)"),
                "hint: --python wants an interpreter you may execute: a path, or a name in PATH",
            ],
        );
        let ran = place.run(sudo(&place, &["doctor", "--python", &python]));
        assert_eq!(ran.code, 1, "{}", ran.text());
        assert!(
            ran.stderr.contains("Permission denied"),
            "{name}: {}",
            ran.stderr
        );
    }
}

/// The path as pytrace shows it: its working directory is one without links.
fn canonical_start(path: &Path, place: &Place) -> PathBuf {
    let rest = path.strip_prefix(place.path("")).unwrap();
    fs::canonicalize(place.path("")).unwrap().join(rest)
}

#[test]
#[ignore = "needs root"]
fn only_root_is_told_by_the_environment_who_called_sudo() {
    let place = place();
    place.mode("home", 0o755);
    fs::copy(env!("CARGO_BIN_EXE_pytrace"), place.path("pytrace")).unwrap();
    let program = shown(&place.path("pytrace"));
    // Forged by somebody who is not root, it is nothing.
    let mut command = place.command(&program, &["-c", "pass"]);
    command
        .uid(NOBODY)
        .gid(NOBODY)
        .env("SUDO_UID", "0")
        .env("SUDO_GID", "0");
    let ran = place.run(command);
    assert!(
        ran.stderr
            .starts_with("pytrace: recording needs root or CAP_BPF"),
        "{}",
        ran.stderr
    );
    for (uid, gid) in [("-1", "1"), ("4294967295", "1"), ("1", "x"), ("", "1")] {
        let mut command = sudo(&place, &["-o", "t.json", "x.py"]);
        command.env("SUDO_UID", uid).env("SUDO_GID", gid);
        let ran = place.run(command);
        assert!(
            ran.code == 1 && ran.stderr.contains("failed to read SUDO_"),
            "{}",
            ran.stderr
        );
    }
    assert!(!place.path("home/t.json").exists());
}

#[test]
#[ignore = "needs root"]
fn a_setuid_pytrace_refuses_to_run() {
    let place = place();
    fs::copy(env!("CARGO_BIN_EXE_pytrace"), place.path("pytrace")).unwrap();
    let program = shown(&place.path("pytrace"));
    for mode in [0o4755, 0o2755] {
        place.mode("pytrace", mode);
        for args in [&["--as-root", "--", "sh"][..], &["show", "../root/file"]] {
            let mut command = place.command(&program, args);
            command.uid(NOBODY).gid(NOBODY).env("SUDO_UID", "0");
            place.run(command).says(
                1,
                &[
                    "pytrace: pytrace does not run setuid or setgid",
                    "hint: chmod ug-s its file; who may record without sudo gets capabilities: \
                     docs/trust.md",
                ],
            );
        }
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn variables_do_nothing_to_pytrace_itself() {
    let place = place();
    // All of them reach the program, which is the user's; none runs, or makes, anything as root.
    place.write(
        "home/sitecustomize.py",
        "import os\nopen('as-' + str(os.getuid()), 'w').close()\n",
    );
    let mut command = sudo(&place, &["--python", PYTHON, "-o", "t.json", "x.py"]);
    command
        .env("PYTHONPATH", place.path("home"))
        .env("PYTHONSTARTUP", "sitecustomize.py")
        .env("TMPDIR", place.path("root"))
        .env("XDG_CACHE_HOME", place.path("root"))
        .env("XDG_CONFIG_HOME", place.path("root"))
        .env("XDG_RUNTIME_DIR", place.path("root"))
        .env("PAGER", "touch ../root/paged")
        .env("SUDO_COMMAND", "/bin/sh")
        .env("SUDO_USER", "root");
    place.run(command).recorded(0, &[NO_SUDO]);
    assert!(place.path(&format!("home/as-{NOBODY}")).exists());
    assert!(!place.path("home/as-0").exists());
    is_untouched(&place);
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_working_directory_that_the_user_can_not_enter_gives_nothing_away() {
    let place = place();
    let mut command = sudo(&place, &["--python", PYTHON, "-o", "t.json", "x.py"]);
    command.current_dir(place.path("root"));
    let ran = place.run(command);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr
            .contains("failed to read the script x.py: Permission denied"),
        "{}",
        ran.stderr
    );
    is_untouched(&place);
}
