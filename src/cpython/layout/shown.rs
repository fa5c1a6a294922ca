//! What a build shows of its objects in its own data: the static type objects that every CPython
//! exports have the size of their instances, and name fields of theirs with their offsets.

use super::objects::ObjectSizes;
use super::{Layout, Measured, Methods, Objects, Unknown};
use crate::cpython::elf::Elf;

/// What was measured, corrected by the build's type objects. Where those show that objects are not
/// those that were measured, but not where their fields are, the layout is not known; `told` says
/// that the build tells of its frames itself.
pub(super) fn correct(elf: &Elf, measured: &Measured, told: bool) -> Result<Layout, Unknown> {
    let mut layout = code(elf, measured.layout).ok_or(Unknown::Objects("code"))?;
    if !told {
        layout = frame(elf, measured, layout).ok_or(Unknown::Objects("frame"))?;
    }
    let head = layout.ob_type;
    let strings = TypeObject::find(elf, head, "PyUnicode_Type").and_then(|it| it.basic_size());
    if strings != Some(measured.sizes.string) {
        return Err(Unknown::Objects("str"));
    }
    if let Some(measured_methods) = layout.methods {
        let methods = methods(elf, measured, measured_methods);
        layout.methods = Some(methods.ok_or(Unknown::Objects("function"))?);
    }
    Ok(layout)
}

/// `code_memberlist` and `PyCode_Type` (`Objects/codeobject.c`).
pub(super) fn code(elf: &Elf, layout: Layout) -> Option<Layout> {
    let code = TypeObject::find(elf, layout.ob_type, "PyCode_Type")?;
    Some(Layout {
        code_argcount: code.member("co_argcount")?,
        code_flags: code.member("co_flags")?,
        code_firstlineno: code.member("co_firstlineno")?,
        code_filename: code.member("co_filename")?,
        code_name: code.member("co_name")?,
        code_qualname: match layout.code_qualname {
            Some(_) => Some(code.member("co_qualname")?),
            None => None,
        },
        // Since 3.11 the instructions follow upon the object.
        code_instructions: match layout.code_instructions {
            Some(_) => Some(code.basic_size()?),
            None => None,
        },
        ..layout
    })
}

/// `frame_memberlist` and `PyFrame_Type` (`Objects/frameobject.c`). It does not name all that is
/// read, so a frame must be as large as those that were measured.
fn frame(elf: &Elf, measured: &Measured, layout: Layout) -> Option<Layout> {
    let frame = TypeObject::find(elf, layout.ob_type, "PyFrame_Type")?;
    if frame.basic_size()? != measured.sizes.frame {
        return None;
    }
    if layout.methods.is_none() {
        return Some(layout);
    }
    Some(Layout {
        frame_code: frame.member("f_code")?,
        frame_previous: frame.member("f_back")?,
        ..layout
    })
}

/// `PyFunction_Type` (`Objects/funcobject.c`) and `PyType_Type` (`Objects/typeobject.c`), which name
/// little: functions and types must be as large as those that were measured.
fn methods(elf: &Elf, measured: &Measured, methods: Methods) -> Option<Methods> {
    let head = measured.layout.ob_type;
    let code = TypeObject::find(elf, head, "PyCode_Type")?;
    let function = TypeObject::find(elf, head, "PyFunction_Type")?;
    let heap_type = TypeObject::find(elf, head, "PyType_Type")?;
    let same = function.basic_size()? == measured.sizes.function
        && heap_type.basic_size()? == measured.sizes.heap_type;
    same.then_some(Methods {
        code_cellvars: code.member("co_cellvars")?,
        function_closure: function.member("__closure__")?,
        ..methods
    })
}

