//! Bytes that no kernel program would write.

use proptest::prelude::*;

use super::*;

/// Bytes that look like values more often than chance would have it.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let value = (
        (0..9u16, 0..20u8, 0..6u8, prop_oneof![0..5u32, any::<u32>()]),
        (0..13u64, prop_oneof![0..20u64, any::<u64>()]),
        prop::collection::vec(any::<u8>(), 0..64),
    );
    let value = value.prop_map(|((size, shape, children, detail), (of, length), data)| {
        let mut out = (24 + size * 8).to_le_bytes().to_vec();
        out.extend([shape, children]);
        out.extend(detail.to_le_bytes());
        out.extend(of.to_le_bytes());
        out.extend(length.to_le_bytes());
        out.extend(data);
        out.resize(24 + usize::from(size) * 8, 0);
        out
    });
    prop::collection::vec(value, 0..40).prop_map(|values| values.concat())
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_there_is_text(
        bytes in prop_oneof![likely(), prop::collection::vec(any::<u8>(), 0..500)],
        counts: (u32, u32, u32),
    ) {
        let mut describer = describer();
        let names = describer.parameters(&Parameters {
            code: 0,
            positional: counts.0 % 80,
            keyword_only: counts.1,
            flags: counts.2,
            names: &bytes,
        });
        for (name, value) in describer.arguments(PID, &names, &bytes).iter() {
            prop_assert!(!name.contains(char::is_control) && !value.contains(char::is_control));
        }
        let (name, message) = describer.exception(PID, &bytes);
        for text in [describer.result(PID, &bytes), name, message].into_iter().flatten() {
            prop_assert!(!text.contains(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn a_float_reads_back(value: f64) {
        let text = shown(made(Shape::Float, 0, &value.to_le_bytes()));
        prop_assert!(value.is_nan() || text.parse() == Ok(value), "{text}");
    }
}
