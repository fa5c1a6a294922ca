//! The command line, parsed and checked. clap ends here: what leaves are plain options.

mod duration;
mod export;
mod serve;
mod show;
mod split;
mod values;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::cpython::Choice;
use crate::error::{UsageError, WithHint};
use split::Split;
use values::ValueArguments;

pub use export::{ExportFormat, ExportOptions};
pub use serve::{DEFAULT_PORT, ServeOptions};
pub use show::{DEFAULT_LIMIT, ShowOptions};
pub use values::{Limits, Redact, ValueOptions};

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Record a trace.
    Record(Box<RecordOptions>),
    /// Print a saved trace.
    Show(ShowOptions),
    /// Show a saved trace in the browser.
    Serve(ServeOptions),
    /// Write a saved trace in another form.
    Export(ExportOptions),
    /// Report what this machine and an interpreter allow.
    Doctor(DoctorOptions),
    /// Print this text (`--help`, `--version`) to stdout and be done.
    Print(String),
}

/// How and what to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordOptions {
    /// What to trace.
    pub target: Target,
    /// Where to save the trace; without it the tree is printed when the target ends.
    pub output: Option<PathBuf>,
    /// Directories that the trace is restricted to, as given; empty: decided by the target.
    pub scope: Vec<PathBuf>,
    /// Whether calls from the scope to functions outside it are recorded.
    pub external_calls: bool,
    /// Record calls from the scope to C functions.
    pub c_calls: bool,
    /// Whether import activity is recorded.
    pub imports: bool,
    /// How values are recorded: what functions are given, give back and raise. `None`: not at all.
    pub values: Option<ValueOptions>,
    /// The interpreter to use: a path, or a name to look up in the user's `PATH`.
    pub python: Option<PathBuf>,
    /// Stop recording after this long; never zero.
    pub duration: Option<Duration>,
    /// Whether child processes are traced as well.
    pub follow: bool,
    /// The probe plan to use.
    pub probes: Choice,
    /// Whether interpreters are asked to instrument the scope's code, so that no other costs anything.
    pub selective: bool,
    /// Under sudo, run the target as root rather than as the invoking user.
    pub as_root: bool,
    /// See when generators yield also where single-stepping makes that dear.
    pub exact_yields: bool,
    /// Size of the ring buffer in MiB, a power of two from 1 to 1024; `None`: the recorder's
    /// choice.
    pub ring_size_mib: Option<u32>,
    /// Stop what is traced until there is room in the ring buffer, rather than lose events.
    pub lossless: bool,
    /// The options among these that stood behind SCRIPT, as they were written, in order.
    pub taken_from_script_args: Vec<String>,
}

impl RecordOptions {
    /// The line that tells which options were taken from behind the script, if any were.
    pub fn taken_note(&self) -> Option<String> {
        if self.taken_from_script_args.is_empty() {
            return None;
        }
        Some(format!(
            "took `{}` from behind the script as pytrace's own; \
             put `--` before arguments to pass them on to the script",
            self.taken_from_script_args.join(" ")
        ))
    }
}

/// What to trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `python SCRIPT ARGS...`; the path is as given, `-` for standard input.
    Script {
        /// A file, or a directory or archive with a `__main__.py`.
        path: PathBuf,
        /// The script's own arguments.
        args: Vec<OsString>,
    },
    /// `python -m MODULE ARGS...`.
    Module {
        /// Dotted name.
        name: OsString,
        /// The module's own arguments.
        args: Vec<OsString>,
    },
    /// `python -c CODE ARGS...`.
    Code {
        /// Source text.
        code: OsString,
        /// What `sys.argv` holds from index 1 on.
        args: Vec<OsString>,
    },
    /// Any command; every CPython it starts is traced.
    Command {
        /// A path, or a name to look up in the user's `PATH`.
        program: OsString,
        /// Its arguments.
        args: Vec<OsString>,
    },
    /// Running processes: at least one id, none twice.
    Processes(Vec<u32>),
}

/// Options of `pytrace doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DoctorOptions {
    /// Examine this interpreter instead of the one a script would run with
    #[arg(long, value_name = "PATH", conflicts_with = "pid")]
    pub python: Option<PathBuf>,

    /// Examine the interpreter of this running process
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..=PID_MAX))]
    pub pid: Option<u32>,
}

/// The kernel's own bound on process ids (`PID_MAX_LIMIT`, 4 Mi).
const PID_MAX: i64 = 4 * 1024 * 1024;

const USAGE: &str = "pytrace [OPTIONS] SCRIPT [ARGS]...
       pytrace [OPTIONS] -m MODULE [ARGS]...
       pytrace [OPTIONS] -c CODE [ARGS]...
       pytrace [OPTIONS] -- COMMAND [ARGS]...
       pytrace [OPTIONS] --pid PID
       pytrace show TRACE
       pytrace serve TRACE [PORT]
       pytrace export TRACE -o FILE
       pytrace doctor [--python PATH | --pid PID]";

