//! Types, and the parameters of code objects, as they are told of once.

use super::{DecodeError, Text, behind, decode_string, read, until_nul};
use crate::bpf::frames::types;

/// What the kernel program read of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeRecord {
    /// Its address.
    pub address: u64,
    /// `tp_name`: of a static type, with its module; cut where it is too long.
    pub name: String,
    /// `ht_qualname` of a heap type.
    pub qualname: Option<Text>,
    /// `__module__` of a heap type.
    pub module: Option<Text>,
    /// Whether it is a heap type: made by a class statement, or by C at run time.
    pub heap: bool,
    /// Whether its metaclass is that of enumerations.
    pub enumeration: bool,
    /// The names of its first slots, its bases' included, in the order of their values.
    pub slots: Vec<String>,
}

/// The parameters of a code object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters<'a> {
    /// The code object's address.
    pub code: u64,
    /// How many can be given by position.
    pub positional: u32,
    /// How many can be given by keyword only; they come next.
    pub keyword_only: u32,
    /// `co_flags`: whether there are `*args`, which come next, and `**kwargs`, which come last.
    pub flags: u32,
    /// Their names, as captured.
    pub names: &'a [u8],
}

pub(super) fn decode_type(bytes: &[u8]) -> Result<TypeRecord, DecodeError> {
    let record: types::event_type = read(bytes)?;
    let (qualname, module) = record.text.split_at(record.text.len() / 2);
    let string =
        |string: &types::string, text| (string.width != 0).then(|| decode_string(string, text));
    let detail = u32::from(record.head.detail);
    let slots = record.slots.iter().map(|name| until_nul(name));
    Ok(TypeRecord {
        address: record.address,
        name: String::from_utf8_lossy(until_nul(&record.name)).into_owned(),
        qualname: string(&record.qualname, qualname),
        module: string(&record.module, module),
        heap: detail & types::type_detail::TYPE_HEAP.0 != 0,
        enumeration: detail & types::type_detail::TYPE_ENUM.0 != 0,
        slots: slots
            .take_while(|name| !name.is_empty())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect(),
    })
}

/// Reads the parameters of a code object.
pub(super) fn decode_parameters(bytes: &[u8]) -> Result<Parameters<'_>, DecodeError> {
    let record: types::event_parameters = read(bytes)?;
    Ok(Parameters {
        code: record.code,
        positional: record.positional,
        keyword_only: record.keyword_only,
        flags: record.flags,
        names: behind::<types::event_parameters>(bytes),
    })
}
