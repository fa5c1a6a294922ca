//! The probes compiled into CPython with `--with-dtrace`, and the plan that uses them.

use iced_x86::{Code, Instruction, InstructionInfoFactory, OpKind};
use rustc_hash::FxHashMap;

use super::derive::{Problem, UsdtProblem, past_landing_pad, probe};
use super::elf::Elf;
use super::environment::{Environment, Value};
use super::flow::Flow;
use super::interpreter::Interpreter;
use super::layout::Layout;
use super::machine::{changes, decode, ends, general, is_jump, load, place};
use super::plan::{FrameSource, Meaning, Probe, Register};
use super::throw::throw;

/// Notes that are read at most; CPython has some twenty.
const NOTES_MAX: usize = 4096;

/// A static probe (SystemTap's SDT, version 3): a `nop` and a note that describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// `python` for CPython's own.
    pub provider: String,
    /// `function__entry`, `gc__start`, ...
    pub name: String,
    /// Virtual address of the `nop`.
    pub address: u64,
    /// Virtual address of the counter that says whether anybody listens.
    pub semaphore: Option<u64>,
    /// Where the arguments are (`8@%rbp 8@%r12 -4@%eax`).
    pub arguments: String,
}

/// Reads section `.note.stapsdt`.
pub(super) fn notes(elf: &Elf) -> Vec<Note> {
    let Some(section) = elf.section(".note.stapsdt") else {
        return Vec::new();
    };
    // Addresses are as linked; prelink moved whole files, and `.stapsdt.base` with them.
    let base = elf.section(".stapsdt.base").map(|section| section.address);
    let mut rest = elf.section_bytes(section);
    let mut notes = Vec::new();
    while let Some((note, after)) = split_note(rest) {
        rest = after;
        notes.extend(note.and_then(|descriptor| parse_descriptor(descriptor, base)));
        if notes.len() >= NOTES_MAX {
            break;
        }
    }
    notes
}

/// The descriptor of the note at the start of `bytes`, if it is a probe's, and what follows.
fn split_note(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    const NT_STAPSDT: u32 = 3;
    let (header, rest) = bytes.split_at_checked(12)?;
    let word = |at: usize| Some(u32::from_le_bytes(*header.get(at..)?.first_chunk()?));
    let (name_size, size, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
    let (name, rest) = rest.split_at_checked(name_size.checked_next_multiple_of(4)?)?;
    let descriptor = rest.get(..size)?;
    let rest = rest
        .get(size.checked_next_multiple_of(4)?..)
        .unwrap_or_default();
    let is_probe = kind == NT_STAPSDT && name.starts_with(b"stapsdt\0");
    Some((is_probe.then_some(descriptor), rest))
}

fn parse_descriptor(descriptor: &[u8], base: Option<u64>) -> Option<Note> {
    let (words, strings) = descriptor.split_at_checked(24)?;
    let word = |at: usize| Some(u64::from_le_bytes(*words.get(at..)?.first_chunk()?));
    let (address, linked_base, semaphore) = (word(0)?, word(8)?, word(16)?);
    let moved = base.unwrap_or(linked_base).wrapping_sub(linked_base);
    let mut strings = strings.split(|byte| *byte == 0);
    let mut text = || Some(String::from_utf8_lossy(strings.next()?).into_owned());
    Some(Note {
        provider: text()?,
        name: text()?,
        address: address.wrapping_add(moved),
        semaphore: (semaphore != 0).then(|| semaphore.wrapping_add(moved)),
        arguments: text()?,
    })
}

/// Whether the two probes that matter are there and see every call.
///
/// Up to 3.10 the evaluator, entered for each call, has one at its start and one at its end.
/// In 3.11 calls between Python functions no longer enter it, and only `function__return`
/// still fires for all of them; 3.12 to 3.14 do not fire either. 3.15 fires both again, from
/// the opcode handlers.
pub(super) fn usable(interpreter: &Interpreter) -> Result<(), UsdtProblem> {
    let named = |name| ours(interpreter, name).next().is_some();
    if matches!(interpreter.version().minor, 11..=14) {
        Err(UsdtProblem::Blind)
    } else if named("function__entry") && named("function__return") {
        Ok(())
    } else {
        Err(UsdtProblem::Absent)
    }
}

fn ours<'a>(
    interpreter: &'a Interpreter,
    name: &'static str,
) -> impl Iterator<Item = &'a Note> + 'a {
    interpreter
        .notes()
        .iter()
        .filter(move |note| note.provider == "python" && note.name == name)
}

