//! Values of the target's objects, as captured by the kernel program, to text for people: Python's
//! own `repr` where nothing was cut and nothing of the target had to run for it.
//!
//! Pure. Whatever the bytes are, the text is bounded by their number and has no control characters.

mod container;
mod foreign;
mod instance;
mod nodes;
mod number;
mod objects;
mod parameters;
mod path;
pub mod recipe;
mod redact;
mod string;
mod text;
mod types;

pub use parameters::ParameterNames;
pub use redact::{DEFAULT_REDACTION, Redaction};
pub use types::{Type, Types};

use crate::event::{Parameters, Shape, TypeRecord};
use crate::trace::{ArgumentList, Arguments};
use nodes::Nodes;
use text::Writer;

/// Puts captured values in words.
#[derive(Debug)]
pub struct Describer {
    types: Types,
    redaction: Redaction,
    max_string: usize,
    max_items: usize,
    nodes: Nodes,
    list: ArgumentList,
    text: String,
}

impl Describer {
    /// Shows at most `max_string` characters or bytes of a string, and `max_items` of what an
    /// object has in slots.
    pub fn new(redaction: Redaction, max_string: usize, max_items: usize) -> Describer {
        Describer {
            types: Types::default(),
            redaction,
            max_string,
            max_items,
            nodes: Nodes::default(),
            list: ArgumentList::default(),
            text: String::new(),
        }
    }

    /// Takes a type in, in place of any that had its address.
    pub fn meet(&mut self, pid: u32, record: &TypeRecord) {
        self.types.meet(pid, record);
    }

    /// Forgets the types of a process.
    pub fn forget(&mut self, pid: u32) {
        self.types.forget(pid);
    }

    /// The names of a code object's parameters: once for each.
    pub fn parameters(&mut self, parameters: &Parameters<'_>) -> ParameterNames {
        ParameterNames::new(parameters, &mut self.redaction)
    }

    /// What a call was given.
    pub fn arguments(&mut self, pid: u32, names: &ParameterNames, bytes: &[u8]) -> Arguments {
        self.nodes.read(bytes, names.captured);
        for parameter in &names.parameters {
            self.list.push(&parameter.name, |out| {
                if parameter.redacted {
                    return out.push_str("<redacted>");
                }
                let mut writer = Writer {
                    types: &self.types,
                    redaction: &mut self.redaction,
                    nodes: &self.nodes,
                    bytes,
                    pid,
                    max_string: self.max_string,
                    max_items: self.max_items,
                    depth: 0,
                    out,
                };
                if parameter.receiver {
                    writer.receiver(parameter.local, &*parameter.name == "cls");
                } else {
                    writer.node(parameter.local);
                }
            });
        }
        self.list.take()
    }

    /// What an activation returns or yields, where that was captured.
    pub fn result(&mut self, pid: u32, bytes: &[u8]) -> Option<Box<str>> {
        self.nodes.read(bytes, 1);
        self.nodes.get(0)?;
        Some(self.write(pid, bytes, |writer| writer.node(0)))
    }

    /// The name of an exception's type and its message, as far as they were captured.
    pub fn exception(&mut self, pid: u32, bytes: &[u8]) -> (Option<Box<str>>, Option<Box<str>>) {
        self.nodes.read(bytes, 1);
        let Some(root) = self.nodes.get(0).copied() else {
            return (None, None);
        };
        let only = |index: usize| {
            let node = self.nodes.get(index)?;
            let first = node.children().next()?;
            (node.value.shape == Shape::Tuple && node.value.length == 1).then_some(first)
        };
        let (name, message) = match root.value.shape {
            Shape::Str => (None, Some(0)),
            Shape::Tuple => (None, only(0)),
            Shape::Fields if recipe::is_exception(root.value.recipe()) => {
                let found = self.types.get(pid, root.value.type_address);
                let arguments = root.children().next();
                (
                    found.map(|found| found.name.clone()),
                    arguments.and_then(only),
                )
            }
            _ => (None, None),
        };
        let is_str = |&index: &usize| {
            let node = self.nodes.get(index);
            node.is_some_and(|node| node.value.shape == Shape::Str && !node.value.torn())
        };
        let message = message.filter(is_str);
        let message = message.map(|at| self.write(pid, bytes, |writer| writer.bare(at)));
        (name, message)
    }

    fn write(&mut self, pid: u32, bytes: &[u8], write: impl FnOnce(&mut Writer<'_>)) -> Box<str> {
        self.text.clear();
        write(&mut Writer {
            types: &self.types,
            redaction: &mut self.redaction,
            nodes: &self.nodes,
            bytes,
            pid,
            max_string: self.max_string,
            max_items: self.max_items,
            depth: 0,
            out: &mut self.text,
        });
        self.text.as_str().into()
    }
}

#[cfg(test)]
mod tests;
