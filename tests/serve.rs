//! `pytrace serve` as a command: what it says, how it ends, with whose rights it runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/served.rs"]
mod served;

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use served::{EVERYTHING, Served, command, open_directory};

const SOMEBODY: u32 = 4_000_000_001;
const NOBODY: u32 = 65534;

/// What a command that fails says on stderr, exit code 1 checked.
fn refused(trace: &Path, args: &[&str]) -> String {
    let output = command(trace, args).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
    assert_eq!(output.stdout, b"", "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_address_is_printed_and_answers_with_the_page() {
    let served = Served::everything();
    let expected = format!("http://localhost:{}/train.html", served.port);
    assert_eq!(served.url, expected);
    let page = served.get("/train.html");
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let port = served.port;
    let (code, said) = served.end(Signal::SIGINT);
    assert_eq!(code, Some(0));
    assert!(said.contains("calls of "), "{said}");
    assert!(
        said.contains(&format!("ssh -L {port}:localhost:{port} ")),
        "{said}"
    );
}

#[test]
fn the_ssh_line_names_the_server_of_the_connection() {
    let directory = open_directory();
    let path = directory.path().join("t.json");
    fs::write(&path, EVERYTHING).unwrap();
    let mut command = command(&path, &["0"]);
    command.env("SSH_CONNECTION", "10.0.0.1 50000 10.0.0.2 2222");
    let served = Served::by(directory, &mut command);
    let port = served.port;
    let (_, said) = served.end(Signal::SIGTERM);
    assert!(
        said.contains(&format!("ssh -L {port}:localhost:{port} -p 2222 ")),
        "{said}"
    );
    assert!(said.contains("@10.0.0.2\n"), "{said}");
}

#[test]
fn a_file_that_ends_early_is_served_and_that_is_said() {
    let cut = &EVERYTHING[..EVERYTHING.len() / 2];
    let served = Served::new("cut.json", cut, &[]);
    assert_eq!(served.json("/api/trace")["truncated"], true);
    let (_, said) = served.end(Signal::SIGINT);
    assert!(said.contains("cut.json ends early"), "{said}");
}

#[test]
fn a_port_that_is_taken_leads_to_the_next_one() {
    let directory = open_directory();
    let path = directory.path().join("it's.json");
    let taken = loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        if listener.local_addr().unwrap().port() < u16::MAX {
            break listener;
        }
    };
    let port = taken.local_addr().unwrap().port();
    // The file is not even there: the port comes first.
    let said = refused(&path, &[&port.to_string(), "--hide-imports"]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], format!("pytrace: port {port} is taken"));
    let shown = path.to_str().unwrap().replace('\'', r"'\''");
    let rest = lines[1]
        .strip_prefix(&format!("hint: pytrace serve '{shown}' "))
        .unwrap_or_else(|| panic!("{said}"));
    let next = rest.strip_suffix(" --hide-imports").unwrap();
    let next: u16 = next.parse().unwrap();
    assert!(next == 0 || next > port, "{next}");
}

#[test]
fn what_cannot_be_served_is_named_with_a_cure() {
    let directory = open_directory();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("empty.json"), "").unwrap();
    fs::write(path("text.json"), "hello").unwrap();
    fs::write(path("trace.json"), EVERYTHING).unwrap();
    let other = "pytrace shows its own traces and other tools' Chrome trace JSON, plain or gzipped";
    for (name, args, line, hint) in [
        (
            "none.json",
            vec!["0"],
            "failed to read T: No such file or directory (os error 2)",
            "`pytrace -o FILE SCRIPT` records one",
        ),
        (
            "empty.json",
            vec!["0"],
            "failed to read T: not a trace file: it is empty",
            other,
        ),
        (
            "text.json",
            vec!["0"],
            "failed to read T: not a trace file: it is not JSON",
            other,
        ),
        (
            "trace.json",
            vec!["0", "--host", "192.0.2.1"],
            "192.0.2.1 is no address of this machine",
            "`ip address` lists them; 0.0.0.0 stands for all of them",
        ),
    ] {
        let said = refused(&path(name), &args);
        let said = said.replace(path(name).to_str().unwrap(), "T");
        let said: Vec<&str> = said
            .lines()
            .filter(|line| !line.starts_with("pytrace: serving as "))
            .collect();
        assert_eq!(
            said,
            [format!("pytrace: {line}"), format!("hint: {hint}")],
            "{name}"
        );
    }
    let said = refused(
        &path("trace.json"),
        &["0", "--host", "no-such-name.invalid"],
    );
    assert!(
        said.starts_with("pytrace: failed to find the address of no-such-name.invalid: "),
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn each_signal_that_ends_it_ends_it_at_once_and_well() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let served = Served::everything();
        // A request that does not end, and one whose answer nobody reads.
        let mut half = served.connect();
        half.write_all(b"GET /api/trace HTTP/1.1\r\nHost: ")
            .unwrap();
        let mut unread = served.connect();
        unread
            .write_all(b"GET /api/trace HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        assert_eq!(served.end(signal).0, Some(0), "{signal}");
    }
}

