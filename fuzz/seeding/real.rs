//! What the kernel programs tell of a real interpreter.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pytrace::cpython::{Choice, plan_after};
use pytrace::preflight::{KernelVersion, Machine};
use pytrace::record::interpreters::{Interpreters, Look};
use pytrace::tracer::{Settings, Storage, Tracer, ValueLimits};

const PROGRAM: &str = include_str!("recorded.py");
/// Runs the program under a name that is nobody's.
const RUN: &str = "import sys; exec(compile(sys.argv[1], '/p/recorded.py', 'exec'))";

/// An interpreter, in a root directory of its own or in ours.
#[derive(Debug)]
pub(crate) struct Python<'a> {
    root: Option<&'a str>,
    path: &'a str,
}

impl<'a> Python<'a> {
    /// `[ROOT:]PYTHON`
    pub(crate) fn named(argument: &'a str) -> Python<'a> {
        match argument.split_once(':') {
            Some((root, path)) => Python {
                root: Some(root),
                path,
            },
            None => Python {
                root: None,
                path: argument,
            },
        }
    }

    /// Its file's name. A link must be a relative one.
    pub(crate) fn name(&self) -> String {
        let file = Path::new(self.root.unwrap_or("/")).join(self.path.trim_start_matches('/'));
        let file = file.canonicalize().unwrap_or_default();
        file.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// The records of `recorded.py`, in order.
    pub(crate) fn record(&self) -> Result<Vec<Vec<u8>>> {
        let records = RefCell::new(Vec::new());
        let mut storage = Storage::default();
        let tracer = Tracer::load(&mut storage, settings())?;
        let ring = tracer.ring(|bytes| records.borrow_mut().push(bytes.to_vec()))?;
        let mut command = match self.root {
            None => Command::new(self.path),
            Some(root) => {
                let mut command = Command::new("chroot");
                command.args([root, self.path]);
                command
            }
        };
        let mut child = command
            .args(["-c", RUN, PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("failed to run {}", self.path))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("it has a stdout")?).read_line(&mut line)?;
        let mut interpreters = Interpreters::new(tracer, plan_after, Choice::Auto, false);
        let look = interpreters.loaded(child.id())?;
        ensure!(
            matches!(look, Look::Attached(_)),
            "{} is no CPython",
            self.path
        );
        child.stdin.take().context("it waits")?.write_all(b"go\n")?;
        while child.try_wait()?.is_none() {
            ring.consume_raw_n(usize::MAX >> 1);
            std::thread::sleep(Duration::from_millis(1));
        }
        ring.consume_raw_n(usize::MAX >> 1);
        drop(ring);
        Ok(records.into_inner())
    }
}

fn settings() -> Settings {
    let machine = Machine::look();
    Settings {
        ring_bytes: 16 << 20,
        external_calls: true,
        uprobe_multi: machine.uprobe_multi && machine.version >= Some(KernelVersion(6, 10)),
        values: Some(ValueLimits {
            string: 80,
            items: 3,
            depth: 2,
            bytes: 1024,
        }),
        follow: true,
    }
}
