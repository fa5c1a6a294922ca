//! What is looked for in a text.

use std::ops::Range;

use memchr::memmem;
use regex::{Regex, RegexBuilder};

/// A text to find in others: as it is if it has a capital letter, else in any case.
#[derive(Debug)]
pub(in crate::explore) struct Needle(Kind);

#[derive(Debug)]
enum Kind {
    Exact(Box<memmem::Finder<'static>>),
    /// The text in lower case.
    AsciiAnyCase(Box<[u8]>),
    AnyCase(Regex),
}

impl Needle {
    /// `None` for the empty text, which is everywhere, and for what is too long to be looked for.
    pub(in crate::explore) fn new(text: &str) -> Option<Needle> {
        if text.is_empty() {
            return None;
        }
        let kind = if text.chars().any(char::is_uppercase) || !text.chars().any(char::is_alphabetic)
        {
            Kind::Exact(Box::new(memmem::Finder::new(text).into_owned()))
        } else if text.is_ascii() {
            Kind::AsciiAnyCase(text.as_bytes().into())
        } else {
            let mut builder = RegexBuilder::new(&regex::escape(text));
            Kind::AnyCase(builder.case_insensitive(true).build().ok()?)
        };
        Some(Needle(kind))
    }

    /// Whether it is in a text.
    pub(in crate::explore) fn is_in(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    /// Where it is for the first time.
    pub(in crate::explore) fn find(&self, text: &str) -> Option<Range<usize>> {
        match &self.0 {
            Kind::Exact(finder) => {
                let start = finder.find(text.as_bytes())?;
                Some(start..start + finder.needle().len())
            }
            Kind::AsciiAnyCase(needle) => {
                let start = find_any_case(text.as_bytes(), needle)?;
                Some(start..start + needle.len())
            }
            Kind::AnyCase(regex) => regex.find(text).map(|found| found.range()),
        }
    }
}

/// Finds ASCII text that is given in lower case.
fn find_any_case(text: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, rest) = needle.split_first()?;
    let last_start = text.len().checked_sub(needle.len())?;
    let mut starts = memchr::memchr2_iter(first, first.to_ascii_uppercase(), &text[..=last_start]);
    starts.find(|start| text[start + 1..start + needle.len()].eq_ignore_ascii_case(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn find(needle: &str, text: &str) -> Option<Range<usize>> {
        Needle::new(needle).unwrap().find(text)
    }

    #[test]
    fn a_capital_letter_makes_case_matter() {
        assert_eq!(find("step", "Trainer.STEP step"), Some(8..12));
        assert_eq!(find("Step", "Trainer.STEP Step"), Some(13..17));
        assert_eq!(find("größe", "GRÖSSE GRÖßE"), Some(8..15));
        assert_eq!(find("0.5", "x=0.5"), Some(2..5));
        assert_eq!(find(".*", "abc"), None);
        assert!(Needle::new("").is_none());
    }

    proptest! {
        #[test]
        fn what_is_there_is_found(before in "[a-cA-C]{0,6}", needle in "[a-c]{1,3}", behind in "[a-cA-C]{0,6}") {
            let text = format!("{before}{}{behind}", needle.to_uppercase());
            let expected = text.to_lowercase().find(&needle).unwrap();
            prop_assert_eq!(find(&needle, &text), Some(expected..expected + needle.len()));
        }
    }
}
