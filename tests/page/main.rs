//! The page of `pytrace serve`, in a real browser.
//!
//! Needs Chromium and its driver, which `scripts/setup.sh test` installs.

#![allow(missing_docs, reason = "tests")]

#[path = "../browser/mod.rs"]
mod browser;
mod look;
mod trace;

mod controls;
mod edges;
mod gaps;
mod hostile;
mod keys;
mod links;
mod looks;
mod report;
mod screenshots;
mod search;
mod tree;
mod views;