/// The type objects of what is captured, each in its file in `Objects`. They name little: their
/// instances must be as large as those that were measured, and what is named must lie where that
/// was.
pub(super) fn objects(
    elf: &Elf,
    of_others: &Measured,
    object_sizes: &ObjectSizes,
    objects: Objects,
) -> Option<Objects> {
    let layout = &of_others.layout;
    let head = layout.ob_type;
    let basic_size = |symbol| TypeObject::find(elf, head, symbol)?.basic_size();
    let measured = [
        ("PyTuple_Type", objects.tuple_items),
        ("PyLong_Type", objects.int_digits),
        // A null byte follows upon the others.
        ("PyBytes_Type", objects.bytes_data.checked_add(1)?),
        ("PyType_Type", objects.heap_size),
        ("PyFunction_Type", of_others.sizes.function),
        ("PyList_Type", object_sizes.list),
        ("PyFloat_Type", object_sizes.float),
        ("PyComplex_Type", object_sizes.complex),
        ("PyByteArray_Type", object_sizes.bytearray),
        ("PyDict_Type", object_sizes.dict),
        ("PySet_Type", object_sizes.set),
        ("PyMethod_Type", object_sizes.method),
        ("PyModule_Type", object_sizes.module),
        ("PyCFunction_Type", object_sizes.builtin),
        ("PySlice_Type", object_sizes.slice),
    ];
    let same_sizes = measured
        .iter()
        .all(|(symbol, size)| basic_size(*symbol) == Some(*size))
        && TypeObject::pointed_to(elf, head, "PyExc_BaseException")?.basic_size()
            == Some(object_sizes.exception);
    let member = |symbol, name| TypeObject::find(elf, head, symbol)?.member(name);
    let named = [
        ("PyType_Type", "__basicsize__", objects.type_basicsize),
        ("PyType_Type", "__itemsize__", objects.type_itemsize),
        ("PyType_Type", "__flags__", objects.type_flags),
        ("PyType_Type", "__base__", objects.type_base),
        ("PyType_Type", "__dictoffset__", objects.type_dictoffset),
        ("PyComplex_Type", "real", objects.complex_value),
        ("PyMethod_Type", "__func__", objects.method_function),
        ("PySlice_Type", "start", objects.slice_start),
        ("PySlice_Type", "stop", objects.slice_stop),
        ("PySlice_Type", "step", objects.slice_step),
        // `rangeobject` is in Objects/rangeobject.c, the same from 3.6 to 3.15.
        ("PyRange_Type", "start", layout.ob_size()),
        ("PyRange_Type", "stop", layout.ob_size() + 8),
        ("PyRange_Type", "step", layout.ob_size() + 16),
    ];
    let same_members = named
        .iter()
        .all(|(symbol, name, offset)| member(symbol, name) == Some(*offset));
    if !(same_sizes && same_members) {
        return None;
    }
    // What code objects name is followed, as in `code`.
    let code = |name| member("PyCode_Type", name);
    Some(Objects {
        code_kwonlyargcount: code("co_kwonlyargcount")?,
        code_consts: code("co_consts")?,
        // Up to 3.10 these two are members.
        code_nlocals: match objects.code_cell2arg {
            Some(_) => code("co_nlocals")?,
            None => objects.code_nlocals,
        },
        code_names: match objects.code_cell2arg {
            Some(_) => code("co_varnames")?,
            None => objects.code_names,
        },
        ..objects
    })
}

/// A `PyTypeObject` in the file's data. Its own fields have not moved from 3.6 to 3.15
/// (`Include/cpython/object.h`), but for the head that they follow upon.
#[derive(Debug, Clone, Copy)]
struct TypeObject<'e> {
    elf: &'e Elf,
    /// Of its `ob_type`.
    address: u64,
}

impl<'e> TypeObject<'e> {
    fn find(elf: &'e Elf, ob_type: u16, symbol: &str) -> Option<TypeObject<'e>> {
        let object = elf.symbol(symbol)?.address;
        let address = object.checked_add(ob_type.into())?;
        Some(TypeObject { elf, address })
    }

    /// The one that a variable points to: so are the types of exceptions exported.
    fn pointed_to(elf: &'e Elf, ob_type: u16, symbol: &str) -> Option<TypeObject<'e>> {
        let object = elf.pointer_at(elf.symbol(symbol)?.address)?;
        let address = object.checked_add(ob_type.into())?;
        Some(TypeObject { elf, address })
    }

    /// `tp_basicsize`.
    fn basic_size(&self) -> Option<u16> {
        const TP_BASICSIZE: u64 = 24;
        let size = self
            .elf
            .pointer_at(self.address.checked_add(TP_BASICSIZE)?)?;
        u16::try_from(size).ok()
    }

    /// The offset of a field, by its name in `tp_members`: an array of `PyMemberDef`
    /// (`Include/structmember.h`, since 3.12 `Include/descrobject.h`) that ends without a name.
    fn member(&self, name: &str) -> Option<u16> {
        const TP_MEMBERS: u64 = 232;
        const MEMBER_SIZE: u64 = 40;
        const MEMBER_OFFSET: u64 = 16;
        /// More than any type has.
        const MEMBERS_MAX: u64 = 64;
        let members = self.elf.pointer_at(self.address.checked_add(TP_MEMBERS)?)?;
        for index in 0..MEMBERS_MAX {
            let member = members.checked_add(index * MEMBER_SIZE)?;
            let text = self.elf.pointer_at(member).filter(|text| *text != 0)?;
            let rest = self.elf.bytes_at(text)?.strip_prefix(name.as_bytes());
            if rest.is_some_and(|rest| rest.first() == Some(&0)) {
                let offset = self.elf.pointer_at(member.checked_add(MEMBER_OFFSET)?)?;
                return u16::try_from(offset).ok();
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
