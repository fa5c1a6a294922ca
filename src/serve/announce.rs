//! Tells where the page is, from this machine and from another one.

use std::env;
use std::fs;
use std::io::{self, Write as _};

use nix::unistd::{self, Uid};

use crate::error::{printable, say};

/// Where ssh listens unless it is told otherwise.
const SSH_PORT: &str = "22";

/// How this machine is reached from another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remote {
    user: String,
    host: String,
    /// That of the ssh server, if it is not the usual one.
    port: Option<String>,
}

impl Remote {
    /// As the ssh connection that this process was started over says it; without one, by the names of
    /// machine and user.
    pub(super) fn find(host_name: &str) -> Remote {
        let user = env::var("SUDO_USER").ok().or_else(|| {
            let entry = unistd::User::from_uid(Uid::current()).ok().flatten()?;
            Some(entry.name)
        });
        let user = user.unwrap_or_else(|| "USER".to_owned());
        Remote::new(user, env::var("SSH_CONNECTION").ok().as_deref(), host_name)
    }

    /// `connection`: addresses and ports of the client and of the server (ssh(1)).
    fn new(user: String, connection: Option<&str>, host_name: &str) -> Remote {
        let words: Vec<&str> = connection.unwrap_or("").split_whitespace().collect();
        match words[..] {
            [_, _, address, port] => Remote {
                user,
                host: address.to_owned(),
                port: (port != SSH_PORT).then(|| port.to_owned()),
            },
            _ => Remote {
                user,
                host: host_name.to_owned(),
                port: None,
            },
        }
    }

    /// The command that leads `port` of the other machine to here.
    fn forwards(&self, port: u16) -> String {
        let own = match &self.port {
            Some(port) => format!(" -p {port}"),
            None => String::new(),
        };
        format!(
            "ssh -L {port}:localhost:{port}{own} {}@{}",
            self.user, self.host
        )
    }
}

/// What is said once requests are answered.
#[derive(Debug)]
pub(super) struct Announcement<'a> {
    /// Path of the page, percent-encoded, with its slash.
    pub(super) path: &'a str,
    pub(super) port: u16,
    pub(super) host: Option<&'a str>,
    pub(super) host_name: &'a str,
    pub(super) remote: &'a Remote,
}

impl Announcement<'_> {
    /// The address goes to stdout, all else to stderr.
    pub(super) fn print(&self) {
        if self.host.is_none() {
            let command = self.remote.forwards(self.port);
            say(format_args!("pytrace: from another machine: {command}"));
        }
        say(format_args!("pytrace: Ctrl-C ends it"));
        // Last: who has read it knows that all is said. Nobody has to listen.
        let _ = writeln!(io::stdout(), "{}", printable(&self.address()));
    }

    fn address(&self) -> String {
        let host = match self.host {
            None => "localhost".to_owned(),
            // All addresses are none that can be asked.
            Some("0.0.0.0" | "::" | "[::]") => self.host_name.to_owned(),
            Some(host) if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
            Some(host) => host.to_owned(),
        };
        format!("http://{host}:{}{}", self.port, self.path)
    }
}

/// The machine's name for itself.
pub(super) fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ssh_line_is_that_of_the_connection_or_else_of_the_machine() {
        let forwards = |connection| Remote::new("u".into(), connection, "box").forwards(8081);
        let line = "ssh -L 8081:localhost:8081 u@box";
        assert_eq!(forwards(None), line);
        assert_eq!(forwards(Some("nonsense")), line);
        assert_eq!(
            forwards(Some("10.0.0.1 50000 10.0.0.2 22")),
            "ssh -L 8081:localhost:8081 u@10.0.0.2"
        );
        assert_eq!(
            forwards(Some("fe80::1 50000 fe80::2 2222")),
            "ssh -L 8081:localhost:8081 -p 2222 u@fe80::2"
        );
    }

    #[test]
    fn the_address_is_one_that_a_browser_can_ask() {
        let remote = Remote::new("u".into(), None, "box");
        for (host, address) in [
            (None, "http://localhost:8080/t.html"),
            (Some("10.0.0.7"), "http://10.0.0.7:8080/t.html"),
            (Some("::1"), "http://[::1]:8080/t.html"),
            (Some("[::1]"), "http://[::1]:8080/t.html"),
            (Some("0.0.0.0"), "http://box:8080/t.html"),
            (Some("lab.example"), "http://lab.example:8080/t.html"),
        ] {
            let announcement = Announcement {
                path: "/t.html",
                port: 8080,
                host,
                host_name: "box",
                remote: &remote,
            };
            assert_eq!(announcement.address(), address);
        }
    }
}
