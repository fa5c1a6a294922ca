//! Where a recording comes from.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Where a recording comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Name of its file.
    pub file: String,
    /// The same without endings.
    pub stem: String,
}

impl Origin {
    /// That of the trace file at `path`.
    pub fn of(path: &Path) -> Origin {
        Origin {
            file: String::from_utf8_lossy(name(path)).into_owned(),
            stem: String::from_utf8_lossy(stem(path)).into_owned(),
        }
    }
}

/// The name of the trace file at `path` without its endings, which need not be UTF-8.
pub fn stem(path: &Path) -> &[u8] {
    let name = name(path);
    let plain = name.strip_suffix(b".gz").unwrap_or(name);
    let stem = plain.strip_suffix(b".json").unwrap_or(plain);
    if stem.is_empty() { name } else { stem }
}

fn name(path: &Path) -> &[u8] {
    path.file_name().unwrap_or(OsStr::new("trace")).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_has_none_of_the_endings_of_a_trace() {
        for (path, expected) in [
            ("/p/train.json", "train"),
            ("train.json.gz", "train"),
            ("train.gz", "train"),
            ("v1.2.json", "v1.2"),
            ("train", "train"),
            (".json", ".json"),
            ("é .json", "é "),
            ("/", "trace"),
        ] {
            assert_eq!(stem(Path::new(path)), expected.as_bytes(), "{path}");
        }
    }
}
