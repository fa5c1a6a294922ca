//! The environment that sudo hides: it is still in the sudo process itself.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nix::unistd;

use super::{Environment, lookup};

/// Variables that sudo sets to the target user's, whatever they were: its value says nothing
/// about what the user wants.
const SET_BY_SUDO: [&str; 8] = [
    "PATH", "HOME", "USER", "LOGNAME", "USERNAME", "MAIL", "SHELL", "TERM",
];

/// What the sudo process that we run under was started with.
#[derive(Debug, Default)]
pub(super) struct Caller {
    environment: Environment,
    arguments: Vec<OsString>,
}

impl Caller {
    /// Finds sudo among our ancestors and reads its environment; `None` where there is no sudo
    /// (a daemon in between, such as tmux), or it can't be read.
    ///
    /// With a pseudo-terminal sudo runs as two processes, and the outermost of the chain is the
    /// one that the user started.
    pub(super) fn find() -> Option<Caller> {
        let mut pid = unistd::getppid().as_raw();
        while !is_sudo(pid) {
            pid = parent(pid)?;
        }
        while let Some(above) = parent(pid).filter(|&above| is_sudo(above)) {
            pid = above;
        }
        let environment = words(&fs::read(format!("/proc/{pid}/environ")).ok()?)
            .filter_map(|word| {
                let at = word.as_bytes().iter().position(|&b| b == b'=')?;
                let (name, value) = word.as_bytes().split_at(at);
                Some((
                    OsStr::from_bytes(name).into(),
                    OsStr::from_bytes(&value[1..]).into(),
                ))
            })
            .collect();
        let arguments = words(&fs::read(format!("/proc/{pid}/cmdline")).ok()?).collect();
        Some(Caller {
            environment,
            arguments,
        })
    }

    /// Whether the command line of sudo sets this variable to this value: `sudo PATH=… pytrace`
    /// as well as `sudo env PATH=… pytrace`.
    fn sets(&self, name: &OsStr, value: &OsStr) -> bool {
        let mut assignment = name.to_owned();
        assignment.push("=");
        assignment.push(value);
        self.arguments.contains(&assignment)
    }
}

/// The environment the user means: theirs from before sudo, and on top of it what reached us in
/// spite of sudo (`sudo A=1`, `sudo env A=1`, `-E`), for that is later and on purpose. Variables
/// that sudo sets by itself count only when its command line sets them; `SUDO_*` never do.
pub(super) fn merge(caller: &Caller, own: Environment) -> Environment {
    let mut merged: Environment = Vec::new();
    for (name, value) in &caller.environment {
        if lookup_os(&merged, name).is_none() {
            merged.push((name.clone(), value.clone()));
        }
    }
    for (name, value) in own {
        let by_sudo =
            name.as_bytes().starts_with(b"SUDO_") || SET_BY_SUDO.iter().any(|&set| name == set);
        if by_sudo && !caller.sets(&name, &value) {
            continue;
        }
        match merged.iter_mut().find(|(key, _)| *key == name) {
            Some((_, old)) => *old = value,
            None => merged.push((name, value)),
        }
    }
    merged
}

/// The next best thing where [`Caller::find`] fails: our own environment without `SUDO_*`, and
/// with what the user database tells. `PATH` stays sudo's.
pub(super) fn correct(mut own: Environment, entry: Option<&unistd::User>) -> Environment {
    let name = lookup(&own, "SUDO_USER").map(OsStr::to_owned);
    own.retain(|(key, _)| !key.as_bytes().starts_with(b"SUDO_") && key != "MAIL");
    let mut set = |key: &str, value: Option<OsString>| {
        own.retain(|(old, _)| old != key);
        own.extend(value.map(|value| (key.into(), value)));
    };
    let name = entry.map(|entry| entry.name.clone().into()).or(name);
    set("HOME", entry.map(|entry| entry.dir.clone().into()));
    set("SHELL", entry.map(|entry| entry.shell.clone().into()));
    set("USER", name.clone());
    set("LOGNAME", name);
    own
}

fn lookup_os<'a>(environment: &'a Environment, name: &OsStr) -> Option<&'a OsStr> {
    environment
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_os_str())
}

