//! What an interactive view asks of a recording: lines of the tree, stretches of time, tables, search.
//!
//! Everything is asked for in ranges, so that an answer is as large as a screen however large the
//! recording is. `docs/serve-api.md` tells of each question and its answer.
//!
//! Pure: no BPF, no file system, no clock.

mod filter;
mod overview;
mod views;

pub use filter::{Filter, Grouping};
pub use overview::{Defaults, Origin, Overview};
pub use views::View;

use crate::recording::Recording;
use views::Views;

/// A recording, and what was found out about it so far.
///
/// Shared by all who ask: what one of them waits for, the others wait for as well.
#[derive(Debug)]
pub struct Explorer<'r> {
    recording: &'r Recording,
    views: Views<'r>,
}

impl<'r> Explorer<'r> {
    /// Nothing is found out yet.
    pub fn new(recording: &'r Recording) -> Self {
        Explorer {
            recording,
            views: Views::default(),
        }
    }

    /// What it is about.
    pub fn recording(&self) -> &'r Recording {
        self.recording
    }
}
