//! The `pytrace` command.

use std::io::{self, Write as _};
use std::process::ExitCode;

use pytrace::user::confine::refuse_setuid;
use pytrace::{cli, doctor, error, export, record, serve, show};

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            error::print_report(&failure);
            ExitCode::from(error::exit_code(&failure))
        }
    }
}

fn run() -> anyhow::Result<u8> {
    refuse_setuid()?;
    match cli::parse(std::env::args_os().skip(1))? {
        cli::Command::Record(options) => record::run(&options),
        cli::Command::Show(options) => show::run(&options).map(|()| 0),
        cli::Command::Serve(options) => serve::run(&options).map(|()| 0),
        cli::Command::Export(options) => export::run(&options).map(|()| 0),
        cli::Command::Doctor(options) => doctor::run(&options).map(|()| 0),
        cli::Command::Print(text) => {
            // Help into a closed pipe is no failure.
            let _ = io::stdout().write_all(text.as_bytes());
            Ok(0)
        }
    }
}
