//! pytrace records every Python function call of a process, from outside it.

pub mod cpython;
pub mod format;
pub mod recording;
pub mod trace;
pub mod view;
