//! Which rights pytrace has when, and that those it has given up are gone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/run.rs"]
mod run;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use run::{NOBODY, PYTHON, Place, Running, eventually, shown};

/// Bits of `capabilities(7)`.
const KILL: u64 = 1 << 5;
const PTRACE: u64 = 1 << 19;
const PERFMON: u64 = 1 << 38;
const BPF: u64 = 1 << 39;
const CHECKPOINT_RESTORE: u64 = 1 << 40;
const DAC_READ_SEARCH: u64 = 1 << 2;
/// What a recorder keeps.
const RECORDS: u64 = BPF | PERFMON | PTRACE | CHECKPOINT_RESTORE | DAC_READ_SEARCH;

/// Calls `f` until it is killed, having told that it is there.
const ENDLESS: &str = "\
import os, time
def f(x): time.sleep(0.005)
print('up', os.getpid(), flush=True)
while True: f(7)
";

/// Fields of `/proc/PID/status`; capabilities as numbers.
struct Status(BTreeMap<String, String>);

impl Status {
    fn of(pid: u32) -> Status {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((
                name.to_owned(),
                value.split_whitespace().collect::<Vec<_>>().join(" "),
            ))
        };
        Status(status.lines().filter_map(field).collect())
    }

    fn field(&self, name: &str) -> &str {
        &self.0[name]
    }

    fn capabilities(&self, set: &str) -> u64 {
        u64::from_str_radix(self.field(set), 16).unwrap()
    }

    /// All four ids.
    #[track_caller]
    fn is_user(&self, uid: u32) {
        for name in ["Uid", "Gid"] {
            assert_eq!(
                self.field(name),
                format!("{uid} {uid} {uid} {uid}"),
                "{name}"
            );
        }
    }

    #[track_caller]
    fn is_confined(&self, capabilities: u64) {
        for set in ["CapEff", "CapPrm"] {
            assert_eq!(self.capabilities(set), capabilities, "{set}");
        }
        for set in ["CapInh", "CapAmb"] {
            assert_eq!(self.capabilities(set), 0, "{set}");
        }
        assert_eq!(
            (self.field("NoNewPrivs"), self.field("Seccomp")),
            ("1", "2")
        );
    }

    /// As anybody's program.
    #[track_caller]
    fn is_a_users_program(&self, uid: u32) {
        self.is_user(uid);
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            assert_eq!(self.capabilities(set), 0, "{set}");
        }
        // It may use sudo.
        assert_eq!(
            (self.field("NoNewPrivs"), self.field("Seccomp")),
            ("0", "0")
        );
        assert_eq!(
            self.capabilities("CapBnd"),
            Status::of(std::process::id()).capabilities("CapBnd")
        );
    }
}

/// The children of a process that run a program of this name.
fn children(pid: u32, name: &str) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let is_named = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name)
    };
    children
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .filter(is_named)
        .collect()
}

/// A recorder that has launched `endless.py`, which runs; its target; its watchdog.
fn recording(place: &Place, command: Command) -> (Running, u32, u32) {
    let running = place.start(command);
    let target = running.line("up ").parse().unwrap();
    let [watchdog] = children(running.id(), "pytrace")[..] else {
        panic!("no watchdog");
    };
    (running, target, watchdog)
}

fn endless(place: &Place) {
    place.write("endless.py", ENDLESS);
    fs::create_dir(place.path("out")).unwrap();
    chown(place.path("out"), Some(NOBODY), Some(NOBODY)).unwrap();
}

/// Ends the program of a recording, whose `f` must have been seen.
fn end(place: &Place, running: Running, target: u32) {
    kill(Pid::from_raw(target.cast_signed()), Signal::SIGTERM).unwrap();
    let ran = running.wait();
    assert_eq!(ran.code, 143, "{}", ran.stderr);
    let trace = place.trace("out/t.json");
    let call = trace
        .events()
        .find(|call| call["name"] == "f")
        .expect("a call of f");
    assert_eq!(call["args"]["arguments"]["x"], "7");
}

