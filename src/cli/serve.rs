//! Options of `pytrace serve`.

use std::path::PathBuf;

use clap::Args;

/// The port where none is asked for.
pub const DEFAULT_PORT: u16 = 8080;

/// Options of `pytrace serve`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ServeOptions {
    /// The trace file: Chrome trace JSON, plain or gzip-compressed
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,

    /// Port to answer at; 0: any that is free
    #[arg(value_name = "PORT", default_value_t = DEFAULT_PORT)]
    pub port: u16,

    /// Do not group what repeats, unless the page is asked to
    #[arg(long)]
    pub no_patterns: bool,

    /// Leave out the import system and the bodies of imported modules, unless the page is asked for
    /// them
    #[arg(long)]
    pub hide_imports: bool,

    /// Answer at this address or name instead of at localhost
    ///
    /// Whoever can reach it can read the trace, and the source files that it names: there is no
    /// password. `ssh -L`, as printed at the start, needs no such address.
    #[arg(long, value_name = "ADDR")]
    pub host: Option<String>,
}
