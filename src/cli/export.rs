//! Options of `pytrace export`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::format::Compression;

/// Options of `pytrace export`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ExportOptions {
    /// The trace file: Chrome trace JSON, plain or gzip-compressed
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,

    /// The file to write, whose ending says what it becomes
    ///
    /// `.html`: the page of `pytrace serve`, in one file that needs nothing else. `.txt`: the tree of
    /// `pytrace show`, in whole. `.json` and `.json.gz`: a trace file.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// Do not group what repeats: every call on its own
    #[arg(long)]
    pub no_patterns: bool,

    /// Leave out the import system and the bodies of imported modules
    #[arg(long)]
    pub hide_imports: bool,

    /// Leave out calls to functions outside the scope
    #[arg(long)]
    pub hide_external: bool,

    /// Leave out arguments, results and the messages of exceptions, which may be nobody else's business
    #[arg(long)]
    pub no_values: bool,

    /// Size in MB that a page may have; it says what is left out
    #[arg(long, value_name = "MB", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub max_size: u32,
}

/// What a trace is made into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A page.
    Page,
    /// A tree, as text.
    Tree,
    /// A trace file.
    Trace(Compression),
}

impl ExportFormat {
    /// What the ending of `path` asks for.
    pub fn of(path: &Path) -> Option<ExportFormat> {
        let ending = path.extension().and_then(OsStr::to_str)?;
        let format = match &*ending.to_ascii_lowercase() {
            "html" | "htm" => ExportFormat::Page,
            "txt" => ExportFormat::Tree,
            "json" => ExportFormat::Trace(Compression::None),
            "gz" => match ExportFormat::of(Path::new(path.file_stem()?))? {
                ExportFormat::Trace(_) => ExportFormat::Trace(Compression::Gzip),
                _ => return None,
            },
            _ => return None,
        };
        Some(format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_the_format() {
        for (path, format) in [
            ("report.html", Some(ExportFormat::Page)),
            ("a.b/R.HTM", Some(ExportFormat::Page)),
            ("tree.txt", Some(ExportFormat::Tree)),
            ("t.json", Some(ExportFormat::Trace(Compression::None))),
            ("t.json.gz", Some(ExportFormat::Trace(Compression::Gzip))),
            ("t.html.gz", None),
            ("t.gz", None),
            ("html", None),
            (".html", None),
            ("t.svg", None),
            ("/", None),
        ] {
            assert_eq!(ExportFormat::of(Path::new(path)), format, "{path}");
        }
    }
}
