//! How a benchmark ends.

use std::process::ExitCode;

/// The exit code, having said what went wrong if something did.
pub(crate) fn of(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
