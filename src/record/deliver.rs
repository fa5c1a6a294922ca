//! What becomes of a finished recording: it is in its file, or shown; and what is said where that failed.

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};

use super::consumer::Finished;
use crate::cli::DEFAULT_LIMIT;
use crate::error::{self, WithHint as _};
use crate::{terminal, view};

/// The exit code, or what there is to say instead: what ended the recording comes before what
/// happened to the trace, and the program's own failure before pytrace's.
pub(super) fn conclude(recorded: Result<u8>, delivered: Result<()>) -> Result<u8> {
    match (recorded, delivered) {
        (recorded, Ok(())) => recorded,
        (Ok(0), Err(error)) => Err(error),
        (recorded, Err(error)) => {
            error::print_report(&error);
            recorded
        }
    }
}

/// What to do about an output that takes no more.
fn cure(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::BrokenPipe => "its reader has to read to the end",
        io::ErrorKind::FileTooLarge => "raise the limit for the size of files, `ulimit -f`",
        _ => "make room, or write to another disk",
    }
}

/// Shows what was kept in memory, and says what the disk refused.
pub(super) fn deliver(finished: io::Result<Finished>, output: Option<&Path>) -> Result<()> {
    let finished = finished.map_err(|error| {
        let cure = cure(&error);
        let output = output.unwrap_or(Path::new("the trace")).display();
        anyhow!(error)
            .context(format!("failed to complete {output}"))
            .hint(cure)
    })?;
    match finished {
        // That there is nothing, and why, is said elsewhere.
        Finished::Memory(recording) if recording.threads.is_empty() => Ok(()),
        Finished::Memory(recording) => {
            let tree = view::TreeOptions {
                style: terminal::style(),
                colours: terminal::has_colours(),
                width: terminal::stdout_columns(),
                limit: Some(DEFAULT_LIMIT),
                whole: "-o FILE keeps the trace; then `pytrace show FILE --limit 0` shows all.",
                ..view::TreeOptions::default()
            };
            let mut out = io::BufWriter::new(io::stdout().lock());
            let shown = view::write_tree(&recording, &tree, &mut out).and_then(|()| out.flush());
            match shown {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Err(error).context("failed to print the tree")
                }
                _ => Ok(()),
            }
        }
        Finished::File(ended) => match ended.failure {
            None => Ok(()),
            Some(error) => {
                let cure = format!("the file is complete up to there; {}", cure(&error));
                Err(anyhow!(error))
                    .with_context(|| {
                        format!(
                            "failed to write the whole trace: {} calls are missing",
                            ended.unwritten
                        )
                    })
                    .hint(cure)
            }
        },
    }
}
