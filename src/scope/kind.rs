//! What kind of code a code object is.

use super::Verdict;
use crate::trace::Kind;

/// What is known of a code object.
#[derive(Debug, Clone, Copy)]
pub struct CodeFacts<'a> {
    /// `co_name`.
    pub name: &'a str,
    /// `co_qualname`, where the version has it (3.11).
    pub qualname: Option<&'a str>,
    /// `co_flags`, where they could be read.
    pub flags: Option<u32>,
    /// Name of the first argument, if it has one and it could be read.
    pub first_argument: Option<&'a str>,
    /// Where the code stands.
    pub verdict: Verdict,
}

/// `CO_OPTIMIZED` and `CO_NEWLOCALS`: locals in slots of their own, as functions have them.
const FUNCTION: u32 = 0x1 | 0x2;
const GENERATOR: u32 = 0x20;
const COROUTINE: u32 = 0x80;
const ASYNC_GENERATOR: u32 = 0x200;

/// The kind of a code object. Where several fit, the one that says most about how it runs: a
/// generator that is a method is a generator.
pub fn kind_of(code: &CodeFacts<'_>) -> Kind {
    if code.verdict == Verdict::Import {
        return Kind::Import;
    }
    match code.name {
        "<module>" => return Kind::Module,
        "<lambda>" => return Kind::Lambda,
        "<listcomp>" | "<setcomp>" | "<dictcomp>" => return Kind::Comprehension,
        "<genexpr>" => return Kind::Generator,
        _ => {}
    }
    let flags = code.flags.unwrap_or(FUNCTION);
    if flags & FUNCTION == 0 {
        Kind::ClassBody
    } else if flags & (GENERATOR | ASYNC_GENERATOR) != 0 {
        Kind::Generator
    } else if flags & COROUTINE != 0 {
        Kind::Coroutine
    } else if code.name == "__init__" {
        Kind::ClassInstantiation
    } else if is_dunder(code.name) {
        Kind::SpecialMethod
    } else if is_method(code) {
        Kind::Method
    } else {
        Kind::Function
    }
}

fn is_dunder(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__")
}

/// By the qualified name where there is one (`A.f`, but not `g.<locals>.f`), else by what the
/// first argument is called.
fn is_method(code: &CodeFacts<'_>) -> bool {
    match code.qualname {
        Some(qualname) => qualname
            .rsplit_once('.')
            .is_some_and(|(prefix, _)| prefix != "<locals>" && !prefix.ends_with(".<locals>")),
        None => matches!(code.first_argument, Some("self" | "cls")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, qualname: Option<&str>, flags: u32, first: Option<&str>) -> Kind {
        kind_of(&CodeFacts {
            name,
            qualname,
            flags: Some(flags),
            first_argument: first,
            verdict: Verdict::Internal,
        })
    }

    #[test]
    fn kinds_follow_name_and_flags() {
        for (name, flags, expected) in [
            ("f", 0x3, Kind::Function),
            ("f", 0x23, Kind::Generator),
            ("f", 0x83, Kind::Coroutine),
            ("f", 0x203, Kind::Generator),
            ("<lambda>", 0x3, Kind::Lambda),
            ("<lambda>", 0x23, Kind::Lambda),
            ("<listcomp>", 0x13, Kind::Comprehension),
            ("<setcomp>", 0x13, Kind::Comprehension),
            ("<dictcomp>", 0x93, Kind::Comprehension),
            ("<genexpr>", 0x33, Kind::Generator),
            ("<module>", 0x40, Kind::Module),
            ("<module>", 0x0, Kind::Module),
            ("A", 0x0, Kind::ClassBody),
            ("A", 0x40, Kind::ClassBody),
            ("__A__", 0x0, Kind::ClassBody),
            ("__init__", 0x3, Kind::ClassInstantiation),
            ("__enter__", 0x3, Kind::SpecialMethod),
            ("__iter__", 0x23, Kind::Generator),
            ("__aenter__", 0x83, Kind::Coroutine),
            ("____", 0x3, Kind::Function),
            ("__private", 0x3, Kind::Function),
        ] {
            assert_eq!(kind(name, None, flags, None), expected, "{name} {flags:#x}");
        }
    }

    #[test]
    fn methods_are_told_by_the_qualified_name() {
        for (qualname, expected) in [
            ("f", Kind::Function),
            ("A.f", Kind::Method),
            ("A.B.f", Kind::Method),
            ("g.<locals>.f", Kind::Function),
            ("A.g.<locals>.f", Kind::Function),
            ("g.<locals>.A.f", Kind::Method),
        ] {
            assert_eq!(
                kind("f", Some(qualname), 0x3, Some("self")),
                expected,
                "{qualname}"
            );
        }
    }

    #[test]
    fn without_it_the_first_argument_tells() {
        assert_eq!(kind("f", None, 0x3, Some("self")), Kind::Method);
        assert_eq!(kind("f", None, 0x3, Some("cls")), Kind::Method);
        assert_eq!(kind("f", None, 0x3, Some("x")), Kind::Function);
    }

    #[test]
    fn unknown_flags_and_the_import_system() {
        let facts = CodeFacts {
            name: "f",
            qualname: None,
            flags: None,
            first_argument: None,
            verdict: Verdict::External,
        };
        assert_eq!(kind_of(&facts), Kind::Function);
        let import = CodeFacts {
            name: "<module>",
            verdict: Verdict::Import,
            ..facts
        };
        assert_eq!(kind_of(&import), Kind::Import);
    }
}
