//! Records of the ring buffer: decoded, built into calls, written to a trace file and kept in memory.
//!
//! The first byte of an input says how they are recorded; see `stream` for the rest.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use pytrace::event::decode_characters;
use pytrace::format::read_from;
use pytrace::trace::Filter;
use pytrace_fuzz::events::{Options, record};
use pytrace_fuzz::{rows, stream};

fuzz_target!(|bytes: &[u8]| {
    let Some((&choices, records)) = bytes.split_first() else {
        return;
    };
    let bit = |bit: u8| choices >> bit & 1 == 0;
    let options = Options {
        filter: Filter {
            external_calls: bit(0),
            imports: bit(1),
        },
        values: bit(2),
        steady: bit(3),
    };
    let made = record(stream::records(records), options);
    rows::check_nesting(&made.recording);
    if options.steady {
        rows::check_times(&made.recording);
    }
    let totals = made.totals;
    assert_eq!(totals.calls, rows::number(&made.recording) as u64);
    let of_categories = totals.internal + totals.external + totals.imports;
    assert_eq!(totals.calls, of_categories);
    for thread in &made.recording.threads {
        let numbers = thread.calls.iter().map(|row| row.number);
        assert!(numbers.eq(1..=thread.calls.len() as u64), "{:?}", thread.id);
    }
    let read = read_from(&made.file[..]).expect("what was written is read");
    assert!(!read.truncated);
    rows::check_same(&read, &made.recording);
    let _ = decode_characters(records, choices);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // What the fuzzer itself does finds its way in code; what is aimed keeps to records.
    if seed % 4 == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let changed = stream::mutate(&data[..size], 1, max_size, seed);
    data[..changed.len()].copy_from_slice(&changed);
    changed.len()
});
