//! What files a process has mapped: `/proc/PID/maps`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::paths::RootResolver;

/// How the names of CPython's libraries begin.
const LIBPYTHON: &str = "libpython3.";

/// One line of `/proc/PID/maps` (Linux, `Documentation/filesystems/proc.rst`).
#[derive(Debug, PartialEq, Eq)]
struct Mapping<'a> {
    start: u64,
    end: u64,
    offset: u64,
    device: u64,
    inode: u64,
    path: &'a str,
}

/// Files that a process has mapped and whose name is `libpython3.*`, each once, as paths that
/// lead to the very file: whatever mount namespace it is in, and, where pytrace has
/// CAP_CHECKPOINT_RESTORE, whether or not it still has a name.
pub(super) fn libpythons(pid: u32) -> Result<Vec<PathBuf>> {
    files(pid, LIBPYTHON)
}

/// Likewise its dynamic linker, whose name differs between systems: `ld-linux-x86-64.so.2`,
/// `ld-2.31.so`, `ld-musl-x86_64.so.1`. Others may have such a name, too.
pub(super) fn linkers(pid: u32) -> Vec<PathBuf> {
    files(pid, "ld-").unwrap_or_default()
}

fn files(pid: u32, prefix: &str) -> Result<Vec<PathBuf>> {
    let text = read(pid)?;
    let mut files: Vec<(u64, u64, PathBuf)> = Vec::new();
    for mapping in text.lines().filter_map(parse) {
        let name = mapping.path.rsplit('/').next().unwrap_or_default();
        let known = files
            .iter()
            .any(|(device, inode, _)| (*device, *inode) == (mapping.device, mapping.inode));
        if name.starts_with(prefix) && !known {
            files.push((mapping.device, mapping.inode, file_of(pid, &mapping)));
        }
    }
    Ok(files.into_iter().map(|(_, _, path)| path).collect())
}

/// Where the file of a mapping can be opened.
fn file_of(pid: u32, mapping: &Mapping<'_>) -> PathBuf {
    let path = format!(
        "/proc/{pid}/map_files/{:x}-{:x}",
        mapping.start, mapping.end
    );
    let path = PathBuf::from(path);
    // Without the right to follow that link, by its name, which may have become another file's.
    let named = RootResolver::of_process(pid).outside(Path::new(mapping.path));
    match (fs::metadata(&path), fs::metadata(&named)) {
        (Err(_), Ok(file)) if file.ino() == mapping.inode => named,
        _ => path,
    }
}

/// The paths of the files named `libpython3.*` in the text of a `maps` file.
pub(super) fn libpython_paths(text: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for mapping in text.lines().filter_map(parse) {
        let name = mapping.path.rsplit('/').next().unwrap_or_default();
        let path = PathBuf::from(mapping.path);
        if name.starts_with(LIBPYTHON) && !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// How far a position-independent file's addresses are off from those it was linked for: where
/// its first byte is mapped.
pub(super) fn load_bias(pid: u32, (device, inode): (u64, u64)) -> Option<u64> {
    let text = read(pid).ok()?;
    text.lines()
        .filter_map(parse)
        .find(|mapping| (mapping.device, mapping.inode, mapping.offset) == (device, inode, 0))
        .map(|mapping| mapping.start)
}

/// Where in its file an address is mapped from, by the text of a `maps` file.
pub(super) fn file_offset(text: &str, address: u64) -> Option<u64> {
    text.lines()
        .filter_map(parse)
        .find(|mapping| (mapping.start..mapping.end).contains(&address))
        .map(|mapping| address - mapping.start + mapping.offset)
}

fn read(pid: u32) -> Result<String> {
    let path = format!("/proc/{pid}/maps");
    let bytes = fs::read(&path).with_context(|| format!("failed to read {path}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn parse(line: &str) -> Option<Mapping<'_>> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let _permissions = fields.next()?;
    let offset = fields.next()?;
    let (major, minor) = fields.next()?.split_once(':')?;
    let inode = fields.next()?;
    let path = fields.next().unwrap_or_default().trim_start();
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let device = libc::makedev(hex(major)?.try_into().ok()?, hex(minor)?.try_into().ok()?);
    Some(Mapping {
        start: hex(start)?,
        end: hex(end)?,
        offset: hex(offset)?,
        device,
        inode: inode.parse().ok()?,
        path: path.strip_suffix(" (deleted)").unwrap_or(path),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_blanks_in_paths_and_deleted_files() {
        let line =
            "7f0000000000-7f0000001000 r-xp 00002000 08:01 42   /a b/libpython3.13.so (deleted)";
        let mapping = parse(line).unwrap();
        assert_eq!(mapping.start, 0x7f00_0000_0000);
        assert_eq!(mapping.offset, 0x2000);
        assert_eq!(mapping.inode, 42);
        assert_eq!(mapping.path, "/a b/libpython3.13.so");
        assert!(
            parse("7f0000000000-7f0000001000 rw-p 00000000 00:00 0")
                .unwrap()
                .path
                .is_empty()
        );
        assert_eq!(parse("nonsense"), None);
    }
}
