//! Runs the built `pytrace` on real programs, as root.

#![allow(dead_code, reason = "not every test uses everything")]

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::Value;

/// The interpreter that every Debian has.
pub(crate) const PYTHON: &str = "/usr/bin/python3";
/// Whoever is nobody.
pub(crate) const NOBODY: u32 = 65534;

/// How long anything may take; a machine under load is slow, a hanging test is a failed one.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that has two calls: its own, and that of `f`.
pub(crate) const TWO_CALLS: &str = "def f():\n    pass\nf()\nprint('ran')\n";

/// The root directory of another Debian, with what the tests need of it.
pub(crate) fn debian(suite: &str) -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/interpreters.sh");
    let output = Command::new(script).arg(suite).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap().trim_end().into()
}

/// A directory of the test's own, open to every user.
#[derive(Debug)]
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    /// For a test that records.
    pub(crate) fn new() -> Place {
        assert!(
            nix::unistd::geteuid().is_root(),
            "this test needs root: run it with scripts/root-tests.sh"
        );
        Place::of_anyone()
    }

    /// For a test that needs no rights.
    pub(crate) fn of_anyone() -> Place {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Place(dir)
    }

    /// With one script, `x.py`.
    pub(crate) fn with(script: &str) -> Place {
        let place = Place::new();
        place.write("x.py", script);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// `pytrace ARGS` in this directory.
    pub(crate) fn pytrace(&self, args: &[&str]) -> Command {
        self.command(env!("CARGO_BIN_EXE_pytrace"), args)
    }

    /// `pytrace --python /usr/bin/python3 ARGS` in this directory.
    pub(crate) fn python(&self, args: &[&str]) -> Command {
        self.pytrace(&[&["--python", PYTHON], args].concat())
    }

    /// Any program in this directory, in a process group of its own.
    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .process_group(0);
        // Whoever runs the tests with sudo is not meant.
        for name in ["SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn start(&self, mut command: Command) -> Running {
        let [out, err] = ["stdout", "stderr"].map(|name| {
            let file = tempfile::Builder::new().prefix(name).tempfile().unwrap();
            file.into_temp_path()
        });
        command
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap());
        // Whoever runs the tests in the background has them ignore what comes from a keyboard.
        // SAFETY: signal(2) is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                for signal in [libc::SIGINT, libc::SIGQUIT] {
                    libc::signal(signal, libc::SIG_DFL);
                }
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        Running {
            child,
            out,
            err,
            ended: false,
        }
    }

    pub(crate) fn run(&self, command: Command) -> Ran {
        self.start(command).wait()
    }

    /// A script that calls `f` until it is killed.
    pub(crate) fn endless(&self) -> Running {
        self.write(
            "endless.py",
            "import time\ndef f(): time.sleep(0.005)\nprint('up', flush=True)\nwhile True: f()\n",
        );
        let running = self.start(self.command(PYTHON, &["endless.py"]));
        running.line("up");
        running
    }

    /// What was recorded into the file of this name.
    pub(crate) fn trace(&self, name: &str) -> Trace {
        let shown = self.run(self.pytrace(&["show", name]));
        assert_eq!(
            (shown.code, shown.stderr.as_str()),
            (0, ""),
            "{}",
            shown.text()
        );
        let json = fs::read(self.path(name)).unwrap();
        Trace {
            json: serde_json::from_slice(&json).unwrap(),
            shown: shown.text(),
        }
    }
}

