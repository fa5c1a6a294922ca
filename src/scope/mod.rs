//! Which code belongs to the scope, decided from a code object's `co_filename`.
//!
//! Pure: the file system is asked only through a [`Resolver`], for the target's view of it may
//! not be ours.

mod default;
mod kind;
mod options;

use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustc_hash::FxHashMap;

pub(crate) use default::names_python;
pub use default::{default_directory, mttl_root, script_of};
pub use kind::{CodeFacts, kind_of};
pub(crate) use options::Options;

/// What the scope rules need to know of the file system that the target sees.
pub trait Resolver {
    /// The absolute path without `..`, `.` and symbolic links that `path` leads to; `None` when
    /// it does not exist or can't be followed. `path` is absolute.
    fn real_path(&self, path: &Path) -> Option<PathBuf>;

    /// Whether `path` leads to a directory.
    fn is_directory(&self, path: &Path) -> bool;
}

/// Where code stands with respect to the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Code of the scope.
    Internal,
    /// Any other code.
    External,
    /// The import system's own code, wherever it lies.
    Import,
}

/// A `co_filename`, looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where its code stands.
    pub verdict: Verdict,
    /// The real path where it names a file, else (`<string>`) the name itself.
    pub file: Arc<str>,
}

/// The scope rules for one process.
pub struct Scope {
    /// Real paths.
    directories: Vec<PathBuf>,
    cwd: PathBuf,
    resolver: Box<dyn Resolver>,
    /// A file's code objects come one after the other, and each look at a path costs several
    /// system calls.
    seen: RefCell<FxHashMap<Box<str>, Place>>,
}

/// Bound of [`Scope::seen`]: a target can invent file names without end.
const SEEN_MAX: usize = 16 * 1024;

impl Scope {
    /// The rules for a process whose working directory is `cwd` (absolute, as the resolver
    /// counts) and whose scope is `directories`. Relative ones count from `cwd`: what the user
    /// gave on pytrace's command line must have been made absolute before.
    pub fn new(directories: &[PathBuf], cwd: &Path, resolver: Box<dyn Resolver>) -> Scope {
        let mut scope = Scope {
            directories: Vec::new(),
            cwd: cwd.to_owned(),
            resolver,
            seen: RefCell::default(),
        };
        scope.directories = directories.iter().map(|dir| scope.real_path(dir)).collect();
        scope
    }

    /// The real paths of the scope's directories.
    pub fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// Where code with this `co_filename` stands.
    pub fn verdict(&self, filename: &str) -> Verdict {
        self.locate(filename).verdict
    }

    /// Where code with this `co_filename` stands, and its real path.
    pub fn locate(&self, filename: &str) -> Place {
        if let Some(place) = self.seen.borrow().get(filename) {
            return place.clone();
        }
        let place = self.look_at(filename);
        let mut seen = self.seen.borrow_mut();
        if seen.len() >= SEEN_MAX {
            seen.clear();
        }
        seen.insert(filename.into(), place.clone());
        place
    }

    fn look_at(&self, filename: &str) -> Place {
        if is_no_file(filename) {
            let verdict = if is_frozen_import(filename) {
                Verdict::Import
            } else {
                Verdict::External
            };
            return Place {
                verdict,
                file: filename.into(),
            };
        }
        let path = self.real_path(Path::new(filename));
        let verdict = if path.ends_with("importlib/_bootstrap.py")
            || path.ends_with("importlib/_bootstrap_external.py")
        {
            Verdict::Import
        } else if self
            .directories
            .iter()
            .any(|directory| is_internal(&path, directory))
        {
            Verdict::Internal
        } else {
            Verdict::External
        };
        Place {
            verdict,
            file: path.to_string_lossy().into(),
        }
    }

