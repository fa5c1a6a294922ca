//! A `pytrace serve` of the test's own, spoken to in bytes.

#![allow(dead_code, reason = "not every test uses everything")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take; a machine under load is slow, a hanging test is a failed one.
const PATIENCE: Duration = Duration::from_secs(60);

/// A trace with something of everything.
pub(crate) const EVERYTHING: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/everything.json"
));

/// A server that answers at a port of its own; gone when dropped.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    /// The address that was printed.
    pub(crate) url: String,
    pub(crate) port: u16,
    directory: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Directory that every user may look into, since a server that drops root is another user.
pub(crate) fn open_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

/// The command that serves a file.
pub(crate) fn command(trace: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pytrace"));
    command.arg("serve").arg(trace).args(args);
    for name in ["SUDO_UID", "SUDO_GID", "SUDO_USER", "SSH_CONNECTION"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

impl Served {
    /// Serves [`EVERYTHING`].
    pub(crate) fn everything() -> Served {
        Served::new("train.json", EVERYTHING, &[])
    }

    /// Serves a file that is called `name`.
    pub(crate) fn new(name: impl AsRef<OsStr>, trace: &str, args: &[&str]) -> Served {
        let directory = open_directory();
        let path = directory.path().join(name.as_ref());
        fs::write(&path, trace).unwrap();
        let args = [&["0"], args].concat();
        Served::by(directory, &mut command(&path, &args))
    }

    /// Runs a command that serves at any port.
    pub(crate) fn by(directory: tempfile::TempDir, command: &mut Command) -> Served {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut url)
            .unwrap();
        if url.is_empty() {
            panic!("{:?}", child.wait_with_output());
        }
        let url = url.trim_end().to_owned();
        let rest = url.strip_prefix("http://").unwrap();
        let authority = rest.split('/').next().unwrap();
        let port = authority.rsplit(':').next().unwrap().parse().unwrap();
        Served {
            child,
            url,
            port,
            directory,
        }
    }

    /// A file beside the trace.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A connection.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// What comes back for these bytes until the connection ends, head and all.
    pub(crate) fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        // Whoever refuses may not read to the end.
        let _ = stream.write_all(request);
        let mut reply = Vec::new();
        let mut piece = [0; 1 << 16];
        loop {
            match stream.read(&mut piece) {
                Ok(0) => return reply,
                Ok(count) => reply.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return reply,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The answer to a request with these lines, besides those that say whom it is for and that
    /// nothing follows.
    pub(crate) fn request(&self, method: &str, path: &str, lines: &[&str]) -> Answer {
        let host = format!("Host: localhost:{}", self.port);
        self.request_to(Some(&host), method, path, lines)
    }

    pub(crate) fn request_to(
        &self,
        host: Option<&str>,
        method: &str,
        path: &str,
        lines: &[&str],
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for line in host.iter().chain(lines) {
            request.push_str(line);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        Answer::parse(&self.raw(request.as_bytes()))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[])
    }

    /// The answer of the API, which must be one.
    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Sends a signal; the exit code, and what was said on stderr.
    pub(crate) fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
        let code = self.child.wait().unwrap().code();
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        (code, said)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    fn parse(reply: &[u8]) -> Answer {
        let end = reply.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(reply)));
        let head = std::str::from_utf8(&reply[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        });
        Answer {
            status: status.parse().unwrap(),
            headers: headers.collect(),
            body: reply[end + 4..].to_vec(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The line that says why there is no answer.
    pub(crate) fn error(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()));
        let line = json["error"].as_str().unwrap().to_owned();
        assert!(!line.is_empty() && !line.contains('\n'), "{line}");
        line
    }
}
