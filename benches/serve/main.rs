//! What looking at a trace costs, from its file to the browser's tab: `make bench ONLY=serve`, with
//! `CALLS="100000 1000000"` for smaller traces.
//!
//! Measured is the binary that users run. `TRACES=DIR` keeps the generated traces there, and takes
//! those that are there already; `SPEEDSCOPE=DIR`, the folder `dist/release` of its npm package,
//! and `SEED=1` measure other ways to view the same traces.

#![allow(missing_docs, reason = "a program")]

mod api;
#[path = "../../tests/browser/mod.rs"]
mod browser;
mod figures;
mod generate;
#[path = "../common/outcome.rs"]
mod outcome;
mod peers;
mod program;
mod tab;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::browser::server::Server;
use crate::figures::{Figures, print};

const PYTRACE: &str = env!("CARGO_BIN_EXE_pytrace");
const DEFAULT_CALLS: &str = "100000 1000000 10000000";

fn main() -> ExitCode {
    outcome::of(run())
}

fn run() -> Result<()> {
    let sizes = std::env::var("CALLS").unwrap_or_default();
    let sizes = match sizes.trim() {
        "" => DEFAULT_CALLS,
        sizes => sizes,
    };
    let kept = given("TRACES");
    let temporary = tempfile::tempdir()?;
    let directory = kept.as_deref().unwrap_or(temporary.path());

    let mut columns = Vec::new();
    for size in sizes.split_whitespace() {
        let calls: u64 = size.parse().context("CALLS are numbers")?;
        let trace = directory.join(format!("{calls}.json"));
        let mut figures = Figures::default();
        if !trace.exists() {
            let start = Instant::now();
            let written = generate::write(&trace, calls)?;
            let seconds = start.elapsed().as_secs_f64();
            eprintln!("bench: {written} calls generated in {seconds:.1} s");
        }
        measure(&trace, &mut figures)?;
        peers::measure(&trace, &mut figures)?;
        if kept.is_none() {
            fs::remove_file(&trace)?;
        }
        columns.push((size.to_owned(), figures));
    }
    print(&columns);
    Ok(())
}

/// A folder that the environment names.
fn given(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os(name).filter(|path| !path.is_empty());
    path.map(PathBuf::from)
}

fn measure(trace: &Path, figures: &mut Figures) -> Result<()> {
    eprintln!("bench: serving {}", trace.display());
    let megabytes = fs::metadata(trace)?.len() as f64 / 1e6;
    // What is measured is reading it, not the disk.
    std::io::copy(&mut fs::File::open(trace)?, &mut std::io::sink())?;

    let server = Server::start(Path::new(PYTRACE), trace, &[])?;
    let seconds = server.loading.as_secs_f64();
    figures.add("trace file, MB", megabytes);
    figures.add("load, s", seconds);
    figures.add("load, MB/s", megabytes / seconds);
    figures.add(
        "memory once loaded, MB",
        server.memory("VmRSS")? as f64 / 1e6,
    );
    api::measure(&server, figures)?;
    figures.add(
        "memory after all requests, MB",
        server.memory("VmRSS")? as f64 / 1e6,
    );
    figures.add("most memory ever, MB", server.memory("VmHWM")? as f64 / 1e6);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(tab::measure(&server, figures))
}
