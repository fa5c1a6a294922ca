//! The bytecode that every CPython carries: modules that it needs before it can read any file are
//! frozen into it (`Python/frozen.c`, since 3.11 some twenty), marshalled by its own compiler.
//!
//! It confirms what opcode numbers are said to be: compilers put `RESUME` with the argument 0 into
//! each code object once.

use super::elf::Elf;

/// Fewer than there are in any 3.13+; the modules of 3.14 have 421.
const CODES_MIN: usize = 100;
/// More are not looked at.
const CODES_MAX: usize = 1 << 16;
/// The longest bytecode that is read. That of `_bootstrap_external` has some 5 KB.
const BYTECODE_MAX: usize = 1 << 16;

/// The bits of `RESUME`'s argument that say where it is (`RESUME_OPARG_LOCATION_MASK` in
/// `pycore_opcode_utils.h`, 3.15), and what they are behind a yield, `yield from`, or `await`.
const LOCATION_MASK: u8 = 7;
const AFTER_YIELD: std::ops::RangeInclusive<u8> = 1..=3;
/// All bits of it that 3.15 has.
const KNOWN_MASK: u8 = 15;

/// Frozen code objects' instructions: pairs of opcode and argument.
pub(super) struct Bytecode<'elf>(Vec<&'elf [[u8; 2]]>);

impl<'elf> Bytecode<'elf> {
    /// All that is found in the file's constants.
    pub(super) fn of(elf: &'elf Elf) -> Bytecode<'elf> {
        let constants = elf
            .sections()
            .iter()
            .filter(|section| section.alloc && !section.executable)
            .map(|section| elf.section_bytes(section));
        let found = constants.flat_map(|bytes| (0..bytes.len()).filter_map(|at| code(bytes, at)));
        Bytecode(found.take(CODES_MAX).collect())
    }

    /// Whether it uses the numbers as opcodes with these names are used.
    pub(super) fn agrees(&self, resume: u8, returns: u8, yields: u8) -> bool {
        let Bytecode(codes) = self;
        let all = codes.len();
        // Some of what looks like a code object may be none.
        let most = |count: usize| count <= all && (all - count) * 20 <= all;
        let starts_once = |code: &&&[[u8; 2]]| {
            let mut starts = code.iter().filter(|it| **it == [resume, 0]);
            starts.next().is_some() && starts.next().is_none()
        };
        if all < CODES_MIN || !most(codes.iter().filter(starts_once).count()) {
            return false;
        }
        // Most functions end with a return, the others with what handles exceptions.
        let mut last = [0usize; 256];
        for [opcode, _] in codes.iter().filter_map(|code| code.last()) {
            last[usize::from(*opcode)] += 1;
        }
        let returning = last[usize::from(returns)];
        if returning * 2 < all {
            return false;
        }
        // Whatever goes on has yielded.
        let pairs = || codes.iter().flat_map(|code| code.windows(2));
        let goes_on = pairs().filter(|pair| {
            pair[1][0] == resume && AFTER_YIELD.contains(&(pair[1][1] & LOCATION_MASK))
        });
        let (mut yielded, mut other) = (0, 0);
        for pair in goes_on {
            match pair[0][0] == yields {
                true => yielded += 1,
                false => other += 1,
            }
        }
        let strange = pairs().any(|pair| pair[1][0] == resume && pair[1][1] & !KNOWN_MASK != 0);
        yielded > 0 && other == 0 && !strange
    }
}

/// The instructions of the marshalled code object at an offset (`Python/marshal.c`): its type, `c`,
/// with or without `FLAG_REF`; the counts of its arguments, positional-only and keyword-only ones; its
/// stack's size and its flags; and the bytes.
fn code(bytes: &[u8], at: usize) -> Option<&[[u8; 2]]> {
    const FLAG_REF: u8 = 0x80;
    const FLAGS_MAX: u32 = 1 << 27;
    let head = bytes.get(at..)?.first_chunk::<26>()?;
    let word = |at: usize| Some(u32::from_le_bytes(*head.get(at..)?.first_chunk()?));
    let is_code = head[0] & !FLAG_REF == b'c' && head[21] & !FLAG_REF == b's';
    if !is_code || word(1)? > 255 || word(5)? > 255 || word(9)? > 255 {
        return None;
    }
    let length = word(22)? as usize;
    let sound = word(13)? <= 0xffff && word(17)? < FLAGS_MAX && length & 1 == 0;
    if !sound || length == 0 || length > BYTECODE_MAX {
        return None;
    }
    let (instructions, _) = bytes.get(at + 26..)?.get(..length)?.as_chunks::<2>();
    Some(instructions)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A marshalled function with these instructions.
    fn marshalled(instructions: &[[u8; 2]]) -> Vec<u8> {
        let mut bytes = vec![b'c' | 0x80];
        for word in [1u32, 0, 0, 3, 3] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.push(b's' | 0x80);
        bytes.extend((2 * instructions.len() as u32).to_le_bytes());
        bytes.extend(instructions.as_flattened());
        bytes
    }

    #[test]
    fn code_objects_are_found_where_they_start() {
        let bytes = [&b"cc"[..], &marshalled(&[[128, 0], [35, 0]]), b"rest"].concat();
        let found: Vec<_> = (0..bytes.len()).filter_map(|at| code(&bytes, at)).collect();
        assert_eq!(found, [&[[128, 0], [35, 0]][..]]);
        let cut = &bytes[..bytes.len() - 6];
        assert!((0..cut.len()).all(|at| code(cut, at).is_none()));
    }

    #[test]
    fn opcodes_are_what_they_are_used_for() {
        let function: &[[u8; 2]] = &[[128, 0], [9, 1], [35, 0]];
        let generator: &[[u8; 2]] = &[[34, 0], [128, 0], [120, 0], [128, 9], [35, 0]];
        let codes = [vec![function; 150], vec![generator; 3]].concat();
        let bytecode = Bytecode(codes);
        assert!(bytecode.agrees(128, 35, 120));
        for (resume, returns, yields) in [
            (9, 35, 120),
            (34, 35, 120),
            (35, 128, 120),
            (128, 9, 120),
            (128, 35, 34),
            (128, 120, 35),
        ] {
            assert!(!bytecode.agrees(resume, returns, yields));
        }
        assert!(!Bytecode(vec![generator; 50]).agrees(128, 35, 120));
    }
}