#[test]
#[ignore = "needs root and eBPF"]
fn under_sudo_the_recorder_becomes_the_user() {
    let place = Place::new();
    endless(&place);
    for (option, kept) in [("--scope=.", RECORDS | KILL), ("--no-follow", RECORDS)] {
        let mut command = place.python(&[option, "-o", "out/t.json", "endless.py"]);
        command
            .env("SUDO_UID", NOBODY.to_string())
            .env("SUDO_GID", NOBODY.to_string());
        let (running, target, watchdog) = recording(&place, command);
        let recorder = Status::of(running.id());
        recorder.is_user(NOBODY);
        recorder.is_confined(kept);
        assert_eq!(recorder.capabilities("CapBnd"), 0);
        // Its user's debuggers don't get at its rights.
        let memory = fs::metadata(format!("/proc/{}/mem", running.id())).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&memory), 0);
        Status::of(target).is_a_users_program(NOBODY);
        // It outlives what the user does to pytrace.
        let watchdog = Status::of(watchdog);
        watchdog.is_user(0);
        watchdog.is_confined(BPF | PTRACE | KILL);
        end(&place, running, target);
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn roots_own_recorder_stays_roots_with_less() {
    let place = Place::new();
    endless(&place);
    let all = Status::of(std::process::id()).capabilities("CapEff");
    let command = place.python(&["-o", "out/t.json", "endless.py"]);
    let (running, target, _) = recording(&place, command);
    let recorder = Status::of(running.id());
    recorder.is_user(0);
    recorder.is_confined(RECORDS | KILL);
    // Root's own program has what root has.
    let program = Status::of(target);
    assert_eq!(program.capabilities("CapEff"), all);
    assert_eq!(
        (program.field("NoNewPrivs"), program.field("Seccomp")),
        ("0", "0")
    );
    end(&place, running, target);
}

#[test]
#[ignore = "needs root and eBPF"]
fn what_is_attached_to_by_root_may_be_anybodys() {
    let place = Place::new();
    endless(&place);
    fs::create_dir(place.path("closed")).unwrap();
    place.write("closed/endless.py", ENDLESS);
    chown(place.path("closed"), Some(NOBODY), Some(NOBODY)).unwrap();
    place.mode("closed", 0o700);
    let mut target = place.command(PYTHON, &["endless.py"]);
    target
        .current_dir(place.path("closed"))
        .uid(NOBODY)
        .gid(NOBODY);
    let target = place.start(target);
    target.line("up ");
    // As a third user, too, who called sudo.
    for user in [0, NOBODY - 1] {
        chown(place.path("out"), Some(user), Some(user)).unwrap();
        let pid = target.id().to_string();
        let mut command = place.pytrace(&["-o", "out/t.json", "--pid", &pid]);
        command
            .env("SUDO_UID", user.to_string())
            .env("SUDO_GID", user.to_string());
        let running = place.start(command);
        eventually("the confinement", || {
            (Status::of(running.id()).field("Seccomp") == "2").then_some(())
        });
        let recorder = Status::of(running.id());
        recorder.is_user(user);
        recorder.is_confined(RECORDS | KILL);
        eventually("a call", || {
            let file = fs::read_to_string(place.path("out/t.json")).unwrap_or_default();
            file.contains("\"name\":\"f\"").then_some(())
        });
        running.signal(Signal::SIGINT);
        let ran = running.wait();
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let trace = place.trace("out/t.json");
        let scope = shown(&fs::canonicalize(place.path("closed")).unwrap());
        assert_eq!(trace.footer()["scope"][0], scope);
        // The stack that it had when it was found.
        assert_eq!(trace.calls()[0], "<module>…", "{}", trace.shown);
        fs::remove_file(place.path("out/t.json")).unwrap();
    }
}

/// A copy of pytrace that gives these capabilities to whoever executes it, as
/// `setcap CAPABILITIES+ep` does.
fn with_capabilities(place: &Place, capabilities: u64) {
    fs::copy(env!("CARGO_BIN_EXE_pytrace"), place.path("pytrace")).unwrap();
    fs::set_permissions(place.path("pytrace"), fs::Permissions::from_mode(0o755)).unwrap();
    // `struct vfs_cap_data` of the kernel's `uapi/linux/capability.h`, revision 2, effective; twice the
    // lower and the higher half of permitted and inheritable ones.
    let words = [
        0x0200_0001,
        capabilities as u32,
        0,
        (capabilities >> 32) as u32,
        0,
    ];
    let data: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    let path = std::ffi::CString::new(shown(&place.path("pytrace"))).unwrap();
    // SAFETY: the kernel reads two C strings and a buffer of that length.
    let set = unsafe {
        libc::setxattr(
            path.as_ptr(),
            c"security.capability".as_ptr(),
            data.as_ptr().cast(),
            data.len(),
            0,
        )
    };
    assert_eq!(Errno::result(set), Ok(0));
}

