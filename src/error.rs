//! What pytrace says when something is wrong: `pytrace: …`, and `hint: …` where there is a cure.
//!
//! Errors travel as [`anyhow::Error`]. A cure is attached with [`WithHint::hint`] and stays out
//! of the message, wherever in the chain of causes it was given.

use std::fmt;
use std::io::{self, Write as _};

/// Exit code of a pytrace that could not do what it was asked to.
pub const FAILURE: u8 = 1;
/// Exit code of a command line that makes no sense.
pub const USAGE: u8 = 2;

/// An error together with what its reader can do about it.
struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)
    }
}

impl fmt::Debug for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} (hint: {})", self.error, self.hint)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Attaches cures to errors.
pub trait WithHint {
    /// The type with the hint in it.
    type Output;

    /// Says what the reader can do about the error: a whole sentence without its full stop.
    fn hint(self, hint: impl Into<String>) -> Self::Output;
}

impl WithHint for anyhow::Error {
    type Output = anyhow::Error;

    fn hint(self, hint: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Hinted {
            error: self,
            hint: hint.into(),
        })
    }
}

impl<T, E: Into<anyhow::Error>> WithHint for Result<T, E> {
    type Output = anyhow::Result<T>;

    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| error.into().hint(hint))
    }
}

/// A command line that makes no sense; ends pytrace with [`USAGE`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// The exit code for an error that ends pytrace: [`USAGE`] or [`FAILURE`].
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| {
        cause.is::<UsageError>()
            || cause
                .downcast_ref::<Hinted>()
                .is_some_and(|hinted| hinted.error.is::<UsageError>())
    }) {
        USAGE
    } else {
        FAILURE
    }
}

/// The lines that report `error` on stderr, newline at the end included.
///
/// The first is `pytrace: ` and the chain of causes; one `hint: ` follows when the chain holds
/// a hint (the outermost, which knows most about what the user asked for). Control characters
/// are escaped: messages quote file names, and those are anybody's.
pub fn report(error: &anyhow::Error) -> String {
    let mut lines = format!("pytrace: {}\n", printable(&format!("{error:#}")));
    if let Some(hinted) = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Hinted>())
    {
        lines.push_str(&format!("hint: {}\n", printable(&hinted.hint)));
    }
    lines
}

/// Prints the report of `error` to stderr, as [`say`] does.
pub fn print_report(error: &anyhow::Error) {
    let _ = io::stderr().write_all(report(error).as_bytes());
}

/// Prints a line to stderr. That nobody may be there to read it, behind `2>&1 | head` or on a
/// terminal that was closed, is no reason to fail.
pub fn say(line: fmt::Arguments<'_>) {
    let line = printable(&line.to_string()) + "\n";
    let _ = io::stderr().write_all(line.as_bytes());
}

/// `text` as one line that is safe to print on a terminal: control characters are escaped.
pub fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            // Besides the control characters proper, those that reorder the text around them.
            c if c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                line.extend(c.escape_default());
            }
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn an_error_without_cure_is_one_line() {
        let error = anyhow!("No such file").context("failed to open x");
        assert_eq!(report(&error), "pytrace: failed to open x: No such file\n");
        assert_eq!(exit_code(&error), FAILURE);
    }

    #[test]
    fn a_hint_is_found_below_contexts_and_stays_out_of_the_message() {
        let error = Err::<(), _>(anyhow!("cause").context("middle"))
            .hint("do this")
            .context("outer")
            .unwrap_err();
        assert_eq!(
            report(&error),
            "pytrace: outer: middle: cause\nhint: do this\n"
        );
    }

    #[test]
    fn the_outermost_hint_wins() {
        let error = anyhow!("e").hint("inner").context("c").hint("outer");
        assert_eq!(report(&error), "pytrace: c: e\nhint: outer\n");
    }

    #[test]
    fn usage_errors_exit_with_2_with_and_without_a_hint() {
        let usage = || anyhow::Error::new(UsageError("no".into()));
        assert_eq!(exit_code(&usage()), USAGE);
        assert_eq!(exit_code(&usage().hint("try")), USAGE);
        assert_eq!(exit_code(&usage().hint("try").context("more")), USAGE);
    }

    #[test]
    fn control_sequences_of_file_names_do_not_reach_the_terminal() {
        let error = anyhow!("no such script: a\u{1b}[2J\nb");
        assert_eq!(report(&error), "pytrace: no such script: a\\u{1b}[2J\\nb\n");
    }
}
