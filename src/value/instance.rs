//! Instances of classes, members of enumerations and paths.

use std::fmt::Write;

use super::foreign;
use super::nodes::Node;
use super::text::{CHANGED, Writer};
use super::types::Type;
use crate::event::Shape;

/// Names of slots are cut to this: `SLOT_NAME_MAX` in `bpf/value.h`, its null byte left out.
const SLOT_NAME_BYTES: usize = 63;

impl Writer<'_> {
    /// Writes an instance of a class.
    pub(super) fn instance(&mut self, node: &Node) {
        let value = &node.value;
        let found = self.type_of(value);
        if value.changed() {
            self.open(value);
            self.out.push(' ');
            self.out.push_str(CHANGED);
            return self.out.push('>');
        }
        if let Some(found) = found {
            if found.enumeration {
                return self.member(node, found);
            }
            if foreign::is_opaque(&found.name) {
                return foreign::opaque_instance(self, node, &found.name);
            }
            if found.name.starts_with("pathlib.") && value.slots() {
                // Drives and backslashes are beyond us.
                let posix = found.class.contains("Posix");
                if !posix || !self.path(node, found) {
                    self.opaque(value);
                }
                return;
            }
        }
        self.open(value);
        let all = match found {
            Some(found) if value.slots() => self.slots(node, found),
            _ => self.attributes(node),
        };
        let missing = usize::from(value.children) > node.children().len();
        if missing || !(all || value.shallow()) {
            self.out.push_str(" …");
        }
        self.out.push('>');
    }

    /// Writes a member of an enumeration; one without a name of its own (flags) by its value.
    fn member(&mut self, node: &Node, class: &Type) {
        let is_name = |&at: &usize| {
            let node = self.nodes.get(at);
            node.is_some_and(|node| node.value.shape == Shape::Str && !node.value.torn())
        };
        if let Some(name) = self.attribute(node, "_name_").filter(is_name) {
            self.out.push_str(class.short());
            self.out.push('.');
            return self.name(name);
        }
        self.out.push('<');
        self.out.push_str(class.short());
        if let Some(value) = self.attribute(node, "_value_") {
            self.out.push(' ');
            self.part(value);
        }
        self.out.push('>');
    }

    /// Writes attributes by name; whether that is all there are.
    fn attributes(&mut self, node: &Node) -> bool {
        let children = node.children();
        if children.len() > 1 {
            self.out.push(' ');
            self.pairs(node, "=", " ", Self::name);
        }
        node.value.length <= children.len() as u64 / 2
    }

    /// Writes those slots that are set; whether that is all of them.
    fn slots(&mut self, node: &Node, class: &Type) -> bool {
        let is_set = |&(child, _): &(usize, _)| {
            let node = self.nodes.get(child);
            node.is_some_and(|node| node.value.shape != Shape::Unset)
        };
        let slots = node.children().zip(&class.slots).filter(is_set);
        let set: Vec<(usize, &Box<str>)> = slots.collect();
        for (child, slot) in set.iter().take(self.max_items) {
            let _ = write!(self.out, " {slot}=");
            let cut = slot.len() >= SLOT_NAME_BYTES && self.redaction.is_on();
            if cut || self.redaction.redacts(slot) {
                self.out.push_str("<redacted>");
            } else {
                self.part(*child);
            }
        }
        let known = node.value.length <= node.children().len() as u64;
        known && set.len() <= self.max_items
    }

    /// The node of an attribute's value.
    pub(super) fn attribute(&self, node: &Node, name: &str) -> Option<usize> {
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
}
