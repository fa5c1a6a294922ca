//! A disk that fills up costs the last calls, never the file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{self, Cursor};

use common::Disk;
use pytrace::format::{ChromeWriter, Compression, OutputFile, read_from};
use pytrace::trace::{Category, Kind, Sink};

/// Writes `count` calls of two threads to a disk of `capacity` bytes and checks what is left.
/// Returns how many calls that is.
fn fill(capacity: usize, count: u64, compression: Compression, flush_every: u64) -> usize {
    let mut disk = Disk {
        bytes: Cursor::default(),
        capacity,
    };
    let mut writer = ChromeWriter::new(OutputFile::new(&mut disk, compression));
    let code = common::code(
        "step",
        "/p/train.py",
        88,
        Kind::Function,
        Category::Internal,
    );
    let mut reported = 0;
    for i in 0..count {
        let call = common::call(
            812 + (i % 2) as u32,
            i / 2 + 1,
            0,
            &code,
            1_000 * i,
            1_000 * i + 9,
        );
        let result = writer.call(&call);
        let flushed = if i % flush_every == 0 {
            writer.flush()
        } else {
            Ok(())
        };
        for error in [result, flushed].into_iter().filter_map(Result::err) {
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            reported += 1;
        }
    }
    let footer = common::footer();
    let ended = writer.finish(&footer).unwrap();
    assert!(reported <= 1, "one error is enough");
    assert_eq!(ended.failure.is_some(), ended.unwritten > 0 || reported > 0);

    let recording = read_from(&disk.bytes.get_ref()[..]).unwrap();
    assert!(!recording.truncated);
    let kept: usize = recording
        .threads
        .iter()
        .map(|thread| thread.calls.len())
        .sum();
    let found = recording.footer.unwrap();
    assert_eq!(found.lost, ended.unwritten);
    assert_eq!(kept as u64 + found.lost, count);
    for thread in &recording.threads {
        let lost = found
            .lost_by_thread
            .iter()
            .find(|lost| lost.tid == thread.id.tid);
        let numbers: Vec<u64> = thread.calls.iter().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
        assert_eq!(
            lost.map_or(0, |lost| lost.count),
            count / 2 - numbers.len() as u64
        );
        assert!(lost.is_none_or(|lost| lost.near_call == numbers.len() as u64 + 1));
    }
    if compression == Compression::None {
        let text = std::str::from_utf8(disk.bytes.get_ref()).unwrap();
        serde_json::from_str::<serde_json::Value>(text).unwrap();
    }
    kept
}

#[test]
fn a_full_disk_costs_a_plain_file_only_what_the_end_needs() {
    for capacity in (2_000..9_000).step_by(13).chain([70_000, 131_072, 200_000]) {
        let kept = fill(capacity, 2_000, Compression::None, 2_000);
        // An event of this test has fewer than 170 bytes, and its end fewer than 1400.
        assert!(
            kept * 170 + 1_400 > capacity,
            "{kept} calls on {capacity} bytes"
        );
    }
}

#[test]
fn a_full_disk_costs_a_compressed_file_little() {
    for capacity in (2_000..9_000).step_by(97) {
        let kept = fill(capacity, 4_000, Compression::Gzip, 100);
        assert!(
            kept >= (capacity - 2_000) / 20,
            "{kept} calls on {capacity} bytes"
        );
    }
}

#[test]
fn a_disk_with_room_loses_nothing() {
    for compression in [Compression::None, Compression::Gzip] {
        assert_eq!(fill(10_000_000, 2_000, compression, 100), 2_000);
    }
}

#[test]
fn a_disk_without_any_room_is_an_error() {
    let mut disk = Disk {
        bytes: Cursor::default(),
        capacity: 100,
    };
    let writer = ChromeWriter::new(OutputFile::new(&mut disk, Compression::None));
    let error = writer.finish(&common::footer()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
