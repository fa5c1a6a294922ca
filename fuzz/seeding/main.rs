//! Writes the inputs that fuzzing starts from: `scripts/fuzz-seeds.sh` runs it.
//!
//! `seeds DIRECTORY [ROOT:]PYTHON...` fills a directory for each target. Records and values are what
//! the kernel programs tell of `recorded.py` as these interpreters run it (with `ROOT:`, in that root
//! directory), which needs root; so are some of the traces.

mod made;
mod real;

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use pytrace::event::{self, EventKind, decode};
use pytrace::trace::Filter;
use pytrace_fuzz::events::{Options, record};
use pytrace_fuzz::stream;
use real::Python;

/// Bytes of an input of records.
const STREAM: usize = 12 << 10;
/// Inputs of records of one recording: what comes later is more of the same.
const STREAMS: usize = 3;
/// The shape of the values in a record, by its first bytes: enough to tell them apart.
const SHAPES: usize = 3;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let directory = arguments.next();
    let directory = directory.context("usage: seeds DIRECTORY [ROOT:]PYTHON...")?;
    let mut seeds = Seeds {
        directory: directory.into(),
        shapes: HashSet::new(),
    };
    for (target, name, bytes) in made::inputs()? {
        seeds.write(target, &name, &bytes)?;
    }
    for argument in arguments {
        let argument = argument.into_string().ok();
        let argument = argument.context("an interpreter's path is no text")?;
        let python = Python::named(&argument);
        seeds.write_records(&python.name(), &python.record()?)?;
    }
    Ok(())
}

/// Where inputs go.
struct Seeds {
    directory: PathBuf,
    /// Of values that are written already.
    shapes: HashSet<Vec<u8>>,
}

impl Seeds {
    fn write(&self, target: &str, name: &str, bytes: &[u8]) -> Result<()> {
        let directory = self.directory.join(target);
        fs::create_dir_all(&directory)?;
        let path = directory.join(name);
        fs::write(&path, bytes).with_context(|| format!("failed to write {}", path.display()))
    }

    fn write_records(&mut self, name: &str, records: &[Vec<u8>]) -> Result<()> {
        let mut input = vec![0];
        let mut inputs = Vec::new();
        for record in records {
            if input.len() + record.len() > STREAM {
                inputs.push(std::mem::replace(&mut input, vec![0]));
            }
            stream::push(&mut input, record);
        }
        inputs.push(input);
        for (index, input) in inputs.iter().take(STREAMS).enumerate() {
            self.write("records", &format!("{name}-{index}"), input)?;
        }
        let made = record(
            records.iter().map(Vec::as_slice),
            Options {
                filter: Filter {
                    external_calls: true,
                    imports: true,
                },
                values: true,
                steady: false,
            },
        );
        self.write("trace_file", &format!("{name}.json"), &made.file)?;
        for record in records {
            self.write_values(name, record)?;
        }
        Ok(())
    }

    fn write_values(&mut self, name: &str, record: &[u8]) -> Result<()> {
        let values = match decode(record)?.kind {
            EventKind::Enter { values, .. } | EventKind::Exit { values, .. } => values,
            EventKind::Parameters(parameters) => parameters.names,
            _ => return Ok(()),
        };
        let heads = event::values(values).take(SHAPES);
        let shape: Vec<u8> = heads.map(|value| value.shape.number()).collect();
        if !shape.is_empty() && self.shapes.insert(shape) {
            let number = self.shapes.len();
            self.write("values", &format!("{name}-{number}"), values)?;
        }
        Ok(())
    }
}
