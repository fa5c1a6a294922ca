//! Debian sid's root, where the newest interpreters are.

#![allow(dead_code, reason = "not every test uses everything")]

use std::path::{Path, PathBuf};

use crate::run;

/// Its interpreters of their own.
pub(crate) const PYTHONS: [&str; 2] = ["/usr/bin/python3.14", "/usr/bin/python3.15"];

/// That root.
pub(crate) struct Sid {
    pub(crate) root: PathBuf,
    /// A directory in it.
    pub(crate) inside: tempfile::TempDir,
}

impl Sid {
    pub(crate) fn new() -> Sid {
        let root = run::debian("sid");
        let inside = tempfile::tempdir_in(root.join("tmp")).unwrap();
        Sid { root, inside }
    }

    /// A file there, and what it is called for who has that root.
    pub(crate) fn file(&self, name: &str) -> (PathBuf, PathBuf) {
        let path = self.inside.path().join(name);
        let inside = Path::new("/").join(path.strip_prefix(&self.root).unwrap());
        (path, inside)
    }
}