/// Whether a process is sudo: named so, executing a file named so, and root's; anyone can call
/// a program `sudo`, but not run it as root.
fn is_sudo(pid: i32) -> bool {
    let named = |name: &OsStr| name == "sudo" || name == "sudo-rs";
    let Ok(exe) = fs::read_link(format!("/proc/{pid}/exe")) else {
        return false;
    };
    fs::read(format!("/proc/{pid}/comm"))
        .is_ok_and(|comm| named(OsStr::from_bytes(comm.trim_ascii_end())))
        && exe.file_name().is_some_and(named)
        && status(pid).is_some_and(|status| effective_uid(&status) == Some(0))
}

fn parent(pid: i32) -> Option<i32> {
    let parent = field(&status(pid)?, "PPid:")?.trim().parse().ok()?;
    (parent > 0).then_some(parent)
}

fn status(pid: i32) -> Option<String> {
    // Process names are bytes: the file is not always text.
    let bytes = fs::read(Path::new("/proc").join(pid.to_string()).join("status")).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// `Uid:` holds real, effective, saved and file system id.
fn effective_uid(status: &str) -> Option<u32> {
    field(status, "Uid:")?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name))
}

/// The null-terminated words of a file in `/proc`.
fn words(bytes: &[u8]) -> impl Iterator<Item = OsString> {
    bytes
        .split(|&b| b == 0)
        .filter(|word| !word.is_empty())
        .map(|word| OsString::from_vec(word.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> Environment {
        text.split_whitespace()
            .map(|word| word.split_once('=').expect("an assignment"))
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    fn merged(caller: &str, arguments: &str, own: &str) -> String {
        let arguments = arguments.split_whitespace().map(OsString::from).collect();
        let caller = Caller {
            environment: environment(caller),
            arguments,
        };
        let mut merged: Vec<String> = merge(&caller, environment(own))
            .iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        merged.sort();
        merged.join(" ")
    }

    #[test]
    fn the_users_environment_comes_back() {
        assert_eq!(
            merged(
                "HOME=/home/u PATH=/home/u/venv/bin PYTHONPATH=/p USER=u VIRTUAL_ENV=/home/u/venv",
                "sudo pytrace s.py",
                "HOME=/root LOGNAME=root PATH=/usr/bin SUDO_UID=1000 TERM=xterm USER=root",
            ),
            "HOME=/home/u PATH=/home/u/venv/bin PYTHONPATH=/p USER=u VIRTUAL_ENV=/home/u/venv",
        );
    }

    #[test]
    fn what_was_set_behind_sudo_wins() {
        assert_eq!(
            merged("A=1 B=2", "sudo A=3 C=4 pytrace", "A=3 C=4"),
            "A=3 B=2 C=4"
        );
        assert_eq!(merged("A=1", "sudo sh -c x", "A=5"), "A=5");
    }

    #[test]
    fn what_sudo_sets_itself_counts_only_on_its_command_line() {
        let own = "PATH=/b SUDO_COMMAND=x";
        assert_eq!(merged("PATH=/a", "sudo pytrace", own), "PATH=/a");
        assert_eq!(merged("PATH=/a", "sudo PATH=/b pytrace", own), "PATH=/b");
        assert_eq!(
            merged("PATH=/a", "sudo env PATH=/b pytrace", own),
            "PATH=/b"
        );
        assert_eq!(merged("PATH=/a", "sudo PATH=/c sh x", own), "PATH=/a");
    }

    #[test]
    fn the_user_database_stands_in_for_a_lost_environment() {
        let own = environment("SUDO_USER=u SUDO_UID=7 HOME=/root USER=root MAIL=/m A=1 PATH=/p");
        let got = correct(own, None);
        assert_eq!(got, environment("A=1 PATH=/p USER=u LOGNAME=u"));
    }

    #[test]
    fn status_files_are_understood() {
        let status = "Name:\tsudo\nPPid:\t42\nUid:\t1000\t0\t0\t0\n";
        assert_eq!(effective_uid(status), Some(0));
        assert_eq!(field(status, "PPid:"), Some("\t42"));
        assert_eq!(effective_uid("Uid:\n"), None);
        assert_eq!(
            parent(std::process::id() as i32),
            Some(unistd::getppid().as_raw())
        );
        assert!(!is_sudo(std::process::id() as i32));
    }
}
