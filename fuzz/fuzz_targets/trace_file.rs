//! A trace file, ours or another tool's: read, and looked at as `show`, `export` and `serve` do.

#![no_main]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use pytrace::format::{read_from, write};
use pytrace_fuzz::looks::{self, Choices};
use pytrace_fuzz::rows;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut recording) = read_from(bytes) else {
        return;
    };
    rows::check_nesting(&recording);
    // Any bytes will do, as long as they are the same the next time.
    let sum = |sum: u32, byte: &u8| sum.wrapping_mul(0x0100_0193) ^ u32::from(*byte);
    let choices = Choices(bytes.iter().fold(0x811c_9dc5, sum));

    if choices.0 % 8 == 0 && !bytes.starts_with(&[0x1f, 0x8b]) {
        let compressed = read_from(&gzipped(bytes)[..]).expect("it is read uncompressed");
        rows::check_same(&compressed, &recording);
        assert_eq!(compressed.truncated, recording.truncated);
    }
    let mut file = Vec::new();
    write(&recording, &mut file).expect("a vector takes all");
    let again = read_from(&file[..]).expect("what was written is read");
    assert!(!again.truncated);
    rows::check_same(&again, &recording);

    let calls = rows::number(&recording);
    let left_out = recording.select(&choices.selection());
    assert_eq!(calls as u64, left_out + rows::number(&recording) as u64);
    rows::check_nesting(&recording);
    // One look costs as much as to read it: not each of them each time.
    match choices.0 >> 13 & 7 {
        0 => looks::check_report(&recording, choices),
        1 | 2 => looks::check_answers(&recording, choices),
        3 | 4 => looks::check_json(&recording, choices),
        _ => looks::check_tree(&recording, choices),
    }
});

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}
