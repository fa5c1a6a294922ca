//! Real paths as a process sees them, which may have another root than ours.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use crate::scope::Resolver;

/// As many symbolic links as the kernel follows in one path (`MAXSYMLINKS`).
const LINKS_MAX: u32 = 40;

/// Resolves paths below a root directory, without ever leaving it.
///
/// Links are followed here and not by the kernel, which takes an absolute link from *our* root,
/// whatever root the process that uses it has.
#[derive(Debug, Clone)]
pub struct RootResolver {
    root: PathBuf,
}

impl RootResolver {
    /// Paths below this directory.
    pub fn below(root: impl Into<PathBuf>) -> RootResolver {
        RootResolver { root: root.into() }
    }

    /// Paths as pytrace itself sees them.
    pub fn own() -> RootResolver {
        RootResolver::below("/")
    }

    /// Paths as process `pid` sees them, in its mount namespace and below its root directory.
    /// Once that process has ended, nothing resolves.
    pub fn of_process(pid: u32) -> RootResolver {
        RootResolver::below(format!("/proc/{pid}/root"))
    }

    /// Paths as process `pid` sees them, but by our own way where that is the same: it outlives
    /// the process.
    pub fn for_process(pid: u32) -> RootResolver {
        let same = |name: &str| {
            let of = |who: &str| fs::metadata(format!("/proc/{who}/{name}")).ok();
            match (of(&pid.to_string()), of("self")) {
                (Some(theirs), Some(ours)) => {
                    (theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino())
                }
                _ => false,
            }
        };
        if same("root") && same("ns/mnt") {
            RootResolver::own()
        } else {
            RootResolver::of_process(pid)
        }
    }

    /// Where `path`, absolute as the process counts, can be opened by us; it must be a real path.
    pub fn outside(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

impl Resolver for RootResolver {
    fn real_path(&self, path: &Path) -> Option<PathBuf> {
        let mut real = PathBuf::from("/");
        let mut todo: VecDeque<OsString> = parts(path).collect();
        let mut links = 0;
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                real.pop();
                continue;
            }
            let next = real.join(&name);
            let outside = self.outside(&next);
            if fs::symlink_metadata(&outside).ok()?.is_symlink() {
                links += 1;
                if links > LINKS_MAX {
                    return None;
                }
                let to = fs::read_link(&outside).ok()?;
                if to.is_absolute() {
                    real = PathBuf::from("/");
                }
                for part in parts(&to).collect::<Vec<_>>().into_iter().rev() {
                    todo.push_front(part);
                }
            } else {
                real = next;
            }
        }
        Some(real)
    }

    fn is_directory(&self, path: &Path) -> bool {
        self.real_path(path)
            .is_some_and(|real| self.outside(&real).is_dir())
    }
}

/// The components of a path that move: names and `..`.
fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_within_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/f"), "").unwrap();
        symlink("/a/b", root.join("absolute")).unwrap();
        symlink("../a", root.join("a/relative")).unwrap();
        symlink("../../../../a", root.join("a/above")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let resolver = RootResolver::below(root);
        for (path, real) in [
            ("/a/b/f", Some("/a/b/f")),
            ("/a/./b/../b/f", Some("/a/b/f")),
            ("/absolute/f", Some("/a/b/f")),
            ("/absolute/../b", Some("/a/b")),
            ("/a/relative/b/f", Some("/a/b/f")),
            ("/a/above/b", Some("/a/b")),
            ("/../../a", Some("/a")),
            ("/", Some("/")),
            ("/a/none", None),
            ("/a/b/f/x", None),
            ("/loop", None),
        ] {
            assert_eq!(
                resolver.real_path(Path::new(path)),
                real.map(PathBuf::from),
                "{path}"
            );
        }
        assert!(resolver.is_directory(Path::new("/absolute")));
        assert!(!resolver.is_directory(Path::new("/absolute/f")));
        assert_eq!(resolver.outside(Path::new("/a/b")), root.join("a/b"));
    }

    #[test]
    fn our_own_paths_resolve_as_the_kernel_does() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        fs::write(&file, "").unwrap();
        for path in [file.as_path(), Path::new("/proc/self/exe")] {
            assert_eq!(
                RootResolver::own().real_path(path),
                fs::canonicalize(path).ok()
            );
        }
        let own = RootResolver::of_process(std::process::id());
        assert_eq!(own.real_path(&file), fs::canonicalize(&file).ok());
    }
}
