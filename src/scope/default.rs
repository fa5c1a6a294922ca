//! The scope of a target for which the user gave none.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::options::Options;
use super::{Resolver, push_normal};

/// The directory that a trace is restricted to without `--scope`, as a real path.
///
/// `script` is the script as the command line names it, relative to `cwd`; `None` for a target
/// without one. A script's directory is that of the file it leads to, as `sys.path[0]` is; a
/// directory with a `__main__.py` is its own. Under a directory with `mttl` in its name, that
/// directory.
pub fn default_directory(script: Option<&Path>, cwd: &Path, resolver: &dyn Resolver) -> PathBuf {
    let real = |path: &Path| resolver.real_path(path).unwrap_or_else(|| path.to_owned());
    let Some(script) = script else {
        return real(cwd);
    };
    let mut absolute = PathBuf::from("/");
    push_normal(&mut absolute, &cwd.join(script));
    if let Some(root) = mttl_root(&absolute) {
        return real(&root);
    }
    // Not of `absolute`: `..` behind a link leads elsewhere than its text says.
    let script = real(&cwd.join(script));
    match script.parent() {
        Some(parent) if !resolver.is_directory(&script) => parent.to_owned(),
        _ => script,
    }
}

/// The directory of the first component of `script` that contains `mttl`:
/// `/path/to/mttl` for `/path/to/mttl/experiments/train.py`. `script` is absolute.
///
/// The script's own name has no directory but the one it is in.
pub fn mttl_root(script: &Path) -> Option<PathBuf> {
    let mut root = PathBuf::new();
    let mut components = script.components().peekable();
    while let Some(component) = components.next() {
        let name = component.as_os_str();
        if name.as_bytes().windows(4).any(|window| window == b"mttl") {
            if components.peek().is_some() {
                root.push(name);
            }
            return Some(root);
        }
        root.push(name);
    }
    None
}

/// The script that a process's command line names, program name included: the first argument
/// of a python that is no option. `None` for `-m`, `-c`, standard input and other programs.
///
/// For a running interpreter read `/proc/PID/cmdline`: there the kernel has put the interpreter
/// in front of a script that was executed by its `#!` line.
pub fn script_of(argv: &[OsString]) -> Option<PathBuf> {
    let (program, args) = argv.split_first()?;
    if !names_python(program) {
        return None;
    }
    Options::of(args).script.map(PathBuf::from)
}

/// Whether a program is a Python interpreter by its name: `python`, `python3`, `python3.11`,
/// `python3.13t`, `python3-dbg`, with or without a directory.
pub(crate) fn names_python(program: &OsStr) -> bool {
    let name = Path::new(program)
        .file_name()
        .unwrap_or_default()
        .as_bytes();
    name.strip_prefix(b"python").is_some_and(|version| {
        version
            .iter()
            .all(|&b| b.is_ascii_digit() || matches!(b, b'.' | b't' | b'd' | b'm'))
            || version.ends_with(b"-dbg")
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Links;
    use super::*;

    #[test]
    fn a_directory_is_found_for_every_target() {
        let links = Links(vec![
            ("/home/u/bin/tool.py", "/srv/tool/main.py"),
            ("/home/u/mttl", "/data/m"),
        ]);
        for (script, directory) in [
            (Some("a.py"), "/home/u"),
            (Some("p/a.py"), "/home/u/p"),
            (Some("../x/a.py"), "/home/x"),
            (Some("/opt/a.py"), "/opt"),
            (Some("bin/tool.py"), "/srv/tool"),
            (Some("package"), "/home/u/package"),
            (Some("mttl/experiments/train.py"), "/data/m"),
            (Some("/path/to/mttl/experiments/train.py"), "/path/to/mttl"),
            (None, "/home/u"),
        ] {
            let got = default_directory(script.map(Path::new), Path::new("/home/u"), &links);
            assert_eq!(got, Path::new(directory), "{script:?}");
        }
        let script = Path::new("../../z/a.py");
        let got = default_directory(Some(script), Path::new("/x/mttl/y"), &links);
        assert_eq!(
            got,
            Path::new("/x/z"),
            "only what is left of the path counts"
        );
        let got = default_directory(None, Path::new("/x/mttl/y"), &links);
        assert_eq!(got, Path::new("/x/mttl/y"), "the rule is about scripts");
    }

    #[test]
    fn the_first_component_with_mttl_in_it_is_the_root() {
        for (script, root) in [
            ("/path/to/mttl/experiments/train.py", Some("/path/to/mttl")),
            (
                "/path/my-mttl-fork/mttl/train.py",
                Some("/path/my-mttl-fork"),
            ),
            ("/path/to/mttl_train.py", Some("/path/to")),
            ("/path/MTTL/train.py", None),
            ("/path/mtt/l/train.py", None),
        ] {
            assert_eq!(
                mttl_root(Path::new(script)),
                root.map(PathBuf::from),
                "{script}"
            );
        }
    }

    #[test]
    fn the_script_is_the_first_argument_that_is_no_option() {
        for (line, script) in [
            ("python3 s.py a b", Some("s.py")),
            ("/usr/bin/python3.11 -u -O s.py", Some("s.py")),
            ("python -W error s.py", Some("s.py")),
            ("python -Werror s.py", Some("s.py")),
            ("python -uW error -X dev s.py", Some("s.py")),
            ("python -Xdev s.py", Some("s.py")),
            ("python --check-hash-based-pycs always s.py", Some("s.py")),
            ("python -- -odd.py", Some("-odd.py")),
            ("python3.13t s.py", Some("s.py")),
            ("python3-dbg s.py", Some("s.py")),
            ("python -m mod s.py", None),
            ("python -um mod s.py", None),
            ("python -c pass s.py", None),
            ("python - s.py", None),
            ("python", None),
            ("python -i", None),
            ("uwsgi s.py", None),
            ("pythonic s.py", None),
            ("", None),
        ] {
            let argv: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            assert_eq!(script_of(&argv), script.map(PathBuf::from), "{line}");
        }
    }
}
