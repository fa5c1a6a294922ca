//! `torch.Tensor`, `torch.dtype`, `torch.device`.
//!
//! A tensor's Python object refers to a `c10::TensorImpl` (c10/core/TensorImpl.h), which is private to
//! PyTorch and has moved: what follows the references to the Python object, `sizes_and_strides_` and
//! beyond, has kept its order since 1.8, but starts 72 bytes into the object up to 2.0 or so, 64
//! after that, and 56 by 2.14. So it is looked for, and taken for found only where the number of
//! elements is the product of the sizes and the type and the device are ones that there are.
//! Nothing is shown of what fails that: 1.7 and older, tensors with symbolic sizes.

use std::fmt::Write;

use super::super::text::Writer;
use crate::event::Value;

/// Where in a `TensorImpl` it is read, and how much.
pub(in super::super) const START: u16 = 48;
/// Bytes of that.
pub(in super::super) const SIZE: u16 = 136;

/// Where `sizes_and_strides_` may start, newest version first.
const PLACES: [usize; 3] = [56, 64, 72];
/// From there, in bytes: the sizes, of which five lie in the object itself...
const SIZES: usize = 8;
const INLINE: usize = 5;
/// ... the number of elements, behind five strides and `storage_offset_`; and `data_type_` with
/// `device_opt_`.
const ELEMENTS: usize = 96;
const TYPE: usize = 104;
/// Bits behind the device. In the same place in 1.13 to 2.15: the class of the tensor, or
/// Python, tells other sizes (`sizes_strides_policy_`, `CustomSizes`), another device than those here:
/// nested tensors, symbolic sizes, `FakeTensor`.
const POLICY: usize = 110;
const CUSTOM_SIZES: u8 = 1 << 3;
const CUSTOM_DEVICE: u8 = 1 << 7;
/// More than that no tensor has (`at::MAX_DIMS` is 64, of those that are indexed).
const DIMENSIONS_MAX: u64 = 64;

/// `c10::ScalarType` (c10/core/ScalarType.h), by number. It has only grown.
const TYPES: [&str; 46] = [
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex32",
    "complex64",
    "complex128",
    "bool",
    "qint8",
    "quint8",
    "qint32",
    "bfloat16",
    "quint4x2",
    "quint2x4",
    "bits1x8",
    "bits2x4",
    "bits4x2",
    "bits8",
    "bits16",
    "float8_e5m2",
    "float8_e4m3fn",
    "float8_e5m2fnuz",
    "float8_e4m3fnuz",
    "uint16",
    "uint32",
    "uint64",
    "uint1",
    "uint2",
    "uint3",
    "uint4",
    "uint5",
    "uint6",
    "uint7",
    "int1",
    "int2",
    "int3",
    "int4",
    "int5",
    "int6",
    "int7",
    "float8_e8m0fnu",
    "float4_e2m1fn_x2",
];

/// `c10::DeviceType` (torch/headeronly/core/DeviceType.h), by number; "": versions differ in what it is
/// (8: ort, then maia; 19: privateuseone, then mtia).
const DEVICES: [&str; 21] = [
    "cpu",
    "cuda",
    "mkldnn",
    "opengl",
    "opencl",
    "ideep",
    "hip",
    "fpga",
    "",
    "xla",
    "vulkan",
    "metal",
    "xpu",
    "mps",
    "meta",
    "hpu",
    "ve",
    "lazy",
    "ipu",
    "",
    "privateuseone",
];

