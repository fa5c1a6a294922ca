//! Lists, tuples, sets and dicts.

use std::fmt::Write;

use super::nodes::Node;
use super::string;
use super::text::{CHANGED, Writer};
use crate::event::Shape;

/// How a container of a builtin type is written.
struct Brackets {
    name: &'static str,
    open: &'static str,
    close: &'static str,
}

impl Writer<'_> {
    /// Writes a container of a builtin type or of a subclass's.
    pub(super) fn container(&mut self, node: &Node) {
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
        let unknown = value.torn() || value.changed();
        let long = self.depth == 0 || cut || unknown || subclass.is_some();
        let (mut open, mut close) = (brackets.open, brackets.close);
        if long {
            let _ = write!(self.out, "{name}[{}] ", value.length);
            if value.torn() {
                return self.out.push_str("<unreadable>");
            }
            if value.changed() {
                return self.out.push_str(CHANGED);
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
    pub(super) fn pairs(
        &mut self,
        node: &Node,
        is: &str,
        between: &str,
        key: fn(&mut Self, usize),
    ) {
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
        // A name that can't be read in full may be any.
        let any = self.redaction.is_on();
        let Some(node) = self.nodes.get(index) else {
            return any;
        };
        let value = &node.value;
        let width = match value.shape {
            Shape::Str => value.width(),
            Shape::Bytes => 1,
            Shape::Unreadable | Shape::Unset => return any,
            Shape::Opaque => return any && self.type_of(value).is_none(),
            Shape::Instance if self.type_of(value).is_some_and(|it| it.enumeration) => {
                let parts = ["_name_", "_value_"].map(|part| self.attribute(node, part));
                return parts.into_iter().flatten().any(|part| self.redacts(part));
            }
            _ => return false,
        };
        let data = value.data(self.bytes);
        let length = usize::try_from(value.length).unwrap_or(usize::MAX);
        let Some(data) = data.get(..length.saturating_mul(usize::from(width))) else {
            return any;
        };
        if value.torn() {
            return any;
        }
        if width == 1 && data.is_ascii() {
            let name = std::str::from_utf8(data).unwrap_or_default();
            return self.redaction.redacts(name);
        }
        let mut name = String::new();
        string::text(&mut name, data, width);
        self.redaction.redacts(&name)
    }
}
