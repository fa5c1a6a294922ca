//! The tables of an ELF file: sections, symbols, relocations, needed libraries.

use object::elf::{self, FileHeader64, Rela64, SectionHeader64, Sym64};
use object::read::elf::{Dyn, Rela, SectionHeader, SectionTable, Sym};
use object::{LittleEndian, SectionIndex, StringTable};

use super::{ENDIAN, ElfError, NAME_MAX, Relocation, Section, Symbol, slice};

pub(super) type Headers<'data> = SectionTable<'data, FileHeader64<LittleEndian>>;

pub(super) fn sections(headers: &Headers<'_>, bytes: &[u8]) -> Result<Vec<Section>, ElfError> {
    let mut sections = Vec::new();
    for header in headers.iter() {
        let header: &SectionHeader64<LittleEndian> = header;
        let Some((offset, size)) = header.file_range(ENDIAN) else {
            continue;
        };
        slice(bytes, offset, size)
            .ok_or_else(|| ElfError::Malformed("a section lies outside the file".to_owned()))?;
        let address = header.sh_addr(ENDIAN);
        if address.checked_add(size).is_none() {
            return Err(ElfError::Malformed(
                "a section wraps around memory".to_owned(),
            ));
        }
        let name = headers.section_name(ENDIAN, header)?;
        let name = name.get(..name.len().min(NAME_MAX)).unwrap_or_default();
        let flags = header.sh_flags(ENDIAN);
        sections.push(Section {
            name: String::from_utf8_lossy(name).into_owned(),
            address,
            offset,
            size,
            alloc: flags.0 & elf::SHF_ALLOC.0 != 0,
            executable: flags.0 & elf::SHF_EXECINSTR.0 != 0,
        });
    }
    Ok(sections)
}

/// The defined symbols of a table, and where the names of all its entries are in the file.
pub(super) fn symbols(
    headers: &Headers<'_>,
    bytes: &[u8],
    kind: elf::SectionType,
) -> Result<(Vec<Symbol>, Vec<usize>), ElfError> {
    let table = headers.symbols(ENDIAN, bytes, kind)?;
    if table.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let strings = headers.section(table.string_section())?;
    let base = usize::try_from(strings.sh_offset(ENDIAN)).unwrap_or(usize::MAX);
    let mut defined = Vec::new();
    let mut names = Vec::with_capacity(table.len());
    for symbol in table.iter() {
        let symbol: &Sym64<LittleEndian> = symbol;
        let name = base.saturating_add(symbol.st_name(ENDIAN) as usize);
        names.push(name);
        if !symbol.is_undefined(ENDIAN) && symbol.st_name(ENDIAN) != 0 {
            defined.push(Symbol {
                name,
                address: symbol.st_value(ENDIAN),
            });
        }
    }
    Ok((defined, names))
}

pub(super) fn relocations(
    headers: &Headers<'_>,
    bytes: &[u8],
) -> Result<Vec<(u64, Relocation)>, ElfError> {
    let mut relocations = Vec::new();
    for header in headers.iter() {
        let header: &SectionHeader64<LittleEndian> = header;
        // Relocations of a relocatable file's own sections (`--emit-relocs`) are not loaded.
        if header.sh_flags(ENDIAN).0 & elf::SHF_ALLOC.0 == 0 {
            continue;
        }
        let Some((entries, _)) = header.rela(ENDIAN, bytes)? else {
            continue;
        };
        // Sections may claim the same bytes over and over; a sane file's tables fit in it.
        if relocations.len() + entries.len() > bytes.len() / size_of::<Rela64<LittleEndian>>() {
            return Err(ElfError::Malformed(
                "overlapping relocation tables".to_owned(),
            ));
        }
        for entry in entries {
            let relocation = match entry.r_type(ENDIAN, false) {
                elf::R_X86_64_RELATIVE => Relocation::Relative(entry.r_addend(ENDIAN) as u64),
                elf::R_X86_64_64 | elf::R_X86_64_GLOB_DAT | elf::R_X86_64_JUMP_SLOT => {
                    Relocation::Symbol(entry.r_sym(ENDIAN, false))
                }
                _ => continue,
            };
            relocations.push((entry.r_offset(ENDIAN), relocation));
        }
    }
    relocations.sort_by_key(|(address, _)| *address);
    Ok(relocations)
}

/// `DT_NEEDED`, and `DT_RUNPATH` or else `DT_RPATH`.
pub(super) fn libraries(
    headers: &Headers<'_>,
    bytes: &[u8],
) -> Result<(Vec<String>, Option<String>), ElfError> {
    let Some((entries, link)) = headers.dynamic(ENDIAN, bytes)? else {
        return Ok((Vec::new(), None));
    };
    let strings: StringTable<'_> = headers.strings(ENDIAN, bytes, SectionIndex(link.0))?;
    let text = |value: u64| {
        let name = strings.get(u32::try_from(value).ok()?).ok()?;
        let name = name.get(..name.len().min(NAME_MAX))?;
        Some(String::from_utf8_lossy(name).into_owned())
    };
    let (mut needed, mut runpath, mut rpath) = (Vec::new(), None, None);
    for entry in entries {
        let value = entry.d_val(ENDIAN);
        match entry.d_tag(ENDIAN) {
            elf::DT_NULL => break,
            // Each name costs up to NAME_MAX bytes, each entry only 16.
            elf::DT_NEEDED if needed.len() < 1024 => needed.extend(text(value)),
            elf::DT_RUNPATH => runpath = text(value),
            elf::DT_RPATH => rpath = text(value),
            _ => {}
        }
    }
    Ok((needed, runpath.or(rpath)))
}
