//! A bounded reader of x86-64 ELF files.
//!
//! The file is hostile input: it comes from whatever process is traced. Every access is
//! checked, nothing is allocated beyond a small multiple of the file's own size, and a
//! malformed file is an [`ElfError`], never a panic.

mod tables;

use std::fmt;
use std::hash::BuildHasher;
use std::sync::OnceLock;

use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use rustc_hash::{FxBuildHasher, FxHashMap};
use tables::{libraries, relocations, sections, symbols};

const ENDIAN: LittleEndian = LittleEndian;

/// Sections and segments that a file may have. CPython has some forty and a dozen.
pub(super) const SECTIONS_MAX: usize = 512;
const SEGMENTS_MAX: usize = 64;

/// The longest name (of a symbol, section or library) that is read.
const NAME_MAX: usize = 512;

/// Why a file is not one that can be examined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// No ELF magic at the start: a script, an archive, an empty file.
    #[error("not an ELF file")]
    NotElf,
    /// A 32-bit file, for whatever machine.
    #[error("a 32-bit program")]
    Class32,
    /// A 64-bit file for another machine.
    #[error("a program for {0}, not for x86-64")]
    Machine(Machine),
    /// Its own tables contradict it.
    #[error("a damaged or cut off ELF file: {0}")]
    Malformed(String),
}

impl From<object::read::Error> for ElfError {
    fn from(error: object::read::Error) -> Self {
        ElfError::Malformed(error.to_string())
    }
}

/// A machine by its number in ELF files (`e_machine`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine(u16);

impl fmt::Display for Machine {
    /// As `uname -m` calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match elf::Machine(self.0) {
            elf::EM_AARCH64 => "aarch64",
            elf::EM_PPC64 => "ppc64",
            elf::EM_S390 => "s390x",
            elf::EM_RISCV => "riscv64",
            elf::EM_LOONGARCH => "loongarch64",
            elf::EM_MIPS => "mips64",
            elf::EM_SPARCV9 => "sparc64",
            elf::EM_IA_64 => "ia64",
            elf::EM_ALPHA => "alpha",
            _ => return write!(f, "another machine (number {} in ELF files)", self.0),
        })
    }
}

/// A `PT_LOAD` segment.
#[derive(Debug, Clone, Copy)]
struct Segment {
    address: u64,
    offset: u64,
    size: u64,
}

/// A section that has bytes in the file.
#[derive(Debug, Clone)]
pub(super) struct Section {
    /// Its name.
    pub(super) name: String,
    /// Virtual address; 0 where it is not loaded.
    pub(super) address: u64,
    /// Offset in the file.
    pub(super) offset: u64,
    /// Bytes in the file.
    pub(super) size: u64,
    /// Loaded into memory.
    pub(super) alloc: bool,
    /// Holds instructions.
    pub(super) executable: bool,
}

impl Section {
    /// Whether the address lies in this section.
    pub(super) fn contains(&self, address: u64) -> bool {
        address
            .checked_sub(self.address)
            .is_some_and(|at| at < self.size)
    }
}

/// A symbol that the file defines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbol {
    name: usize,
    /// Virtual address.
    pub(super) address: u64,
}

/// What the dynamic linker writes into a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relocation {
    /// The load bias plus this virtual address.
    Relative(u64),
    /// The address of the symbol at this index of `.dynsym`.
    Symbol(u32),
}

/// An ELF file's bytes and the tables that tell what they are.
pub(super) struct Elf {
    data: Vec<u8>,
    position_independent: bool,
    segments: Vec<Segment>,
    sections: Vec<Section>,
    /// Defined symbols, of `.dynsym` first, then of `.symtab`.
    symbols: Vec<Symbol>,
    exported: usize,
    /// Index into `symbols` of the first of those whose names have a hash; made when it is needed.
    by_name: OnceLock<FxHashMap<u64, usize>>,
    /// Indices into `symbols`, by address.
    by_address: Vec<(u64, usize)>,
    /// Names of `.dynsym`'s entries, by index, as offsets in the file.
    dynamic_names: Vec<usize>,
    /// By address.
    relocations: Vec<(u64, Relocation)>,
    needed: Vec<String>,
    runpath: Option<String>,
    entry: u64,
}

impl fmt::Debug for Elf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elf")
            .field("bytes", &self.data.len())
            .field("position_independent", &self.position_independent)
            .field("sections", &self.sections.len())
            .field("symbols", &self.symbols.len())
            .finish_non_exhaustive()
    }
}

