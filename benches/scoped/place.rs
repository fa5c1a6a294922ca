//! The interpreter, and a directory with the programs, their packages, and what is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/scoped/programs");

pub(crate) struct Place {
    /// The interpreter, as seen in `root` where there is one.
    python: PathBuf,
    /// Another system's root directory, in which it runs.
    root: Option<PathBuf>,
    /// Where everything is.
    directory: TempDir,
    /// The same, as the programs see it.
    seen: PathBuf,
    /// With a root, a directory of that name in this system: a scope's has to exist in both.
    _twin: Option<TempDir>,
}

impl Place {
    pub(crate) fn new(interpreter: &str, packages: &Path) -> Result<Place> {
        let (root, python) = match interpreter.split_once(':') {
            None => (None, interpreter),
            Some((root, python)) => (Some(PathBuf::from(root)), python),
        };
        let temporary = root.as_deref().unwrap_or("/".as_ref()).join("tmp");
        let directory = TempDir::new_in(&temporary)
            .with_context(|| format!("there is no {}", temporary.display()))?;
        copy(PROGRAMS.as_ref(), &directory.path().join("programs"))?;
        copy(packages, &directory.path().join("site-packages"))?;
        let (seen, twin) = match &root {
            None => (directory.path().to_owned(), None),
            Some(root) => {
                let seen = Path::new("/").join(directory.path().strip_prefix(root)?);
                let name = seen.file_name().context("it has a name")?;
                let twin = tempfile::Builder::new()
                    .prefix(name)
                    .rand_bytes(0)
                    .tempdir_in("/tmp")?;
                copy(PROGRAMS.as_ref(), &twin.path().join("programs"))?;
                (seen, Some(twin))
            }
        };
        Ok(Place {
            python: python.into(),
            root,
            directory,
            seen,
            _twin: twin,
        })
    }

    /// The words that run the interpreter.
    pub(crate) fn interpreter(&self) -> Vec<&Path> {
        let root = self.root.iter().map(PathBuf::as_path);
        let chroot = self.root.iter().map(|_| Path::new("chroot"));
        chroot.chain(root).chain([self.python.as_path()]).collect()
    }

    /// The directory of a program, as it sees it.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.seen.join("programs").join(name)
    }

    /// A file that a program writes, as it sees it.
    pub(crate) fn written(&self, name: &str) -> PathBuf {
        self.seen.join(name)
    }

    /// The same, as we see it.
    pub(crate) fn to_read(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What a program has written there, as numbers.
    pub(crate) fn numbers<const N: usize>(&self, name: &str) -> Result<[f64; N]> {
        let text = fs::read_to_string(self.to_read(name))?;
        let numbers: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
        numbers
            .ok()
            .and_then(|numbers| numbers.try_into().ok())
            .with_context(|| format!("{name} is {text:?}"))
    }

    /// A command whose Pythons find the packages; without random hashes, for these move a program's
    /// time from run to run.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env("PYTHONPATH", self.python_path())
            .env("PYTHONHASHSEED", "0");
        command
    }

    /// Where Pythons find the packages.
    pub(crate) fn python_path(&self) -> String {
        ["site-packages", "programs/outside/site-packages"]
            .map(|directory| self.seen.join(directory).display().to_string())
            .join(":")
    }

    /// What the interpreter says of its version.
    pub(crate) fn version(&self) -> Result<String> {
        let interpreter = self.interpreter();
        let mut command = self.command(interpreter[0]);
        let said = output(command.args(&interpreter[1..]).arg("--version"))?;
        Ok(said.trim().to_owned())
    }

    /// The packages and their versions.
    pub(crate) fn packages(&self) -> Result<String> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.to_read("site-packages"))? {
            let name = entry?.file_name().display().to_string();
            if let Some(name) = name.strip_suffix(".dist-info") {
                names.push(name.replace('-', " "));
            }
        }
        names.sort_unstable();
        Ok(names.join(", "))
    }
}

/// Runs a command, and returns what it prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("failed to run {}", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    output(Command::new("cp").arg("-R").args([from, to]))?;
    Ok(())
}
