//! Starting programs as someone else, and files opened with their rights. Needs root.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Gid, Pid, Uid};

use pytrace::record::command::Command;
use pytrace::record::launch::{Exit, Suspended};
use pytrace::record::signals::{Policy, Reaction, Received, Signals, forward};
use pytrace::user::User;
use pytrace::user::rights::{Opened, may_execute, open_as_user, read_as_user};

const NOBODY: u32 = 65534;
/// A group that the user is in besides its own; it needs no entry in the group database.
const EXTRA_GROUP: u32 = 54321;

/// An unprivileged user with an environment of its own.
fn nobody() -> User {
    assert!(
        nix::unistd::geteuid().is_root(),
        "this test needs root: run it with sudo"
    );
    User {
        uid: Uid::from_raw(NOBODY),
        gid: Gid::from_raw(NOBODY),
        groups: vec![Gid::from_raw(NOBODY), Gid::from_raw(EXTRA_GROUP)],
        home: None,
        environment: vec![
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("GREETING".into(), "hello there".into()),
        ],
        switches: true,
        notes: Vec::new(),
    }
}

fn shell(code: &str, args: &[&Path]) -> Command {
    let mut argv: Vec<OsString> = vec!["sh".into(), "-c".into(), code.into(), "sh".into()];
    argv.extend(args.iter().map(OsString::from));
    Command {
        program: "/bin/sh".into(),
        argv,
    }
}

fn spawn(command: &Command, user: &User) -> Suspended {
    Suspended::spawn(command, user, &SigSet::empty()).expect("a suspended process")
}

/// A directory that everyone may write to.
fn open_directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("its mode");
    dir
}

/// Runs a shell script as the user, which writes to the file that is `$1`.
fn output_of(code: &str, user: &User) -> String {
    let dir = open_directory();
    let out = dir.path().join("out");
    let child = spawn(&shell(&format!("{{ {code}; }} > \"$1\""), &[&out]), user).release();
    assert_eq!(
        child.expect("a child").wait().expect("its end"),
        Exit::Code(0),
        "{code}"
    );
    fs::read_to_string(out).expect("its output")
}

#[test]
#[ignore = "needs root"]
fn the_target_is_the_user_and_nothing_else() {
    let status = output_of(
        "grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|SigBlk)' /proc/self/status",
        &nobody(),
    );
    let field = |name: &str| -> Vec<&str> {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.expect(name).split_whitespace().collect()
    };
    assert_eq!(field("Uid"), ["65534"; 4]);
    assert_eq!(field("Gid"), ["65534"; 4]);
    assert_eq!(field("Groups"), ["54321", "65534"]);
    for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(field(set), ["0000000000000000"], "{set}");
    }
    assert_eq!(field("NoNewPrivs"), ["0"], "the script may use sudo");
    assert_eq!(field("SigBlk"), ["0000000000000000"]);
}

#[test]
#[ignore = "needs root"]
fn the_environment_is_the_users_alone() {
    let environment = output_of("env", &nobody());
    let mut names: Vec<_> = environment
        .lines()
        .filter_map(|l| Some(l.split_once('=')?.0))
        .collect();
    names.retain(|name| !matches!(*name, "PWD" | "OLDPWD" | "SHLVL" | "_"));
    names.sort_unstable();
    assert_eq!(names, ["GREETING", "PATH"]);
    assert!(environment.contains("GREETING=hello there"));
}

#[test]
#[ignore = "needs root"]
fn only_what_pytrace_was_given_is_inherited() {
    let dir = open_directory();
    let out = dir.path().join("out");
    let command = shell("exec ls -l /proc/self/fd > \"$1\"", &[&out]);
    let child = spawn(&command, &nobody()).release().expect("a child");
    assert_eq!(child.wait().expect("its end"), Exit::Code(0));
    let listing = fs::read_to_string(out).expect("its output");
    let descriptors = listing
        .lines()
        // Without the directory that `ls` itself reads.
        .filter(|line| !line.ends_with("/fd"))
        .filter_map(|line| {
            line.split_once(" -> ")?
                .0
                .rsplit(' ')
                .next()?
                .parse::<i32>()
                .ok()
        });
    for fd in descriptors {
        // SAFETY: asks for flags; a number that is no descriptor is an error, nothing more.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
        assert!(
            flags >= 0 && flags & libc::FD_CLOEXEC == 0,
            "{fd}: {listing}"
        );
    }
}

