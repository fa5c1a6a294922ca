//! Small ELF files, made by hand.

#![allow(dead_code, reason = "not every test uses everything")]
#![allow(
    unreachable_pub,
    missing_docs,
    reason = "public in the fuzz targets only"
)]

/// Where they are loaded.
const BASE: u64 = 0x40_0000;
/// Bytes of the file header and one program header.
const HEADERS: usize = 64 + 56;

pub const EM_X86_64: u16 = 62;
pub const EM_AARCH64: u16 = 183;

const SHT_PROGBITS: u32 = 1;
const SHT_STRTAB: u32 = 3;
const SHT_RELA: u32 = 4;
const SHT_DYNAMIC: u32 = 6;
const SHT_NOTE: u32 = 7;
const SHT_DYNSYM: u32 = 11;
const SHF_ALLOC: u64 = 2;
const SHF_EXECINSTR: u64 = 4;

/// `pause(2)` for ever.
pub const SLEEP: &[u8] = &[
    0xb8, 34, 0, 0, 0, // mov eax, 34
    0x0f, 0x05, // syscall
    0xeb, 0xf7, // jmp to the start
];

/// `exit(0)`.
pub const EXIT: &[u8] = &[
    0xb8, 60, 0, 0, 0, // mov eax, 60
    0x31, 0xff, // xor edi, edi
    0x0f, 0x05, // syscall
];

