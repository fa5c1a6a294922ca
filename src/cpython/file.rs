//! Reading of an ELF file what its examination needs.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use object::LittleEndian;
use object::elf::{self, FileHeader64, SectionHeader64};
use object::pod::{from_bytes, slice_from_all_bytes};

use super::elf::SECTIONS_MAX;

/// Bytes that are always read: the headers, and where packers leave their mark.
const HEAD: usize = 4096;

/// Opens a regular file that a process names, and tells its length in bytes. Nothing else in its place
/// is opened, which a device may notice, or waited for, as a pipe would be, even if somebody exchanges it
/// meanwhile. `None` where it is no regular file.
pub(super) fn open_regular(path: &Path) -> io::Result<Option<(File, u64)>> {
    let mut place = OpenOptions::new();
    // A place in the file system, of which nothing is opened (open(2), O_PATH).
    let place = place.read(true).custom_flags(libc::O_PATH).open(path)?;
    let metadata = place.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let mut file = OpenOptions::new();
    // Nor is somebody's lease waited for.
    let file = file.read(true).custom_flags(libc::O_NONBLOCK);
    let file = file.open(format!("/proc/self/fd/{}", place.as_raw_fd()))?;
    Ok(Some((file, metadata.len())))
}

/// The bytes of a file of this length, with zeroes in place of what nobody looks at: debug
/// information, which is most of a file that has any. Memory that stays zero costs none.
///
/// Reading, unlike mapping, survives a file that is cut off meanwhile.
pub(super) fn read(file: &File, length: usize) -> io::Result<Vec<u8>> {
    let mut data = vec![0; length];
    fetch(file, &mut data, 0, HEAD.min(length) as u64)?;
    for (offset, size) in wanted(file, &mut data)? {
        fetch(file, &mut data, offset, size)?;
    }
    Ok(data)
}

/// The parts of the file that are wanted, after its head, as its section headers have them.
fn wanted(file: &File, data: &mut [u8]) -> io::Result<Vec<(u64, u64)>> {
    const ENDIAN: LittleEndian = LittleEndian;
    let Ok((header, _)) = from_bytes::<FileHeader64<LittleEndian>>(data) else {
        return Ok(Vec::new());
    };
    let (offset, count) = (header.e_shoff.get(ENDIAN), header.e_shnum.get(ENDIAN));
    // A count of 0 stands for many, which the first header tells; too many to be examined.
    let count = usize::from(count).clamp(1, SECTIONS_MAX);
    let size = (count * size_of::<SectionHeader64<LittleEndian>>()) as u64;
    let headers = fetch(file, data, offset, size)?.to_vec();
    let Ok(headers) = slice_from_all_bytes::<SectionHeader64<LittleEndian>>(&headers) else {
        return Ok(Vec::new());
    };
    let looked_at = |header: &&SectionHeader64<LittleEndian>| {
        let kind = header.sh_type.get(ENDIAN);
        let loaded = header.sh_flags.get(ENDIAN).0 & elf::SHF_ALLOC.0 != 0;
        let tables = [elf::SHT_SYMTAB, elf::SHT_STRTAB, elf::SHT_NOTE];
        kind != elf::SHT_NOBITS && (loaded || tables.contains(&kind))
    };
    Ok(headers
        .iter()
        .filter(looked_at)
        .map(|header| (header.sh_offset.get(ENDIAN), header.sh_size.get(ENDIAN)))
        .collect())
}

/// Reads a part of the file to its place. What lies outside the file is for the examination to
/// complain about.
fn fetch<'d>(file: &File, data: &'d mut [u8], offset: u64, size: u64) -> io::Result<&'d [u8]> {
    let range = usize::try_from(offset).ok().and_then(|start| {
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        data.get_mut(start..end)
    });
    let Some(range) = range else { return Ok(&[]) };
    file.read_exact_at(range, offset)?;
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::super::{Choice, Found, Interpreter, plan};
    use super::*;

    #[test]
    fn what_is_left_out_is_not_missed() {
        let path = "/usr/bin/python3";
        let whole = std::fs::read(path).expect("a readable file");
        let file = File::open(path).expect("a readable file");
        let read = read(&file, whole.len()).expect("its bytes");
        let examined = |bytes| match Interpreter::from_bytes("x", bytes) {
            Found::Interpreter(found) => {
                format!("{found:?} {:?}", plan(&found, Choice::Dispatch))
            }
            // It loads its libpython.
            found => format!("{found:?}"),
        };
        assert_eq!(examined(read), examined(whole));
    }

    #[test]
    fn a_file_shorter_than_it_was_is_an_error() {
        let mut file = tempfile::tempfile().expect("a file");
        std::io::Write::write_all(&mut file, b"\x7fELF").expect("room");
        let error = read(&file, 4096).expect_err("too short");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
