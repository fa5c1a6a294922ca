//! A trace file, as `pytrace show` reads and prints it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pytrace::format::read_from;
use pytrace::json::{JsonOptions, write_json};
use pytrace::pattern::{Nearness, Patterns};
use pytrace::view::{Style, TreeOptions, write_tree};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(recording) = read_from(bytes) {
        let options = TreeOptions {
            style: Style::Ascii,
            number_of_calls: true,
            width: Some(usize::from(bytes.len() as u8)),
            ..TreeOptions::default()
        };
        let _ = write_tree(&recording, &options, &mut std::io::sink());
        let patterns = Patterns::new(&recording, Nearness::default());
        let mut json = Vec::new();
        let options = JsonOptions::default();
        write_json(&recording, Some(&patterns), options, &mut json).expect("a vector takes all");
    }
});