const EXAMPLES: &str = "\
Examples:
  sudo pytrace train.py --steps 3             print the tree of calls when train.py has ended
  sudo pytrace -o trace.json -m pytest -x     save the trace; it opens in ui.perfetto.dev as it is
  sudo pytrace --pid 812 --duration 10s       watch a running process for ten seconds
  pytrace serve trace.json                    look at a saved trace in the browser

-o, --scope, --no-external-calls and --no-imports are recognised behind SCRIPT, MODULE and CODE
as well, up to the first `--`, which is dropped; everything else there is passed on untouched.
A script that is called like a subcommand is traced as `pytrace ./show`.";

/// Record every Python function call of a process, from outside it
///
/// The target needs no preparation: no import, no debug build, no restart. Recording needs root;
/// under sudo the script still runs as you, with your PATH and virtual environment.
#[derive(Debug, Parser)]
#[command(
    name = "pytrace",
    version,
    override_usage = USAGE,
    after_help = EXAMPLES,
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true
)]
struct Arguments {
    #[command(flatten)]
    record: RecordArguments,

    #[command(subcommand)]
    command: Option<Subcommands>,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Print the tree of a saved trace
    Show(ShowOptions),

    /// Show a saved trace in the browser
    Serve(ServeOptions),
    /// Make a saved trace into a page, a tree or another trace file
    Export(ExportOptions),

    /// Report what this machine and an interpreter allow, and the probe plan
    Doctor(DoctorOptions),
}

#[derive(Debug, Args)]
struct RecordArguments {
    // For the help alone: what these hold has been split off before clap sees the rest.
    /// Run a library module as a script, as `python -m` does; ends pytrace's own options
    #[arg(short = 'm', value_name = "MODULE")]
    module: Option<OsString>,

    // As above.
    /// Run source text, as `python -c` does; ends pytrace's own options
    #[arg(short = 'c', value_name = "CODE")]
    code: Option<OsString>,

    /// Attach to a running process; may be given more than once
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..=PID_MAX))]
    pid: Vec<u32>,

    /// Save the trace to FILE (`.json` or `.json.gz`)
    ///
    /// Without it the tree is printed to stdout when the program ends.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Restrict the trace to code under DIR; may be given more than once
    ///
    /// Default: the directory of SCRIPT; for `--` and `--pid` the directory of the script on the
    /// process's command line; where there is none, its working directory.
    #[arg(long, value_name = "DIR")]
    scope: Vec<PathBuf>,

    /// Leave out calls from in-scope code to functions outside the scope
    #[arg(long)]
    no_external_calls: bool,

    /// Leave out import activity
    #[arg(long)]
    no_imports: bool,

    /// Interpreter to use: a path, or a name to look up in your PATH
    ///
    /// Default: the virtual environment's interpreter that the script's first line names, else
    /// the one that `python3` means to you.
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,

    /// Stop tracing after TIME (`10s`, `500ms`, `2m`); the target lives on
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,

    /// Do not follow child processes
    #[arg(long)]
    no_follow: bool,

    /// How to observe the interpreter
    #[arg(long, value_enum, value_name = "PLAN", default_value = "auto")]
    probes: Probes,

    /// Have the interpreter mark the scope's code, and what that calls, so that no other costs anything (3.12+)
    ///
    /// Before the program, it runs a few lines of pytrace's, which ask for events of that code
    /// (sys.monitoring) and leave two of its six tool ids taken. What it can miss of functions outside
    /// the scope is in docs/selective.md.
    #[arg(long, conflicts_with = "probes")]
    selective: bool,

    /// With --selective: record the C functions that in-scope code calls as well, as external calls
    ///
    /// As `sys.setprofile` sees them, without their arguments. Each costs some 3 µs.
    #[arg(long, requires = "selective", conflicts_with = "no_external_calls")]
    c_calls: bool,

    /// Under sudo, run the target as root instead of as you
    #[arg(long)]
    as_root: bool,

    /// In a virtual machine, see when generators of CPython 3.13 yield, at 10 µs each
    ///
    /// Else their ends are inferred from what the thread does next, and come out later than they
    /// were, never earlier: `end_inferred` in the trace.
    #[arg(long)]
    exact_yields: bool,

    /// With --pid: stop the process for a moment whenever events come faster than they are
    /// recorded, so that none is lost
    ///
    /// So it is anyway with a program that pytrace starts. A process is let go on, and events are
    /// lost and counted, should pytrace itself be stopped or killed, or its output take nothing for
    /// two seconds.
    #[arg(long)]
    lossless: bool,

    /// Never stop the program: events that come faster than they are recorded are lost, and counted
    #[arg(long, conflicts_with = "lossless")]
    lossy: bool,

    /// Size of the ring buffer in MiB, a power of two up to 1024
    #[arg(long, value_name = "MIB", value_parser = ring_size)]
    ring_size: Option<u32>,

    #[command(flatten)]
    values: ValueArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Probes {
    /// Whichever suits the interpreter best
    Auto,
    /// The USDT probes compiled into it
    Usdt,
    /// Its opcode handlers
    Dispatch,
}

