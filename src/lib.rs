//! pytrace records every Python function call of a process, from outside it.

pub mod cpython;
pub mod trace;