/// All probes of a plan that uses the interpreter's own.
pub(super) fn probes(interpreter: &Interpreter, layout: &Layout) -> Result<Vec<Probe>, Problem> {
    let elf = interpreter.elf();
    let mut probes = own_probes(interpreter, |note| {
        frame_register(elf, note.address, layout)
            .map_or(FrameSource::ThreadState, FrameSource::Register)
    })?;
    if interpreter.version().minor >= 15 {
        // `throw()` and `close()` into a generator fire nothing.
        let entry = interpreter.evaluator();
        let throw = throw(elf, &Flow::from(elf, [entry]), entry);
        probes.push(throw.ok_or(Problem::Site("the entry of throw()"))?);
    }
    Ok(probes)
}

/// All probes of a plan that uses no more than the names that the interpreter's own give.
pub(super) fn named_probes(interpreter: &Interpreter) -> Result<Vec<Probe>, Problem> {
    /// Makes a generator of the function called, in 3.15 right after `function__entry`.
    const MAKES_GENERATORS: &str = "_Py_MakeCoro";
    let elf = interpreter.elf();
    let mut probes = own_probes(interpreter, |_| FrameSource::Names)?;
    if interpreter.version().minor >= 15 {
        let function = elf
            .export(MAKES_GENERATORS)
            .ok_or(Problem::Symbol(MAKES_GENERATORS))?
            .address;
        let (meaning, frame) = (Meaning::GeneratorMade, FrameSource::None);
        let made = past_landing_pad(elf, function)
            .and_then(|first| probe(elf, &first, meaning, frame, MAKES_GENERATORS));
        probes.push(made.ok_or(Problem::Site(MAKES_GENERATORS))?);
    }
    Ok(probes)
}

/// The two probes that matter, with the frame where `frame` says.
///
/// Each location is a probe of its own, as compilers that inline `dtrace_function_entry` make
/// several, with the frame in different registers.
fn own_probes(
    interpreter: &Interpreter,
    frame: impl Fn(&Note) -> FrameSource,
) -> Result<Vec<Probe>, Problem> {
    let elf = interpreter.elf();
    let mut probes = Vec::new();
    for (name, meaning) in [
        ("function__entry", Meaning::UsdtEntry),
        ("function__return", Meaning::UsdtReturn),
    ] {
        for note in ours(interpreter, name) {
            let missing = Problem::Site(name);
            let instruction = elf
                .bytes_at(note.address)
                .filter(|_| elf.is_code(note.address))
                .and_then(|bytes| decode(bytes, note.address))
                .ok_or(missing.clone())?;
            let site =
                probe(elf, &instruction, meaning, frame(note), name).ok_or(missing.clone())?;
            let semaphore = match note.semaphore {
                Some(address) => Some(elf.file_offset(address).ok_or(missing)?),
                None => None,
            };
            probes.push(Probe { semaphore, ..site });
        }
    }
    Ok(probes)
}

/// The register that holds the frame at a probe's `nop`.
///
/// `dtrace_function_entry(frame)` takes the code object from the frame, and the file's and the
/// function's name from that (`Python/ceval.c`); the register whose value that frame was is
/// followed to the `nop`. Where the function starts is not known, and need not be: decoding
/// from anywhere before falls into step after a few instructions, so many starts are tried.
fn frame_register(elf: &Elf, nop: u64, layout: &Layout) -> Option<Register> {
    let mut votes: FxHashMap<Register, usize> = FxHashMap::default();
    for back in 8..=192 {
        let Some(start) = nop.checked_sub(back).filter(|start| elf.is_code(*start)) else {
            break;
        };
        if let Some(register) = trace_frame(elf, start, nop, layout) {
            *votes.entry(register).or_default() += 1;
        }
    }
    votes
        .into_iter()
        .max_by_key(|(register, count)| (*count, register.0))
        .map(|(found, _)| found)
}

