//! Signs of life on stderr while a recording runs long.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::trace::Totals;

/// Recordings shorter than this show nothing.
const LONG: Duration = Duration::from_secs(5);

/// A line on stderr, on a terminal only: what else is there is a log, or the script's own.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    since: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(2)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("pytrace: {elapsed} {msg}") {
            bar.set_style(style);
        }
        Progress {
            bar,
            since: Instant::now(),
        }
    }

    /// Shows what was counted so far.
    pub(super) fn show(&mut self, totals: &Totals) {
        if self.since.elapsed() < LONG {
            return;
        }
        let mut message = format!(
            "{} calls, {} threads",
            HumanCount(totals.calls),
            totals.threads
        );
        if totals.lost > 0 {
            message.push_str(&format!(", {} events LOST", HumanCount(totals.lost)));
        }
        self.bar.set_message(message);
        self.bar.tick();
    }

    /// Takes the line away, for other messages.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