/// A process whose output goes to files, so that none of its children can keep us waiting.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    out: tempfile::TempPath,
    err: tempfile::TempPath,
    ended: bool,
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its standard input, which is a pipe.
    pub(crate) fn say(&mut self, text: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// As Ctrl-C does: to the whole process group.
    pub(crate) fn signal_group(&self, signal: Signal) {
        killpg(self.pid(), signal).unwrap();
    }

    /// Waits for a line that begins with `start`, and returns the rest of it.
    pub(crate) fn line(&self, start: &str) -> String {
        eventually(&format!("the line {start:?}"), || {
            let text = fs::read_to_string(&self.out).unwrap_or_default();
            // The last line may be a part of one.
            let (lines, _) = text.rsplit_once('\n')?;
            lines
                .lines()
                .find_map(|line| line.strip_prefix(start))
                .map(str::to_owned)
        })
    }

    pub(crate) fn wait(mut self) -> Ran {
        let status = eventually("the end of the process", || self.child.try_wait().unwrap());
        self.ended = true;
        Ran {
            code: status
                .code()
                .unwrap_or_else(|| -status.signal().unwrap_or(0)),
            stdout: fs::read(&self.out).unwrap(),
            stderr: String::from_utf8(fs::read(&self.err).unwrap()).unwrap(),
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            let _ = killpg(self.pid(), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// Asks until there is an answer.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code, or a signal's negated number.
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// It ended with `code`, having said these lines and nothing else.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, lines: &[&str]) {
        let said: Vec<&str> = self.stderr.lines().collect();
        assert_eq!((self.code, &said[..], &*self.text()), (code, lines, ""));
    }

    /// The same without the lines in which `text` stands: what depends on how fast the machine is.
    pub(crate) fn but_for(mut self, text: &str) -> Ran {
        let said = self.stderr.lines().filter(|line| !line.contains(text));
        self.stderr = said.map(|line| format!("{line}\n")).collect();
        self
    }

    /// It ended with `code`, having said these lines besides the figures of the recording.
    #[track_caller]
    pub(crate) fn recorded(&self, code: i32, lines: &[&str]) {
        let is_figure = |line: &str| {
            line.starts_with("hint: --selective spares most of that")
                || line.strip_prefix("pytrace: ").is_some_and(|line| {
                    line.contains(" import) in ")
                        || line.starts_with("CPython ")
                        || line.starts_with("a recorded call costs ")
                        || line.starts_with("trace in ")
                        || line
                            .contains(" % of the calls that its probes saw were outside the scope")
                })
        };
        // Who can only be halted by ptrace may have begun the interpreter's own start on a busy machine.
        let is_late = |line: &&str| line.contains("(it had begun to run by then)");
        let lines_said = self.stderr.lines().filter(|line| !is_late(line));
        let (figures, said): (Vec<&str>, Vec<&str>) = lines_said.partition(|line| is_figure(line));
        assert_eq!((self.code, &said[..]), (code, lines), "{}", self.text());
        assert!(figures.len() >= 2, "{figures:?}");
    }
}

/// A trace file.
#[derive(Debug)]
pub(crate) struct Trace {
    json: Value,
    /// What `pytrace show` makes of it.
    pub(crate) shown: String,
}

impl Trace {
    pub(crate) fn footer(&self) -> &Value {
        &self.json["pytrace"]
    }

    pub(crate) fn ended(&self) -> &str {
        self.footer()["ended"].as_str().unwrap()
    }

    /// The calls' events.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Value> {
        self.json["traceEvents"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|event| event["ph"] == "X")
    }

    /// The internal calls by thread and start: names indented by depth, `…` behind the unfinished.
    pub(crate) fn calls(&self) -> Vec<String> {
        let mut events: Vec<&Value> = self
            .events()
            .filter(|event| event["cat"] == "internal")
            .collect();
        events.sort_by_key(|event| (event["tid"].as_u64(), event["args"]["call"].as_u64()));
        let shown = |event: &Value| {
            let depth = event["args"]["depth"].as_u64().unwrap() as usize;
            let open = if event["args"]["unfinished"] == true {
                "…"
            } else {
                ""
            };
            format!(
                "{}{}{open}",
                "  ".repeat(depth),
                event["name"].as_str().unwrap()
            )
        };
        events.into_iter().map(shown).collect()
    }
}

/// Where a file's name stands in a message.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
