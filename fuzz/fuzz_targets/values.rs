//! Values of a target's objects as captured, to text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pytrace::event::Parameters;
use pytrace::value::{DEFAULT_REDACTION, Describer, Redaction};

fuzz_target!(|bytes: &[u8]| {
    let Ok(redaction) = Redaction::new(DEFAULT_REDACTION) else {
        return;
    };
    let mut describer = Describer::new(redaction, 200, 3);
    let count = u32::from(bytes.first().copied().unwrap_or_default());
    let names = describer.parameters(&Parameters {
        code: 0,
        positional: count % 8,
        keyword_only: count >> 5,
        flags: count,
        names: bytes,
    });
    for (name, value) in describer.arguments(0, &names, bytes).iter() {
        assert!(!name.contains(char::is_control) && !value.contains(char::is_control));
    }
    let (name, message) = describer.exception(0, bytes);
    for text in [describer.result(0, bytes), name, message]
        .into_iter()
        .flatten()
    {
        assert!(!text.contains(char::is_control));
    }
});
