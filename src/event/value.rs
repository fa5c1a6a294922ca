//! The heads of captured values.

use plain::Plain;

use super::read;
use crate::bpf::frames::types;

/// What a value's data and children are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nothing but its type is known.
    Opaque,
    /// The object is on no page in memory.
    Unreadable,
    /// A null pointer.
    Unset,
    /// `None`.
    None,
    /// `True` if its length is not 0.
    Bool,
    /// Its length is in digits of 30 bits, which are the data, the least significant first. Beyond
    /// [`Value::INT_DIGITS`], the data are the last [`Value::INT_TOP_DIGITS`].
    Int,
    /// Its data are a double.
    Float,
    /// Its data are two doubles.
    Complex,
    /// Its length is in characters, the first of which are the data.
    Str,
    /// Its data are the first bytes.
    Bytes,
    /// Its data are the first bytes.
    Bytearray,
    /// Its children are the first items.
    List,
    /// Its children are the first items.
    Tuple,
    /// Its children are some items.
    Set,
    /// Its children are some items.
    Frozenset,
    /// Its children are the first items: key, value, key, value.
    Dict,
    /// Its children are the first attributes: name, value, name, value; or values of slots.
    Instance,
    /// A type, whose address is its length.
    Type,
    /// Its data and children are what a recipe says.
    Fields,
}

/// In the order of their numbers in the kernel program.
const SHAPES: [(types::shape, Shape); 19] = [
    (types::shape::SHAPE_OPAQUE, Shape::Opaque),
    (types::shape::SHAPE_UNREADABLE, Shape::Unreadable),
    (types::shape::SHAPE_UNSET, Shape::Unset),
    (types::shape::SHAPE_NONE, Shape::None),
    (types::shape::SHAPE_BOOL, Shape::Bool),
    (types::shape::SHAPE_INT, Shape::Int),
    (types::shape::SHAPE_FLOAT, Shape::Float),
    (types::shape::SHAPE_COMPLEX, Shape::Complex),
    (types::shape::SHAPE_STR, Shape::Str),
    (types::shape::SHAPE_BYTES, Shape::Bytes),
    (types::shape::SHAPE_BYTEARRAY, Shape::Bytearray),
    (types::shape::SHAPE_LIST, Shape::List),
    (types::shape::SHAPE_TUPLE, Shape::Tuple),
    (types::shape::SHAPE_SET, Shape::Set),
    (types::shape::SHAPE_FROZENSET, Shape::Frozenset),
    (types::shape::SHAPE_DICT, Shape::Dict),
    (types::shape::SHAPE_INSTANCE, Shape::Instance),
    (types::shape::SHAPE_TYPE, Shape::Type),
    (types::shape::SHAPE_FIELDS, Shape::Fields),
];

impl Shape {
    /// Its number in the kernel program.
    pub fn number(self) -> u8 {
        let found = SHAPES.iter().find(|(_, shape)| *shape == self);
        found.map_or(0, |(number, _)| number.0 as u8)
    }

    fn of_number(number: u8) -> Shape {
        match SHAPES.get(usize::from(number)) {
            Some((_, shape)) => *shape,
            None => Shape::Opaque,
        }
    }
}

/// The head of a captured value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// What its data and children are.
    pub shape: Shape,
    /// How many of the values that follow are its own, if all have found room.
    pub children: u8,
    /// The address of its type.
    pub type_address: u64,
    /// Its length, in what depends on its shape.
    pub length: u64,
    /// Where its data start in the bytes captured.
    pub start: u32,
    /// Where they end: the last up to seven may be padding.
    pub end: u32,
    detail: u32,
}

impl Value {
    /// Integers of up to so many digits are captured whole.
    pub const INT_DIGITS: usize = types::value_limits::INT_DIGITS.0 as usize;
    /// Of others, so many are.
    pub const INT_TOP_DIGITS: usize = types::value_limits::INT_TOP_DIGITS.0 as usize;

    /// Bytes of each character of a str.
    pub fn width(&self) -> u8 {
        (self.detail & types::value_detail::VALUE_WIDTH.0) as u8
    }

    /// Whether an integer is negative.
    pub fn negative(&self) -> bool {
        self.has(types::value_detail::VALUE_NEGATIVE)
    }

    /// Whether an instance's children are values of its type's slots.
    pub fn slots(&self) -> bool {
        self.has(types::value_detail::VALUE_SLOTS)
    }

    /// Whether what the object leads to could not be read.
    pub fn torn(&self) -> bool {
        self.has(types::value_detail::VALUE_TORN)
    }

    /// Whether another thread has changed it while it was read: what its children are is not known.
    pub fn changed(&self) -> bool {
        self.has(types::value_detail::VALUE_CHANGED)
    }

    /// Whether it was not looked into on purpose.
    pub fn shallow(&self) -> bool {
        self.has(types::value_detail::VALUE_SHALLOW)
    }

    /// The number of the recipe that says what the fields are.
    pub fn recipe(&self) -> u32 {
        self.detail >> types::value_detail::VALUE_RECIPE_SHIFT.0
    }

    /// Its data, of the bytes captured.
    pub fn data<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    fn has(&self, detail: types::value_detail) -> bool {
        self.detail & detail.0 != 0
    }
}

// SAFETY: plain integers; every bit pattern is a value.
unsafe impl Plain for types::value {}

/// The values that are whole, in the order in which they were captured.
pub fn values(bytes: &[u8]) -> impl Iterator<Item = Value> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..)?;
        let head: types::value = read(rest).ok()?;
        let size = usize::from(head.bytes);
        if size < size_of::<types::value>() || size > rest.len() {
            return None;
        }
        let start = at + size_of::<types::value>();
        at += size;
        Some(Value {
            shape: Shape::of_number(head.shape),
            children: head.children,
            type_address: head.r#type,
            length: head.length,
            start: u32::try_from(start).ok()?,
            end: u32::try_from(at).ok()?,
            detail: head.detail,
        })
    })
}
