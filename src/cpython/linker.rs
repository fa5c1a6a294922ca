//! The dynamic linker: where it lets debuggers know of the libraries that it maps.

use std::path::Path;

use super::derive::past_landing_pad;
use super::elf::Elf;
use super::file;

/// The largest file that is taken for a dynamic linker. musl's, which is its whole C library, has
/// 700 KB; glibc's with debug information, some 2 MB.
const FILE_MAX: u64 = 16 << 20;

/// What a dynamic linker has for debuggers (glibc, `elf/dl-debug.c`; musl, `ldso/dynlink.c`), in the
/// same way for as long as there is System V's ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linker {
    /// Offset in its file of an instruction that is executed each time after libraries were
    /// mapped, and before anything of theirs is: of `_dl_debug_state()`, which does nothing.
    pub mapped: u64,
    /// Distance in bytes from there to its `struct r_debug`, which leads to their names.
    pub libraries: i64,
}

impl Linker {
    /// Examines a file. `None` where it is no dynamic linker, or cannot be read.
    pub fn open(path: &Path) -> Option<Linker> {
        let (file, size) = file::open_regular(path).ok()??;
        if size > FILE_MAX {
            return None;
        }
        let data = file::read(&file, size as usize).ok()?;
        Linker::of(&Elf::parse(data).ok()?)
    }

    fn of(elf: &Elf) -> Option<Linker> {
        let function = elf.symbol("_dl_debug_state")?.address;
        let first = past_landing_pad(elf, function)?.ip();
        let libraries = match elf.symbol("_r_debug") {
            Some(libraries) => libraries.address,
            // musl only has a pointer to it.
            None => elf.pointer_at(elf.symbol("_dl_debug_addr")?.address)?,
        };
        Some(Linker {
            mapped: elf.file_offset(first)?,
            libraries: libraries.wrapping_sub(first).cast_signed(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpython::tests::library;

    #[test]
    fn linkers_tell_debuggers_in_two_ways() {
        let glibc = "long _r_debug[5] = {1}; void _dl_debug_state(void) {}";
        let musl = "static long debug[5] = {1}; void *_dl_debug_addr = debug;
                    void _dl_debug_state(void) {}";
        for source in [glibc, musl] {
            let elf = library(source, &["-fcf-protection=branch"]);
            let linker = Linker::of(&elf).expect("a linker");
            let function = elf.symbol("_dl_debug_state").expect("defined").address;
            // Past endbr64, which would be single-stepped like any other, but need not be there.
            assert_eq!(elf.file_offset(function + 4), Some(linker.mapped));
            let libraries = (function + 4).checked_add_signed(linker.libraries);
            let bytes = elf.bytes_at(libraries.expect("an address"));
            assert_eq!(bytes.and_then(|bytes| bytes.first()), Some(&1));
        }
    }

    #[test]
    fn other_libraries_are_none() {
        assert_eq!(Linker::of(&library("void f(void) {}", &[])), None);
        assert_eq!(Linker::open(Path::new("/dev/null")), None);
        assert_eq!(Linker::open(Path::new("/nonexistent")), None);
    }

    #[test]
    fn the_systems_linker_is_one() {
        assert!(Linker::open(Path::new("/lib64/ld-linux-x86-64.so.2")).is_some());
    }
}
