//! What the beginning of a script tells: whether it is Python, and which.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::scope::names_python;

/// What a script is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Python, as far as one can see, and the interpreter it asks for.
    Python(Option<Interpreter>),
    /// Certainly not: "an executable program", ...
    Other(String),
}

/// The interpreter that a `#!` line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Interpreter {
    /// This one: an environment of its own.
    Path(PathBuf),
    /// One of this name, from the `PATH`; the system's, where the line names it.
    Name {
        name: OsString,
        system: Option<PathBuf>,
    },
}

/// Where interpreters lie that belong to no environment. Whoever writes `#!/usr/bin/python3`
/// means "python3" more often than this very file, and a virtual environment in the `PATH`
/// should win.
const SYSTEM: [&str; 3] = ["/usr/bin", "/bin", "/usr/local/bin"];

impl Content {
    /// Judges a script by its first bytes (a kilobyte will do) and its name.
    pub(super) fn of(head: &[u8], script: &Path) -> Content {
        if head.starts_with(b"\x7fELF") {
            return Content::Other("an executable program".into());
        }
        let Some(line) = head
            .strip_prefix(b"#!")
            .and_then(|rest| rest.split(|&b| b == b'\n').next())
        else {
            return Content::Python(None);
        };
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let Some(program) = words.next().map(OsStr::from_bytes) else {
            return Content::Python(None);
        };
        let path = Path::new(program);
        if names_python(program) {
            let system = path
                .parent()
                .is_some_and(|dir| SYSTEM.iter().any(|s| dir == Path::new(s)));
            return Content::Python(Some(if path.is_absolute() && !system {
                Interpreter::Path(path.to_owned())
            } else {
                let name = path.file_name().unwrap_or(program).to_owned();
                Interpreter::Name {
                    name,
                    system: system.then(|| path.to_owned()),
                }
            }));
        }
        if path.file_name() == Some(OsStr::new("env")) {
            // `env -S python3 -u`, `env A=1 python3`: the first word that can be a program.
            let name = words
                .find(|word| !word.starts_with(b"-") && !word.contains(&b'='))
                .map(OsStr::from_bytes);
            if let Some(name) = name.filter(|name| names_python(name)) {
                return Content::Python(Some(if Path::new(name).is_absolute() {
                    Interpreter::Path(name.into())
                } else {
                    Interpreter::Name {
                        name: name.to_owned(),
                        system: None,
                    }
                }));
            }
        }
        if let Some(python) = behind_shell(head) {
            return Content::Python(Some(Interpreter::Path(python)));
        }
        // Called `.py`, it is Python to its user, whatever launcher the line names.
        if script.extension() == Some(OsStr::new("py")) {
            return Content::Python(None);
        }
        Content::Other(format!("run by {}", program.display()))
    }
}

/// The interpreter of a script that pip has installed where the path is too long for a `#!` line
/// or has blanks: a shell script that executes itself with python, and Python as well.
///
/// ```text
/// #!/bin/sh
/// '''exec' "/a long/path/bin/python" "$0" "$@"
/// ' '''
/// ```
fn behind_shell(head: &[u8]) -> Option<PathBuf> {
    let line = head.split(|&b| b == b'\n').nth(1)?;
    let rest = line.strip_prefix(b"'''exec' ")?;
    let path = match rest.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|&b| b == b'"').next()?,
        None => rest.split(|&b| b == b' ').next()?,
    };
    let path = Path::new(OsStr::from_bytes(path));
    (path.is_absolute() && names_python(path.as_os_str())).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_are_understood() {
        let name = |name: &str| {
            Some(Interpreter::Name {
                name: name.into(),
                system: None,
            })
        };
        let system = |path: &str| {
            let name = Path::new(path).file_name().expect("a name").to_owned();
            Some(Interpreter::Name {
                name,
                system: Some(path.into()),
            })
        };
        let path = |path: &str| Some(Interpreter::Path(path.into()));
        for (head, expected) in [
            ("import os", None),
            ("", None),
            ("#!", None),
            ("PK\x03\x04", None),
            ("#!/usr/bin/env python3", name("python3")),
            ("#! /usr/bin/env  python3.9\r\n", name("python3.9")),
            ("#!/usr/bin/env -S python3 -u\n", name("python3")),
            ("#!/usr/bin/env A=1 python\n", name("python")),
            ("#!/usr/bin/python3.9 -E\n", system("/usr/bin/python3.9")),
            ("#!/usr/local/bin/python\n", system("/usr/local/bin/python")),
            (
                "#!/home/u/venv/bin/python\n",
                path("/home/u/venv/bin/python"),
            ),
            (
                "#!/opt/py/bin/python3.13t\n",
                path("/opt/py/bin/python3.13t"),
            ),
            ("#!/usr/bin/env /v/bin/python3\n", path("/v/bin/python3")),
            ("#!python3\n", name("python3")),
            (
                "#!/bin/sh\n'''exec' \"/a b/bin/python\" \"$0\" \"$@\"\n",
                path("/a b/bin/python"),
            ),
            (
                "#!/bin/sh\n'''exec' /ab/bin/python3 \"$0\" \"$@\"\n",
                path("/ab/bin/python3"),
            ),
        ] {
            let got = Content::of(head.as_bytes(), Path::new("s"));
            assert_eq!(got, Content::Python(expected), "{head}");
        }
    }

    #[test]
    fn other_programs_are_recognised() {
        for head in [
            "\x7fELF\x02",
            "#!/bin/sh\necho",
            "#!/usr/bin/env node\n",
            "#!/usr/bin/env\n",
        ] {
            let got = Content::of(head.as_bytes(), Path::new("s"));
            assert!(matches!(got, Content::Other(_)), "{head}: {got:?}");
        }
        let uv = Content::of(b"#!/usr/bin/env -S uv run\n", Path::new("s.py"));
        assert_eq!(uv, Content::Python(None));
    }
}
