//! An event's values: what a call was given, gave back or raised.

use std::num::NonZeroU32;

use super::escape::unescape_into;
use super::scan::{Cursor, Flaw, Value};
use crate::recording::{Flags, Texts};
use crate::trace::push_argument;

/// The values of an event, as they stand in it.
#[derive(Debug, Default)]
pub(super) struct Values<'a> {
    /// An object, checked for no more than where it ends.
    arguments: Option<&'a [u8]>,
    result: Option<&'a [u8]>,
    message: Option<&'a [u8]>,
}

impl<'a> Values<'a> {
    /// Takes the value that comes next if `name` says that it is one of a call: ours, or what
    /// VizTracer calls them.
    pub(super) fn take(&mut self, cursor: &mut Cursor<'a>, name: &[u8]) -> Result<bool, Flaw> {
        let place = match name {
            b"arguments" | b"func_args" if cursor.peek()? == b'{' => {
                self.arguments = Some(cursor.raw_value()?);
                return Ok(true);
            }
            b"return" | b"return_value" => &mut self.result,
            b"message" => &mut self.message,
            _ => return Ok(false),
        };
        if let Value::String(text) | Value::Scalar(text) = cursor.value()? {
            *place = Some(text);
        }
        Ok(true)
    }
}

/// Room for texts on their way into a recording, used again for each event.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    name: String,
    value: String,
    arguments: String,
}

impl Scratch {
    /// The indices of a call's arguments and outcome.
    pub(super) fn intern(
        &mut self,
        values: &Values<'_>,
        flags: Flags,
        texts: &mut Texts,
    ) -> (Option<NonZeroU32>, Option<NonZeroU32>) {
        let arguments = values.arguments.and_then(|raw| {
            self.read_arguments(raw).ok()?;
            texts.add(&self.arguments)
        });
        let outcome = match flags.has(Flags::RAISED) {
            true => values.message,
            false => values.result,
        };
        let outcome = outcome.and_then(|raw| {
            self.value.clear();
            unescape_into(&mut self.value, raw);
            texts.add(&self.value)
        });
        (arguments, outcome)
    }

    /// Reads an object; what is nested in it, which we don't write, is left out.
    fn read_arguments(&mut self, raw: &[u8]) -> Result<(), Flaw> {
        self.arguments.clear();
        Cursor::new(raw).members(|cursor, name| {
            if let Value::String(text) | Value::Scalar(text) = cursor.value()? {
                self.name.clear();
                unescape_into(&mut self.name, name);
                self.value.clear();
                unescape_into(&mut self.value, text);
                push_argument(&mut self.arguments, &self.name, &self.value);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::ArgumentsRef;

    fn read(json: &str, flags: Flags) -> (Option<Vec<(String, String)>>, Option<String>) {
        let mut values = Values::default();
        let mut cursor = Cursor::new(json.as_bytes());
        let read = cursor.members(|cursor, name| {
            let taken = values.take(cursor, name)?;
            assert!(taken, "{json}");
            Ok(())
        });
        assert_eq!(read, Ok(()), "{json}");
        let mut texts = Texts::default();
        let (arguments, outcome) = Scratch::default().intern(&values, flags, &mut texts);
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let list = |index| {
            ArgumentsRef::from_text(texts.get(index))
                .iter()
                .map(owned)
                .collect()
        };
        (
            arguments.map(list),
            outcome.map(|index| texts.get(index).to_owned()),
        )
    }

    #[test]
    fn strings_and_scalars_are_shown() {
        let returned = Flags::default();
        for (json, arguments, result) in [
            (r#"{"arguments":{},"return":"5"}"#, Some(vec![]), Some("5")),
            (
                r#"{"arguments":{"a":"'\u00e9\"'","b":5,"c":{"d":[1]},"e":null}}"#,
                Some(vec![("a", "'é\"'"), ("b", "5"), ("e", "null")]),
                None,
            ),
            (
                r#"{"func_args":{"x":"a\nb\tc"},"return_value":"<C>"}"#,
                Some(vec![("x", "a\u{fffd}b\u{fffd}c")]),
                Some("<C>"),
            ),
            (r#"{"return":{"a":1},"message":"m"}"#, None, None),
            // Not JSON, but its brackets match.
            (r#"{"arguments":{"a" 5},"return":true}"#, None, Some("true")),
        ] {
            let arguments = arguments.map(|list| {
                list.iter()
                    .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                    .collect()
            });
            assert_eq!(read(json, returned), (arguments, result.map(str::to_owned)));
        }
    }

    #[test]
    fn an_exceptions_message_is_no_result() {
        let mut raised = Flags::default();
        raised.set(Flags::RAISED, true);
        let (_, message) = read(r#"{"return":"5","message":"text"}"#, raised);
        assert_eq!(message.as_deref(), Some("text"));
        let (_, message) = read(r#"{"return":"5"}"#, raised);
        assert_eq!(message, None);
    }
}