/// What is known of a tensor.
#[derive(Debug, PartialEq, Eq)]
struct Tensor {
    dtype: &'static str,
    /// None: the tensor's class tells it.
    device: Option<Device>,
    /// None: the tensor's class tells them, or there are more dimensions than lie in the object.
    sizes: Option<Vec<u64>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Device {
    kind: &'static str,
    index: Option<u8>,
}

/// `torch.Tensor` and what is made of it.
pub(in super::super) fn tensor(writer: &mut Writer<'_>, value: &Value, _: usize) {
    writer.open(value);
    let data = value.data(writer.bytes);
    let mut reads = data.chunks_exact(usize::from(SIZE));
    if let Some(tensor) = reads.find_map(Tensor::find) {
        let _ = write!(writer.out, " {}", tensor.dtype);
        if let Some(sizes) = &tensor.sizes {
            writer.out.push(' ');
            super::dimensions(writer.out, sizes);
        }
        if let Some(device) = tensor.device {
            device.write(writer.out);
        }
    }
    writer.out.push('>');
}

/// `torch.dtype` (torch/csrc/Dtype.h): its number, then its name.
pub(in super::super) fn dtype(writer: &mut Writer<'_>, value: &Value, _: usize) {
    let known = value.data(writer.bytes).split_first();
    match known.and_then(|(&number, name)| Some((TYPES.get(usize::from(number))?, name))) {
        // Where they agree; other names (float, half) have gone by now.
        Some((known, name)) if name.starts_with(known.as_bytes()) => {
            let _ = write!(writer.out, "torch.{known}");
        }
        _ => writer.opaque(value),
    }
}

/// `torch.device` (torch/csrc/Device.h). Up to 1.7 its parts had two bytes each.
pub(in super::super) fn device(writer: &mut Writer<'_>, value: &Value, _: usize) {
    writer.open(value);
    let found = match value.data(writer.bytes) {
        &[kind, index, 0, 0, 0, 0, 0, 0] => Device::new(kind, index),
        _ => None,
    };
    if let Some(device) = found {
        device.write(writer.out);
    }
    writer.out.push('>');
}

impl Tensor {
    /// Finds a tensor in what was read of a `TensorImpl`, or of what may be none.
    fn find(read: &[u8]) -> Option<Tensor> {
        let offset = |place: usize| place - usize::from(START);
        PLACES
            .into_iter()
            .find_map(|place| Tensor::at(read.get(offset(place)..)?))
    }

    /// What these bytes are, from `sizes_and_strides_` on.
    fn at(bytes: &[u8]) -> Option<Tensor> {
        let word = |at: usize| -> Option<u64> {
            Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
        };
        let count = word(0)?;
        let &[low, high, a, b, c] = bytes.get(TYPE..)?.first_chunk()?;
        let dtype = TYPES.get(usize::from(u16::from_le_bytes([low, high])))?;
        let device = Device::of_optional([a, b, c])?;
        if count > DIMENSIONS_MAX {
            return None;
        }
        let elements = word(ELEMENTS)?;
        let sizes = if count as usize <= INLINE {
            let sizes: Option<Vec<u64>> =
                (0..count as usize).map(|at| word(SIZES + 8 * at)).collect();
            let product = sizes
                .as_ref()?
                .iter()
                .try_fold(1u64, |product, &size| product.checked_mul(size));
            if product != Some(elements) {
                return None;
            }
            sizes
        } else {
            // A pointer is where the first size would be.
            let pointer = word(SIZES)?;
            if pointer < 4096 || pointer % 8 != 0 || elements > 1 << 48 {
                return None;
            }
            None
        };
        let policy = *bytes.get(POLICY)?;
        Some(Tensor {
            dtype,
            device: (policy & CUSTOM_DEVICE == 0).then_some(device),
            sizes: sizes.filter(|_| policy & CUSTOM_SIZES == 0),
        })
    }
}

impl Device {
    /// `c10::Device`; -1 is no index.
    fn new(kind: u8, index: u8) -> Option<Device> {
        Some(Device {
            kind: DEVICES.get(usize::from(kind))?,
            index: (index < 128).then_some(index),
        })
    }

    /// `optional<Device>`: whether there is one comes last in std's, and first in c10's own, up to
    /// 2.0 or so. Of a CPU there is but one, without a number: that tells them apart.
    fn of_optional(bytes: [u8; 3]) -> Option<Device> {
        let is_sane = |device: &Device| device.kind != "cpu" || device.index.is_none();
        let [a, b, c] = bytes;
        let new = (c == 1).then(|| Device::new(a, b)).flatten();
        let old = || (a == 1).then(|| Device::new(b, c)).flatten();
        new.filter(is_sane).or_else(|| old().filter(is_sane))
    }