impl Elf {
    /// Reads the tables of a whole file.
    pub(super) fn parse(data: Vec<u8>) -> Result<Elf, ElfError> {
        let bytes = data.as_slice();
        let header = header(bytes)?;
        let headers = header.sections(ENDIAN, bytes)?;

        let too_many = |what: &str| ElfError::Malformed(format!("too many {what}"));
        if headers.len() > SECTIONS_MAX {
            return Err(too_many("sections"));
        }

        let mut segments = Vec::new();
        for segment in header.program_headers(ENDIAN, bytes)? {
            if segment.p_type(ENDIAN) == elf::PT_LOAD {
                if segments.len() >= SEGMENTS_MAX {
                    return Err(too_many("segments"));
                }
                segments.push(Segment {
                    address: segment.p_vaddr(ENDIAN),
                    offset: segment.p_offset(ENDIAN),
                    size: segment.p_filesz(ENDIAN),
                });
            }
        }

        let (exports, dynamic_names) = symbols(&headers, bytes, elf::SHT_DYNSYM)?;
        let exported = exports.len();
        let mut defined = exports;
        defined.extend(symbols(&headers, bytes, elf::SHT_SYMTAB)?.0);
        let mut by_address: Vec<_> = defined
            .iter()
            .enumerate()
            .map(|(index, symbol)| (symbol.address, index))
            .collect();
        by_address.sort_unstable();

        let (needed, runpath) = libraries(&headers, bytes)?;
        Ok(Elf {
            position_independent: header.e_type(ENDIAN) == elf::ET_DYN,
            segments,
            sections: sections(&headers, bytes)?,
            symbols: defined,
            exported,
            by_name: OnceLock::new(),
            by_address,
            dynamic_names,
            relocations: relocations(&headers, bytes)?,
            needed,
            runpath,
            entry: header.e_entry(ENDIAN),
            data,
        })
    }

    /// Whether it can be loaded anywhere: a shared library or a PIE.
    pub(super) fn position_independent(&self) -> bool {
        self.position_independent
    }

    /// Libraries it needs (`DT_NEEDED`).
    pub(super) fn needed(&self) -> &[String] {
        &self.needed
    }

    /// Where it wants them looked for (`DT_RUNPATH`, else `DT_RPATH`), unexpanded.
    pub(super) fn runpath(&self) -> Option<&str> {
        self.runpath.as_deref()
    }

    /// Offset in the file of its first instruction; `None` where it has none.
    pub(super) fn entry_offset(&self) -> Option<u64> {
        (self.entry != 0)
            .then(|| self.file_offset(self.entry))
            .flatten()
    }

    /// The file's first bytes, at most so many.
    pub(super) fn head(&self, size: usize) -> &[u8] {
        self.data
            .get(..size.min(self.data.len()))
            .unwrap_or_default()
    }

    /// Sections with bytes in the file.
    pub(super) fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The first section of that name.
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Where its instructions lie: from the first address on, so many bytes.
    pub(super) fn text(&self) -> (u64, u64) {
        let code = || self.sections.iter().filter(|it| it.alloc && it.executable);
        let start = code().map(|it| it.address).min().unwrap_or_default();
        let end = code().map(|it| it.address.saturating_add(it.size)).max();
        (start, end.unwrap_or_default().saturating_sub(start))
    }

    /// Its instructions, by the address of the first.
    pub(super) fn code(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let code = self.sections.iter().filter(|it| it.alloc && it.executable);
        code.map(|section| (section.address, self.section_bytes(section)))
    }

    /// The linker's id of the build.
    pub(super) fn build_id(&self) -> Option<&[u8]> {
        const ID_MAX: usize = 64;
        // The name's, the id's size and the type, 4 bytes each; the name, "GNU\0"; the id.
        let note = self.section_bytes(self.section(".note.gnu.build-id")?);
        let size = u32::from_le_bytes(*note.get(4..)?.first_chunk()?) as usize;
        note.get(16..)?
            .get(..size)
            .filter(|id| !id.is_empty() && id.len() <= ID_MAX)
    }

    /// A section's bytes.
    pub(super) fn section_bytes(&self, section: &Section) -> &[u8] {
        slice(&self.data, section.offset, section.size).unwrap_or_default()
    }

    /// Whether a full symbol table is there too, not only the exported symbols.
    pub(super) fn has_local_symbols(&self) -> bool {
        self.symbols.len() > self.exported
    }

    /// All symbols the file defines: names and virtual addresses.
    pub(super) fn named(&self) -> impl Iterator<Item = (&str, u64)> {
        self.symbols
            .iter()
            .filter_map(|symbol| Some((self.name(symbol.name)?, symbol.address)))
    }

    /// The string at an address, up to its null byte.
    pub(super) fn text_at(&self, address: u64) -> Option<&str> {
        c_string(self.bytes_at(address)?)
    }

    /// A symbol the file defines: one that it exports, else one of its full symbol table, which is
    /// all that a program has of a library that was linked into it (unless with `-rdynamic`).
    pub(super) fn symbol(&self, name: &str) -> Option<Symbol> {
        // Hashes, not names: a hostile file's may be many times its size together.
        let hash = |name: &str| FxBuildHasher.hash_one(name);
        let by_name = self.by_name.get_or_init(|| {
            let mut by_name = FxHashMap::default();
            for (index, symbol) in self.symbols.iter().enumerate() {
                if let Some(name) = self.name(symbol.name) {
                    by_name.entry(hash(name)).or_insert(index);
                }
            }
            by_name
        });
        let is_it = |symbol: &&Symbol| self.name(symbol.name) == Some(name);
        let first = self.symbols.get(*by_name.get(&hash(name))?..)?;
        first.iter().find(is_it).copied()
    }

