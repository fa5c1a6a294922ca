//! A recording: what is executed, as whom, and how it is started.

pub mod command;
pub mod launch;
pub mod paths;
pub mod rights;
pub mod signals;
pub mod user;

mod shebang;
mod sudo;
