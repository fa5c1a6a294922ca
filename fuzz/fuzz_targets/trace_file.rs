//! A trace file, as `pytrace show` reads and prints it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pytrace::format::read_from;
use pytrace::view::{Style, write_tree};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(recording) = read_from(bytes) {
        let _ = write_tree(&recording, Style::Ascii, &mut std::io::sink());
    }
});
