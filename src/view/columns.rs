//! How wide text is on a terminal, and cutting it.

use std::ops::Range;

use unicode_width::UnicodeWidthChar as _;

/// How many columns `text` takes; never less than a terminal shows it with.
pub(super) fn columns(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(columns_of).sum()
}

fn columns_of(c: char) -> usize {
    match c {
        // Asks for the picture instead of the letter, which takes a second column.
        '\u{fe0f}' => 1,
        _ => c.width().unwrap_or(0),
    }
}

/// The longest beginning of `text` that takes `most` columns at most, with the combining characters
/// behind its last one.
fn beginning(text: &str, most: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find_map(|(at, c)| {
        used += columns_of(c);
        (used > most).then_some(at)
    });
    &text[..end.unwrap_or(text.len())]
}

/// Cuts what stands at `range` of `line` so that it takes `less` columns less, `ellipsis` at its end
/// included, but leaves that much. Returns by how many columns it could be made shorter.
pub(super) fn cut(line: &mut String, range: Range<usize>, less: usize, ellipsis: &str) -> usize {
    let text = &line[range.clone()];
    let (had, least) = (columns(text), columns(ellipsis));
    if less == 0 || had <= least {
        return 0;
    }
    let room = had.saturating_sub(less).saturating_sub(least);
    let kept = beginning(text, room);
    let saved = had - columns(kept) - least;
    let end = range.start + kept.len();
    line.replace_range(end..range.end, ellipsis);
    saved
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn width_is_counted_in_columns() {
        for (text, width) in [
            ("", 0),
            ("abc", 3),
            ("é", 1),
            ("e\u{301}", 1),
            ("日本", 4),
            ("😀", 2),
            ("✈\u{fe0f}", 2),
            ("…├── ", 5),
        ] {
            assert_eq!(columns(text), width, "{text}");
        }
    }

    #[test]
    fn characters_are_cut_whole() {
        for (text, less, cut_text, saved) in [
            ("abcdef", 0, "abcdef", 0),
            ("abcdef", 1, "abcd…", 1),
            ("abcdef", 5, "…", 5),
            ("abcdef", 50, "…", 5),
            ("日本語", 1, "日本…", 1),
            ("日本語", 2, "日…", 3),
            ("ae\u{301}o\u{302}xy", 2, "ae\u{301}…", 2),
            ("a", 1, "a", 0),
            ("", 1, "", 0),
        ] {
            let mut line = format!("<{text}>");
            let range = 1..line.len() - 1;
            assert_eq!(cut(&mut line, range, less, "…"), saved, "{text}");
            assert_eq!(line, format!("<{cut_text}>"));
        }
    }

    proptest! {
        #[test]
        fn cutting_saves_what_it_says(text: String, less in 0usize..40) {
            let mut line = text.clone();
            let saved = cut(&mut line, 0..text.len(), less, "...");
            prop_assert_eq!(columns(&text), columns(&line) + saved);
            prop_assert!(saved >= less || columns(&line) <= 3);
        }
    }
}
