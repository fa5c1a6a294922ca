//! Nodes to text.

use std::fmt::Write;

use super::foreign;
use super::nodes::{Node, Nodes};
use super::number;
use super::recipe;
use super::redact::Redaction;
use super::string;
use super::types::{Type, Types};
use crate::event::{Shape, Value};

/// Nodes below each other that are shown.
const DEPTH_MAX: u32 = 64;

/// Writes nodes as text.
pub(super) struct Writer<'a> {
    pub(super) types: &'a Types,
    pub(super) redaction: &'a mut Redaction,
    pub(super) nodes: &'a Nodes,
    pub(super) bytes: &'a [u8],
    pub(super) pid: u32,
    pub(super) max_string: usize,
    pub(super) depth: u32,
    pub(super) out: &'a mut String,
}

/// How a container of a builtin type is written.
struct Brackets {
    name: &'static str,
    open: &'static str,
    close: &'static str,
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

    /// Writes the class that a method was called on, or on an instance of.
    pub(super) fn receiver(&mut self, index: usize) {
        let Some(node) = self.nodes.get(index) else {
            return self.out.push('…');
        };
        let found = match node.value.shape {
            Shape::Unreadable | Shape::Unset => return self.node(index),
            Shape::Type => self.types.get(self.pid, node.value.length),
            _ => self.type_of(&node.value),
        };
        let class = found.map_or("object", |found| &found.class);
        self.out.push('<');
        self.out.push_str(class);
        self.out.push('>');
    }

