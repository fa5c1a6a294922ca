//! What a code object is, by the scope of the process that runs it.

use rustc_hash::FxHashMap;

use crate::event::CodeRecord;
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
        let qualified = process.is_some_and(|process| process.qualified);
        let (verdict, file) = match process {
            Some(process) => {
                let place = process.scope.locate(&record.filename);
                (place.verdict, place.file.to_string())
            }
            None => (Verdict::External, record.filename.clone()),
        };
        let kind = kind_of(&CodeFacts {
            name: record.name.rsplit('.').next().unwrap_or_default(),
            qualname: qualified.then_some(&*record.name),
            flags: Some(record.flags),
            first_argument: None,
            verdict,
        });
        Code {
            name: record.name.clone(),
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
