//! pytrace records every Python function call of a process, from outside it.

mod bpf;
pub mod cpython;
pub mod event;
pub mod trace;
pub mod tracer;