    /// Writes a str without quotes.
    pub(super) fn bare(&mut self, index: usize) {
        let Some(node) = self.nodes.get(index) else {
            return self.out.push('…');
        };
        let value = &node.value;
        if value.shape != Shape::Str {
            return self.node(index);
        }
        let (data, cut) = self.shown(value, value.width());
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

    fn opaque(&mut self, value: &Value) {
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
        let width = usize::from(width).max(1);
        let data = value.data(self.bytes);
        let length = usize::try_from(value.length).unwrap_or(usize::MAX);
        let count = length.min(data.len() / width).min(self.max_string);
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
        if cut || value.torn() {
            let name = if array { "bytearray" } else { "bytes" };
            let _ = write!(self.out, "{name}[{}] ", value.length);
        } else if array {
            self.out.push_str("bytearray(");
        }
        if value.torn() {
            return self.out.push_str("<unreadable>");
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

    fn container(&mut self, node: &Node) {
        let value = &node.value;
        let brackets = match value.shape {
            Shape::List => Brackets {
                name: "list",
                open: "[",
                close: "]",
            },
            Shape::Tuple => Brackets {
                name: "tuple",
                open: "(",
                close: ")",
            },
            Shape::Set => Brackets {
                name: "set",
                open: "{",
                close: "}",
            },
            Shape::Frozenset => Brackets {
                name: "frozenset",
                open: "{",
                close: "}",
            },
            _ => Brackets {
                name: "dict",
                open: "{",
                close: "}",
            },
        };
        let is_dict = value.shape == Shape::Dict;
        let present = node.children().len();
        let shown = if is_dict { present / 2 } else { present };
        let cut = shown as u64 != value.length;
        let subclass = self
            .type_of(value)
            .filter(|found| *found.name != *brackets.name);
        let name = subclass.map_or(brackets.name, |found| &found.class);
        let long = self.depth == 0 || cut || value.torn() || subclass.is_some();
        let (mut open, mut close) = (brackets.open, brackets.close);
        if long {
            let _ = write!(self.out, "{name}[{}] ", value.length);
            if value.torn() {
                return self.out.push_str("<unreadable>");
            }
        } else {
            (open, close) = match (value.shape, shown) {
                (Shape::Set, 0) => ("set(", ")"),
                (Shape::Frozenset, 0) => ("frozenset(", ")"),
                (Shape::Frozenset, _) => ("frozenset({", "})"),
                _ => (open, close),
            };
        }
        self.out.push_str(open);
        if is_dict {
            self.pairs(node, ": ", ", ", Self::part);
        } else {
            for (position, child) in node.children().enumerate() {
                if position > 0 {
                    self.out.push_str(", ");
                }
                self.part(child);
            }
        }
        if cut {
            self.out.push_str(if shown > 0 { ", …" } else { "…" });
        } else if value.shape == Shape::Tuple && shown == 1 {
            self.out.push(',');
        }
        self.out.push_str(close);
    }

    /// Writes names or keys and their values.
    fn pairs(&mut self, node: &Node, is: &str, between: &str, key: fn(&mut Self, usize)) {
        let children = node.children();
        for at in children
            .clone()
            .step_by(2)
            .filter(|at| at + 1 < children.end)
        {
            if at > children.start {
                self.out.push_str(between);
            }
            key(self, at);
            self.out.push_str(is);
            if self.redacts(at) {
                self.out.push_str("<redacted>");
            } else {
                self.part(at + 1);
            }
        }
    }

    /// Whether what stands under this name or key is not to be stored.
    fn redacts(&mut self, index: usize) -> bool {
        let Some(node) = self.nodes.get(index) else {
            return false;
        };
        let value = &node.value;
        let width = match value.shape {
            Shape::Str => value.width(),
            Shape::Bytes => 1,
            _ => return false,
        };
        let data = value.data(self.bytes);
        let length = usize::try_from(value.length).unwrap_or(usize::MAX);
        let data = data
            .get(..length.saturating_mul(usize::from(width)))
            .unwrap_or(data);
        if width == 1 && data.is_ascii() {
            let name = std::str::from_utf8(data).unwrap_or_default();
            return self.redaction.redacts(name);
        }
        let mut name = String::new();
        string::text(&mut name, data, width);
        self.redaction.redacts(&name)
    }

    fn instance(&mut self, node: &Node) {
        let value = &node.value;
        let found = self.type_of(value);
        if let Some(found) = found {
            if found.enumeration
                && let Some(name) = self.attribute(node, "_name_")
            {
                self.out.push_str(found.short());
                self.out.push('.');
                return self.bare(name);
            }
            if foreign::is_opaque(&found.name) {
                return self.opaque(value);
            }
            if value.slots() && self.path(node, found) {
                return;
            }
        }
        self.open(value);
        let children = node.children();
        if value.slots() {
            for (child, slot) in children.zip(found.map_or(&[][..], |found| &found.slots)) {
                let unset = |node: &Node| node.value.shape == Shape::Unset;
                if self.nodes.get(child).is_some_and(unset) {
                    continue;
                }
                let _ = write!(self.out, " {slot}=");
                if self.redaction.redacts(slot) {
                    self.out.push_str("<redacted>");
                } else {
                    self.part(child);
                }
            }
        } else if children.len() > 1 {
            self.out.push(' ');
            self.pairs(node, "=", " ", Self::bare);
        }
        let shown = if value.slots() {
            node.children().len()
        } else {
            node.children().len() / 2
        };
        let missing = usize::from(value.children) > node.children().len();
        if missing || (!value.shallow() && value.length > shown as u64) {
            self.out.push_str(" …");
        }
        self.out.push('>');
    }

    /// The node of an attribute's value.
    fn attribute(&self, node: &Node, name: &str) -> Option<usize> {
        let mut names = node.children().step_by(2);
        let at = names.find(|&at| {
            self.nodes.get(at).is_some_and(|node| {
                let data = node.value.data(self.bytes);
                node.value.shape == Shape::Str
                    && node.value.length == name.len() as u64
                    && data.get(..name.len()) == Some(name.as_bytes())
            })
        })?;
        (at + 1 < node.children().end).then_some(at + 1)
    }

    /// Writes a path of `pathlib`'s, if it is one and its slots tell.
    fn path(&mut self, node: &Node, found: &Type) -> bool {
        if !found.name.starts_with("pathlib.") {
            return false;
        }
        let slot = |name: &str| {
            let at = found.slots.iter().position(|slot| **slot == *name)?;
            let child = node.children().nth(at)?;
            let value = &self.nodes.get(child)?.value;
            (!matches!(value.shape, Shape::Unset | Shape::Unreadable)).then_some(child)
        };
        let parts = ["_raw_paths", "_parts"].into_iter().find_map(slot);
        let mut path = Vec::new();
        if let Some(parts) = parts.and_then(|at| self.nodes.get(at))
            && parts.value.shape == Shape::List
            && parts.children().len() as u64 == parts.value.length
        {
            for child in parts.children() {
                let Some(part) = self.nodes.get(child) else {
                    return false;
                };
                let (data, cut) = self.shown(&part.value, part.value.width());
                if part.value.shape != Shape::Str || cut || part.value.torn() {
                    return false;
                }
                let slash = u32::from('/');
                let mut rest = string::characters(data, part.value.width()).peekable();
                if rest.peek() == Some(&slash) {
                    path.clear();
                } else if path.last().is_some_and(|&last| last != slash) {
                    path.push(slash);
                }
                path.extend(rest);
            }
        } else if let Some(whole) = slot("_str").and_then(|at| self.nodes.get(at)) {
            let (data, cut) = self.shown(&whole.value, whole.value.width());
            if whole.value.shape != Shape::Str || cut || whole.value.torn() {
                return false;
            }
            path.extend(string::characters(data, whole.value.width()));
        } else {
            return false;
        }
        if path.is_empty() {
            path.push(u32::from('.'));
        }
        let data: Vec<u8> = path.iter().flat_map(|code| code.to_le_bytes()).collect();
        self.out.push_str(found.short());
        self.out.push('(');
        let quote = string::open_str(self.out, &data, 4);
        self.out.push(quote);
        self.out.push(')');
        true
    }

    /// The index of a node's child, or one that no node has.
    pub(super) fn child(&self, index: usize, position: usize) -> usize {
        let node = self.nodes.get(index);
        let child = node.and_then(|node| node.children().nth(position));
        child.unwrap_or(usize::MAX)
    }
}