#[test]
#[ignore = "needs root"]
fn session_and_process_group_stay_pytraces() {
    let ours = fs::read_to_string("/proc/self/stat").expect("our own state");
    let theirs = output_of("cat /proc/$$/stat", &nobody());
    let ids = |stat: &str| -> Vec<String> {
        let rest = stat.rsplit_once(')').expect("a name").1.to_owned();
        rest.split_whitespace()
            .skip(2)
            .take(2)
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(ids(&theirs), ids(&ours));
}

#[test]
#[ignore = "needs root"]
fn nothing_runs_before_the_release() {
    let dir = open_directory();
    let file = dir.path().join("ran");
    let suspended = spawn(&shell(": > \"$1\"", &[&file]), &nobody());
    let pid = suspended.pid();
    std::thread::sleep(Duration::from_millis(100));
    assert!(!file.exists());
    let child = suspended.release().expect("a child");
    assert_eq!(child.pid(), pid);
    assert_eq!(child.wait().expect("its end"), Exit::Code(0));
    assert!(file.exists());
    assert_eq!(fs::metadata(file).expect("a file").uid(), NOBODY);
}

#[test]
#[ignore = "needs root"]
fn a_suspended_process_that_is_given_up_ends() {
    let dir = open_directory();
    let file = dir.path().join("ran");
    let suspended = spawn(&shell(": > \"$1\"", &[&file]), &nobody());
    let pid = suspended.pid();
    drop(suspended);
    let status = nix::sys::wait::waitpid(pid, None).expect("its end");
    assert_eq!(status, nix::sys::wait::WaitStatus::Exited(pid, 1));
    assert!(!file.exists());
}

#[test]
#[ignore = "needs root"]
fn a_signal_while_suspended_takes_effect_after_the_release() {
    // As the recorder has it: blocked in pytrace, and so in the child until it executes.
    let handled: SigSet = [Signal::SIGTERM].into_iter().collect();
    handled.thread_block().expect("a mask");
    let suspended = spawn(&shell("sleep 10", &[]), &nobody());
    kill(suspended.pid(), Signal::SIGTERM).expect("a signal");
    let child = suspended.release().expect("a child");
    handled.thread_unblock().expect("a mask");
    let exit = child.wait().expect("its end");
    assert_eq!((exit, exit.code()), (Exit::Signal(15), 143));
}

#[test]
#[ignore = "needs root"]
fn signals_wake_a_poll_and_tell_their_sender() {
    // The thread's own signals: those of the process go to any thread, of which tests have many.
    let signals = Signals::install().expect("a descriptor");
    assert_eq!(signals.receive().expect("a state"), None);
    nix::sys::signal::raise(Signal::SIGTERM).expect("a signal");
    let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PollTimeout::from(5000_u16)), Ok(1));
    let expected = Received {
        signal: Signal::SIGTERM,
        from_terminal: false,
    };
    assert_eq!(signals.receive().expect("a state"), Some(expected));
    assert_eq!(signals.receive().expect("a state"), None);

    let child = Suspended::spawn(&shell("exec sleep 10", &[]), &nobody(), signals.original());
    let child = child
        .expect("a suspended process")
        .release()
        .expect("a child");
    assert_eq!(
        Policy::launched().react(expected),
        Reaction::Forward(Signal::SIGTERM)
    );
    forward(Signal::SIGTERM, child.pid()).expect("a signal");
    assert_eq!(
        child.wait().expect("its end"),
        Exit::Signal(15),
        "blocked in us, not in it"
    );
    forward(Signal::SIGTERM, child.pid()).expect("too late is no error");
}

