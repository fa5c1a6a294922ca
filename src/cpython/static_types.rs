//! The interpreter's own types, by where they are: whatever a program does, and whether or not their
//! names are on a page in memory, these are what they are.

use rustc_hash::FxHashMap;

use super::elf::Elf;
use super::layout::Layout;

/// A static type of the interpreter's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticType {
    /// Virtual address in the ELF file.
    pub address: u64,
    /// Its `tp_name`.
    pub name: String,
}

/// Longer than any of the interpreter's.
const NAME_MAX: usize = 63;

/// Those that the file has symbols of: types as `Py…_Type`, exceptions through pointers `PyExc_…`, and that of
/// `None` through `None`.
pub(super) fn find(elf: &Elf, layout: &Layout) -> Vec<StaticType> {
    let mut found = FxHashMap::default();
    for (name, address) in elf.named() {
        let plain = name.trim_start_matches('_');
        let type_address = if !plain.starts_with("Py") {
            None
        } else if plain.ends_with("_Type") {
            Some(address)
        } else if plain.starts_with("PyExc_") {
            elf.pointer_at(address)
        } else if name == "_Py_NoneStruct" {
            address
                .checked_add(layout.ob_type.into())
                .and_then(|at| elf.pointer_at(at))
        } else {
            None
        };
        if let Some((address, name)) =
            type_address.and_then(|at| Some((at, name_of(elf, layout, at)?)))
        {
            found.insert(address, name);
        }
    }
    let mut types: Vec<StaticType> = found
        .into_iter()
        .map(|(address, name)| StaticType { address, name })
        .collect();
    types.sort_unstable_by_key(|found| found.address);
    types
}

fn name_of(elf: &Elf, layout: &Layout, address: u64) -> Option<String> {
    let text = elf.pointer_at(address.checked_add(layout.type_name().into())?)?;
    let name = elf.text_at(text)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let sound = !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(is_name);
    sound.then(|| name.to_owned())
}
