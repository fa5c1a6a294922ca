//! The standard library that belongs to an interpreter's file, as far as it is needed to know the
//! interpreter: read as text, never run.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::file::open_regular;
use super::plan::Version;
use crate::paths::RootResolver;
use crate::scope::Resolver as _;

/// Directories above the interpreter's file that are looked into. A library is two levels below
/// `lib` at most (`lib/x86_64-linux-gnu`); further up, others may write.
const LEVELS_MAX: usize = 3;

/// The module has some 10 KB.
const MODULE_MAX: u64 = 1 << 20;

/// The text of the module `_opcode_metadata` of this version, where that lies as seen from the
/// interpreter's file: in `../lib/python3.N`, or for a library in `../python3.N` or further up.
///
/// Nothing but names and numbers is taken from it, and these have to agree with the file.
pub(super) fn opcode_metadata(interpreter: &Path, version: Version) -> Option<String> {
    let (root, interpreter) = seen_by_its_process(interpreter)?;
    below(&root, &interpreter, version)
}

/// The same for a file that has this real path below a root directory: links that lead out of that are
/// followed as the process does, which cannot leave it.
fn below(root: &RootResolver, interpreter: &Path, version: Version) -> Option<String> {
    let directory = format!("python{}.{}", version.major, version.minor);
    let above = interpreter.ancestors().skip(1).take(LEVELS_MAX);
    let mut places = above.flat_map(|above| {
        let plain = above.join(&directory);
        [plain, above.join("lib").join(&directory)]
    });
    places.find_map(|place| {
        let module = root.real_path(&place.join("_opcode_metadata.py"))?;
        read(&root.outside(&module))
    })
}

/// The root directory and the real path that a file has for the process in whose directory in `/proc` it
/// is named; any other has those that it has for us.
fn seen_by_its_process(file: &Path) -> Option<(RootResolver, PathBuf)> {
    let process: Option<u32> = file.strip_prefix("/proc").ok().and_then(|below| {
        let pid = below.components().next()?;
        pid.as_os_str().to_str()?.parse().ok()
    });
    let Some(pid) = process else {
        return Some((RootResolver::own(), file.canonicalize().ok()?));
    };
    // The kernel tells it from our root, if it can be reached from there.
    let real = fs::read_link(file).ok()?;
    let root = fs::read_link(format!("/proc/{pid}/root")).ok()?;
    let inside = match real.strip_prefix(&root) {
        Ok(inside) => Path::new("/").join(inside),
        Err(_) => real,
    };
    Some((RootResolver::of_process(pid), inside))
}

fn read(path: &Path) -> Option<String> {
    let (file, _) = open_regular(path).ok()??;
    let mut text = String::new();
    file.take(MODULE_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: Version = Version {
        major: 3,
        minor: 16,
        micro: None,
    };

    #[test]
    fn it_is_found_from_executables_and_libraries() {
        let place = tempfile::tempdir().expect("a directory");
        let library = place.path().join("usr/lib/python3.16");
        fs::create_dir_all(&library).expect("a directory");
        fs::write(library.join("_opcode_metadata.py"), "here").expect("a file");
        for interpreter in [
            "usr/bin/python3.16",
            "usr/lib/x86_64-linux-gnu/libpython3.16.so",
        ] {
            let interpreter = place.path().join(interpreter);
            fs::create_dir_all(interpreter.parent().expect("a directory")).expect("a directory");
            fs::write(&interpreter, "").expect("a file");
            let text = opcode_metadata(&interpreter, VERSION);
            assert_eq!(text.as_deref(), Some("here"), "{}", interpreter.display());
            // As of a virtual environment.
            let link = place.path().join("link");
            std::os::unix::fs::symlink(&interpreter, &link).expect("a link");
            assert_eq!(opcode_metadata(&link, VERSION).as_deref(), Some("here"));
            fs::remove_file(link).expect("a link");
        }
    }

    #[test]
    fn links_do_not_lead_out_of_the_root_that_its_process_has() {
        let place = tempfile::tempdir().expect("a directory");
        let root = place.path().join("root");
        fs::create_dir_all(root.join("usr/lib")).expect("a directory");
        fs::create_dir_all(root.join("store")).expect("a directory");
        let link = root.join("usr/lib/python3.16");
        std::os::unix::fs::symlink("/store", &link).expect("a link");
        let resolver = RootResolver::below(&root);
        let text = || below(&resolver, Path::new("/usr/bin/python3.16"), VERSION);
        assert_eq!(text(), None);
        fs::write(root.join("store/_opcode_metadata.py"), "inside").expect("a file");
        assert_eq!(text().as_deref(), Some("inside"));
        fs::remove_file(root.join("store/_opcode_metadata.py")).expect("a file");
        fs::write(place.path().join("_opcode_metadata.py"), "outside").expect("a file");
        for to in [place.path(), Path::new("../../..")] {
            fs::remove_file(&link).expect("a link");
            std::os::unix::fs::symlink(to, &link).expect("a link");
            assert_eq!(text(), None, "{}", to.display());
        }
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let place = tempfile::tempdir().expect("a directory");
        let library = place.path().join("lib/python3.16");
        fs::create_dir_all(&library).expect("a directory");
        let pipe = library.join("_opcode_metadata.py");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        let interpreter = place.path().join("bin/python3.16");
        fs::create_dir_all(place.path().join("bin")).expect("a directory");
        fs::write(&interpreter, "").expect("a file");
        assert_eq!(opcode_metadata(&interpreter, VERSION), None);
    }
}