/// Parses a command line, the program's own name excluded.
///
/// # Errors
///
/// [`UsageError`] for a command line that makes no sense.
pub fn parse<I>(args: I) -> anyhow::Result<Command>
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    let clap = Arguments::command();

    // A subcommand is one only as the first word: behind an option it is a script's name.
    let is_subcommand = |word: &OsString| {
        word.to_str()
            .is_some_and(|w| clap.find_subcommand(w).is_some())
    };
    if args.first().is_some_and(is_subcommand) {
        return match parse_with_clap(&args) {
            Ok(Arguments {
                command: Some(subcommand),
                ..
            }) => Ok(match subcommand {
                Subcommands::Show(options) => Command::Show(options),
                Subcommands::Serve(options) => Command::Serve(options),
                Subcommands::Export(options) => Command::Export(options),
                Subcommands::Doctor(options) => Command::Doctor(options),
            }),
            Ok(_) => unreachable!("the first word is a subcommand"),
            Err(error) => from_clap(error, &[]),
        };
    }

    let split = split::split(&clap, &args).map_err(usage)?;
    match parse_with_clap(&split.options) {
        Ok(arguments) => record(arguments.record, split).map(|r| Command::Record(Box::new(r))),
        Err(error) => from_clap(error, &split.taken),
    }
}

fn parse_with_clap(args: &[OsString]) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(
        std::iter::once(OsStr::new("pytrace")).chain(args.iter().map(OsString::as_os_str)),
    )
}

/// Checks what clap can't see: the target, and which options go with it.
fn record(arguments: RecordArguments, split: Split) -> anyhow::Result<RecordOptions> {
    let attaches = !arguments.pid.is_empty();
    let target = match split.target {
        Some(_) if attaches => {
            return Err(usage(
                "--pid attaches to a running process: it can't start a program as well",
            ));
        }
        Some(target) => target,
        None if attaches => {
            let mut pids = Vec::new();
            for pid in arguments.pid {
                if !pids.contains(&pid) {
                    pids.push(pid);
                }
            }
            Target::Processes(pids)
        }
        None => {
            return Err(usage(
                "nothing to trace: name a SCRIPT, -m, -c, -- COMMAND or --pid",
            ));
        }
    };
    match &target {
        Target::Processes(_) if arguments.python.is_some() => {
            return Err(usage(
                "--python chooses what to start: it does not go with --pid",
            ));
        }
        Target::Processes(_) if arguments.as_root => {
            return Err(usage(
                "--as-root is about what to start: it does not go with --pid",
            ));
        }
        Target::Command { .. } if arguments.python.is_some() => {
            return Err(usage(
                "--python does not go with `-- COMMAND`, which names what to run",
            ));
        }
        _ => {}
    }
    Ok(RecordOptions {
        lossless: arguments.lossless || !arguments.lossy && !attaches,
        target,
        output: arguments.output,
        scope: arguments.scope,
        external_calls: !arguments.no_external_calls,
        c_calls: arguments.c_calls,
        imports: !arguments.no_imports,
        values: arguments.values.options().map_err(usage)?,
        python: arguments.python,
        duration: arguments.duration,
        follow: !arguments.no_follow,
        probes: match arguments.probes {
            Probes::Auto => Choice::Auto,
            Probes::Usdt => Choice::Usdt,
            Probes::Dispatch => Choice::Dispatch,
        },
        selective: arguments.selective,
        as_root: arguments.as_root,
        exact_yields: arguments.exact_yields,
        ring_size_mib: arguments.ring_size,
        taken_from_script_args: split.taken,
    })
}

fn ring_size(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(mib) if mib.is_power_of_two() && mib <= 1024 => Ok(mib),
        _ => Err("a power of two from 1 to 1024 is needed".into()),
    }
}

fn usage(message: impl Into<String>) -> anyhow::Error {
    anyhow!(UsageError(message.into())).hint("`pytrace --help` lists the forms and options")
}

/// Turns clap's several paragraphs into our one line and hint; help and version are no errors.
/// What is wrong may be that an option was `taken` from the script, which has one of the same name.
fn from_clap(error: clap::Error, taken: &[String]) -> anyhow::Result<Command> {
    let text = error.render().to_string();
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return Ok(Command::Print(text));
    }
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let tip = rest
        .lines()
        .find_map(|line| line.trim().strip_prefix("tip: "));
    let error = || anyhow!(UsageError(message.clone()));
    Err(match tip {
        _ if !taken.is_empty() => error().hint(format!(
            "`{}` behind the script was taken as pytrace's own; `--` in front of it passes it on",
            taken.join(" ")
        )),
        Some(tip) => error().hint(tip),
        None => usage(message),
    })
}

#[cfg(test)]
mod tests;
