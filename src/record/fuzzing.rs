//! What `fuzz/` reaches of a recording's readers of foreign texts. Built with `--cfg fuzzing` only.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::shebang::Content;
use super::{maps, process};

/// Judges a script by its first bytes and its path; in the words of `Debug`.
pub fn script(head: &[u8], path: &Path) -> String {
    format!("{:?}", Content::of(head, path))
}

/// The paths of the `libpython3.*` in the text of a `maps` file.
pub fn libpythons(maps: &str) -> Vec<PathBuf> {
    maps::libpython_paths(maps)
}

/// Where in its file an address is mapped from, by the text of a `maps` file.
pub fn file_offset(maps: &str, address: u64) -> Option<u64> {
    maps::file_offset(maps, address)
}

/// The arguments in the text of a `cmdline` file.
pub fn arguments(cmdline: &[u8]) -> Vec<OsString> {
    process::arguments(cmdline)
}
