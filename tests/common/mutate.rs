//! Mutations that know where an ELF file's tables are.

#![allow(
    unreachable_pub,
    missing_docs,
    reason = "public in the fuzz targets only"
)]

/// Values at which arithmetic and bounds go wrong.
pub const VALUES: [u64; 12] = [
    0,
    1,
    7,
    8,
    0x7f,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX - 7,
    u64::MAX,
];

/// SplitMix64.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u32) -> Random {
        Random(u64::from(seed))
    }

    #[allow(
        clippy::should_implement_trait,
        reason = "it never ends, and needs no more than this"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// Changes a few words or bytes of an ELF file: of its header, of its section headers, or of a
/// section, small ones as likely as large ones.
pub fn mutate(bytes: &mut [u8], seed: u32) {
    let mut random = Random::new(seed);
    for _ in 0..=random.below(3) {
        let (start, size) = match random.below(8) {
            0 => (0, 64),
            1 | 2 => section_headers(bytes),
            _ => {
                let (start, size) = section_headers(bytes);
                section(bytes, start + 64 * random.below(size / 64))
            }
        };
        let end = bytes.len().min(start.saturating_add(size));
        let Some(part) = bytes.get_mut(start..end).filter(|part| !part.is_empty()) else {
            continue;
        };
        change(part, &mut random);
    }
}

/// Changes a byte or a word, often one that is not zero. There must be some bytes.
fn change(part: &mut [u8], random: &mut Random) {
    let mut at = random.below(part.len());
    if random.below(2) == 0 {
        at = occupied(part, at);
    }
    match random.below(4) {
        0 => part[at] ^= 1 << random.below(8),
        1 => part[at] = random.next() as u8,
        2 => {
            // Another word of the same table: a pointer that is valid, but wrong.
            let from = random.below(part.len()) & !7;
            if let (Some(word), at) = (part.get(from..from + 8).map(<[u8]>::to_vec), at & !7)
                && let Some(to) = part.get_mut(at..at + 8)
            {
                to.copy_from_slice(&word);
            }
        }
        _ => {
            let value = VALUES[random.below(VALUES.len())].to_le_bytes();
            let width = [1, 2, 4, 8][random.below(4)];
            let at = at & !(width - 1);
            for (to, from) in part.iter_mut().skip(at).zip(&value[..width]) {
                *to = *from;
            }
        }
    }
}

/// The next byte that is not zero: most of a type object is, and nobody reads that.
fn occupied(part: &[u8], at: usize) -> usize {
    let mut following = part.iter().skip(at);
    at + following.position(|byte| *byte != 0).unwrap_or(0)
}

fn word(bytes: &[u8], at: usize) -> usize {
    let word = at.checked_add(8).and_then(|end| bytes.get(at..end));
    let word = word.map_or(0, |word| {
        word.iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    });
    usize::try_from(word).unwrap_or(0)
}

/// Offset and size of the section headers.
fn section_headers(bytes: &[u8]) -> (usize, usize) {
    let count = word(bytes, 60) & 0xffff;
    let start = word(bytes, 40);
    (start.min(bytes.len()), (count * 64).min(bytes.len()))
}

/// Offset and size of the section that a header tells of.
fn section(bytes: &[u8], header: usize) -> (usize, usize) {
    let at = |field: usize| word(bytes, header.saturating_add(field));
    (at(24).min(bytes.len()), at(32).min(bytes.len()))
}
