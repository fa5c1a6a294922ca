//! pytrace records every Python function call of a process, from outside it.

pub mod cli;
pub mod cpython;
pub mod error;
pub mod preflight;
pub mod record;
pub mod scope;
pub mod trace;