fn trace_frame(elf: &Elf, start: u64, nop: u64, layout: &Layout) -> Option<Register> {
    let mut facts = InstructionInfoFactory::new();
    let mut environment = Environment::new();
    let mut search = FrameSearch::default();
    let mut at = start;
    while at < nop {
        let instruction = decode(elf.bytes_at(at)?, at)?;
        search.look(&instruction, &environment, layout, &mut facts);
        if ends(&instruction) || is_jump(&instruction) {
            environment = Environment::new();
            search = FrameSearch::default();
        } else {
            environment.step(&instruction, &mut facts);
        }
        at = instruction.next_ip();
    }
    let frame = search
        .found
        .filter(|frame| frame.delta == 0 && !frame.cut)?;
    (at == nop).then(|| environment.copy_of(frame.origin))?
}

/// Looks for what is done to a frame on the way to a probe.
#[derive(Debug, Default)]
struct FrameSearch {
    /// Registers that may hold a code object, and the frame each came from.
    codes: Vec<(Register, Value)>,
    filename_of: Option<Value>,
    name_of: Option<Value>,
    found: Option<Value>,
}

impl FrameSearch {
    fn look(
        &mut self,
        instruction: &Instruction,
        environment: &Environment,
        layout: &Layout,
        facts: &mut InstructionInfoFactory,
    ) {
        let loaded = load(instruction);
        let frame = loaded.and_then(|(_, from)| {
            let (_, frame) = self.codes.iter().find(|(code, _)| *code == from.base)?;
            Some((from.offset, *frame))
        });
        if let Some((offset, frame)) = frame {
            if offset == i64::from(layout.code_filename) {
                self.filename_of = Some(frame);
            } else if offset == i64::from(layout.code_name) {
                self.name_of = Some(frame);
            }
            if self.filename_of == self.name_of {
                self.found = self.filename_of;
            }
        }
        // Where the code object was at hand already, the frame is asked for its last
        // instruction, an int up to 3.10, to find the line.
        if self.found.is_none()
            && instruction.code() == Code::Mov_r32_rm32
            && instruction.op1_kind() == OpKind::Memory
            && layout.code_qualname.is_none()
            && let Some(from) = place(instruction)
            && from.offset == i64::from(layout.frame_lasti)
        {
            self.found = environment.get(from.base);
        }
        // 3.14+ masks the tag bits off the code object's address.
        let masked = matches!(
            instruction.code(),
            Code::And_rm64_imm8 | Code::And_rm64_imm32
        );
        let copied = (instruction.code() == Code::Mov_r64_rm64
            && instruction.op1_kind() == OpKind::Register)
            .then(|| {
                let from = general(instruction.op1_register())?;
                let (_, frame) = self.codes.iter().find(|(code, _)| *code == from)?;
                Some((general(instruction.op0_register())?, *frame))
            })
            .flatten();
        if !masked {
            self.codes
                .retain(|(code, _)| !changes(instruction, *code, facts));
        }
        self.codes.extend(copied);
        if let Some((code, from)) = loaded
            && from.offset == i64::from(layout.frame_code)
            && let Some(frame) = environment.get(from.base)
        {
            self.codes.push((code, frame));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(words: [u64; 3], strings: &[u8]) -> Vec<u8> {
        let size = 24 + strings.len();
        let mut bytes = Vec::new();
        for word in [8u32, size as u32, 3] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(b"stapsdt\0");
        bytes.extend(words.into_iter().flat_map(u64::to_le_bytes));
        bytes.extend(strings);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_note_tells_where_its_probe_is() {
        let bytes = note(
            [0x1000, 0x2000, 0x3000],
            b"python\0function__entry\08@%rbx\0",
        );
        let (descriptor, rest) = split_note(&bytes).expect("a whole note");
        assert!(rest.is_empty());
        let note = parse_descriptor(descriptor.expect("a probe's"), Some(0x2010)).expect("a note");
        assert_eq!((note.address, note.semaphore), (0x1010, Some(0x3010)));
        assert_eq!(
            (note.provider.as_str(), note.name.as_str()),
            ("python", "function__entry")
        );
        assert_eq!(note.arguments, "8@%rbx");
    }

    #[test]
    fn notes_that_are_cut_off_are_left_out() {
        let bytes = note([1, 2, 3], b"python\0line\0\0");
        for end in 0..bytes.len() - 4 {
            let found = split_note(&bytes[..end]).and_then(|(descriptor, _)| descriptor);
            assert!(found.is_none(), "{end}");
        }
    }
}
