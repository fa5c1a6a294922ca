//! What the kernel programs are to capture of objects: `struct value_plan` and the recipes of
//! `bpf/event.h`.

use crate::bpf::frames::types;
use crate::cli::Limits;
use crate::cpython::{Attributes, Objects, Plan};

/// How much of values is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueLimits {
    /// Characters of a string, and bytes of bytes.
    pub string: u16,
    /// Items of a container.
    pub items: u8,
    /// Containers in containers.
    pub depth: u8,
    /// Bytes of all values of one record.
    pub bytes: u16,
}

impl From<Limits> for ValueLimits {
    /// What can be asked for fits.
    fn from(limits: Limits) -> Self {
        ValueLimits {
            string: limits.max_string as u16,
            items: limits.max_items as u8,
            depth: limits.max_depth as u8,
            bytes: limits.max_bytes as u16,
        }
    }
}

/// Where a build's objects keep what is captured of them.
pub(super) fn value_plan(plan: &Plan, objects: &Objects, limits: ValueLimits) -> types::value_plan {
    let returns = plan.returns().copied().unwrap_or_default();
    let attributes = match objects.attributes {
        Attributes::DictOffset => types::attribute_layout::ATTRIBUTES_3_6,
        Attributes::ValuesOrDict { .. } => types::attribute_layout::ATTRIBUTES_3_11,
        Attributes::Tagged { .. } => types::attribute_layout::ATTRIBUTES_3_12,
        Attributes::Inline { .. } => types::attribute_layout::ATTRIBUTES_3_13,
    };
    let (values, dict) = match objects.attributes {
        Attributes::DictOffset => (0, 0),
        Attributes::ValuesOrDict { values, dict } => (values, dict),
        Attributes::Tagged { pointer: dict } | Attributes::Inline { dict } => (0, dict),
    };
    types::value_plan {
        wanted: 1,
        max_items: limits.items,
        max_depth: limits.depth,
        int_has_tag: u8::from(objects.int_has_tag),
        attributes: attributes.0 as u8,
        return_opcodes: returns.value,
        return_const_opcodes: returns.constant,
        extended_arg_opcode: returns.extended_arg,
        max_string: limits.string,
        max_bytes: limits.bytes,
        frame_locals: objects.frame_locals,
        code_argcount: plan.layout.code_argcount,
        code_kwonlyargcount: objects.code_kwonlyargcount,
        code_names: objects.code_names,
        code_kinds: objects.code_kinds.unwrap_or(0),
        code_cell2arg: objects.code_cell2arg.unwrap_or(0),
        code_cell2arg_width: objects.code_cell2arg_width,
        code_cellvars: plan.layout.methods.map_or(0, |methods| methods.code_cellvars),
        code_nlocals: objects.code_nlocals,
        code_consts: objects.code_consts,
        tuple_items: objects.tuple_items,
        list_items: objects.list_items,
        int_digits: objects.int_digits,
        bytes_data: objects.bytes_data,
        str_wide_data: objects.str_wide_data,
        bytearray_start: objects.bytearray_start,
        dict_used: objects.dict_used,
        dict_keys: objects.dict_keys,
        dict_values: objects.dict_values,
        keys_header: objects.keys_header,
        keys_size: objects.keys_size.unwrap_or(0),
        keys_log2_index_bytes: objects.keys_log2_index_bytes.unwrap_or(0),
        keys_kind: objects.keys_kind.unwrap_or(0),
        keys_entries_count: objects.keys_entries_count,
        set_used: objects.set_used,
        set_mask: objects.set_mask,
        set_table: objects.set_table,
        type_basicsize: objects.type_basicsize,
        type_itemsize: objects.type_itemsize,
        type_flags: objects.type_flags,
        type_base: objects.type_base,
        type_dict: objects.type_dict,
        type_dictoffset: objects.type_dictoffset,
        heap_qualname: objects.heap_qualname,
        heap_cached_keys: objects.heap_cached_keys,
        values_items: objects.values_items,
        values_valid: objects.values_valid.unwrap_or(0),
        managed_values: values,
        managed_dict: dict,
    }
}

pub(super) fn hack_recipes() -> Vec<(&'static str, types::recipe)> {
    use types::shape as s;
    [
        ("NoneType", s::SHAPE_NONE),
        ("bool", s::SHAPE_BOOL),
        ("int", s::SHAPE_INT),
        ("float", s::SHAPE_FLOAT),
        ("str", s::SHAPE_STR),
        ("bytes", s::SHAPE_BYTES),
        ("list", s::SHAPE_LIST),
        ("tuple", s::SHAPE_TUPLE),
        ("dict", s::SHAPE_DICT),
        ("set", s::SHAPE_SET),
        ("type", s::SHAPE_TYPE),
    ]
    .into_iter()
    .map(|(name, shape)| {
        (name, types::recipe { shape: shape.0 as u8, ..types::recipe::default() })
    })
    .collect()
}