/// An executable with one segment, sections, and no dynamic linker.
#[derive(Debug, Clone)]
pub struct Image {
    machine: u16,
    sections: Vec<Section>,
    /// The sections so far, as they lie in the file behind the headers.
    data: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Section {
    name: &'static str,
    kind: u32,
    flags: u64,
    offset: usize,
    size: usize,
    link: u32,
    entry_size: u64,
}

impl Image {
    /// One that starts with this code, its section `.text`.
    pub fn new(machine: u16, code: &[u8]) -> Image {
        let mut image = Image {
            machine,
            sections: Vec::new(),
            data: Vec::new(),
        };
        image.add(".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, code);
        image
    }

    /// The address of the section that is added next.
    pub fn next_address(&self) -> u64 {
        BASE + (HEADERS + self.data.len()).next_multiple_of(16) as u64
    }

    fn add(&mut self, name: &'static str, kind: u32, flags: u64, bytes: &[u8]) -> u64 {
        let address = self.next_address();
        let offset = (address - BASE) as usize;
        self.data.resize(offset - HEADERS, 0);
        self.data.extend_from_slice(bytes);
        self.sections.push(Section {
            name,
            kind,
            flags,
            offset,
            size: bytes.len(),
            link: 0,
            entry_size: 0,
        });
        address
    }

    fn linked(&mut self, entry_size: u64) {
        let link = self.sections.len() as u32;
        if let Some(section) = self.sections.last_mut() {
            // To the section that follows; the first has number 1.
            (section.link, section.entry_size) = (link + 1, entry_size);
        }
    }

    /// Data or constants; returns their address.
    pub fn data(&mut self, name: &'static str, bytes: &[u8]) -> u64 {
        self.add(name, SHT_PROGBITS, SHF_ALLOC, bytes)
    }

    /// A section of notes, which is not loaded.
    pub fn notes(&mut self, name: &'static str, bytes: &[u8]) {
        self.add(name, SHT_NOTE, 0, bytes);
    }

    /// Exports these symbols.
    pub fn exports(&mut self, symbols: &[(&str, u64)]) {
        let mut table = vec![0; 24];
        let mut strings = vec![0];
        for (name, address) in symbols {
            table.extend_from_slice(&(strings.len() as u32).to_le_bytes());
            // A global function, defined in section 1.
            table.extend_from_slice(&[0x12, 0, 1, 0]);
            table.extend_from_slice(&address.to_le_bytes());
            table.extend_from_slice(&8u64.to_le_bytes());
            strings.extend_from_slice(name.as_bytes());
            strings.push(0);
        }
        self.add(".dynsym", SHT_DYNSYM, SHF_ALLOC, &table);
        self.linked(24);
        self.add(".dynstr", SHT_STRTAB, SHF_ALLOC, &strings);
    }

    /// Needs this library. The kernel does not mind: without `PT_INTERP` nobody looks for it.
    pub fn needs(&mut self, library: &str) {
        let strings = [&[0], library.as_bytes(), &[0]].concat();
        let entries = [1u64, 1, 0, 0].map(u64::to_le_bytes).concat();
        self.add(".dynamic", SHT_DYNAMIC, SHF_ALLOC, &entries);
        self.linked(16);
        self.add(".dynstr", SHT_STRTAB, SHF_ALLOC, &strings);
    }

    /// `R_X86_64_RELATIVE` relocations: the addresses of the words and what is written there.
    pub fn relocations(&mut self, words: &[(u64, u64)]) {
        let table: Vec<u8> = words
            .iter()
            .flat_map(|(at, value)| [*at, 8, *value])
            .flat_map(u64::to_le_bytes)
            .collect();
        self.add(".rela.dyn", SHT_RELA, SHF_ALLOC, &table);
        self.linked(24);
    }

    /// The file.
    pub fn build(mut self) -> Vec<u8> {
        let mut names = vec![0];
        let mut name_of = |name: &str| {
            let at = names.len() as u32;
            names.extend_from_slice(name.as_bytes());
            names.push(0);
            at
        };
        let mut headers = vec![0; 64];
        let sections = std::mem::take(&mut self.sections);
        for section in &sections {
            let loaded = section.flags & SHF_ALLOC != 0;
            let address = if loaded {
                BASE + section.offset as u64
            } else {
                0
            };
            let name = name_of(section.name);
            header(&mut headers, name, section, address);
        }
        let name = name_of(".shstrtab");
        let count = sections.len() as u16 + 2;
        self.add(".shstrtab", SHT_STRTAB, 0, &names);
        for section in &self.sections {
            header(&mut headers, name, section, 0);
        }
        let size = (HEADERS + self.data.len()) as u64;
        self.data
            .resize((size.next_multiple_of(8) as usize) - HEADERS, 0);
        let table = (HEADERS + self.data.len()) as u64;

        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        // An executable.
        file.extend_from_slice(&2u16.to_le_bytes());
        file.extend_from_slice(&self.machine.to_le_bytes());
        file.extend_from_slice(&1u32.to_le_bytes());
        let entry = BASE + HEADERS.next_multiple_of(16) as u64;
        for word in [entry, 64, table] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(&0u32.to_le_bytes());
        for half in [64, 56, 1, 64, count, count - 1] {
            file.extend_from_slice(&u16::to_le_bytes(half));
        }
        // PT_LOAD of the whole file, to be read, written and executed.
        file.extend_from_slice(&1u32.to_le_bytes());
        file.extend_from_slice(&7u32.to_le_bytes());
        for word in [0, BASE, BASE, table, table, 0x1000] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(&self.data);
        file.extend_from_slice(&headers);
        file
    }
}

fn header(headers: &mut Vec<u8>, name: u32, section: &Section, address: u64) {
    headers.extend_from_slice(&name.to_le_bytes());
    headers.extend_from_slice(&section.kind.to_le_bytes());
    for word in [
        section.flags,
        address,
        section.offset as u64,
        section.size as u64,
    ] {
        headers.extend_from_slice(&word.to_le_bytes());
    }
    headers.extend_from_slice(&section.link.to_le_bytes());
    headers.extend_from_slice(&0u32.to_le_bytes());
    for word in [16, section.entry_size] {
        headers.extend_from_slice(&u64::to_le_bytes(word));
    }
}

/// A 32-bit x86 executable that sleeps for ever: headers and `pause(2)` in a loop.
pub fn program_32() -> Vec<u8> {
    let code = [
        0xb8, 29, 0, 0, 0, // mov eax, 29
        0xcd, 0x80, // int 0x80
        0xeb, 0xf7, // jmp to the start
    ];
    let base = 0x0804_8000u32;
    let size = 52 + 32 + code.len() as u32;
    let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    for half in [2u16, 3] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    for word in [1, base + 84, 52, 0, 0] {
        file.extend_from_slice(&u32::to_le_bytes(word));
    }
    for half in [52u16, 32, 1, 40, 0, 0] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    for word in [1, 0, base, base, size, size, 5, 0x1000] {
        file.extend_from_slice(&u32::to_le_bytes(word));
    }
    file.extend_from_slice(&code);
    file
}
