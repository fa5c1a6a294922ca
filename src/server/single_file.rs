//! The page as one file, which holds its data and asks nobody for anything.

use std::io;

use super::assets::{Asset, IMPORT_MAP, INDEX, import_map};
use super::{percent, routes};

/// Where the style and the first script are in the page.
const STYLE: &str = "<link rel=\"stylesheet\" href=\"/assets/style.css\">";
const SCRIPT: &str = "<script type=\"module\" src=\"/assets/app.js\"></script>";

/// The page, between whose parts its data has to stand: JSON without `<`.
#[derive(Debug)]
pub struct SingleFile {
    /// What precedes the data.
    pub before_data: String,
    /// What follows.
    pub behind_data: String,
}

/// The page for a report.
///
/// # Errors
///
/// The system has no random numbers. They make sure that no script runs in it but its own: a trace
/// is anybody's.
pub fn single_file() -> io::Result<SingleFile> {
    Ok(with_nonce(&routes::nonce()?))
}

fn with_nonce(nonce: &str) -> SingleFile {
    // Browsers that know `strict-dynamic` pass over `data:`; the others need it for modules.
    let policy = format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         script-src 'nonce-{nonce}' 'strict-dynamic' data:; style-src 'nonce-{nonce}'; \
         img-src data:; base-uri 'none'; form-action 'none'\">"
    );
    let map = import_map(nonce, |asset| {
        format!("data:text/javascript,{}", percent::encode(asset.bytes))
    });
    let css = Asset::find("style.css").map_or(&[][..], |asset| asset.bytes);
    let style = format!(
        "<style nonce=\"{nonce}\">{}</style>",
        String::from_utf8_lossy(css)
    );
    let page = INDEX
        .replace(
            "<meta charset=\"utf-8\">",
            &format!("<meta charset=\"utf-8\">\n  {policy}"),
        )
        .replace(STYLE, &style)
        .replace(IMPORT_MAP, &map);
    let (before, behind) = page.split_once(SCRIPT).unwrap_or((&page, ""));
    SingleFile {
        before_data: format!("{before}<script type=\"application/json\" id=\"report\">"),
        behind_data: format!(
            "</script>\n  <script type=\"module\" nonce=\"{nonce}\">import \"pytrace/app.js\";</script>{behind}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_in_it() {
        let SingleFile {
            before_data,
            behind_data,
        } = with_nonce("abc");
        let page = format!("{before_data}{{}}{behind_data}");
        assert!(!page.contains("/assets/"), "something is asked for");
        for part in [
            "<style nonce=\"abc\">",
            "<script type=\"module\" nonce=\"abc\">",
            "'nonce-abc'",
            "\"pytrace/app.js\":\"data:",
        ] {
            assert_eq!(
                page.matches(part).count(),
                if part.starts_with("'nonce") { 2 } else { 1 },
                "{part}"
            );
        }
        // Import map, data, the first script; modules are in the map, encoded.
        assert_eq!(page.matches("<script").count(), 3);
        assert_eq!(page.matches("</script>").count(), 3);
    }
}
