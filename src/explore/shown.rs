//! Strings of the traced program, short enough to be sent.

use std::borrow::Cow;

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::trace::Code;

/// Stands where something was cut off.
pub(super) const CUT: char = '…';

/// How many bytes of JSON a name may take.
pub(super) const NAME: usize = 200;

/// How many bytes of JSON all names and files of one answer take, or not much more.
const NAMES: usize = 300_000;

/// As much of `text` as takes `most` bytes of JSON; what is cut ends in `…`.
pub(super) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() * 6 <= most {
        return text.into();
    }
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += json_len(c);
        if taken > most {
            return format!("{}{CUT}", &text[..at]).into();
        }
    }
    text.into()
}

/// How many bytes it takes in a JSON string.
pub(super) fn json_len(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if c < ' ' => 6,
        c => c.len_utf8(),
    }
}

/// Names of the codes of an answer, cut so that all fit into it.
pub(super) fn code_names<T: Serialize>(
    codes: impl IntoIterator<Item = u32>,
    name: impl Fn(u32, usize) -> T,
) -> FxHashMap<u32, T> {
    let codes: FxHashMap<u32, ()> = codes.into_iter().map(|code| (code, ())).collect();
    let each = (NAMES / codes.len().max(1)).clamp(8, NAME);
    let named = codes.into_keys().map(|code| (code, name(code, each)));
    named.collect()
}

/// A function: name, last component of its file, line and category.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct NamedFunction<'r>(Cow<'r, str>, Cow<'r, str>, u32, &'static str);

impl<'r> NamedFunction<'r> {
    /// Name and file take `most` bytes together, or not much more.
    pub(super) fn new(code: &'r Code, most: usize) -> Self {
        NamedFunction(
            cut(&code.name, most / 2),
            cut(code.file_name(), most / 2),
            code.line,
            code.category.as_str(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_cut_fits_and_says_so(text in "\\PC{0,40}|[\\x00-\\x20\"\\\\]{0,40}", most in 0usize..60) {
            let shown = cut(&text, most);
            let len = serde_json::to_string(&*shown).unwrap().len() - 2;
            if shown == text {
                prop_assert!(len <= most);
            } else {
                prop_assert!(len <= most + CUT.len_utf8());
                let kept = shown.strip_suffix(CUT).unwrap();
                prop_assert!(text.starts_with(kept));
                // One more would have been too many.
                let next = text[kept.len()..].chars().next().unwrap();
                let longer = serde_json::to_string(&[kept, &next.to_string()].concat()).unwrap();
                prop_assert!(longer.len() - 2 > most);
            }
        }
    }
}
