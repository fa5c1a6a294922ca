//! NumPy's arrays and scalars.

use std::fmt::Write;

use super::super::number;
use super::super::text::Writer;
use crate::event::Value;

/// Dimensions that are read.
const DIMENSIONS: usize = 8;

/// What is known of an array.
#[derive(Debug)]
pub(super) struct Array {
    pub(super) dtype: &'static str,
    /// None: there are more dimensions than were read, or they could not be.
    pub(super) lengths: Option<Vec<u64>>,
}

impl Array {
    /// What its head, dimensions and description say; nothing where the description makes no sense.
    pub(super) fn of(value: &Value, bytes: &[u8]) -> Option<Array> {
        let data = value.data(bytes);
        let word = |offset: usize| data.get(offset..offset + 8)?.first_chunk().copied();
        let dimensions = word(8).map_or(0, |word: [u8; 8]| {
            i32::from_le_bytes([word[0], word[1], word[2], word[3]])
        });
        let [kind, _, _, _, a, b, c, d] = word(16 + 8 * DIMENSIONS)?;
        let dtype = dtype(kind, i32::from_le_bytes([a, b, c, d]))?;
        let count = usize::try_from(dimensions).ok();
        let count = count.filter(|&count| count == 0 || (count <= DIMENSIONS && !value.torn()));
        let lengths = count.map(|count| {
            let length = |index| word(16 + 8 * index).map_or(0, u64::from_le_bytes);
            (0..count).map(length).collect()
        });
        Some(Array { dtype, lengths })
    }
}

/// `numpy.ndarray`.
pub(in super::super) fn array(writer: &mut Writer<'_>, value: &Value, _: usize) {
    writer.open(value);
    if let Some(array) = Array::of(value, writer.bytes) {
        writer.out.push(' ');
        writer.out.push_str(array.dtype);
        if let Some(lengths) = array.lengths {
            writer.out.push(' ');
            super::dimensions(writer.out, &lengths);
        }
    }
    writer.out.push('>');
}

/// The name of an array's type by its number (`NPY_TYPES`), if that goes with its kind.
fn dtype(kind: u8, number: i32) -> Option<&'static str> {
    const NAMES: [(u8, &str); 24] = [
        (b'b', "bool"),
        (b'i', "int8"),
        (b'u', "uint8"),
        (b'i', "int16"),
        (b'u', "uint16"),
        (b'i', "int32"),
        (b'u', "uint32"),
        (b'i', "int64"),
        (b'u', "uint64"),
        (b'i', "int64"),
        (b'u', "uint64"),
        (b'f', "float32"),
        (b'f', "float64"),
        (b'f', "float128"),
        (b'c', "complex64"),
        (b'c', "complex128"),
        (b'c', "complex256"),
        (b'O', "object"),
        (b'S', "bytes"),
        (b'U', "str"),
        (b'V', "void"),
        (b'M', "datetime64"),
        (b'm', "timedelta64"),
        (b'f', "float16"),
    ];
    let (of, name) = NAMES.get(usize::try_from(number).ok()?)?;
    (*of == kind).then_some(*name)
}

/// A scalar of NumPy's: what it holds lies in its head.
pub(in super::super) fn scalar(writer: &mut Writer<'_>, value: &Value, _: usize) {
    writer.open(value);
    let Some(&[a, b, c, d, e, f, g, h]) = value.data(writer.bytes).first_chunk() else {
        return writer.out.push('>');
    };
    let eight = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let name = writer.type_of(value).map_or("", |found| &found.name);
    let name = name.strip_prefix("numpy.").unwrap_or_default();
    let out = &mut *writer.out;
    let start = out.len();
    out.push(' ');
    let _ = match name {
        "bool" | "bool_" => write!(out, "{}", if a == 0 { "False" } else { "True" }),
        "int8" => write!(out, "{}", a as i8),
        "uint8" => write!(out, "{a}"),
        "int16" => write!(out, "{}", i16::from_le_bytes([a, b])),
        "uint16" => write!(out, "{}", u16::from_le_bytes([a, b])),
        "int32" => write!(out, "{}", eight as i32),
        "uint32" => write!(out, "{}", eight as u32),
        "int64" | "longlong" => write!(out, "{}", eight as i64),
        "uint64" | "ulonglong" => write!(out, "{eight}"),
        "float16" => {
            number::half(out, u16::from_le_bytes([a, b]));
            Ok(())
        }
        "float32" => {
            number::single(out, f32::from_le_bytes([a, b, c, d]));
            Ok(())
        }
        "complex64" => {
            let (real, imaginary) = ([a, b, c, d], [e, f, g, h]);
            number::complex(out, f32::from_le_bytes(real), f32::from_le_bytes(imaginary));
            Ok(())
        }
        _ => {
            out.truncate(start);
            Ok(())
        }
    };
    out.push('>');
}
