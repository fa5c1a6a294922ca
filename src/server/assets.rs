//! The page's files, which are part of the binary.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};

/// Where the page says which of its modules is which file: pages from other places (an export) have
/// them elsewhere.
pub(super) const IMPORT_MAP: &str = "<!--importmap-->";

/// The page itself.
pub(super) const INDEX: &str = include_str!("page/index.html");

/// A file that the page loads.
#[derive(Debug)]
pub(super) struct Asset {
    /// Its name below `/assets/`.
    pub(super) name: &'static str,
    /// What it holds.
    pub(super) bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal),* $(,)?) => {
        &[$(Asset { name: $name, bytes: include_bytes!(concat!("page/", $name)) }),*]
    };
}

/// All there are.
pub(super) const ASSETS: &[Asset] = assets![
    "api.js",
    "app.js",
    "controls.js",
    "details.js",
    "dom.js",
    "flame.js",
    "format.js",
    "function_details.js",
    "functions.js",
    "gaps.js",
    "header.js",
    "keyboard.js",
    "lanes.js",
    "open.js",
    "patterns.js",
    "report.js",
    "report_tree.js",
    "rows.js",
    "scope.js",
    "search.js",
    "source.js",
    "spark.js",
    "state.js",
    "style.css",
    "table.js",
    "tabs.js",
    "theme.js",
    "threads.js",
    "timeline.js",
    "timeline_draw.js",
    "tree.js",
    "virtual.js",
];

impl Asset {
    /// The file that has this name.
    pub(super) fn find(name: &str) -> Option<&'static Asset> {
        ASSETS.iter().find(|asset| asset.name == name)
    }

    /// Its media type.
    pub(super) fn media_type(&self) -> &'static str {
        match self.name.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "application/octet-stream",
        }
    }

    /// What changes with its content, for browsers that have it already.
    pub(super) fn tag(&self) -> String {
        let mut hasher = DefaultHasher::new();
        hasher.write(self.bytes);
        // Weak: it stands for what is compressed as well.
        format!("W/\"{:016x}\"", hasher.finish())
    }
}

/// The page, in which a script of its own is allowed by `nonce`.
pub(super) fn page(nonce: &str) -> String {
    let map = import_map(nonce, |asset| format!("/assets/{}", asset.name));
    INDEX.replace(IMPORT_MAP, &map)
}

/// Says where each module is, in a script that is allowed by `nonce`.
pub(super) fn import_map(nonce: &str, url: impl Fn(&Asset) -> String) -> String {
    let mut map = format!("<script type=\"importmap\" nonce=\"{nonce}\">{{\"imports\":{{");
    let modules = ASSETS.iter().filter(|asset| asset.name.ends_with(".js"));
    for (index, asset) in modules.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // To write to a string does not fail.
        let _ = write!(map, "{comma}\"pytrace/{}\":\"{}\"", asset.name, url(asset));
    }
    map.push_str("}}</script>");
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_of_a_known_type() {
        for Asset { name, .. } in ASSETS {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            assert!(name.bytes().all(plain), "{name}");
        }
        for asset in ASSETS {
            assert_ne!(asset.media_type(), "application/octet-stream", "{asset:?}");
        }
    }

    #[test]
    fn the_page_maps_every_module_once() {
        let page = page("abc");
        assert!(!page.contains(IMPORT_MAP));
        assert_eq!(page.matches("nonce=\"abc\"").count(), 1);
        for asset in ASSETS.iter().filter(|asset| asset.name.ends_with(".js")) {
            let entry = format!("\"pytrace/{0}\":\"/assets/{0}\"", asset.name);
            assert_eq!(page.matches(&entry).count(), 1, "{entry}");
        }
    }

    #[test]
    fn every_file_that_the_page_names_is_there() {
        for part in INDEX.split("/assets/").skip(1) {
            let name = part.split(['"', '\'']).next().unwrap();
            assert!(Asset::find(name).is_some(), "{name}");
        }
    }
}
