//! `pytrace export`: a saved trace in another form.

mod new_file;
mod report;

use std::io::{self, BufWriter, Write};

use anyhow::{Context as _, Result, anyhow};

use crate::cli::{ExportFormat, ExportOptions};
use crate::error::WithHint as _;
use crate::explore::{Explorer, Grouping, Origin};
use crate::format::{self, OutputFile};
use crate::pattern::Nearness;
use crate::recording::{Recording, Selection};
use crate::user::confine::{Task, act_for_caller, confine};
use crate::view::{self, TreeOptions};
use crate::{server, trace_file};
use new_file::NewFile;
use report::Report;

/// Writes the file that is asked for.
pub fn run(options: &ExportOptions) -> Result<()> {
    let output = options.output.display();
    let Some(format) = ExportFormat::of(&options.output) else {
        let error = anyhow!("don't know what {output} should become");
        return Err(error).hint("let its name end in .html, .txt, .json or .json.gz");
    };
    // Files are read and written with the rights of who asks for it.
    act_for_caller()?;
    // Before the trace is read, which may take a while.
    let file =
        NewFile::create(&options.output).with_context(|| format!("failed to write {output}"))?;
    let trace = trace_file::open(&options.trace)?;
    confine(None, Task::Export(file.directory()))?;
    let mut recording = trace_file::read(&options.trace, trace)?;
    recording.select(&Selection {
        hide_imports: options.hide_imports,
        hide_external: options.hide_external,
        ..Selection::default()
    });
    if options.no_values {
        recording.forget_values();
    }
    write(&recording, format, options, &file)
        .and_then(|()| file.finish())
        .with_context(|| format!("failed to write {output}"))
}

fn write(
    recording: &Recording,
    format: ExportFormat,
    options: &ExportOptions,
    file: &NewFile,
) -> io::Result<()> {
    let patterns = (!options.no_patterns).then(Nearness::default);
    match format {
        ExportFormat::Trace(compression) => {
            let file = file.file().try_clone()?;
            format::write(recording, OutputFile::new(file, compression))
        }
        ExportFormat::Tree => {
            let tree = TreeOptions {
                patterns,
                ..TreeOptions::default()
            };
            let mut out = BufWriter::new(file.file());
            view::write_tree(recording, &tree, &mut out)?;
            out.flush()
        }
        ExportFormat::Page => {
            let mut out = BufWriter::new(file.file());
            let page = server::single_file()?;
            out.write_all(page.before_data.as_bytes())?;
            let size = options.max_size as usize * 1_000_000;
            write_report(
                recording,
                Origin::of(&options.trace),
                patterns,
                size,
                &mut out,
            )?;
            out.write_all(page.behind_data.as_bytes())?;
            out.flush()
        }
    }
}

/// Writes what the page of a report knows of `recording`, in `size` bytes or little more: JSON
/// without `<`, so that it can stand in HTML. `out` should be buffered.
pub fn write_report(
    recording: &Recording,
    origin: Origin,
    grouping: Grouping,
    size: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    let explorer = &Explorer::new(recording);
    let report = Report {
        explorer,
        origin,
        grouping,
        size,
    };
    report.write(out)
}