#[test]
fn it_can_be_ended_while_it_reads() {
    let directory = open_directory();
    let fifo = directory.path().join("fifo.json");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let mut child = command(&fifo, &["0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // This waits until the other end is open.
    let mut writer = File::options().write(true).open(&fifo).unwrap();
    writer.write_all(b"{\"traceEvents\":[").unwrap();
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_name_of_the_file_may_be_anything() {
    for name in [
        "a b.json",
        "é😀.json.gz",
        "<script>alert(1)<",
        "quote\"'&.json",
        "%2e%2e%2f.json",
        "a#?b.json",
        "..json",
        "\n.json",
    ] {
        let served = Served::new(name, EVERYTHING, &[]);
        let path = served.url.splitn(4, '/').nth(3).unwrap();
        assert_eq!(served.get(&format!("/{path}")).status, 200, "{name}");
        assert_eq!(served.json("/api/trace")["file"], name);
    }
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe.json");
    let served = Served::new(name, EVERYTHING, &[]);
    assert!(served.url.ends_with("/%FF%FE.html"), "{}", served.url);
    assert_eq!(served.get("/%FF%FE.html").status, 200);
    assert_eq!(served.get("/%ff%FE.html").status, 200);
}

#[test]
fn defaults_of_the_command_line_are_told() {
    let served = Served::new("t.json", EVERYTHING, &["--no-patterns", "--hide-imports"]);
    let defaults = &served.json("/api/trace")["defaults"];
    assert_eq!(
        defaults,
        &serde_json::json!({"grouping": "none", "hide": "imports"})
    );
    let served = Served::everything();
    let defaults = &served.json("/api/trace")["defaults"];
    assert_eq!(
        defaults,
        &serde_json::json!({"grouping": "near", "hide": ""})
    );
}

#[test]
fn only_this_machine_is_listened_to_unless_it_is_asked_for() {
    let served = Served::everything();
    let loopback = |host: &str| TcpStream::connect((host, served.port)).is_ok();
    assert!(loopback("127.0.0.1"));
    // Every address of 127/8 is this machine's, and only the one was asked for.
    assert!(!loopback("127.0.0.2"));
    let reachable = Served::new("t.json", EVERYTHING, &["--host", "0.0.0.0"]);
    assert!(TcpStream::connect(("127.0.0.2", reachable.port)).is_ok());
}

/// The ids and capabilities of a process, as `/proc/PID/status` has them.
fn status(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    words.join(" ")
}

fn has_no_rights_but_those_of(served: &Served, id: u32) {
    let pid = served.pid();
    let ids = [id.to_string().as_str(); 4].join(" ");
    assert_eq!(status(pid, "Uid:"), ids);
    assert_eq!(status(pid, "Gid:"), ids);
    assert_eq!(status(pid, "Groups:"), id.to_string());
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(status(pid, set), "0000000000000000", "{set}");
    }
    assert_eq!(status(pid, "NoNewPrivs:"), "1");
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let task = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(task.contains(&format!("Uid:\t{}", ids.replace(' ', "\t"))));
        assert!(task.contains("CapPrm:\t0000000000000000"));
    }
}

#[test]
#[ignore = "needs root"]
fn root_serves_as_the_owner_of_the_trace_or_as_nobody() {
    for (owner, id) in [(0, NOBODY), (NOBODY, NOBODY)] {
        let directory = open_directory();
        let path = directory.path().join("t.json");
        fs::write(&path, EVERYTHING).unwrap();
        // Read before root's rights are gone.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
        let served = Served::by(directory, &mut command(&path, &["0"]));
        assert_eq!(
            served.json("/api/trace")["calls"]["total"].as_u64(),
            Some(total())
        );
        has_no_rights_but_those_of(&served, id);
        let (_, said) = served.end(Signal::SIGINT);
        assert!(said.contains(", not as root\n"), "{said}");
    }
}

fn total() -> u64 {
    EVERYTHING.matches("\"ph\":\"X\"").count() as u64
}

#[test]
#[ignore = "needs root"]
fn under_sudo_the_caller_serves_and_sees_what_the_caller_may_see() {
    let id = SOMEBODY.to_string();
    let sudo = |path: &Path| {
        let mut command = command(path, &["0"]);
        command.env("SUDO_UID", &id).env("SUDO_GID", &id);
        command
    };
    let directory = open_directory();
    let path = directory.path().join("t.json");
    fs::write(&path, EVERYTHING).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let output = sudo(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = format!(
        "pytrace: failed to read {}: Permission denied (os error 13)\n",
        path.display()
    );
    assert_eq!(said, expected);

    chown(&path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    let served = Served::by(directory, &mut sudo(&path));
    has_no_rights_but_those_of(&served, SOMEBODY);
    let (_, said) = served.end(Signal::SIGINT);
    assert!(
        said.starts_with(&format!("pytrace: serving as {SOMEBODY}, not as root\n")),
        "{said}"
    );
}
