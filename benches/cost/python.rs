//! The interpreter under measurement, and processes that run it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use pytrace::cpython::{self, Choice, Found, Plan};
use pytrace::preflight::Machine;
use pytrace::record::examine;
use pytrace::tracer::Settings;

pub(crate) const PYTRACE: &str = env!("CARGO_BIN_EXE_pytrace");

pub(crate) struct Python {
    /// The executable, in `root` where there is one.
    pub(crate) path: PathBuf,
    /// Another system's root directory, in which it runs.
    root: Option<PathBuf>,
    /// How it is probed.
    pub(crate) plan: Plan,
}

impl Python {
    /// The one that the environment variable `PYTHON` names, or the system's.
    pub(crate) fn find() -> Result<Python> {
        let path = std::env::var_os("PYTHON").map_or("/usr/bin/python3".into(), PathBuf::from);
        Python::probed(path, None, &program("fib.py"), Choice::Auto)
    }

    /// An interpreter, probed as in a recording. `program` is one that waits.
    pub(crate) fn probed(
        path: PathBuf,
        root: Option<PathBuf>,
        program: &str,
        choice: Choice,
    ) -> Result<Python> {
        let process = Waiting::start(command(&path, root.as_deref()), program, &["wait"])?;
        let interpreter = open(&process.interpreter()?)?;
        // What is measured inherits our environment, as this process did.
        let jit = std::env::var_os("PYTHON_JIT");
        let mut plan = match interpreter
            .jit()
            .is_on(jit.as_ref().map(|jit| jit.as_bytes()))
        {
            true => cpython::plan_compiled(&interpreter, choice)?,
            false => cpython::plan(&interpreter, choice)?,
        };
        if Machine::look().virtual_machine {
            plan.infer_yields();
        }
        Ok(Python { path, root, plan })
    }

    /// Runs the interpreter.
    pub(crate) fn command(&self) -> Command {
        command(&self.path, self.root.as_deref())
    }

    /// Runs a program and returns what it prints.
    pub(crate) fn output(&self, args: &[&str]) -> Result<String> {
        output(self.command().args(args))
    }

    /// A pytrace with these options that records this interpreter. The program runs as the benchmark
    /// does.
    pub(crate) fn pytrace(&self, trace: &Path, options: &[&str]) -> Command {
        let mut command = Command::new(PYTRACE);
        command.arg("--as-root").arg("-o").arg(trace).args(options);
        command.arg("--probes").arg(self.plan.kind().to_string());
        match &self.root {
            None => command.arg("--python").arg(&self.path),
            Some(root) => command
                .args(["--scope", "/", "--", "chroot"])
                .args([root, &self.path]),
        };
        command
    }
}

fn command(path: &Path, root: Option<&Path>) -> Command {
    match root {
        None => Command::new(path),
        Some(root) => {
            let mut command = Command::new("chroot");
            command.args([root, path]);
            command
        }
    }
}

/// Examines a file that is known to hold an interpreter.
pub(crate) fn open(file: &Path) -> Result<cpython::Interpreter> {
    match cpython::Interpreter::open(file)? {
        Found::Interpreter(interpreter) => Ok(*interpreter),
        _ => anyhow::bail!("{} is no CPython", file.display()),
    }
}

/// Runs a command and returns what it prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("failed to run {}", command.get_program().display()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{}: {}: {errors}",
        command.get_program().display(),
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// One of the programs in `benches/programs`.
pub(crate) fn program(name: &str) -> String {
    format!("{}/benches/programs/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A process that waits before it does what is measured, so that it can be attached to.
pub(crate) struct Waiting {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Waiting {
    pub(crate) fn start(mut python: Command, program: &str, args: &[&str]) -> Result<Waiting> {
        let mut child = python
            .arg(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("failed to run {}", python.get_program().display()))?;
        let stdout = child.stdout.take().context("it has a stdout")?;
        let mut waiting = Waiting {
            child,
            stdout: BufReader::new(stdout),
        };
        let mut line = String::new();
        waiting.stdout.read_line(&mut line)?;
        ensure!(line == "ready\n", "{program} said {line:?}");
        Ok(waiting)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file that holds the interpreter.
    pub(crate) fn interpreter(&self) -> Result<PathBuf> {
        examine::of_process(self.pid())
    }

    /// Lets it go on.
    pub(crate) fn go(&mut self) -> Result<()> {
        self.child
            .stdin
            .take()
            .context("it waits")?
            .write_all(b"go\n")?;
        Ok(())
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(line)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A recording's defaults on this machine.
pub(crate) fn settings(machine: &Machine) -> Settings {
    Settings {
        ring_bytes: 16 << 20,
        only_user: None,
        attach_cookies: machine.attach_cookies,
        preallocate: machine.preallocates(),
        private_stacks: machine.private_stacks(),
        external_calls: true,
        uprobe_multi: machine.multi_probes(),
        values: None,
        signals_tasks: machine.signals_tasks(),
        follow: true,
    }
}