#[test]
#[ignore = "needs root"]
fn ends_are_seen_by_polling() {
    let child = spawn(&shell("exit 7", &[]), &nobody())
        .release()
        .expect("a child");
    let mut fds = [PollFd::new(child.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PollTimeout::from(5000_u16)), Ok(1));
    assert_eq!(child.try_wait().expect("a state"), Some(Exit::Code(7)));

    let child = spawn(&shell("exec sleep 10", &[]), &nobody())
        .release()
        .expect("a child");
    assert_eq!(child.try_wait().expect("a state"), None);
    kill(child.pid(), Signal::SIGKILL).expect("a signal");
    assert_eq!(
        child.wait().expect("its end").to_string(),
        "signal 9 (SIGKILL)"
    );
}

#[test]
#[ignore = "needs root"]
fn what_can_not_be_executed_is_the_parents_error() {
    let dir = open_directory();
    let plain = dir.path().join("plain");
    fs::write(&plain, "no program").expect("a file");
    for (program, kind) in [
        (PathBuf::from("/nonexistent"), ErrorKind::NotFound),
        (plain, ErrorKind::PermissionDenied),
        (dir.path().to_owned(), ErrorKind::PermissionDenied),
    ] {
        let command = Command {
            argv: vec![program.clone().into()],
            program,
        };
        let error = spawn(&command, &nobody())
            .release()
            .expect_err("no such program");
        assert_eq!(error.kind(), kind, "{command:?}");
    }
    let command = Command {
        program: "/bin/sh".into(),
        argv: vec!["a\0b".into()],
    };
    let error = Suspended::spawn(&command, &nobody(), &SigSet::empty()).expect_err("a null byte");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
#[ignore = "needs root"]
fn pytrace_killed_ends_a_suspended_process() {
    // A process of its own plays pytrace; it prints the pid of what it has suspended.
    if std::env::var_os("PYTRACE_TEST_SUSPEND").is_some() {
        let suspended = spawn(&shell("sleep 10", &[]), &nobody());
        writeln!(std::io::stderr(), "pid {}", suspended.pid()).expect("stderr");
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    assert!(
        nix::unistd::geteuid().is_root(),
        "this test needs root: run it with sudo"
    );
    let mut pytrace = std::process::Command::new(std::env::current_exe().expect("our path"))
        .args([
            "--ignored",
            "--exact",
            "pytrace_killed_ends_a_suspended_process",
            "--nocapture",
        ])
        .env("PYTRACE_TEST_SUSPEND", "1")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("a process");
    let mut stderr = pytrace.stderr.take().expect("its stderr");
    let mut said = String::new();
    let mut byte = [0];
    while !said.ends_with('\n') && stderr.read(&mut byte).expect("a byte") == 1 {
        said.push(char::from(byte[0]));
    }
    let pid: i32 = said
        .trim()
        .strip_prefix("pid ")
        .expect("a pid")
        .parse()
        .expect("a number");
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    pytrace.kill().expect("killed");
    pytrace.wait().expect("its end");
    // End of file: the suspended process, which shares stderr, is gone too.
    stderr.read_to_end(&mut Vec::new()).expect("the end");
    let gone = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        kill(Pid::from_raw(pid), None).is_err() || is_zombie(pid)
    });
    assert!(gone, "process {pid} lives on");
}

fn is_zombie(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

#[test]
#[ignore = "needs root"]
fn output_belongs_to_the_user() {
    let dir = open_directory();
    let path = dir.path().join("trace.json");
    for (content, is_new, found) in [("first", true, ""), ("second", false, "first")] {
        let Opened { mut file, new } = open_as_user(&path, &nobody()).expect("a file");
        assert_eq!(new, is_new);
        assert_eq!(
            fs::read_to_string(&path).expect("read"),
            found,
            "not emptied"
        );
        file.write_all(content.as_bytes()).expect("written");
    }
    let metadata = fs::metadata(&path).expect("a file");
    assert_eq!((metadata.uid(), metadata.gid()), (NOBODY, NOBODY));
    // And we are ourselves again.
    let own = dir.path().join("own");
    fs::write(&own, "").expect("a file");
    assert_eq!(fs::metadata(own).expect("a file").uid(), 0);
}

#[test]
#[ignore = "needs root"]
fn a_group_of_the_user_is_enough_to_write() {
    let user = nobody();
    let dir = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::chown(dir.path(), None, Some(EXTRA_GROUP)).expect("its group");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o770)).expect("its mode");
    assert!(open_as_user(&dir.path().join("trace.json"), &user).is_ok());
    let other = User {
        groups: Vec::new(),
        ..user
    };
    assert!(open_as_user(&dir.path().join("trace.json"), &other).is_err());
}

