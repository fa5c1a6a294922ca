//! Who pytrace acts for: under sudo, the user who called sudo.
//!
//! [`User`] is whom a target runs as, and in which environment; [`rights`] takes on the user's rights
//! for a while, [`Identity`] for good; [`confine`] gives up all others.

pub mod confine;
mod identity;
pub mod rights;
mod sudo;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use anyhow::Context;
use nix::unistd::{self, Gid, Uid};

use crate::error::WithHint;

pub use identity::Identity;

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
        let caller = match as_root {
            true => Ok(None),
            false => Identity::of_sudo_caller(),
        };
        match caller {
            Ok(Some(caller)) => Ok(User::of_sudo(caller, own)),
            Ok(None) => User::current(own),
            Err(error) => Err(error),
        }
        .hint("--as-root runs the target as root")
    }

    /// Whom pytrace can become for good, if that is someone else than it is.
    pub fn identity(&self) -> Option<Identity> {
        self.switches.then(|| Identity {
            uid: self.uid,
            gid: self.gid,
            groups: self.groups.clone(),
        })
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

    fn of_sudo(caller: Identity, own: Environment) -> User {
        // Without an entry in the user database, which happens in containers, there is still
        // what sudo has told.
        let entry = unistd::User::from_uid(caller.uid).ok().flatten();
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
        User {
            uid: caller.uid,
            gid: caller.gid,
            groups: caller.groups,
            home: entry
                .map(|entry| entry.dir)
                .or_else(|| lookup(&environment, "HOME").map(PathBuf::from)),
            environment,
            switches: true,
            notes,
        }
    }
}

/// The value of a variable.
fn lookup<'a>(environment: &'a Environment, name: &str) -> Option<&'a OsStr> {
    environment
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_os_str())
}
