//! Records of the ring buffer one behind the other, as an input of the fuzzer.
//!
//! Each is preceded by its length: two bytes, little-endian. What is said to be longer than the rest
//! of the input is the rest.

use crate::mutate::{Random, VALUES};

/// Bytes of a length.
const LENGTH: usize = 2;

/// The records in `stream`.
pub fn records(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        let (length, behind) = rest.split_first_chunk::<LENGTH>()?;
        let length = usize::from(u16::from_le_bytes(*length)).min(behind.len());
        let (record, behind) = behind.split_at(length);
        rest = behind;
        Some(record)
    })
}

/// Appends a record, or as much of it as a length can tell.
pub fn push(stream: &mut Vec<u8>, record: &[u8]) {
    let length = u16::try_from(record.len()).unwrap_or(u16::MAX);
    stream.extend_from_slice(&length.to_le_bytes());
    stream.extend_from_slice(&record[..usize::from(length)]);
}

/// Changes the stream behind the first `head` bytes of an input as a kernel program that errs might:
/// records are missing, twice, elsewhere or cut, and words in them another's. The input becomes no
/// longer than `most`.
pub fn mutate(input: &[u8], head: usize, most: usize, seed: u32) -> Vec<u8> {
    let head = &input[..head.min(input.len())];
    let mut records: Vec<Vec<u8>> = records(&input[head.len()..]).map(<[u8]>::to_vec).collect();
    let mut random = Random::new(seed);
    for _ in 0..=random.below(4) {
        change(&mut records, &mut random);
    }
    let mut changed = head.to_vec();
    for record in &records {
        if changed.len() + LENGTH + record.len() <= most {
            push(&mut changed, record);
        }
    }
    changed
}

fn change(records: &mut Vec<Vec<u8>>, random: &mut Random) {
    if records.is_empty() {
        return records.push(vec![0; random.below(128)]);
    }
    let at = random.below(records.len());
    let other = random.below(records.len());
    match random.below(10) {
        0 => drop(records.remove(at)),
        1 => records.insert(other, records[at].clone()),
        2 => records.swap(at, other),
        3 => {
            let length = random.below(records[at].len() + 1);
            records[at].truncate(length);
        }
        4 => {
            let length = records[at].len() + random.below(256);
            records[at].resize(length, random.next() as u8);
        }
        // A kind or a detail.
        5 => {
            if let Some(byte) = records[at].get_mut(random.below(2)) {
                *byte = random.below(24) as u8;
            }
        }
        // A frame, a code object, a type or a thread that occurs elsewhere.
        6 | 7 => {
            let word = random.below(records[other].len() / 4) * 4;
            let width = [4, 8][random.below(2)];
            let word = records[other].get(word..word + width).map(<[u8]>::to_vec);
            let to = random.below(records[at].len() / 4) * 4;
            if let Some((to, word)) = records[at].get_mut(to..to + width).zip(word) {
                to.copy_from_slice(&word);
            }
        }
        8 => {
            let value = VALUES[random.below(VALUES.len())].to_le_bytes();
            let width = [1, 2, 4, 8][random.below(4)];
            let to = random.below(records[at].len() / width) * width;
            if let Some(to) = records[at].get_mut(to..to + width) {
                to.copy_from_slice(&value[..width]);
            }
        }
        _ => {
            let to = random.below(records[at].len());
            if let Some(byte) = records[at].get_mut(to) {
                *byte = random.next() as u8;
            }
        }
    }
}
