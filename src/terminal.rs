//! What there is to know of the terminal.

use std::env;
use std::io::{self, IsTerminal as _};

use terminal_size::{Width, terminal_size_of};

use crate::view::Style;

/// How many columns stdout has; `None` where it is no terminal, or one that does not say.
pub fn stdout_columns() -> Option<usize> {
    let (Width(columns), _) = terminal_size_of(io::stdout())?;
    (columns > 0).then_some(usize::from(columns))
}

/// Whether stdout shows colours: a terminal that can, where nobody objects (<https://no-color.org>).
pub fn has_colours() -> bool {
    let objects = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stdout().is_terminal() && !objects("NO_COLOR") && !dumb
}

/// What stdout can draw. A file or a pipe takes anything.
pub fn style() -> Style {
    if !io::stdout().is_terminal() || is_utf8(|name| env::var(name).ok()) {
        Style::Unicode
    } else {
        Style::Ascii
    }
}

/// Whether the locale's characters are UTF-8, as the C library decides it (setlocale(3)).
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| variable(name).filter(|value| !value.is_empty()));
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        for (set, utf8) in [
            (vec![], false),
            (vec![("LANG", "C.UTF-8")], true),
            (vec![("LANG", "de_DE.utf8"), ("LC_ALL", "")], true),
            (vec![("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")], false),
            (vec![("LANG", "C"), ("LC_CTYPE", "en_US.UTF-8")], true),
        ] {
            let variable = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(is_utf8(variable), utf8, "{set:?}");
        }
    }
}
