//! What a build shows of its objects in its own data: the static type objects that every CPython
//! exports have the size of their instances, and name fields of theirs with their offsets.

use super::{Layout, Measured, Methods, Unknown};
use crate::cpython::elf::Elf;

/// What was measured, corrected by the build's type objects. Where those show that objects are not
/// those that were measured, but not where their fields are, the layout is not known; `told` says
/// that the build tells of its frames itself.
pub(super) fn correct(elf: &Elf, measured: &Measured, told: bool) -> Result<Layout, Unknown> {
    let mut layout = code(elf, measured.layout).ok_or(Unknown::Objects("code"))?;
    if !told {
        layout = frame(elf, measured, layout).ok_or(Unknown::Objects("frame"))?;
    }
    let strings = TypeObject::find(elf, "PyUnicode_Type").and_then(|it| it.basic_size());
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
    let code = TypeObject::find(elf, "PyCode_Type")?;
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
    let frame = TypeObject::find(elf, "PyFrame_Type")?;
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
    let code = TypeObject::find(elf, "PyCode_Type")?;
    let function = TypeObject::find(elf, "PyFunction_Type")?;
    let heap_type = TypeObject::find(elf, "PyType_Type")?;
    let same = function.basic_size()? == measured.sizes.function
        && heap_type.basic_size()? == measured.sizes.heap_type;
    same.then_some(Methods {
        code_cellvars: code.member("co_cellvars")?,
        function_closure: function.member("__closure__")?,
        ..methods
    })
}

/// A `PyTypeObject` in the file's data. Its own fields have not moved from 3.6 to 3.15
/// (`Include/cpython/object.h`).
#[derive(Debug, Clone, Copy)]
struct TypeObject<'e> {
    elf: &'e Elf,
    address: u64,
}

impl<'e> TypeObject<'e> {
    fn find(elf: &'e Elf, symbol: &str) -> Option<TypeObject<'e>> {
        let address = elf.export(symbol)?.address;
        Some(TypeObject { elf, address })
    }

    /// `tp_basicsize`.
    fn basic_size(&self) -> Option<u16> {
        const TP_BASICSIZE: u64 = 32;
        let size = self
            .elf
            .pointer_at(self.address.checked_add(TP_BASICSIZE)?)?;
        u16::try_from(size).ok()
    }

    /// The offset of a field, by its name in `tp_members`: an array of `PyMemberDef`
    /// (`Include/structmember.h`, since 3.12 `Include/descrobject.h`) that ends without a name.
    fn member(&self, name: &str) -> Option<u16> {
        const TP_MEMBERS: u64 = 240;
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
