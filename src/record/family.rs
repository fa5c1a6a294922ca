//! The processes that descend from a traced one, and the scope that each is born with.

use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

/// Descendants that are alive, and the processes that they descend from.
#[derive(Debug, Default)]
pub(super) struct Family {
    members: FxHashMap<u32, Member>,
}

#[derive(Debug, Default)]
struct Member {
    /// Whether the recording is about this process, and not only about whose child it is.
    is_root: bool,
    /// Scope directories that it was born with, and keeps whatever programs it runs.
    inherited: Option<Vec<PathBuf>>,
    /// Those in force.
    scope: Option<Vec<PathBuf>>,
    /// What relative names of code count from: the working directory where its program began, or that of
    /// whom it is a copy of.
    cwd: Option<PathBuf>,
}

impl Family {
    /// Adds a process that was launched or is attached to.
    pub(super) fn add_root(&mut self, pid: u32) {
        self.members.entry(pid).or_default().is_root = true;
    }

    /// A process has a child. It inherits the scope; where there is none yet, as in a shell, it
    /// finds its own.
    pub(super) fn fork(&mut self, parent: u32, child: u32) {
        let of_parent = self.members.get(&parent);
        let inherited =
            of_parent.and_then(|member| member.scope.clone().or_else(|| member.inherited.clone()));
        let cwd = of_parent.and_then(|member| member.cwd.clone());
        self.members.insert(
            child,
            Member {
                inherited,
                cwd,
                ..Member::default()
            },
        );
    }

    /// The scope directories that a process was born with.
    pub(super) fn inherited(&self, pid: u32) -> Option<&[PathBuf]> {
        self.members.get(&pid)?.inherited.as_deref()
    }

    /// Whether a process was there from the beginning of the recording.
    pub(super) fn is_root(&self, pid: u32) -> bool {
        self.members.get(&pid).is_some_and(|member| member.is_root)
    }

    /// A process runs with these scope directories from now on.
    pub(super) fn set_scope(&mut self, pid: u32, directories: &[PathBuf]) {
        self.members.entry(pid).or_default().scope = Some(directories.to_vec());
    }

    /// What relative names of a process's code count from, if that is known.
    pub(super) fn cwd(&self, pid: u32) -> Option<&Path> {
        self.members.get(&pid)?.cwd.as_deref()
    }

    /// They count from there from now on.
    pub(super) fn set_cwd(&mut self, pid: u32, cwd: Option<PathBuf>) {
        self.members.entry(pid).or_default().cwd = cwd;
    }

    /// A process has ended.
    pub(super) fn remove(&mut self, pid: u32) {
        self.members.remove(&pid);
    }

    /// The descendants that have not ended.
    pub(super) fn descendants(&self) -> impl Iterator<Item = u32> {
        let members = self.members.iter();
        members.filter_map(|(&pid, member)| (!member.is_root).then_some(pid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_inherited_through_processes_that_have_none() {
        let mut family = Family::default();
        let project = [PathBuf::from("/p")];
        family.add_root(1);
        family.fork(1, 2); // before it is a Python
        family.set_scope(1, &project);
        family.fork(1, 3); // a shell
        family.fork(3, 4);
        assert_eq!(family.inherited(1), None);
        assert_eq!(family.inherited(2), None);
        assert_eq!(family.inherited(4), Some(&project[..]));
        family.set_cwd(1, Some("/p".into()));
        family.fork(1, 5);
        family.set_cwd(1, None);
        assert_eq!(
            (family.cwd(1), family.cwd(5)),
            (None, Some(Path::new("/p")))
        );
        family.remove(5);
        family.remove(3);
        let mut left: Vec<u32> = family.descendants().collect();
        left.sort_unstable();
        assert_eq!(left, [2, 4]);
    }

    #[test]
    fn an_id_that_comes_back_is_another_process() {
        let mut family = Family::default();
        family.add_root(1);
        family.set_scope(1, &[PathBuf::from("/p")]);
        family.fork(1, 2);
        family.fork(9, 2);
        assert_eq!(family.inherited(2), None);
    }
}
