//! pytrace records every Python function call of a process, from outside it.

mod bpf;
pub mod cli;
pub mod cpython;
pub mod doctor;
pub mod error;
pub mod event;
pub mod format;
pub mod preflight;
pub mod record;
pub mod recording;
pub mod scope;
pub mod show;
pub mod trace;
pub mod tracer;
pub mod view;
