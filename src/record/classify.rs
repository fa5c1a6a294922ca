//! What a code object is, by the scope of the process that runs it.

use std::path::PathBuf;

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
    /// The process now runs an interpreter; replaces what it ran before. `qualified`: whether
    /// names are.
    pub(super) fn insert(&mut self, pid: u32, scope: Scope, qualified: bool) {
        self.by_pid.insert(pid, Process { scope, qualified });
    }

    /// Whether the process's names are qualified from now on.
    pub(super) fn set_qualified(&mut self, pid: u32, qualified: bool) {
        if let Some(process) = self.by_pid.get_mut(&pid) {
            process.qualified = qualified;
        }
    }

    /// The directories of a process's scope.
    pub(super) fn directories(&self, pid: u32) -> &[PathBuf] {
        let process = self.by_pid.get(&pid);
        process.map_or(&[], |process| process.scope.directories())
    }

    /// The process has ended.
    pub(super) fn remove(&mut self, pid: u32) {
        self.by_pid.remove(&pid);
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

/// A string of the target, whole: the kernel program captures only the first 16 KiB. By now the
/// string may be gone, and its memory another's: then it stays cut.
fn whole(pid: u32, text: &Text) -> String {
    let rest = text.whole.filter(|whole| whole.bytes() <= NAME_MAX_BYTES);
    let captured = text.text.trim_end_matches('…');
    rest.and_then(|whole| {
        let bytes = process::read_memory(pid, whole.address, whole.bytes())?;
        decode_characters(&bytes, whole.width)
    })
    .filter(|whole| whole.starts_with(captured))
    .unwrap_or_else(|| text.text.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Kind;

    fn text(text: &str) -> Text {
        Text {
            text: text.to_owned(),
            whole: None,
        }
    }

    fn classify(name: &str, first_argument: &str, qualifier: Option<Qualifier>) -> (String, Kind) {
        let record = CodeRecord {
            address: 0x1000,
            id: 1,
            flags: 0x43,
            first_line: 1,
            filename: text("/p/x.py"),
            name: text(name),
            qualifier,
            first_argument: first_argument.to_owned(),
        };
        let code = Scopes::default().classify(1, &record);
        (code.name, code.kind)
    }

    fn function(qualname: &str) -> Option<Qualifier> {
        Some(Qualifier::Function(text(qualname)))
    }

    fn class(qualname: &str) -> Option<Qualifier> {
        Some(Qualifier::Class(text(qualname)))
    }

    #[test]
    fn the_function_tells_its_qualified_name() {
        for (name, argument, qualname, kind) in [
            ("step", "self", "Trainer.step", Kind::Method),
            ("step", "me", "run.<locals>.Trainer.step", Kind::Method),
            (
                "__init__",
                "self",
                "Trainer.__init__",
                Kind::ClassInstantiation,
            ),
            // put into the class later
            ("step", "self", "step", Kind::Function),
        ] {
            assert_eq!(
                classify(name, argument, function(qualname)),
                (qualname.to_owned(), kind)
            );
        }
    }

    #[test]
    fn a_qualified_name_of_another_function_is_not_taken() {
        let renamed = function("Trainer.run");
        assert_eq!(
            classify("step", "self", renamed),
            ("step".to_owned(), Kind::Method)
        );
        assert_eq!(
            classify("step", "x", function("")),
            ("step".to_owned(), Kind::Function)
        );
    }

    #[test]
    fn a_class_is_believed_where_the_argument_is_called_as_in_a_method() {
        for (argument, name, kind) in [
            ("self", "Trainer.loss", Kind::Method),
            ("cls", "Trainer.loss", Kind::Method),
            ("trainer", "loss", Kind::Function),
            ("", "loss", Kind::Function),
        ] {
            assert_eq!(
                classify("loss", argument, class("Trainer")),
                (name.to_owned(), kind)
            );
        }
    }

    #[test]
    fn without_a_qualifier_the_name_is_plain() {
        assert_eq!(classify("f", "x", None), ("f".to_owned(), Kind::Function));
        assert_eq!(classify("f", "self", None), ("f".to_owned(), Kind::Method));
    }
}
