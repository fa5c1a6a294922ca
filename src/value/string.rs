//! Strings and bytes as Python shows them.

use std::fmt::Write;

/// The code points of characters of `width` bytes each. Of another width there are none.
pub(super) fn characters(data: &[u8], width: u8) -> impl Iterator<Item = u32> + Clone {
    let size = if matches!(width, 1 | 2 | 4) {
        usize::from(width)
    } else {
        usize::MAX
    };
    data.chunks_exact(size).map(|c| match *c {
        [a] => u32::from(a),
        [a, b] => u32::from(u16::from_le_bytes([a, b])),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
        _ => 0,
    })
}

/// Writes a str without its last quote: returns that.
pub(super) fn open_str(out: &mut String, data: &[u8], width: u8) -> char {
    if width == 1
        && let Some(plain) = plain(data)
    {
        out.push('\'');
        out.push_str(plain);
        return '\'';
    }
    let characters = characters(data, width);
    let quote = quote(characters.clone());
    out.push(quote);
    for code in characters {
        if code == u32::from(quote) || code == u32::from('\\') {
            out.push('\\');
        }
        character(out, code);
    }
    quote
}

/// Writes the characters of a str, escaping only what can't be shown.
pub(super) fn text(out: &mut String, data: &[u8], width: u8) {
    for code in characters(data, width) {
        character(out, code);
    }
}

/// Writes a bytes literal without its last quote: returns that.
pub(super) fn open_bytes(out: &mut String, data: &[u8]) -> char {
    let quote = quote(data.iter().map(|&byte| u32::from(byte)));
    out.push('b');
    out.push(quote);
    for &byte in data {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            b' '..=b'~' => {
                if char::from(byte) == quote {
                    out.push('\\');
                }
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    quote
}

/// Text in which nothing needs an escape.
fn plain(data: &[u8]) -> Option<&str> {
    let plain = data
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'\\'));
    plain.then(|| std::str::from_utf8(data).ok()).flatten()
}

fn quote(mut characters: impl Iterator<Item = u32>) -> char {
    let mut single = false;
    let double = characters.any(|code| {
        single |= code == u32::from('\'');
        code == u32::from('"')
    });
    if single && !double { '"' } else { '\'' }
}

fn character(out: &mut String, code: u32) {
    match (code, char::from_u32(code)) {
        (0x0a, _) => out.push_str("\\n"),
        (0x0d, _) => out.push_str("\\r"),
        (0x09, _) => out.push_str("\\t"),
        (_, Some(shown)) if is_printable(code) => out.push(shown),
        (0..=0xff, _) => drop(write!(out, "\\x{code:02x}")),
        (0x100..=0xffff, _) => drop(write!(out, "\\u{code:04x}")),
        _ => drop(write!(out, "\\U{code:08x}")),
    }
}

/// What `str.isprintable` says, but for characters that no version of Unicode has assigned.
fn is_printable(code: u32) -> bool {
    if code < 0x7f {
        return code >= 0x20;
    }
    if code & 0xfffe == 0xfffe {
        return false;
    }
    let after = HIDDEN.partition_point(|&(first, _)| first <= code);
    let range = after.checked_sub(1).and_then(|index| HIDDEN.get(index));
    range.is_none_or(|&(_, last)| code > last)
}

/// Control and format characters, separators, surrogates, what is for private use, and the large
/// areas where nothing is assigned.
const HIDDEN: [(u32, u32); 29] = [
    (0x7f, 0xa0),
    (0xad, 0xad),
    (0x600, 0x605),
    (0x61c, 0x61c),
    (0x6dd, 0x6dd),
    (0x70f, 0x70f),
    (0x890, 0x891),
    (0x8e2, 0x8e2),
    (0x1680, 0x1680),
    (0x180e, 0x180e),
    (0x2000, 0x200f),
    (0x2028, 0x202f),
    (0x205f, 0x206f),
    (0x3000, 0x3000),
    (0xd800, 0xf8ff),
    (0xfdd0, 0xfdef),
    (0xfeff, 0xfeff),
    (0xfff0, 0xfffb),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0x2a6e0, 0x2a6ff),
    (0x2ee5e, 0x2f7ff),
    (0x2fa1e, 0x2ffff),
    (0x3134b, 0x3134f),
    (0x323b0, 0xe00ff),
    (0xe01f0, u32::MAX),
];
