//! Objects of packages that are not Python's own.

pub(super) mod numpy;
mod pandas;
pub(super) mod torch;

use std::fmt::{Display, Write};

use super::nodes::Node;
use super::text::Writer;

/// Writes what there is to say of an instance of a package's Python class behind the class's name.
type ShowInstance = fn(&mut Writer<'_>, &Node);

/// Classes whose attributes are not shown, but what can be made of them. To add one, add a row.
const CLASSES: [(&str, ShowInstance); 2] = [
    ("pandas.DataFrame", pandas::shape),
    ("pandas.Series", pandas::shape),
];

/// Whether the attributes of this class say nothing to its users: they are how a package does it.
pub(super) fn is_opaque(class: &str) -> bool {
    ["torch.", "pandas.", "numpy."]
        .iter()
        .any(|package| class.starts_with(package))
}

/// Writes an instance of a class that [`is_opaque`].
pub(super) fn opaque_instance(writer: &mut Writer<'_>, node: &Node, class: &str) {
    writer.open(&node.value);
    if let Some((_, show)) = CLASSES.iter().find(|(name, _)| *name == class) {
        show(writer, node);
    }
    writer.out.push('>');
}

/// Writes lengths as the tuple that Python shows.
fn dimensions(out: &mut String, lengths: &[impl Display]) {
    out.push('(');
    for (index, length) in lengths.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        let _ = write!(out, "{length}");
    }
    out.push_str(if lengths.len() == 1 { ",)" } else { ")" });
}
