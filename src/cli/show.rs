//! Options of `pytrace show`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::duration;
use super::values::pattern;

/// Lines that a tree has unless it is asked for more: some ten screens.
pub const DEFAULT_LIMIT: usize = 400;

/// Options of `pytrace show`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ShowOptions {
    /// The trace file: Chrome trace JSON, plain or gzip-compressed
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,

    /// Print JSON for scripts: the same structure, with all that is known of calls and repetitions
    ///
    /// docs/show-json.md tells of each member.
    #[arg(long, conflicts_with_all = ["limit", "no_times", "number_of_calls", "width", "ascii"])]
    pub json: bool,

    /// Do not group what repeats: every call on its own
    #[arg(long)]
    pub no_patterns: bool,

    /// Group only what is the same in every call, not loops whose rounds differ in how often
    /// something in them repeats
    #[arg(long, conflicts_with = "no_patterns")]
    pub exact_patterns: bool,

    /// Show so many levels of calls, of those that all else leaves
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub depth: Option<u32>,

    /// Leave out calls that took less, such as `10us`, `5ms` or `1s`
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub min_duration: Option<Duration>,

    /// Show only this thread, by its id or name; may be given more than once
    #[arg(long, value_name = "THREAD")]
    pub thread: Vec<String>,

    /// Show only calls of functions whose qualified name matches, and what they lead to
    #[arg(long, value_name = "REGEX", value_parser = pattern)]
    pub function: Option<String>,

    /// Leave out the import system and the bodies of imported modules
    #[arg(long)]
    pub hide_imports: bool,

    /// Leave out calls to functions outside the scope
    #[arg(long)]
    pub hide_external: bool,

    /// Show only calls that an exception left, and those above them
    #[arg(long)]
    pub only_exceptions: bool,

    /// Draw so many lines at most, those of the upper levels; 0: all of them
    #[arg(long, value_name = "LINES", default_value_t = DEFAULT_LIMIT)]
    pub limit: usize,

    /// Leave out times
    #[arg(long)]
    pub no_times: bool,

    /// Leave out arguments, results and the messages of exceptions
    #[arg(long)]
    pub no_values: bool,

    /// Say of each call its number among its function's calls in its thread: `(call 3 of 12)`
    ///
    /// Of those that the other options leave. A function is a name, file and line. Resumptions of
    /// generators and coroutines are not counted, nor are calls numbered that repeat.
    #[arg(long)]
    pub number_of_calls: bool,

    /// Cut lines to so many columns; 0: not at all
    ///
    /// Default: the terminal's width; what goes elsewhere is not cut. Values give way, arguments
    /// first.
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u16))]
    pub width: Option<u16>,

    /// Draw with ASCII characters
    ///
    /// That is the default on a terminal where the locale (LC_ALL, LC_CTYPE, LANG) has no UTF-8.
    #[arg(long)]
    pub ascii: bool,

    /// Do not use a pager
    ///
    /// Default: on a terminal, $PYTRACE_PAGER, $PAGER or less.
    #[arg(long)]
    pub no_pager: bool,
}
