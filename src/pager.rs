//! Standard output, through a pager where somebody sits before it: as git does it.

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};

use nix::sys::signal::{SigHandler, Signal, signal};

use crate::error::say;

/// What a shell exits with if there is no such command.
const NOT_FOUND: i32 = 127;

/// Where text goes.
#[derive(Debug)]
pub enum Output {
    /// To stdout.
    Stdout(BufWriter<StdoutLock<'static>>),
    /// To a program that shows it there.
    Pager {
        /// It.
        child: Child,
        /// Its input.
        input: BufWriter<ChildStdin>,
    },
}

impl Output {
    /// A pager's input if one is `wanted`, stdout is a terminal, and one is found.
    ///
    /// That is $PYTRACE_PAGER, else $PAGER, else less; none if that is `cat` or empty.
    pub fn open(wanted: bool) -> Output {
        let pager = match wanted && io::stdout().is_terminal() {
            true => start(),
            false => None,
        };
        pager.unwrap_or_else(|| Output::Stdout(BufWriter::new(io::stdout().lock())))
    }

    /// Leaves Ctrl-C to the pager, which goes back to its prompt, and ends on q. Before, it ends us, and
    /// by that the pager, which has seen nothing.
    pub fn yield_interrupts(&self) {
        if let Output::Pager { .. } = self {
            // SAFETY: no handler is installed.
            let _ = unsafe { signal(Signal::SIGINT, SigHandler::SigIgn) };
        }
    }

    /// Hands over what is left, and waits until the reader has seen enough. That they have before the
    /// end is no error.
    pub fn finish(self, written: io::Result<()>) -> io::Result<()> {
        let finished = match self {
            Output::Stdout(mut out) => written.and_then(|()| out.flush()),
            Output::Pager {
                mut child,
                mut input,
            } => {
                let flushed = written.and_then(|()| input.flush());
                drop(input);
                match child.wait()?.code() {
                    Some(NOT_FOUND) => {
                        return Err(io::Error::other("the shell did not find the pager"));
                    }
                    _ => flushed,
                }
            }
        };
        match finished {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}

impl Write for Output {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match self {
            Output::Stdout(out) => out.write(text),
            Output::Pager { input, .. } => input.write(text),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Stdout(out) => out.flush(),
            Output::Pager { input, .. } => input.flush(),
        }
    }
}

/// Whether the shell would make one word of it, and nothing else; as git decides it.
fn is_word(command: &OsStr) -> bool {
    let special = b"|&;<>()$`\\\"' \t\n*?[#~=%";
    !command.as_bytes().iter().any(|byte| special.contains(byte))
}

fn start() -> Option<Output> {
    let asked_for = ["PYTRACE_PAGER", "PAGER"].into_iter().find_map(env::var_os);
    let mut command = match &asked_for {
        Some(pager) if pager.is_empty() || *pager == "cat" => return None,
        // One that is not there is found to be so only if no shell stands between.
        Some(pager) if is_word(pager) => Command::new(pager),
        Some(pager) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(pager);
            shell
        }
        None => Command::new("less"),
    };
    if env::var_os("LESS").is_none() {
        // Ends by itself where all fits on the screen; shows colours; leaves the text there.
        command.env("LESS", "FRX");
    }
    let mut child = match command.stdin(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            if let Some(pager) = asked_for {
                say(format_args!(
                    "pytrace: no pager {}: {error}",
                    pager.display()
                ));
            }
            return None;
        }
    };
    let input = BufWriter::new(child.stdin.take()?);
    Some(Output::Pager { child, input })
}
