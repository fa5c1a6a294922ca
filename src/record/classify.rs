//! What a code object is, by the scope of the process that runs it.

use rustc_hash::FxHashMap;

use super::process;
use crate::event::{CodeRecord, Qualifier, Text, decode_characters};
use crate::scope::{CodeFacts, Scope, Verdict, kind_of};
use crate::trace::{Category, Classify, Code};

/// The scopes of all traced processes.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    by_pid: FxHashMap<u32, Process>,
}

#[derive(Debug)]
struct Process {
    scope: Scope,
    /// Whether names are qualified (3.11+).
    qualified: bool,
}

impl Scopes {
    /// The process now runs an interpreter; replaces what it ran before.
    pub(super) fn insert(&mut self, pid: u32, scope: Scope, minor: u8) {
        self.by_pid.insert(pid, Process { scope, qualified: minor >= 11 });
    }
}

impl Classify for Scopes {
    fn classify(&mut self, pid: u32, record: &CodeRecord) -> Code {
        let process = self.by_pid.get(&pid);
        let (filename, name) = (whole(pid, &record.filename), whole(pid, &record.name));
        let qualname = if process.is_some_and(|process| process.qualified) {
            Some(name.clone())
        } else {
            qualified(pid, &name, record)
        };
        let (verdict, file) = match process {
            Some(process) => {
                let place = process.scope.locate(&filename);
                (place.verdict, place.file.to_string())
            }
            None => (Verdict::External, filename),
        };
        let kind = kind_of(&CodeFacts {
            name: name.rsplit('.').next().unwrap_or_default(),
            qualname: qualname.as_deref(),
            flags: Some(record.flags),
            first_argument: Some(&record.first_argument),
            verdict,
        });
        Code {
            name: qualname.unwrap_or(name),
            file,
            line: record.first_line,
            kind,
            category: match verdict {
                Verdict::Internal => Category::Internal,
                Verdict::External => Category::External,
                Verdict::Import => Category::Import,
            },
        }
    }
}

/// The qualified name of a function whose code object has none.
fn qualified(pid: u32, name: &str, record: &CodeRecord) -> Option<String> {
    match record.qualifier.as_ref()? {
        // A program may set `__qualname__`, even to another function's.
        Qualifier::Function(qualname) => {
            Some(whole(pid, qualname)).filter(|full| full.rsplit('.').next() == Some(name))
        }
        Qualifier::Class(class) => matches!(&*record.first_argument, "self" | "cls")
            .then(|| format!("{}.{name}", whole(pid, class))),
    }
}

/// Names longer than this are left cut: no program has them by accident.
const NAME_MAX_BYTES: usize = 1 << 20;

/// A string of the target, whole: the kernel program captures only the first 4 KiB.
fn whole(pid: u32, text: &Text) -> String {
    let rest = text.whole.filter(|whole| whole.bytes() <= NAME_MAX_BYTES);
    rest.and_then(|whole| {
        let bytes = process::read_memory(pid, whole.address, whole.bytes())?;
        decode_characters(&bytes, whole.width)
    })
    .unwrap_or_else(|| text.text.clone())
}
