//! What there is to know of the terminal.

use std::io;

use terminal_size::{Width, terminal_size_of};

/// How many columns stdout has; `None` where it is no terminal, or one that does not say.
pub fn stdout_columns() -> Option<usize> {
    let (Width(columns), _) = terminal_size_of(io::stdout())?;
    (columns > 0).then_some(usize::from(columns))
}
