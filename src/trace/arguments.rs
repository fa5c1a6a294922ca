//! What a call was given.

use std::fmt::{self, Debug, Formatter};

/// The arguments of a call by the names of its parameters, in the order of its signature, as text
/// for people. One allocation, whatever their number: a recording has millions.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Arguments(Box<str>);

/// Between a name and its value, and behind the value. Neither occurs in them: names and values
/// have no control characters.
const BETWEEN: char = '\t';
const BEHIND: char = '\n';

impl Arguments {
    /// Takes the arguments in order; control characters in them are replaced.
    pub fn new<'a>(arguments: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut text = String::new();
        for (name, value) in arguments {
            push_argument(&mut text, name, value);
        }
        Arguments(text.into())
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.borrowed().iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same arguments, as a recording hands them out.
    pub fn borrowed(&self) -> ArgumentsRef<'_> {
        ArgumentsRef(&self.0)
    }
}

impl Debug for Arguments {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.borrowed().fmt(f)
    }
}

/// [`Arguments`] that are kept elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArgumentsRef<'a>(&'a str);

impl<'a> ArgumentsRef<'a> {
    /// Arguments whose text is that of [`ArgumentsRef::text`] or made by [`push_argument`].
    pub(crate) fn from_text(text: &'a str) -> Self {
        ArgumentsRef(text)
    }

    /// The text that they are kept as.
    pub(crate) fn text(self) -> &'a str {
        self.0
    }

    /// Names and values.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .split_terminator(BEHIND)
            .filter_map(|line| line.split_once(BETWEEN))
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl Debug for ArgumentsRef<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Appends an argument to the text of those before it.
pub(crate) fn push_argument(text: &mut String, name: &str, value: &str) {
    push(text, name);
    text.push(BETWEEN);
    push(text, value);
    text.push(BEHIND);
}

fn push(text: &mut String, part: &str) {
    if part.contains(char::is_control) {
        let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        text.extend(part.chars().map(clean));
    } else {
        text.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let given = [("self", "<Trainer>"), ("", ""), ("x", "'a b'")];
        let arguments = Arguments::new(given);
        assert_eq!(arguments.iter().collect::<Vec<_>>(), given);
        assert!(!arguments.is_empty());
        assert!(Arguments::new([]).is_empty());
    }

    #[test]
    fn control_characters_cannot_forge_arguments() {
        let arguments = Arguments::new([("a\tb", "1\nc\t2")]);
        assert_eq!(
            arguments.iter().collect::<Vec<_>>(),
            [("a\u{fffd}b", "1\u{fffd}c\u{fffd}2")]
        );
    }
}
