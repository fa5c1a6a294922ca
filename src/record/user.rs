//! Who the target runs as, and in which environment: under sudo, the user who called sudo.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::Context;
use nix::unistd::{self, Gid, Uid};

use super::sudo;
use crate::error::WithHint;

/// Environment variables in a fixed order; no name twice.
pub type Environment = Vec<(OsString, OsString)>;

/// Whom the target runs as, and what it inherits.
#[derive(Debug, Clone)]
pub struct User {
    /// User id.
    pub uid: Uid,
    /// Primary group.
    pub gid: Gid,
    /// Supplementary groups.
    pub groups: Vec<Gid>,
    /// Home directory, where the user has one.
    pub home: Option<PathBuf>,
    /// The environment the target starts with.
    pub environment: Environment,
    /// Whether that is someone else than who pytrace runs as: rights must be given up.
    pub switches: bool,
    /// What the user should know of how this was found out: whole sentences, usually none.
    pub notes: Vec<String>,
}

impl User {
    /// The user for a target: who called sudo, unless `as_root`; without sudo, who pytrace runs
    /// as.
    ///
    /// `doas`, `su` and `pkexec` leave no `SUDO_UID` behind: with them the target runs as root.
    ///
    /// # Errors
    ///
    /// `SUDO_UID` or `SUDO_GID` is no number, or the user's groups can't be found out.
    pub fn of_target(as_root: bool) -> anyhow::Result<User> {
        let own: Environment = std::env::vars_os().collect();
        match lookup(&own, "SUDO_UID") {
            Some(uid) if unistd::geteuid().is_root() && !as_root => {
                let uid = id(uid).context("failed to read SUDO_UID")?;
                // root who calls sudo has nothing to be protected from.
                if uid == 0 {
                    User::current(own)
                } else {
                    User::of_sudo(Uid::from_raw(uid), own)
                }
            }
            _ => User::current(own),
        }
        .hint("--as-root runs the target as root")
    }

    /// Looks up a variable in the target's environment.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        lookup(&self.environment, name)
    }

    fn current(own: Environment) -> anyhow::Result<User> {
        Ok(User {
            uid: unistd::geteuid(),
            gid: unistd::getegid(),
            groups: unistd::getgroups().context("failed to read our own groups")?,
            home: lookup(&own, "HOME").map(PathBuf::from),
            environment: own,
            switches: false,
            notes: Vec::new(),
        })
    }

    fn of_sudo(uid: Uid, own: Environment) -> anyhow::Result<User> {
        // Without an entry in the user database, which happens in containers, there is still
        // what sudo has told.
        let entry = unistd::User::from_uid(uid).ok().flatten();
        let gid = match (lookup(&own, "SUDO_GID"), &entry) {
            (Some(gid), _) => Gid::from_raw(id(gid).context("failed to read SUDO_GID")?),
            (None, Some(entry)) => entry.gid,
            (None, None) => {
                anyhow::bail!("user {uid}, who called sudo, has no known group (no SUDO_GID)")
            }
        };
        let groups = match &entry {
            Some(entry) => CString::new(entry.name.as_str())
                .map_err(anyhow::Error::from)
                .and_then(|name| Ok(unistd::getgrouplist(&name, gid)?))
                .with_context(|| format!("failed to read the groups of {}", entry.name))?,
            None => vec![gid],
        };
        let mut notes = Vec::new();
        let environment = match sudo::Caller::find() {
            Some(caller) => sudo::merge(&caller, own),
            None => {
                notes.push(
                    "the environment from before sudo could not be read: \
                     the target gets sudo's, with your HOME, USER and SHELL"
                        .into(),
                );
                sudo::correct(own, entry.as_ref())
            }
        };
        Ok(User {
            uid,
            gid,
            groups,
            home: entry
                .map(|entry| entry.dir)
                .or_else(|| lookup(&environment, "HOME").map(PathBuf::from)),
            environment,
            switches: true,
            notes,
        })
    }
}

/// The value of a variable.
pub(super) fn lookup<'a>(environment: &'a Environment, name: &str) -> Option<&'a OsStr> {
    environment
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_os_str())
}

/// A user or group id; the kernel keeps the highest number for "none".
fn id(text: &OsStr) -> anyhow::Result<u32> {
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
}
