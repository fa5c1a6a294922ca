//! Python's own objects that have recipes.

use std::fmt::Write;

use super::nodes::Node;
use super::string;
use super::text::Writer;
use crate::event::{Shape, Value};

pub(super) fn range(writer: &mut Writer<'_>, _: &Value, index: usize) {
    writer.out.push_str("range(");
    writer.part(writer.child(index, 0));
    writer.out.push_str(", ");
    writer.part(writer.child(index, 1));
    let step = writer.child(index, 2);
    let start = writer.out.len();
    writer.out.push_str(", ");
    writer.part(step);
    if writer.out.get(start..) == Some(", 1") {
        writer.out.truncate(start);
    }
    writer.out.push(')');
}

pub(super) fn slice(writer: &mut Writer<'_>, _: &Value, index: usize) {
    writer.out.push_str("slice(");
    for position in 0..3 {
        if position > 0 {
            writer.out.push_str(", ");
        }
        writer.part(writer.child(index, position));
    }
    writer.out.push(')');
}

pub(super) fn function(writer: &mut Writer<'_>, _: &Value, index: usize) {
    writer.out.push_str("<function ");
    writer.name(writer.child(index, 0));
    writer.out.push('>');
}

pub(super) fn method(writer: &mut Writer<'_>, _: &Value, index: usize) {
    let function = writer.child(index, 0);
    writer.out.push_str("<bound method ");
    let is_fields = |node: &Node| node.value.shape == Shape::Fields;
    if writer.nodes.get(function).is_some_and(is_fields) && writer.child(function, 0) != usize::MAX
    {
        writer.name(writer.child(function, 0));
    } else {
        writer.part(function);
    }
    writer.out.push('>');
}

pub(super) fn builtin(writer: &mut Writer<'_>, value: &Value, _: usize) {
    let data = value.data(writer.bytes);
    let end = data.iter().position(|&byte| byte == 0);
    writer.out.push_str("<built-in function ");
    string::text(
        writer.out,
        data.get(..end.unwrap_or(data.len())).unwrap_or_default(),
        1,
    );
    if end.is_none() {
        writer.out.push('…');
    }
    writer.out.push('>');
}

pub(super) fn module(writer: &mut Writer<'_>, _: &Value, index: usize) {
    writer.out.push_str("<module '");
    writer.name(writer.child(index, 0));
    writer.out.push_str("'>");
}

pub(super) fn exception(writer: &mut Writer<'_>, value: &Value, index: usize) {
    let name = writer.type_of(value).map_or("object", |found| &found.name);
    writer.out.push_str(name);
    writer.out.push('(');
    let arguments = writer.nodes.get(writer.child(index, 0));
    match arguments.filter(|node| node.value.shape == Shape::Tuple) {
        Some(arguments) => {
            for (position, child) in arguments.children().enumerate() {
                if position > 0 {
                    writer.out.push_str(", ");
                }
                writer.part(child);
            }
            let shown = arguments.children().len();
            if (shown as u64) < arguments.value.length {
                writer.out.push_str(if shown > 0 { ", …" } else { "…" });
            }
        }
        None => writer.out.push('…'),
    }
    writer.out.push(')');
}

/// What an asynchronous generator yields, which the evaluator wraps (`_PyAsyncGenWrappedValue`,
/// Objects/genobject.c).
pub(super) fn yielded(writer: &mut Writer<'_>, _: &Value, index: usize) {
    writer.node(writer.child(index, 0));
}

pub(super) fn deque(writer: &mut Writer<'_>, value: &Value, _: usize) {
    let name = writer.type_of(value).map_or("deque", |found| &found.class);
    writer.out.push_str(name);
    if let Some(length) = value.data(writer.bytes).first_chunk() {
        let _ = write!(writer.out, "[{}]", i64::from_le_bytes(*length));
    }
}
