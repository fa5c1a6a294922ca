//! What the kernel programs are to capture of objects: `struct value_plan` and the recipes of
//! `bpf/value.h`.

use anyhow::{Context as _, Result, ensure};
use libbpf_rs::{MapCore, MapFlags};

use crate::bpf::frames::types;
use crate::cli::Limits;
use crate::cpython::{Attributes, Layout, Objects, Plan, StaticType};
use crate::value::recipe::{ObjectOffsets, Path, Recipe, Whose, recipes};

/// `RECIPE_END` in `bpf/value.h`: a way ends.
const RECIPE_END: u16 = 0xffff;
/// Bytes of a type's name, its null byte included.
const RECIPE_NAME_MAX: usize = types::value_limits::RECIPE_NAME_MAX.0 as usize;

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
pub(super) fn value_plan(
    plan: &Plan,
    layout: &Layout,
    objects: &Objects,
    limits: ValueLimits,
) -> types::value_plan {
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
        code_argcount: layout.code_argcount,
        code_kwonlyargcount: objects.code_kwonlyargcount,
        code_names: objects.code_names,
        code_kinds: objects.code_kinds.unwrap_or(0),
        code_cell2arg: objects.code_cell2arg.unwrap_or(0),
        code_cell2arg_width: objects.code_cell2arg_width,
        code_cellvars: layout.methods.map_or(0, |methods| methods.code_cellvars),
        code_nlocals: objects.code_nlocals,
        code_nlocalsplus: objects.code_nlocalsplus.unwrap_or(0),
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

/// Tells the programs of a build what to capture of the instances of static types.
pub(super) fn enter_recipes(map: &impl MapCore, layout: &Layout, objects: &Objects) -> Result<()> {
    let offsets = ObjectOffsets {
        head: layout.ob_size(),
        function_qualname: objects.function_qualname,
        method_function: objects.method_function,
        builtin_definition: objects.builtin_definition,
        module_name: objects.module_name,
        exception_arguments: objects.exception_args,
    };
    for recipe in recipes(&offsets) {
        let key = recipe_key(recipe.name)?;
        let value = kernel_recipe(&recipe)?;
        // SAFETY: a struct without holes.
        let value = unsafe { plain::as_bytes(&value) };
        map.update(&key, value, MapFlags::ANY)
            .context("failed to enter a type into the kernel's map")?;
    }
    Ok(())
}

/// Tells them where the interpreter's own types are.
pub(super) fn enter_types(map: &impl MapCore, own: &[StaticType]) -> Result<()> {
    for known in own {
        let name = recipe_key(&known.name)?;
        map.update(&known.address.to_ne_bytes(), &name, MapFlags::ANY)
            .context("failed to enter a type into the kernel's map")?;
    }
    Ok(())
}

/// `struct recipe_key`: the name, with zeros behind it.
fn recipe_key(name: &str) -> Result<[u8; RECIPE_NAME_MAX]> {
    let mut key = [0; RECIPE_NAME_MAX];
    let place = key[..RECIPE_NAME_MAX - 1].get_mut(..name.len());
    place
        .with_context(|| format!("{name} is too long a name"))?
        .copy_from_slice(name.as_bytes());
    Ok(key)
}

fn kernel_recipe(recipe: &Recipe) -> Result<types::recipe> {
    let path = |path: Path| types::recipe_path {
        pointer: path.pointer,
        next: path.next.unwrap_or(RECIPE_END),
    };
    let whose = match recipe.whose {
        Whose::AnyOfC => types::recipe_types::RECIPE_OF_C,
        Whose::Exported => types::recipe_types::RECIPE_OF_EXPORTED,
        Whose::Static => types::recipe_types::RECIPE_OF_STATIC,
    };
    let mut kernel = types::recipe {
        shape: recipe.shape.number(),
        head: recipe.head,
        children: recipe.children.len() as u8,
        reads: recipe.reads.len() as u8,
        number: recipe.number,
        names: u8::from(recipe.names),
        whose: whose.0 as u8,
        ..types::recipe::default()
    };
    ensure!(
        recipe.children.len() <= kernel.child.len() && recipe.reads.len() <= kernel.read.len(),
        "the recipe of {} is too long",
        recipe.name
    );
    for (to, from) in kernel.child.iter_mut().zip(&recipe.children) {
        *to = path(*from);
    }
    for (to, from) in kernel.read.iter_mut().zip(&recipe.reads) {
        to.path = path(from.path);
        to.offset = from.offset;
        to.size = from.size;
    }
    Ok(kernel)
}