    /// Writes it behind a space, if it has a name.
    fn write(self, out: &mut String) {
        if self.kind.is_empty() {
            return;
        }
        out.push(' ');
        out.push_str(self.kind);
        if let Some(index) = self.index {
            let _ = write!(out, ":{index}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in memory: from `place` on `count`, sizes, strides, storage offset, elements, type, device.
    fn read(place: usize, count: u64, sizes: &[u64], elements: u64, end: [u8; 5]) -> Vec<u8> {
        let mut bytes = vec![0u8; usize::from(SIZE)];
        let start = place - usize::from(START);
        let mut put = |at: usize, word: u64| {
            bytes[start + at..start + at + 8].copy_from_slice(&word.to_le_bytes());
        };
        put(0, count);
        for (index, &size) in sizes.iter().enumerate() {
            put(SIZES + 8 * index, size);
        }
        put(ELEMENTS, elements);
        bytes[start + TYPE..start + TYPE + 5].copy_from_slice(&end);
        bytes
    }

    fn found(read: &[u8]) -> Option<String> {
        let tensor = Tensor::find(read)?;
        let mut text = tensor.dtype.to_owned();
        if let Some(sizes) = tensor.sizes {
            text.push(' ');
            super::super::dimensions(&mut text, &sizes);
        }
        if let Some(device) = tensor.device {
            device.write(&mut text);
        }
        Some(text)
    }

    const CPU: [u8; 5] = [5, 0, 0, 0xff, 1];
    const CUDA_1: [u8; 5] = [15, 0, 1, 1, 1];
    const OLD_CPU: [u8; 5] = [5, 0, 1, 0, 0xff];
    const OLD_CUDA_0: [u8; 5] = [6, 0, 1, 1, 0];

    #[test]
    fn tensors_are_found_wherever_they_start() {
        for place in PLACES {
            let shown = |end| found(&read(place, 3, &[3, 5, 7], 105, end));
            assert_eq!(shown(CPU).unwrap(), "float16 (3, 5, 7) cpu");
            assert_eq!(shown(CUDA_1).unwrap(), "bfloat16 (3, 5, 7) cuda:1");
            assert_eq!(shown(OLD_CPU).unwrap(), "float16 (3, 5, 7) cpu");
            assert_eq!(shown(OLD_CUDA_0).unwrap(), "float32 (3, 5, 7) cuda:0");
        }
        assert_eq!(
            found(&read(64, 0, &[0; 5], 1, CPU)).unwrap(),
            "float16 () cpu"
        );
        assert_eq!(
            found(&read(64, 1, &[0], 0, CPU)).unwrap(),
            "float16 (0,) cpu"
        );
        let many = read(64, 6, &[0x7f00_1000, 0], 64, CPU);
        assert_eq!(found(&many).unwrap(), "float16 cpu");
    }

    #[test]
    fn what_the_class_tells_is_not_told() {
        let mut nested = read(56, 3, &[0, 0, 0], 0, CPU);
        nested[56 - 48 + POLICY] = 0x49;
        assert_eq!(found(&nested).unwrap(), "float16 cpu");
        let mut symbolic = read(56, 1, &[0], 0, CPU);
        symbolic[56 - 48 + POLICY] = 0x99;
        assert_eq!(found(&symbolic).unwrap(), "float16");
    }

    #[test]
    fn what_does_not_agree_is_no_tensor() {
        assert_eq!(found(&read(64, 3, &[3, 5, 7], 104, CPU)), None);
        assert_eq!(found(&read(64, 3, &[1 << 40; 3], 105, CPU)), None);
        assert_eq!(
            found(&read(64, 3, &[3, 5, 7], 105, [5, 1, 0, 0xff, 1])),
            None
        );
        assert_eq!(found(&read(64, 3, &[3, 5, 7], 105, [5, 0, 99, 0, 1])), None);
        assert_eq!(found(&read(64, 65, &[1; 5], 1, CPU)), None);
        assert_eq!(found(&read(64, 6, &[7, 0], 64, CPU)), None);
        assert_eq!(found(&[0; SIZE as usize]), None);
        assert_eq!(found(&[0xff; SIZE as usize]), None);
        assert_eq!(found(&[]), None);
    }
}
