//! Text of unknown origin, made fit for a terminal.

use std::fmt::{self, Display, Formatter};

/// Displays a string so that it cannot do anything to a terminal but be read: what is invisible,
/// moves the cursor or turns the direction of writing is escaped.
#[derive(Debug, Clone, Copy)]
pub struct Printable<'a>(pub &'a str);

impl Display for Printable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(is_unprintable) {
            f.write_str(&rest[..at])?;
            let mut after = rest[at..].chars();
            match after.next() {
                Some('\n') => f.write_str("\\n")?,
                Some('\r') => f.write_str("\\r")?,
                Some('\t') => f.write_str("\\t")?,
                Some(c) if c < '\u{100}' => write!(f, "\\x{:02x}", u32::from(c))?,
                Some(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                None => {}
            }
            rest = after.as_str();
        }
        f.write_str(rest)
    }
}

fn is_unprintable(c: char) -> bool {
    // C0, DEL and C1; marks, embeddings, overrides and isolates of direction; zero-width characters;
    // separators of lines and paragraphs; the byte order mark; tags.
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_safe() {
        for (text, printed) in [
            ("Klasse.méthode", "Klasse.méthode"),
            ("a\x1b[31mb\n", "a\\x1b[31mb\\n"),
            ("\u{9b}2J\x7f\0", "\\x9b2J\\x7f\\x00"),
            ("x\u{202e}y\u{2066}", "x\\u{202e}y\\u{2066}"),
            ("\t\r\u{2028}", "\\t\\r\\u{2028}"),
        ] {
            assert_eq!(Printable(text).to_string(), printed);
        }
    }
}
