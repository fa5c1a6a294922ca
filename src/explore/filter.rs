//! Which calls are looked at, and how they are grouped.

use crate::pattern::Nearness;
use crate::recording::Selection;

/// Which calls are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// No activity of the import system, nor the bodies of the modules it runs.
    pub hide_imports: bool,
    /// No calls to functions outside the scope.
    pub hide_external: bool,
    /// Only calls that took so many nanoseconds at least.
    pub min_duration: u64,
    /// Only calls that an exception left, and those above them.
    pub only_exceptions: bool,
}

impl Filter {
    /// The same, for a recording.
    pub fn selection(&self) -> Selection {
        Selection {
            hide_imports: self.hide_imports,
            hide_external: self.hide_external,
            min_duration: self.min_duration,
            only_exceptions: self.only_exceptions,
            ..Selection::default()
        }
    }
}

/// How calls are grouped; `None`: not at all.
pub type Grouping = Option<Nearness>;