#[test]
#[ignore = "needs root"]
fn roots_files_are_safe_from_output() {
    let roots = tempfile::tempdir().expect("a directory");
    let secret = roots.path().join("secret");
    fs::write(&secret, "keep").expect("a file");
    let dir = open_directory();
    let link = dir.path().join("link.json");
    symlink(&secret, &link).expect("a link");
    fs::set_permissions(roots.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
    for (path, hint) in [
        (secret.clone(), "may not write there"),
        (link, "may not write there"),
        (roots.path().join("new.json"), "may not write there"),
        (dir.path().join("none/new.json"), "mkdir -p"),
        (dir.path().to_owned(), "name a file in it"),
        (secret.join("x.json"), "is not a directory"),
    ] {
        let error = open_as_user(&path, &nobody()).expect_err("no right");
        let report = pytrace::error::report(&error);
        assert!(report.starts_with("pytrace: failed to open "), "{report}");
        assert!(
            report.contains("\nhint: ") && report.contains(hint),
            "{path:?}: {report}"
        );
    }
    assert_eq!(fs::read_to_string(secret).expect("read"), "keep");
}

#[test]
#[ignore = "needs root"]
fn reading_and_executing_are_the_users_rights_too() {
    let dir = open_directory();
    let path = dir.path().join("tool");
    fs::write(&path, "#!/bin/sh\n").expect("a file");
    let allow = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
    for (mode, read, execute) in [
        (0o755, true, true),
        (0o700, false, false),
        (0o711, false, true),
        (0o744, true, false),
    ] {
        allow(mode);
        assert_eq!(read_as_user(&path, &nobody()).is_ok(), read, "{mode:o}");
        assert_eq!(may_execute(&path, &nobody()).is_ok(), execute, "{mode:o}");
    }
    assert!(
        may_execute(dir.path(), &nobody()).is_err(),
        "a directory is no program"
    );
    assert_eq!(
        may_execute(&dir.path().join("none"), &nobody()).map_err(|e| e.kind()),
        Err(ErrorKind::NotFound)
    );
}

#[test]
#[ignore = "needs root"]
fn under_sudo_the_environment_from_before_it_comes_back() {
    if std::env::var_os("PYTRACE_TEST_SUDO").is_some() {
        let user = User::of_target(false).expect("a user");
        for name in ["PATH", "PYTHONPATH", "HOME", "FROM_SUDO"] {
            let value = user.variable(name).expect(name).to_string_lossy();
            eprintln!("{name}={value}");
        }
        eprintln!(
            "ids {} {} {} {:?}",
            user.uid, user.gid, user.switches, user.notes
        );
        let as_root = User::of_target(true).expect("a user");
        eprintln!("as root {} {}", as_root.uid, as_root.switches);
        return;
    }
    assert!(
        nix::unistd::geteuid().is_root(),
        "this test needs root: run it with sudo"
    );
    // root may always call sudo; the ids then tell of somebody else, as if they had called it.
    let output = std::process::Command::new("sudo")
        .args(["-n", "FROM_SUDO=1", "PYTRACE_TEST_SUDO=1"])
        .args(["env", "SUDO_UID=65534", "SUDO_GID=65534"])
        .arg(std::env::current_exe().expect("our path"))
        .args([
            "--ignored",
            "--exact",
            "under_sudo_the_environment_from_before_it_comes_back",
            "--nocapture",
        ])
        .env("PATH", "/opt/venv/bin:/usr/bin:/bin")
        .env("PYTHONPATH", "/opt/lib")
        .env("HOME", "/home/somebody")
        .output()
        .expect("this test needs sudo installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "PATH=/opt/venv/bin:/usr/bin:/bin",
            "PYTHONPATH=/opt/lib",
            "HOME=/home/somebody",
            "FROM_SUDO=1",
            "ids 65534 65534 true []",
            "as root 0 false",
        ]
    );
}
