//! `pytrace export`: a saved trace in another form.

mod new_file;

use std::io::{self, BufWriter, Write as _};

use anyhow::{Context as _, Result, anyhow};

use crate::cli::{ExportFormat, ExportOptions};
use crate::error::WithHint as _;
use crate::format::{self, Compression, OutputFile};
use crate::pattern::Nearness;
use crate::recording::{Recording, Selection};
use crate::view::{self, TreeOptions};
use new_file::NewFile;

/// Writes the file that is asked for.
pub fn run(options: &ExportOptions) -> Result<()> {
    let output = options.output.display();
    let Some(format) = ExportFormat::of(&options.output) else {
        let error = anyhow!("don't know what {output} should become");
        return Err(error).hint("let its name end in .html, .txt, .json or .json.gz");
    };
    // Before the trace is read, which may take a while.
    let file =
        NewFile::create(&options.output).with_context(|| format!("failed to write {output}"))?;
    let mut recording = trace_file::read(&options.trace, trace_file::open(&options.trace)?)?;
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
        ExportFormat::Page => todo!(),
    }
}
