//! Records of the ring buffer: the bytes of one, and the characters of a string of the target's.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pytrace::event::{decode, decode_characters};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(event) = decode(bytes) {
        let _ = format!("{event:?}");
    }
    if let Some((width, characters)) = bytes.split_first() {
        let _ = decode_characters(characters, *width);
    }
});