    /// The real path of `path`, as far as it exists: a module in an archive has its archive's
    /// real path, a file deleted since it was loaded its directory's.
    fn real_path(&self, path: &Path) -> PathBuf {
        let path = self.cwd.join(path);
        for existing in path.ancestors() {
            if let Some(mut real) = self.resolver.real_path(existing) {
                let rest = path.strip_prefix(existing).unwrap_or(Path::new(""));
                push_normal(&mut real, rest);
                return real;
            }
        }
        let mut normal = PathBuf::from("/");
        push_normal(&mut normal, &path);
        normal
    }
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope")
            .field("directories", &self.directories)
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

/// Appends `rest` to `path` without `.` and `..`.
fn push_normal(path: &mut PathBuf, rest: &Path) {
    for component in rest.components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
}

/// `<string>`, `<stdin>`, `<frozen os>`, and code without a file name.
fn is_no_file(filename: &str) -> bool {
    // Also `<class 'm.C'> compilation 4`, as programs name what they generate.
    filename.is_empty() || filename.starts_with('<')
}

/// The frozen modules that imports run through.
fn is_frozen_import(filename: &str) -> bool {
    let module = filename
        .strip_prefix("<frozen ")
        .and_then(|rest| rest.strip_suffix('>'));
    module.is_some_and(|module| {
        module == "zipimport" || module == "importlib" || module.starts_with("importlib.")
    })
}

/// Whether the real path `path` lies under `directory` and is the project's own there, not an
/// installed package or an interpreter's library.
fn is_internal(path: &Path, directory: &Path) -> bool {
    let Ok(below) = path.strip_prefix(directory) else {
        return false;
    };
    let mut previous: &[u8] = b"";
    for component in below.components() {
        let name = component.as_os_str().as_encoded_bytes();
        if matches!(name, b"site-packages" | b"dist-packages")
            || (previous == b"lib" && is_python_x_y(name))
        {
            return false;
        }
        previous = name;
    }
    true
}

/// `python3.11`, and `python3.13t` of the free-threaded builds.
fn is_python_x_y(name: &[u8]) -> bool {
    let Some(version) = name.strip_prefix(b"python") else {
        return false;
    };
    let version = version.strip_suffix(b"t").unwrap_or(version);
    let mut parts = version.split(|&byte| byte == b'.');
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    matches!((parts.next(), parts.next(), parts.next()), (Some(x), Some(y), None)
        if is_number(x) && is_number(y))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A file system in which the links given exist, and everything but `/gone`.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Links(pub(crate) Vec<(&'static str, &'static str)>);

    impl Resolver for Links {
        fn real_path(&self, path: &Path) -> Option<PathBuf> {
            let mut real = PathBuf::from("/");
            for component in path.components() {
                push_normal(&mut real, Path::new(component.as_os_str()));
                if let Some((_, to)) = self.0.iter().find(|(from, _)| real == Path::new(from)) {
                    real = PathBuf::from(to);
                }
            }
            (!real.starts_with("/gone") && !real.to_string_lossy().contains(".zip/"))
                .then_some(real)
        }

        fn is_directory(&self, path: &Path) -> bool {
            path.extension().is_none()
        }
    }

    fn scope(directories: &[&str]) -> Scope {
        let links = Links(vec![
            ("/home/u/link", "/srv/project"),
            ("/srv/project/out.py", "/usr/share/out.py"),
            ("/elsewhere/in.py", "/srv/project/in.py"),
        ]);
        let directories: Vec<PathBuf> = directories.iter().map(PathBuf::from).collect();
        Scope::new(&directories, Path::new("/srv/project/sub"), Box::new(links))
    }

    #[test]
    fn files_under_a_directory_are_internal_by_whole_components() {
        let scope = scope(&["/srv/project"]);
        for (filename, verdict) in [
            ("/srv/project/a.py", Verdict::Internal),
            ("/srv/project/deep/er/a.py", Verdict::Internal),
            ("/srv/project2/a.py", Verdict::External),
            ("/srv/projec/a.py", Verdict::External),
            ("/srv/a.py", Verdict::External),
            ("/usr/lib/python3.11/json/decoder.py", Verdict::External),
        ] {
            assert_eq!(scope.verdict(filename), verdict, "{filename}");
        }
    }

    #[test]
    fn relative_names_count_from_the_targets_directory() {
        let scope = scope(&["/srv/project"]);
        for (filename, file, verdict) in [
            ("a.py", "/srv/project/sub/a.py", Verdict::Internal),
            ("./a.py", "/srv/project/sub/a.py", Verdict::Internal),
            ("../a.py", "/srv/project/a.py", Verdict::Internal),
            ("../../a.py", "/srv/a.py", Verdict::External),
            ("/srv/project/../a.py", "/srv/a.py", Verdict::External),
        ] {
            let file = Arc::from(file);
            assert_eq!(
                scope.locate(filename),
                Place { verdict, file },
                "{filename}"
            );
        }
    }

    #[test]
    fn links_are_resolved_on_both_sides() {
        for scope in [
            scope(&["/srv/project"]),
            scope(&["/home/u/link"]),
            scope(&[".."]),
        ] {
            assert_eq!(scope.directories(), [Path::new("/srv/project")]);
            assert_eq!(scope.verdict("/home/u/link/a.py"), Verdict::Internal);
            assert_eq!(scope.verdict("/elsewhere/in.py"), Verdict::Internal);
            assert_eq!(scope.verdict("/srv/project/out.py"), Verdict::External);
            assert_eq!(
                &*scope.locate("/elsewhere/in.py").file,
                "/srv/project/in.py"
            );
        }
    }

    #[test]
    fn what_does_not_exist_is_placed_by_what_does() {
        let project = scope(&["/srv/project"]);
        assert_eq!(
            project.verdict("/home/u/link/app.zip/pkg/mod.py"),
            Verdict::Internal
        );
        assert_eq!(&*project.locate("/gone/../gone/./a.py").file, "/gone/a.py");
        assert_eq!(scope(&["/gone"]).verdict("/gone/a.py"), Verdict::Internal);
    }

    #[test]
    fn installed_packages_and_libraries_below_the_scope_are_not_the_project() {
        let scope = scope(&["/srv/project"]);
        for below in [
            "venv/lib/python3.11/site-packages/a.py",
            "site-packages/a.py",
            "x/dist-packages/y/a.py",
            "venv/lib/python3.9/os.py",
            "venv/lib/python3.13t/os.py",
        ] {
            assert_eq!(
                scope.verdict(&format!("/srv/project/{below}")),
                Verdict::External,
                "{below}"
            );
        }
        for below in [
            "my-site-packages/a.py",
            "lib/a.py",
            "python3.11/a.py",
            "lib/x/python3.11/a.py",
            "lib/python3/a.py",
            "lib/python3.x/a.py",
            "lib/pythonic/a.py",
            "lib/python3.11.2/a.py",
        ] {
            assert_eq!(
                scope.verdict(&format!("/srv/project/{below}")),
                Verdict::Internal,
                "{below}"
            );
        }
    }

    #[test]
    fn a_scope_inside_an_installed_package_is_a_scope() {
        let scope = scope(&["/v/lib/python3.11/site-packages/pkg"]);
        assert_eq!(
            scope.verdict("/v/lib/python3.11/site-packages/pkg/a.py"),
            Verdict::Internal
        );
        assert_eq!(
            scope.verdict("/v/lib/python3.11/site-packages/other/a.py"),
            Verdict::External
        );
    }

    #[test]
    fn several_directories_are_one_scope() {
        let scope = scope(&["/a", "/b/site-packages/c", "/b"]);
        assert_eq!(scope.verdict("/a/x.py"), Verdict::Internal);
        assert_eq!(scope.verdict("/b/x.py"), Verdict::Internal);
        assert_eq!(scope.verdict("/b/site-packages/c/x.py"), Verdict::Internal);
        assert_eq!(scope.verdict("/b/site-packages/d/x.py"), Verdict::External);
        assert_eq!(scope.verdict("/c/x.py"), Verdict::External);
    }

    #[test]
    fn what_is_no_file_is_not_internal() {
        let scope = scope(&["/"]);
        for name in [
            "",
            "<string>",
            "<stdin>",
            "<frozen os>",
            "<frozen importlibs>",
            "<x y>",
            "<class 'm.C'> compilation 4",
        ] {
            assert_eq!(scope.verdict(name), Verdict::External, "{name}");
            assert_eq!(&*scope.locate(name).file, name);
        }
    }

    #[test]
    fn the_import_system_is_known_by_its_files() {
        let scope = scope(&["/"]);
        for name in [
            "<frozen importlib._bootstrap>",
            "<frozen importlib._bootstrap_external>",
            "<frozen importlib.util>",
            "<frozen zipimport>",
            "/usr/lib/python3.6/importlib/_bootstrap.py",
            "/usr/lib/python3.6/importlib/_bootstrap_external.py",
        ] {
            assert_eq!(scope.verdict(name), Verdict::Import, "{name}");
        }
        for name in [
            "/p/importlib/_bootstrap.pyc",
            "/p/myimportlib/_bootstrap.py",
        ] {
            assert_eq!(scope.verdict(name), Verdict::Internal, "{name}");
        }
    }

    #[test]
    fn inventing_names_does_not_fill_the_memory() {
        let scope = scope(&["/srv"]);
        for n in 0..SEEN_MAX + 10 {
            scope.verdict(&format!("<{n}>"));
        }
        assert!(scope.seen.borrow().len() <= SEEN_MAX);
    }
}
