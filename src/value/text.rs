//! Nodes to text.

use std::fmt::Write;

use super::nodes::Nodes;
use super::number;
use super::recipe;
use super::redact::Redaction;
use super::string;
use super::types::{Type, Types};
use crate::event::{Shape, Value};

/// Nodes below each other that are shown.
const DEPTH_MAX: u32 = 64;

/// What stands for the items of what another thread has changed while they were read.
pub(super) const CHANGED: &str = "<changed>";

/// Writes nodes as text.
pub(super) struct Writer<'a> {
    pub(super) types: &'a Types,
    pub(super) redaction: &'a mut Redaction,
    pub(super) nodes: &'a Nodes,
    pub(super) bytes: &'a [u8],
    pub(super) pid: u32,
    pub(super) max_string: usize,
    pub(super) max_items: usize,
    pub(super) depth: u32,
    pub(super) out: &'a mut String,
}

impl<'a> Writer<'a> {
    /// Writes a node; `…` if there was no room for it.
    pub(super) fn node(&mut self, index: usize) {
        let Some(node) = self.nodes.get(index).filter(|_| self.depth < DEPTH_MAX) else {
            return self.out.push('…');
        };
        let value = &node.value;
        match value.shape {
            Shape::Int if self.is_enumeration(value) => {
                self.open(value);
                self.out.push(' ');
                self.int(value);
                self.out.push('>');
            }
            Shape::Int => self.int(value),
            Shape::None => self.out.push_str("None"),
            Shape::Bool if value.length == 0 => self.out.push_str("False"),
            Shape::Bool => self.out.push_str("True"),
            Shape::Float => match self.double(value, 0) {
                Some(float) => number::float(self.out, float),
                None => self.out.push('…'),
            },
            Shape::Complex => match (self.double(value, 0), self.double(value, 8)) {
                (Some(real), Some(imaginary)) => number::complex(self.out, real, imaginary),
                _ => self.out.push('…'),
            },
            Shape::Str => self.string(value),
            Shape::Bytes | Shape::Bytearray => self.string_of_bytes(value),
            Shape::Unreadable => self.out.push_str("<unreadable>"),
            Shape::Unset => self.out.push_str("<unset>"),
            Shape::List | Shape::Tuple | Shape::Set | Shape::Frozenset | Shape::Dict => {
                self.container(node);
            }
            Shape::Instance => self.instance(node),
            Shape::Type => {
                self.out.push_str("<class '");
                match self.types.get(self.pid, value.length) {
                    Some(found) => self.out.push_str(&found.name),
                    None => self.out.push('…'),
                }
                self.out.push_str("'>");
            }
            Shape::Fields => match recipe::show(value.recipe()) {
                Some(show) => show(self, value, index),
                None => self.opaque(value),
            },
            Shape::Opaque => self.opaque(value),
        }
    }

    /// Writes a node that is a part of the one being written.
    pub(super) fn part(&mut self, index: usize) {
        self.depth += 1;
        self.node(index);
        self.depth -= 1;
    }

    /// Writes the class of a method's receiver; or, where it is `cls`, the class that it is.
    pub(super) fn receiver(&mut self, index: usize, class: bool) {
        let Some(node) = self.nodes.get(index) else {
            return self.out.push('…');
        };
        let found = match node.value.shape {
            Shape::Unreadable | Shape::Unset => return self.node(index),
            Shape::Type if class => self.types.get(self.pid, node.value.length),
            _ => self.type_of(&node.value),
        };
        let name = found.map_or("object", |found| &found.class);
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
    }

    /// Writes a str without quotes.
    pub(super) fn bare(&mut self, index: usize) {
        self.unquoted(index, self.max_string);
    }

    /// Writes a name, as far as it was captured: names are not cut as strings are.
    pub(super) fn name(&mut self, index: usize) {
        self.unquoted(index, usize::MAX);
    }

    fn unquoted(&mut self, index: usize, limit: usize) {
        let Some(node) = self.nodes.get(index) else {
            return self.out.push('…');
        };
        let value = &node.value;
        if value.shape != Shape::Str {
            return self.node(index);
        }
        let (data, cut) = self.first_of(value, value.width(), limit);
        string::text(self.out, data, value.width());
        if cut {
            self.out.push('…');
        }
    }

    pub(super) fn type_of(&self, value: &Value) -> Option<&'a Type> {
        self.types.get(self.pid, value.type_address)
    }

    /// Writes `<pkg.Class`.
    pub(super) fn open(&mut self, value: &Value) {
        self.out.push('<');
        let name = self.type_of(value).map_or("object", |found| &found.name);
        self.out.push_str(name);
    }

    pub(super) fn opaque(&mut self, value: &Value) {
        self.open(value);
        self.out.push('>');
    }

    fn is_enumeration(&self, value: &Value) -> bool {
        self.type_of(value).is_some_and(|found| found.enumeration)
    }

    fn int(&mut self, value: &Value) {
        number::int(
            self.out,
            value.negative(),
            value.length,
            value.data(self.bytes),
            Value::INT_DIGITS,
            Value::INT_TOP_DIGITS,
        );
    }

    fn double(&self, value: &Value, at: usize) -> Option<f64> {
        let bytes = value.data(self.bytes).get(at..)?.first_chunk()?;
        Some(f64::from_le_bytes(*bytes))
    }

    /// What is to be shown of a string of characters of this width, and whether that is not all.
    pub(super) fn shown(&self, value: &Value, width: u8) -> (&'a [u8], bool) {
        self.first_of(value, width, self.max_string)
    }

    fn first_of(&self, value: &Value, width: u8, limit: usize) -> (&'a [u8], bool) {
        let width = usize::from(width).max(1);
        let data = value.data(self.bytes);
        let length = usize::try_from(value.length).unwrap_or(usize::MAX);
        let count = length.min(data.len() / width).min(limit);
        let shown = data.get(..count * width).unwrap_or_default();
        (shown, count < length)
    }

    fn string(&mut self, value: &Value) {
        let (data, cut) = self.shown(value, value.width());
        if cut || value.torn() {
            let _ = write!(self.out, "str[{}] ", value.length);
        }
        if value.torn() {
            return self.out.push_str("<unreadable>");
        }
        let quote = string::open_str(self.out, data, value.width());
        if cut {
            self.out.push('…');
        }
        self.out.push(quote);
    }

    fn string_of_bytes(&mut self, value: &Value) {
        let array = value.shape == Shape::Bytearray;
        let (data, cut) = self.shown(value, 1);
        if cut || value.torn() || value.changed() {
            let name = if array { "bytearray" } else { "bytes" };
            let _ = write!(self.out, "{name}[{}] ", value.length);
        } else if array {
            self.out.push_str("bytearray(");
        }
        if value.torn() {
            return self.out.push_str("<unreadable>");
        }
        if value.changed() {
            return self.out.push_str(CHANGED);
        }
        let quote = string::open_bytes(self.out, data);
        if cut {
            self.out.push('…');
        }
        self.out.push(quote);
        if array && !cut {
            self.out.push(')');
        }
    }

    /// The index of a node's child, or one that no node has.
    pub(super) fn child(&self, index: usize, position: usize) -> usize {
        let node = self.nodes.get(index);
        let child = node.and_then(|node| node.children().nth(position));
        child.unwrap_or(usize::MAX)
    }
}
