//! What is served: one trace, to one user.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::api::Api;
use super::percent;
use super::trust::Hosts;
use crate::explore::{Defaults, Explorer, Origin};

/// A trace and how it is asked for.
#[derive(Debug)]
pub struct Site {
    api: Api,
    hosts: Hosts,
    /// As in `/STEM.html`.
    stem: Vec<u8>,
}

impl Site {
    /// A site for the trace in `explorer`, which was read from the file at `path`.
    pub fn new(
        explorer: &'static Explorer<'static>,
        path: &Path,
        defaults: Defaults,
        hosts: Hosts,
    ) -> Self {
        let file = path.file_name().unwrap_or(OsStr::new("trace"));
        let stem = stem(file.as_bytes()).to_vec();
        let origin = Origin {
            file: file.to_string_lossy().into_owned(),
            stem: String::from_utf8_lossy(&stem).into_owned(),
        };
        Site {
            api: Api::new(explorer, &origin, defaults),
            hosts,
            stem,
        }
    }

    /// The path of the page, percent-encoded.
    pub fn page_path(&self) -> String {
        format!("/{}.html", percent::encode(&self.stem))
    }

    pub(super) fn api(&self) -> &Api {
        &self.api
    }

    pub(super) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    pub(super) fn stem(&self) -> &[u8] {
        &self.stem
    }
}

/// The name of a trace file without its endings.
fn stem(name: &[u8]) -> &[u8] {
    let plain = name.strip_suffix(b".gz").unwrap_or(name);
    let stem = plain.strip_suffix(b".json").unwrap_or(plain);
    if stem.is_empty() { name } else { stem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_has_none_of_the_endings_of_a_trace() {
        for (name, expected) in [
            ("train.json", "train"),
            ("train.json.gz", "train"),
            ("train.gz", "train"),
            ("v1.2.json", "v1.2"),
            ("train", "train"),
            (".json", ".json"),
            ("é .json", "é "),
        ] {
            assert_eq!(stem(name.as_bytes()), expected.as_bytes(), "{name}");
        }
    }
}
