//! pytrace records every Python function call of a process, from outside it.
//!
//! ```text
//!  CPython in the target
//!    │  uprobes, placed by a cpython::Plan (opcode handlers or USDT probes)
//!    ▼
//!  bpf/        start, resumption or end of a frame; scope verdict per code object ─► ring buffer
//!    │                                                          ▲
//!    ▼  &[u8]                                                   │ tracer::Verdicts
//!  event::decode ─► Event ─► trace::Builder ◄─ Classify ◄─ scope::Scope
//!                              │  per-thread stacks, repaired
//!                              ▼  Call, as each ends
//!                          trace::Sink ─┬─► format::ChromeWriter ─► trace.json ─► format::read ┐
//!                                       └─► recording::Collector ─► Recording ◄───────────────┘
//!                                                                      │
//!                                                                      ▼
//!                                 view::write_tree, json::write_json, explore::Explorer
//!                                                                             │  answers
//!                                                                             ▼
//!                                                                          server ─► page
//! ```
//!
//! | module | subject | may use |
//! | --- | --- | --- |
//! | [`trace`], [`scope`], [`recording`], [`pattern`], [`explore`], [`view`], [`json`] | the data and what is done with it | nothing outside: pure |
//! | [`event`] | bytes to events; the only one that names record types | the skeleton's types |
//! | [`value`] | captured values to text | the record types that [`event`] names |
//! | [`paths`] | real paths below another root directory | files |
//! | [`cpython`] | finding an interpreter in an ELF file, and how to probe it | files |
//! | [`tracer`] | loading and attaching; all use of libbpf | the kernel |
//! | [`record`] | a recording: whom, as whom, until when | everything |
//! | [`mod@format`] | trace files | files |
//! | [`user`] | for whom pytrace acts, with whose rights, and giving them up | the kernel |
//! | [`server`] | answers the page's requests, and nobody else's | the network |
//! | [`cli`], [`show`], [`serve`], [`mod@export`], [`doctor`], [`preflight`], [`trace_file`], [`terminal`], [`error`] | the command | |

mod bpf;
pub mod cli;
pub mod cpython;
pub mod doctor;
pub mod error;
pub mod event;
pub mod explore;
pub mod export;
pub mod format;
pub mod json;
pub mod pager;
pub mod paths;
pub mod pattern;
pub mod preflight;
pub mod record;
pub mod recording;
pub mod scope;
pub mod serve;
pub mod server;
pub mod show;
pub mod terminal;
pub mod trace;
pub mod trace_file;
pub mod tracer;
pub mod user;
pub mod value;
pub mod view;
