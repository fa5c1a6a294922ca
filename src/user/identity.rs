//! Whom the kernel takes a process for, and becoming that for good.

use std::ffi::{CString, OsStr};
use std::fs::{File, Metadata};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, Result, bail};
use nix::unistd::{self, Gid, Uid};

/// Who has no rights beyond everybody's, by convention.
const NOBODY: u32 = 65534;

/// A user and groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub uid: Uid,
    /// Primary group.
    pub gid: Gid,
    /// All groups that rights come from, the primary one among them.
    pub groups: Vec<Gid>,
}

impl Identity {
    /// Who called sudo; `None` where pytrace has no root's rights, and where root called sudo, who
    /// has nothing to be protected from.
    ///
    /// `doas`, `su` and `pkexec` leave no `SUDO_UID` behind.
    ///
    /// # Errors
    ///
    /// `SUDO_UID` or `SUDO_GID` is no number, or the user's groups can't be found out.
    pub fn of_sudo_caller() -> Result<Option<Identity>> {
        let Some(uid) = std::env::var_os("SUDO_UID").filter(|_| unistd::geteuid().is_root()) else {
            return Ok(None);
        };
        let uid = id(&uid).context("failed to read SUDO_UID")?;
        if uid == 0 {
            return Ok(None);
        }
        let gid = std::env::var_os("SUDO_GID")
            .map(|gid| id(&gid).context("failed to read SUDO_GID"))
            .transpose()?;
        Identity::of(Uid::from_raw(uid), gid.map(Gid::from_raw))
            .map(Some)
            .with_context(|| format!("failed to find out about user {uid}, who called sudo"))
    }

    /// Whom a file belongs to; nobody, where that is root.
    ///
    /// # Errors
    ///
    /// The owner's groups can't be found out.
    pub fn of_owner(file: &File) -> Result<Identity> {
        let of = |metadata: Metadata| Identity::of(Uid::from_raw(metadata.uid()), None);
        match file.metadata()? {
            metadata if metadata.uid() != 0 => of(metadata),
            _ => Ok(Identity::nobody()),
        }
    }

    fn nobody() -> Identity {
        Identity {
            uid: Uid::from_raw(NOBODY),
            gid: Gid::from_raw(NOBODY),
            groups: vec![Gid::from_raw(NOBODY)],
        }
    }

    /// A user, with the groups that the user database knows. Without an entry there, which happens in
    /// containers, `gid` is the only one.
    fn of(uid: Uid, gid: Option<Gid>) -> Result<Identity> {
        let entry = unistd::User::from_uid(uid).ok().flatten();
        let Some(gid) = gid.or(entry.as_ref().map(|entry| entry.gid)) else {
            bail!("user {uid} has no known group");
        };
        let groups = match &entry {
            Some(entry) => CString::new(entry.name.as_str())
                .map_err(anyhow::Error::from)
                .and_then(|name| Ok(unistd::getgrouplist(&name, gid)?))
                .with_context(|| format!("failed to read the groups of {}", entry.name))?,
            None => vec![gid],
        };
        Ok(Identity { uid, gid, groups })
    }

    /// The name that the user database has, else the number.
    pub fn name(&self) -> String {
        match unistd::User::from_uid(self.uid) {
            Ok(Some(entry)) => entry.name,
            _ => self.uid.to_string(),
        }
    }

    /// Makes this process that of the user, of which there is no way back.
    ///
    /// # Errors
    ///
    /// What the kernel says; the process may then be anything in between, and should end.
    pub fn assume(&self) -> Result<()> {
        // Groups first: changing them takes a right that goes with the user id.
        unistd::setgroups(&self.groups).context("failed to take on the user's groups")?;
        unistd::setresgid(self.gid, self.gid, self.gid)
            .context("failed to take on the user's group")?;
        unistd::setresuid(self.uid, self.uid, self.uid)
            .context("failed to take on the user's id")?;
        if unistd::setuid(Uid::from_raw(0)).is_ok() {
            bail!("root's rights could not be given up: setuid(0) still works");
        }
        Ok(())
    }
}

/// A user or group id; the kernel keeps the highest number for "none".
fn id(text: &OsStr) -> Result<u32> {
    std::str::from_utf8(text.as_bytes())
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|&id| id != u32::MAX)
        .with_context(|| format!("{text:?} is no id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbers_below_the_kernels_none() {
        assert_eq!(id(OsStr::new("1000")).ok(), Some(1000));
        for text in ["", "-1", "root", "4294967295", "4294967296", " 1"] {
            assert!(id(OsStr::new(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_user_that_no_database_knows_has_the_group_that_is_told() {
        let (uid, gid) = (Uid::from_raw(4_000_000_001), Gid::from_raw(4_000_000_002));
        let identity = Identity::of(uid, Some(gid)).unwrap();
        assert_eq!(identity.groups, [gid]);
        assert_eq!(identity.name(), "4000000001");
        assert!(Identity::of(uid, None).is_err());
    }
}
