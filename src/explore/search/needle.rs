//! What is looked for in a text.

use std::ops::Range;

use memchr::memmem;

/// A text to find in others: as it is if it has a capital letter, else in any case.
#[derive(Debug)]
pub(in crate::explore) struct Needle(Kind);

#[derive(Debug)]
enum Kind {
    Exact(Box<memmem::Finder<'static>>),
    /// ASCII in lower case.
    AsciiAnyCase(Box<str>),
    AnyCase(AnyCase),
}

/// A text in lower case.
#[derive(Debug)]
struct AnyCase {
    lower: Box<str>,
    /// The first bytes of its first character, small and capital.
    first: [u8; 2],
}

impl Needle {
    /// `None` for the empty text, which is everywhere.
    pub(in crate::explore) fn new(text: &str) -> Option<Needle> {
        let first = text.chars().next()?;
        let is_exact =
            text.chars().any(char::is_uppercase) || !text.chars().any(char::is_lowercase);
        let kind = if is_exact {
            Kind::Exact(Box::new(memmem::Finder::new(text).into_owned()))
        } else if text.is_ascii() {
            Kind::AsciiAnyCase(text.into())
        } else {
            Kind::AnyCase(AnyCase {
                lower: text.into(),
                first: [first, capital(first)].map(first_byte),
            })
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
                let start = find_ascii(text.as_bytes(), needle.as_bytes())?;
                Some(start..start + needle.len())
            }
            Kind::AnyCase(needle) => needle.find(text),
        }
    }
}

/// Finds ASCII text that is given in lower case.
fn find_ascii(text: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, rest) = needle.split_first()?;
    let last_start = text.len().checked_sub(needle.len())?;
    let mut starts = memchr::memchr2_iter(first, first.to_ascii_uppercase(), &text[..=last_start]);
    starts.find(|start| text[start + 1..start + needle.len()].eq_ignore_ascii_case(rest))
}

impl AnyCase {
    fn find(&self, text: &str) -> Option<Range<usize>> {
        let [small, capital] = self.first;
        let starts = memchr::memchr2_iter(small, capital, text.as_bytes());
        // Where a character starts, one does not go on.
        let mut found =
            starts.filter_map(|start| Some(start..start + self.len_at(&text[start..])?));
        found.next()
    }

    /// How many bytes of `text` it is, if that begins with it.
    fn len_at(&self, text: &str) -> Option<usize> {
        let mut needle = self.lower.chars();
        for (at, c) in text.char_indices() {
            if needle.as_str().is_empty() {
                return Some(at);
            }
            // A character may be several in lower case.
            if !c.to_lowercase().all(|c| needle.next() == Some(c)) {
                return None;
            }
        }
        needle.as_str().is_empty().then_some(text.len())
    }
}

/// The capital letter, if it is one.
fn capital(c: char) -> char {
    let mut capital = c.to_uppercase();
    match (capital.next(), capital.next()) {
        (Some(capital), None) => capital,
        _ => c,
    }
}

fn first_byte(c: char) -> u8 {
    c.encode_utf8(&mut [0; 4]).as_bytes()[0]
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
        assert_eq!(find("şehir", "İSTANBUL ŞEHİR"), None);
        assert_eq!(find("ёлка", "Ель, ЁЛКА"), Some(8..16));
        assert_eq!(find("東京", "京東京"), Some(3..9));
        assert_eq!(find("ö", ""), None);
        assert_eq!(find("0.5", "x=0.5"), Some(2..5));
        assert_eq!(find(".*", "abc"), None);
        assert!(Needle::new("").is_none());
    }

    proptest! {
        #[test]
        fn what_is_there_is_found(
            before in "[a-cA-CäÄжЖ]{0,6}",
            needle in "[a-cäж]{1,3}",
            behind in "[a-cA-CäÄжЖ]{0,6}",
        ) {
            let text = format!("{before}{}{behind}", needle.to_uppercase());
            // Small and capital letters of these are of the same length.
            let expected = text.to_lowercase().find(&needle).unwrap();
            prop_assert_eq!(find(&needle, &text), Some(expected..expected + needle.len()));
        }

        #[test]
        fn any_text_may_be_looked_through(needle in "\\PC{1,3}", text in "\\PC{0,20}") {
            if let Some(found) = find(&needle, &text) {
                prop_assert_eq!(text[found].to_lowercase(), needle.to_lowercase());
            }
        }
    }
}