/// `./pytrace ARGS` by nobody.
fn by_nobody(place: &Place, args: &[&str]) -> Command {
    let program = shown(&place.path("pytrace"));
    let mut command = place.command(&program, args);
    command.uid(NOBODY).gid(NOBODY);
    command
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_user_records_by_the_files_capabilities_alone() {
    let place = Place::new();
    endless(&place);
    for kept in [BPF | PERFMON, BPF | PERFMON | PTRACE | KILL] {
        with_capabilities(&place, kept);
        let args = ["--python", PYTHON, "-o", "out/t.json", "endless.py"];
        let (running, target, watchdog) = recording(&place, by_nobody(&place, &args));
        Status::of(running.id()).is_confined(kept);
        Status::of(watchdog).is_confined(kept & (BPF | PTRACE | KILL));
        Status::of(target).is_a_users_program(NOBODY);
        end(&place, running, target);
    }
}

#[test]
#[ignore = "needs root and eBPF"]
fn a_user_attaches_to_own_processes_and_hears_what_others_take() {
    let place = Place::new();
    endless(&place);
    with_capabilities(&place, BPF | PERFMON);
    let start = |user: u32| {
        let mut target = place.command(PYTHON, &["endless.py"]);
        target.uid(user).gid(user);
        let target = place.start(target);
        target.line("up ");
        target
    };
    let (own, roots) = (start(NOBODY), start(0));
    let (own_id, roots_id) = (own.id().to_string(), roots.id().to_string());
    let args = |pid| ["-o", "out/t.json", "--duration", "300ms", "--pid", pid];
    place
        .run(by_nobody(&place, &args(&own_id)))
        .recorded(0, &[]);
    let trace = place.trace("out/t.json");
    assert_eq!(trace.calls()[0], "<module>…", "{}", trace.shown);
    place.run(by_nobody(&place, &args(&roots_id))).says(
        1,
        &[
            &format!(
                "pytrace: process {roots_id} of user 0 can't be looked into without CAP_SYS_PTRACE"
            ),
            &format!("hint: run it with sudo: sudo pytrace --pid {roots_id}"),
        ],
    );
    with_capabilities(&place, BPF | PERFMON | PTRACE | KILL);
    place
        .run(by_nobody(&place, &args(&roots_id)))
        .recorded(0, &[]);
    with_capabilities(&place, PERFMON);
    place.run(by_nobody(&place, &["-c", "pass"])).says(
        1,
        &[
            "pytrace: recording needs root or CAP_BPF",
            "hint: run it with sudo: sudo pytrace ...; `pytrace doctor` tells what each right is for",
        ],
    );
}

#[test]
#[ignore = "needs root and eBPF"]
fn ambient_capabilities_are_for_pytrace_alone() {
    let place = Place::new();
    endless(&place);
    with_capabilities(&place, 0);
    fs::copy(env!("CARGO_BIN_EXE_pytrace"), place.path("plain")).unwrap();
    let nobody = NOBODY.to_string();
    let rights = "+bpf,+perfmon";
    let plain = shown(&place.path("plain"));
    let mut args = vec!["--reuid", &nobody, "--regid", &nobody, "--clear-groups"];
    args.extend(["--inh-caps", rights, "--ambient-caps", rights, &plain]);
    args.extend(["--python", PYTHON, "-o", "out/t.json", "endless.py"]);
    let running = place.start(place.command("setpriv", &args));
    let target: u32 = running.line("up ").parse().unwrap();
    Status::of(running.id()).is_confined(BPF | PERFMON);
    Status::of(target).is_a_users_program(NOBODY);
    end(&place, running, target);
}

#[test]
#[ignore = "needs root and eBPF"]
fn who_becomes_another_user_is_not_left_stopped_by_a_recorder_without_cap_kill() {
    let place = Place::new();
    endless(&place);
    with_capabilities(&place, BPF | PERFMON);
    // A shell of root's own, as sudo is one: a session of its own, and another user id.
    fs::copy(PYTHON, place.path("setuid")).unwrap();
    place.mode("setuid", 0o4755);
    place.write(
        "become.py",
        "import os, sys\n\
         def f(x): os.setresuid(0, 0, 0); os.setsid()\n\
         f(7)\n\
         os.execv('/usr/bin/python3', ['python3', '-c', 'print(\"went on\")'])\n",
    );
    place.write(
        "x.py",
        "import subprocess\nsubprocess.run(['./setuid', 'become.py'], check=True)\n",
    );
    let args = ["--python", PYTHON, "-o", "out/t.json", "x.py"];
    let ran = place.run(by_nobody(&place, &args));
    assert_eq!((ran.code, &*ran.text()), (0, "went on\n"), "{}", ran.stderr);
}
