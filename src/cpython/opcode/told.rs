//! Opcode numbers of a version that is newer than pytrace: as the build itself tells them.

use rustc_hash::FxHashMap;

use super::{Opcode, Opcodes};
use crate::cpython::elf::Elf;
use crate::cpython::frozen::Bytecode;

/// Opcodes by name.
type Numbers = FxHashMap<String, u8>;

/// What a build tells of its opcodes, by `_PyOpcode_OpName`, or by the text of its standard library's
/// module `_opcode_metadata`; confirmed by bytecode of its own. `None` where it does not tell
/// enough, or where opcodes are among them that enter or leave frames in ways of which nothing is
/// known.
pub(in crate::cpython) fn opcodes(elf: &Elf, module: Option<&str>) -> Option<Opcodes> {
    let numbers = names(elf).or_else(|| module.and_then(parse))?;
    if !leaves_as_known(&numbers) {
        return None;
    }
    let number = |name: &str| numbers.get(name).copied();
    let family = |known: &[&'static str]| -> Vec<Opcode> {
        let opcode = |name| {
            Some(Opcode {
                name,
                number: number(name)?,
            })
        };
        known.iter().copied().filter_map(opcode).collect()
    };
    let (resume, returns, yields) = (
        number("RESUME")?,
        number("RETURN_VALUE")?,
        number("YIELD_VALUE")?,
    );
    let resumes = family(&RESUMES);
    if !Bytecode::of(elf).agrees(resume, returns, yields) || !deoptimized(elf, &resumes, resume) {
        return None;
    }
    let unassigned = (0..=255u8)
        .filter(|number| !numbers.values().any(|assigned| assigned == number))
        .map(|number| number..=number);
    Some(Opcodes {
        unassigned: unassigned.collect(),
        resumes: resumes.into(),
        returns: family(&["RETURN_VALUE"]).into(),
        yields: family(&["YIELD_VALUE", "INSTRUMENTED_YIELD_VALUE"]).into(),
        by_instruction: None,
        executor: None,
        // No newer version is asked to instrument anything.
        instrumented_returns: Vec::new().into(),
        raise: number("RAISE_VARARGS")?,
    })
}

/// `RESUME` and its forms in the newest version that is known.
const RESUMES: [&str; 4] = [
    "RESUME",
    "RESUME_CHECK",
    "RESUME_CHECK_JIT",
    "INSTRUMENTED_RESUME",
];

/// Whether frames start and end by the opcodes that are known for it, and by no others.
fn leaves_as_known(numbers: &Numbers) -> bool {
    const OTHERS: [&str; 6] = [
        "RETURN_VALUE",
        "INSTRUMENTED_RETURN_VALUE",
        "RETURN_GENERATOR",
        "YIELD_VALUE",
        "INSTRUMENTED_YIELD_VALUE",
        "GET_YIELD_FROM_ITER",
    ];
    let concerns = ["RESUME", "RETURN", "YIELD"];
    numbers
        .keys()
        .filter(|name| concerns.iter().any(|part| name.contains(part)))
        .all(|name| RESUMES.contains(&name.as_str()) || OTHERS.contains(&name.as_str()))
}

/// Whether the forms of `RESUME` stand for it, as far as the build has a table of that
/// (`_PyOpcode_Deopt`). Those for tools (`INSTRUMENTED_`) are not specialisations.
fn deoptimized(elf: &Elf, resumes: &[Opcode], resume: u8) -> bool {
    let Some(table) = elf
        .symbol("_PyOpcode_Deopt")
        .and_then(|symbol| elf.bytes_at(symbol.address))
    else {
        return true;
    };
    let mut forms = resumes
        .iter()
        .filter(|opcode| !opcode.name.starts_with("INSTRUMENTED"));
    forms.all(|form| table.get(usize::from(form.number)) == Some(&resume))
}

/// `_PyOpcode_OpName` (`Include/internal/pycore_opcode_metadata.h`; exported since 3.15): pointers to
/// the opcodes' names by number, null where a number is not assigned.
fn names(elf: &Elf) -> Option<Numbers> {
    let table = elf.symbol("_PyOpcode_OpName")?.address;
    let mut numbers = Numbers::default();
    for number in 0..=255u8 {
        let text = elf.pointer_at(table.checked_add(8 * u64::from(number))?)?;
        if text == 0 {
            continue;
        }
        let name = elf.text_at(text).filter(|name| is_name(name))?;
        let before = numbers.insert(name.to_owned(), number);
        if before.is_some() {
            return None;
        }
    }
    Some(numbers)
}

/// `_opcode_metadata.py`: lines as `'RESUME': 128,` (3.13, 3.14) or `RESUME=128,` (3.15). It is not
/// run.
fn parse(module: &str) -> Option<Numbers> {
    let mut numbers = Numbers::default();
    for line in module.lines() {
        let Some((name, number)) = line.trim().split_once([':', '=']) else {
            continue;
        };
        let name = name.trim().trim_matches('\'');
        let number = number.trim().strip_suffix(',');
        // Numbers beyond are of pseudo-instructions.
        let Some(number) = number.and_then(|number| number.parse().ok()) else {
            continue;
        };
        if !is_name(name) || numbers.insert(name.to_owned(), number).is_some() {
            return None;
        }
    }
    let mut distinct: Vec<u8> = numbers.values().copied().collect();
    distinct.sort_unstable();
    distinct.dedup();
    (distinct.len() == numbers.len()).then_some(numbers)
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_module_are_read() {
        for text in [
            "_specialized_opmap = {\n    'RESUME_CHECK': 196,\n}\n\nopmap = {\n    'CACHE': 0,\n    \
             'RESUME': 128,\n    'JUMP': 256,\n}\n\nHAVE_ARGUMENT = 43\n",
            "opmap = frozendict(\n    CACHE=0,\n    RESUME=128,\n    RESUME_CHECK=196,\n    \
             JUMP=256,\n)\n_specializations = frozendict(\n    RESUME=(\n        \"X\",\n    ),\n)\n",
        ] {
            let numbers = parse(text).expect("a module");
            assert_eq!(numbers.get("RESUME"), Some(&128));
            assert_eq!(numbers.get("RESUME_CHECK"), Some(&196));
            assert_eq!(numbers.len(), 3, "{numbers:?}");
        }
        assert_eq!(parse("A=1,\nB=1,\n"), None);
        assert_eq!(parse("A=1,\nA=2,\n"), None);
    }

    #[test]
    fn another_way_to_leave_frames_is_not_passed_over() {
        let numbers = |names: &[&str]| -> Numbers {
            (0..)
                .zip(names)
                .map(|(at, name)| ((*name).to_owned(), at))
                .collect()
        };
        let known = [
            "RESUME",
            "RESUME_CHECK",
            "RETURN_VALUE",
            "YIELD_VALUE",
            "NOP",
        ];
        assert!(leaves_as_known(&numbers(&known)));
        for new in ["RETURN_CONST", "RESUME_FAST", "YIELD_FROM_LIST"] {
            assert!(
                !leaves_as_known(&numbers(&[&known[..], &[new]].concat())),
                "{new}"
            );
        }
    }
}
