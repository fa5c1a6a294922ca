//! A file that is there once it is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A file on its way to a name.
///
/// It takes that name when it is finished: what had it before is there until then, and still is if
/// something fails. Where the name is that of something else than a file (a pipe, a terminal), that is written to.
#[derive(Debug)]
pub(super) struct NewFile {
    file: File,
    /// Where it is, and where it goes.
    names: Option<(PathBuf, PathBuf)>,
}

impl NewFile {
    pub(super) fn create(path: &Path) -> io::Result<NewFile> {
        // What a link leads to is replaced, not the link.
        let goal = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if fs::metadata(&goal).is_ok_and(|found| !found.is_file()) {
            let file = File::options().write(true).open(&goal)?;
            return Ok(NewFile { file, names: None });
        }
        let mut name = std::ffi::OsString::from(".");
        name.push(goal.file_name().ok_or(io::ErrorKind::InvalidFilename)?);
        name.push(format!(".{}", std::process::id()));
        let now = goal.with_file_name(name);
        let file = File::create_new(&now)?;
        if let Ok(found) = fs::metadata(&goal) {
            file.set_permissions(found.permissions())?;
        }
        let names = Some((now, goal));
        Ok(NewFile { file, names })
    }

    /// What to write to.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Where it gets its name.
    pub(super) fn directory(&self) -> &Path {
        let goal = self.names.as_ref().and_then(|(_, goal)| goal.parent());
        match goal {
            Some(directory) if !directory.as_os_str().is_empty() => directory,
            _ => Path::new("."),
        }
    }

    /// Gives it its name.
    pub(super) fn finish(mut self) -> io::Result<()> {
        match &self.names {
            None => Ok(()),
            Some((now, goal)) => {
                fs::rename(now, goal)?;
                self.names = None;
                Ok(())
            }
        }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some((now, _)) = &self.names {
            let _ = fs::remove_file(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_was_there_stays_until_the_new_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.html");
        fs::write(&path, "old").unwrap();
        for (finishes, expected) in [(false, "old"), (true, "new")] {
            let new = NewFile::create(&path).unwrap();
            new.file().write_all(b"new").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "old");
            if finishes {
                new.finish().unwrap();
            } else {
                drop(new);
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), expected);
            assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (link, path) = (dir.path().join("link"), dir.path().join("file"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        NewFile::create(&link).unwrap().finish().unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"");
    }
}
