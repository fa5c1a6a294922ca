//! The text behind JSON's escapes.

/// The text of a string, given what stands between its quotes. What is no text (half a surrogate
/// pair, which Python writes; bytes that are not UTF-8) becomes U+FFFD.
pub(super) fn unescape(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    if !text.contains('\\') {
        return text.into_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('\\');
    out.push_str(parts.next().unwrap_or_default());
    let mut high = None;
    while let Some(part) = parts.next() {
        let mut rest = part.chars();
        let escaped = match rest.next() {
            // Two backslashes: the second one ended this part.
            None => {
                out.extend(high.take().map(|_: u32| char::REPLACEMENT_CHARACTER));
                out.push('\\');
                out.push_str(parts.next().unwrap_or_default());
                continue;
            }
            Some('u') => match part.get(1..5).and_then(hexadecimal) {
                Some(unit) => {
                    rest = part[5..].chars();
                    unit
                }
                None => u32::from(char::REPLACEMENT_CHARACTER),
            },
            Some('n') => 0x0a,
            Some('t') => 0x09,
            Some('r') => 0x0d,
            Some('b') => 0x08,
            Some('f') => 0x0c,
            Some(other) => u32::from(other),
        };
        let low = (0xdc00..0xe000).contains(&escaped);
        match high.take() {
            Some(high) if low => {
                let pair = 0x10000 + ((high - 0xd800) << 10) + (escaped - 0xdc00);
                out.push(char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            unpaired => {
                out.extend(unpaired.map(|_| char::REPLACEMENT_CHARACTER));
                if (0xd800..0xdc00).contains(&escaped) && rest.as_str().is_empty() {
                    high = Some(escaped);
                } else {
                    out.push(char::from_u32(escaped).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
            }
        }
        out.push_str(rest.as_str());
    }
    out.extend(high.map(|_| char::REPLACEMENT_CHARACTER));
    out
}

/// Appends what [`unescape`] makes of `raw`, without a string of its own where there is no escape.
pub(super) fn unescape_into(out: &mut String, raw: &[u8]) {
    match std::str::from_utf8(raw) {
        Ok(text) if !raw.contains(&b'\\') => out.push_str(text),
        _ => out.push_str(&unescape(raw)),
    }
}

fn hexadecimal(digits: &str) -> Option<u32> {
    digits
        .chars()
        .try_fold(0, |value, digit| Some(value * 16 + digit.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes() {
        for (raw, text) in [
            (r"plain", "plain"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"\u00e9\ud83d\ude00!", "é😀!"),
            (r"\ud83d", "\u{fffd}"),
            (r"\ud83dx\ude00", "\u{fffd}x\u{fffd}"),
            (r"\ud83d\\", "\u{fffd}\\"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\uzzzz\u12", "\u{fffd}zzzz\u{fffd}12"),
            (r"a\\\\n", r"a\\n"),
            (r"\\u0041", r"\u0041"),
        ] {
            assert_eq!(unescape(raw.as_bytes()), text, "{raw}");
        }
        assert_eq!(unescape(b"\xff"), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn what_serde_json_escapes_is_read(text: String) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(unescape(&json.as_bytes()[1..json.len() - 1]), text);
        }

        #[test]
        fn any_bytes_become_text(bytes: Vec<u8>) {
            let mut text = String::from("a");
            unescape_into(&mut text, &bytes);
            prop_assert_eq!(text.strip_prefix('a'), Some(&*unescape(&bytes)));
        }
    }
}
