//! The standard library that belongs to an interpreter's file, as far as it is needed to know the
//! interpreter: read as text, never run.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::file::open_regular;
use super::plan::Version;

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
    let directory = format!("python{}.{}", version.major, version.minor);
    files_of(interpreter).iter().find_map(|file| {
        let above = file.ancestors().skip(1).take(LEVELS_MAX);
        let places = above.flat_map(|above| {
            let plain = above.join(&directory);
            [plain, above.join("lib").join(&directory)]
        });
        places
            .filter_map(|place| read(&place.join("_opcode_metadata.py")))
            .next()
    })
}

/// Where a file is that may be named by a link in `/proc`: as its process sees it, then as we do.
fn files_of(file: &Path) -> Vec<PathBuf> {
    let Ok(real) = fs::read_link(file).or_else(|_| file.canonicalize()) else {
        return Vec::new();
    };
    let real = file
        .parent()
        .map_or(real.clone(), |parent| parent.join(&real));
    let mut components = file.components().skip(1);
    let of_process = components
        .next()
        .is_some_and(|first| first.as_os_str() == "proc");
    let process = components.next().filter(|_| of_process);
    let inside = process.and_then(|pid| {
        let below = real.strip_prefix("/").ok()?;
        Some(Path::new("/proc").join(pid).join("root").join(below))
    });
    let resolved = real.canonicalize().unwrap_or(real);
    inside.into_iter().chain([resolved]).collect()
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
