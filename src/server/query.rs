//! The parameters of a request.

use std::fmt::Display;
use std::str::FromStr;

use super::percent;
use super::refusal::Refusal;

/// Parameters that are looked at; the page sends a dozen.
const MOST: usize = 32;
/// Bytes of one.
const LONGEST: usize = 16 << 10;

/// Parameters by name, decoded as forms encode them: `+` is a space.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses what follows the question mark.
    pub(super) fn parse(text: &str) -> Result<Query, Refusal> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if value.len() > LONGEST {
                return Err(Refusal::bad(format!(
                    "a parameter is longer than {LONGEST} bytes"
                )));
            }
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(Refusal::bad("a parameter is there twice"));
            }
            if parameters.len() == MOST {
                return Err(Refusal::bad(format!("more than {MOST} parameters")));
            }
            parameters.push((name, value));
        }
        Ok(Query(parameters))
    }

    /// The value of a parameter, if it is there and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A number, if it is there.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        self.text(name).map(|text| number(name, text)).transpose()
    }

    /// A number, or `default` where it is not there, that is no less than the least and no more than
    /// the most that `range` has.
    pub(super) fn number_in<T>(
        &self,
        name: &str,
        default: T,
        range: std::ops::RangeInclusive<T>,
    ) -> Result<T, Refusal>
    where
        T: FromStr + PartialOrd + Display,
    {
        let number = self.number(name)?.unwrap_or(default);
        match range.contains(&number) {
            true => Ok(number),
            false => Err(Refusal::bad(format!(
                "{name} is not from {} to {}",
                range.start(),
                range.end()
            ))),
        }
    }

    /// A number that has to be there.
    pub(super) fn required<T: FromStr>(&self, name: &str) -> Result<T, Refusal> {
        self.number(name)?
            .ok_or_else(|| Refusal::bad(format!("{name} is missing")))
    }

    /// One of some words, or the first of them where it is not there.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<T, Refusal> {
        let chosen = match self.text(name) {
            None => words.first(),
            Some(text) => words.iter().find(|(word, _)| *word == text),
        };
        chosen.map(|&(_, meaning)| meaning).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
            Refusal::bad(format!("{name} is none of {}", words.join(", ")))
        })
    }

    /// The parts of a list with commas between.
    pub(super) fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        let text = self.text(name).unwrap_or("");
        text.split(',').filter(|part| !part.is_empty())
    }
}

/// The number that `text` is.
pub(super) fn number<T: FromStr>(name: &str, text: &str) -> Result<T, Refusal> {
    text.parse()
        .map_err(|_| Refusal::bad(format!("{name} is no number that it can be")))
}

fn decode(text: &str) -> Result<String, Refusal> {
    let bytes = percent::decode(&text.replace('+', " "));
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Refusal::bad("a parameter is not encoded as it should be"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
        result.expect_err("a refusal").line
    }

    #[test]
    fn parameters_are_decoded_as_forms_encode_them() {
        let query = Query::parse("a=1&b=x+y%2Bz&&c&d=%E2%82%AC=").unwrap();
        assert_eq!(query.text("a"), Some("1"));
        assert_eq!(query.text("b"), Some("x y+z"));
        assert_eq!(query.text("c"), None);
        assert_eq!(query.text("d"), Some("€="));
        assert_eq!(query.text("e"), None);
    }

    #[test]
    fn what_is_malformed_is_refused_with_a_line() {
        for (text, line) in [
            ("a=%", "a parameter is not encoded as it should be"),
            ("a=%ff", "a parameter is not encoded as it should be"),
            ("a=1&%61=2", "a parameter is there twice"),
            (
                &format!("a={}", "x".repeat(LONGEST + 1)),
                "a parameter is longer than 16384 bytes",
            ),
            (
                &(0..=MOST).map(|i| format!("p{i}=&")).collect::<String>(),
                "more than 32 parameters",
            ),
        ] {
            assert_eq!(refused(Query::parse(text)), line);
        }
    }

    #[test]
    fn numbers_and_words_are_what_they_can_be() {
        let query = Query::parse("n=7&m=-1&w=up&big=18446744073709551616").unwrap();
        assert_eq!(query.number::<u64>("n").unwrap(), Some(7));
        assert_eq!(query.number::<u64>("none").unwrap(), None);
        assert_eq!(query.number_in("n", 1, 1..=7).unwrap(), 7);
        assert_eq!(
            refused(query.number_in("n", 1, 1..=6)),
            "n is not from 1 to 6"
        );
        for name in ["m", "w", "big"] {
            refused(query.number::<u64>(name));
        }
        assert_eq!(refused(query.required::<u64>("x")), "x is missing");
        let words = [("down", 1), ("up", 2)];
        assert_eq!(query.word("w", &words).unwrap(), 2);
        assert_eq!(query.word("none", &words).unwrap(), 1);
        assert_eq!(refused(query.word("n", &words)), "n is none of down, up");
    }
}
