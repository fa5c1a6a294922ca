//! `pytrace serve`: a saved trace in the browser.
//!
//! The order matters. The port comes first, so that nobody waits for a trace to be read and then
//! hears that it is taken; then root's rights go, before a byte of the file is looked at.

mod announce;
mod bind;
mod ending;
mod loading;

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::unistd;

use crate::cli::ServeOptions;
use crate::error::say;
use crate::explore::{Defaults, Explorer};
use crate::pattern::Nearness;
use crate::server::{self, Hosts, Site};
use crate::trace_file;
use crate::user::Identity;
use crate::user::confine::{Task, act_for_caller, confine};
use announce::Remote;

/// Shows a trace file to a browser until a signal ends it.
///
/// # Errors
///
/// The address can't be had, the file can't be read, or root's rights can't be given up.
pub fn run(options: &ServeOptions) -> Result<()> {
    ending::end_on_signals().context("failed to set up signals")?;
    let bound = bind::bind(options)?;
    let host_name = announce::host_name();
    // What the environment tells of the user is sudo's, and what is known is told with root's rights.
    let remote = Remote::find(&host_name);
    let file = open(&options.trace)?;
    let recording = loading::load(&options.trace, file)?;
    // They live as long as the process, and so can be shared by all that answers.
    let explorer: &'static Explorer<'static> =
        Box::leak(Box::new(Explorer::new(Box::leak(Box::new(recording)))));

    let defaults = Defaults {
        grouping: (!options.no_patterns).then(Nearness::default),
        hide_imports: options.hide_imports,
    };
    let hosts = match &options.host {
        None => Hosts::loopback(),
        Some(given) => Hosts::reachable([given.as_str(), host_name.as_str()]),
    };
    let site = Site::new(explorer, &options.trace, defaults, hosts);
    let announcement = announce::Announcement {
        path: &site.page_path(),
        port: bound.port,
        host: options.host.as_deref(),
        host_name: &host_name,
        remote: &remote,
    };
    announcement.print();
    server::serve(bound.listeners, site)
}

/// Opens the trace file with the rights of who asks for it, and gives up all others for good. Says
/// whose are left, if these were root's.
fn open(path: &Path) -> Result<File> {
    let caller = act_for_caller()?;
    let file = trace_file::open(path)?;
    let owner = match unistd::geteuid().is_root() {
        true => Some(Identity::of_owner(&file)?),
        false => None,
    };
    // Before the user database is out of reach.
    let name = caller.or(owner.clone()).map(|identity| identity.name());
    confine(owner.as_ref(), Task::Serve)?;
    if let Some(name) = name {
        say(format_args!("pytrace: serving as {name}, not as root"));
    }
    Ok(file)
}