    /// The name of a symbol at exactly that address.
    pub(super) fn name_at(&self, address: u64) -> Option<&str> {
        let first = self.by_address.partition_point(|(at, _)| *at < address);
        let (at, index) = self.by_address.get(first)?;
        (*at == address).then(|| self.name(self.symbols.get(*index)?.name))?
    }

    /// Offset in the file of a virtual address.
    pub(super) fn file_offset(&self, address: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let at = address.checked_sub(segment.address)?;
            let offset = segment.offset.checked_add(at)?;
            (at < segment.size && offset < self.data.len() as u64).then_some(offset)
        })
    }

    /// The file's bytes from a virtual address to the end of its segment.
    pub(super) fn bytes_at(&self, address: u64) -> Option<&[u8]> {
        self.segments.iter().find_map(|segment| {
            let at = address.checked_sub(segment.address)?;
            let left = segment.size.checked_sub(at).filter(|left| *left > 0)?;
            let offset = segment.offset.checked_add(at)?;
            let left = left.min((self.data.len() as u64).checked_sub(offset)?);
            slice(&self.data, offset, left)
        })
    }

    /// A pointer as the dynamic linker leaves it, less the load bias.
    pub(super) fn pointer_at(&self, address: u64) -> Option<u64> {
        if let Some(Relocation::Relative(value)) = self.relocation(address) {
            return Some(value);
        }
        // RELR relocations leave the value in place, as non-PIE files do.
        let word = self.bytes_at(address)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*word))
    }

    /// The name of the symbol whose address the dynamic linker writes there (a GOT slot).
    pub(super) fn imported_at(&self, address: u64) -> Option<&str> {
        match self.relocation(address)? {
            Relocation::Symbol(index) => self.name(*self.dynamic_names.get(index as usize)?),
            Relocation::Relative(_) => None,
        }
    }

    /// Whether it has the dynamic linker look for a symbol that others define.
    pub(super) fn imports(&self, name: &str) -> bool {
        let mut names = self.dynamic_names.iter();
        names.any(|offset| self.name(*offset) == Some(name)) && self.symbol(name).is_none()
    }

    /// A section as 8-byte words, relocations applied.
    pub(super) fn words(&self, section: &Section) -> Vec<u64> {
        let mut words: Vec<u64> = self
            .section_bytes(section)
            .as_chunks::<8>()
            .0
            .iter()
            .map(|word| u64::from_le_bytes(*word))
            .collect();
        let first = self
            .relocations
            .partition_point(|(at, _)| *at < section.address);
        for (at, relocation) in self.relocations.get(first..).unwrap_or_default() {
            let index = (at - section.address) / 8;
            let Some(word) = usize::try_from(index).ok().and_then(|i| words.get_mut(i)) else {
                break;
            };
            if let Relocation::Relative(value) = relocation {
                *word = *value;
            }
        }
        words
    }

    /// Whether instructions lie at that address.
    pub(super) fn is_code(&self, address: u64) -> bool {
        self.sections
            .iter()
            .any(|section| section.executable && section.contains(address))
    }

    fn relocation(&self, address: u64) -> Option<Relocation> {
        let index = self
            .relocations
            .binary_search_by_key(&address, |(at, _)| *at)
            .ok()?;
        self.relocations
            .get(index)
            .map(|(_, relocation)| *relocation)
    }

    fn name(&self, offset: usize) -> Option<&str> {
        c_string(self.data.get(offset..)?)
    }
}

fn header(bytes: &[u8]) -> Result<&FileHeader64<LittleEndian>, ElfError> {
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(ElfError::NotElf);
    }
    // EI_CLASS, EI_DATA and e_machine, which has the order that EI_DATA tells.
    let machine = bytes.get(18..20).and_then(<[u8]>::first_chunk::<2>);
    match (bytes.get(4), bytes.get(5), machine) {
        (Some(1), ..) => return Err(ElfError::Class32),
        (Some(2), Some(1), _) => {}
        (Some(2), Some(2), Some(machine)) => {
            return Err(ElfError::Machine(Machine(u16::from_be_bytes(*machine))));
        }
        _ => return Err(ElfError::Malformed("unknown class".to_owned())),
    }
    let header = FileHeader64::<LittleEndian>::parse(bytes)?;
    let machine = header.e_machine(ENDIAN);
    if machine != elf::EM_X86_64 {
        return Err(ElfError::Machine(Machine(machine.0)));
    }
    Ok(header)
}

fn slice(data: &[u8], offset: u64, size: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    data.get(start..end)
}

fn c_string(bytes: &[u8]) -> Option<&str> {
    let bytes = bytes.get(..bytes.len().min(NAME_MAX))?;
    let end = bytes.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(bytes.get(..end)?).ok()
}
