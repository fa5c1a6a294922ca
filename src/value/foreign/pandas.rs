//! The shapes of `pandas.DataFrame` and `pandas.Series`.
//!
//! Their `_mgr` has `axes`, a list of the indices: of the columns, then of the rows. It is an attribute
//! of a Python class or of a Cython one (pandas/_libs/internals.pyx), which keeps it at the same
//! place in pandas 1.3 to 3.1. Where an index keeps its labels differs; how many they are is not
//! told of those that are not arrays of NumPy's or ranges.

use super::super::nodes::Node;
use super::super::recipe;
use super::super::text::Writer;
use super::numpy;
use crate::event::{Shape, Value};

/// Writes a frame's or a series' shape, a `?` for a length that is not known.
pub(super) fn shape(writer: &mut Writer<'_>, node: &Node) {
    let Some(lengths) = Reader(writer).lengths(node) else {
        return;
    };
    if lengths.iter().all(Option::is_none) {
        return;
    }
    let known = |length: &Option<u64>| length.map_or("?".to_owned(), |length| length.to_string());
    let lengths: Vec<String> = lengths.iter().map(known).collect();
    writer.out.push(' ');
    super::dimensions(writer.out, &lengths);
}

/// Finds its way through captured nodes.
struct Reader<'a, 'b>(&'a Writer<'b>);

impl<'a> Reader<'a, '_> {
    /// Of the rows, then of the columns, if it has some.
    fn lengths(&self, frame: &Node) -> Option<Vec<Option<u64>>> {
        let manager = self.attribute(frame, "_mgr")?;
        let (axes, numbers) = if self.is(manager, "pandas._libs.internals.BlockManager") {
            let mut children = manager.children();
            (self.node(children.next()?)?, children.next())
        } else {
            (self.attribute(manager, "axes")?, None)
        };
        let whole = axes.children().len() as u64 == axes.value.length;
        if axes.value.shape != Shape::List || axes.value.torn() || !whole {
            return None;
        }
        let mut lengths: Vec<_> = axes
            .children()
            .map(|axis| self.index_length(self.node(axis)?))
            .collect();
        match &mut *lengths {
            [_] => {}
            [columns, _] => {
                // There is a number for each column once one has been asked for.
                let numbers = numbers.and_then(|at| self.array_length(self.node(at)?));
                *columns = columns.or(numbers);
                lengths.reverse();
            }
            _ => return None,
        }
        Some(lengths)
    }

    fn index_length(&self, index: &Node) -> Option<u64> {
        if let Some(range) = self.attribute(index, "_range") {
            return self.range_length(range);
        }
        let labels = self.attribute(index, "_data")?;
        if self.is(labels, "pandas._libs.arrays.NDArrayBacked") {
            return self.array_length(self.node(labels.children().next()?)?);
        }
        self.array_length(labels)
    }

    fn array_length(&self, array: &Node) -> Option<u64> {
        let array = self.is(array, "numpy.ndarray").then_some(array)?;
        let described = numpy::Array::of(&array.value, self.0.bytes)?;
        described.lengths?.first().copied()
    }

    fn range_length(&self, range: &Node) -> Option<u64> {
        let range = self.is(range, "range").then_some(range)?;
        let mut parts = range
            .children()
            .map(|part| self.small_int(&self.node(part)?.value));
        let (start, stop, step) = (parts.next()??, parts.next()??, parts.next()??);
        let (span, step) = match step {
            1.. => (stop - start, step),
            _ => (start - stop, -step),
        };
        if step == 0 {
            return None;
        }
        u64::try_from((span.max(0) + step - 1) / step).ok()
    }

    /// An int of up to two digits, that is 60 bits.
    fn small_int(&self, value: &Value) -> Option<i64> {
        let data = value.data(self.0.bytes);
        if value.shape != Shape::Int || value.length > 2 {
            return None;
        }
        let digits = data.chunks_exact(4).take(value.length as usize);
        let number = digits.rev().fold(0i64, |number, digit| {
            let digit = digit
                .first_chunk()
                .map_or(0, |&digit| i32::from_le_bytes(digit));
            number << 30 | i64::from(digit)
        });
        Some(if value.negative() { -number } else { number })
    }

    fn node(&self, at: usize) -> Option<&'a Node> {
        self.0.nodes.get(at)
    }

    fn is(&self, node: &Node, name: &str) -> bool {
        node.value.shape == Shape::Fields && recipe::name(node.value.recipe()) == Some(name)
    }

    /// An attribute in a dict, or in a slot.
    fn attribute(&self, node: &Node, name: &str) -> Option<&'a Node> {
        if node.value.shape != Shape::Instance {
            return None;
        }
        let at = if node.value.slots() {
            let class = self.0.type_of(&node.value)?;
            let slot = class.slots.iter().position(|slot| &**slot == name)?;
            node.children().nth(slot)?
        } else {
            self.0.attribute(node, name)?
        };
        self.node(at)
    }
}
