use super::super::Gil;
use super::*;
use crate::cpython::{Choice, Found, Interpreter, Problem, plan, tests};

fn elf(data: Vec<u8>) -> Elf {
    Elf::parse(data).expect("an ELF file")
}

/// The system's interpreter with eight bytes changed: those at the address that `place` picks.
fn changed(place: impl Fn(&Elf) -> u64, value: u64) -> Vec<u8> {
    let mut data = tests::bytes();
    let original = elf(data.clone());
    let at = original.file_offset(place(&original)).expect("in the file") as usize;
    data[at..at + 8].copy_from_slice(&value.to_le_bytes());
    data
}

fn interpreter(data: Vec<u8>) -> Interpreter {
    match Interpreter::from_bytes("changed", data) {
        Found::Interpreter(interpreter) => *interpreter,
        found => panic!("{found:?}"),
    }
}

fn layout_of(data: Vec<u8>) -> Result<Layout, Problem> {
    plan(&interpreter(data), Choice::Dispatch)
        .map(|plan| plan.layout.expect("a plan that reads frames"))
        .map_err(|error| error.problem)
}

fn basic_size(symbol: &str) -> impl Fn(&Elf) -> u64 {
    move |elf| elf.symbol(symbol).expect("exported").address + 32
}

/// Where the offset of a member of a type's instances is.
fn member(symbol: &str, name: &str) -> impl Fn(&Elf) -> u64 {
    move |elf| {
        let address = elf.symbol(symbol).expect("exported").address;
        let members = elf.pointer_at(address + 240).expect("members");
        let named = |member: &u64| {
            let text = elf.pointer_at(*member).expect("a name");
            let text = elf.bytes_at(text).expect("a name");
            text.starts_with(name.as_bytes()) && text[name.len()] == 0
        };
        let member = (0..32).map(|index| members + index * 40).find(named);
        member.expect("the member") + 16
    }
}

#[test]
fn a_release_shows_what_was_measured() {
    let data = tests::bytes();
    let measured = Layout::of(interpreter(data.clone()).version(), Gil::With);
    assert_eq!(layout_of(data).ok(), measured);
}

#[test]
fn a_field_that_moved_is_followed() {
    let data = changed(member("PyCode_Type", "co_firstlineno"), 92);
    let tells = interpreter(data.clone()).has_debug_offsets();
    let moved = layout_of(data).map(|layout| layout.code_firstlineno);
    // Where the build tells its offsets as well, the two contradict each other.
    let expected = if tells {
        Err(Problem::Layout("code"))
    } else {
        Ok(92)
    };
    assert_eq!(moved, expected);
}

#[test]
fn strings_that_are_not_those_measured_are_refused() {
    let refused = layout_of(changed(basic_size("PyUnicode_Type"), 1000));
    assert_eq!(refused, Err(Problem::Layout("str")));
}

#[test]
fn frames_that_are_not_those_measured_are_refused_unless_the_build_tells() {
    let data = changed(basic_size("PyFrame_Type"), 1000);
    let tells = interpreter(data.clone()).has_debug_offsets();
    let layout = layout_of(data);
    assert_eq!(layout.is_ok(), tells, "{layout:?}");
}

#[test]
fn a_member_table_without_end_is_not_followed_forever() {
    // It points to itself: every entry's name is some text that is not asked for.
    let code = |elf: &Elf| elf.symbol("PyCode_Type").expect("exported").address;
    let original = elf(tests::bytes());
    let data = changed(|elf| code(elf) + 240, code(&original));
    assert_eq!(layout_of(data), Err(Problem::Layout("code")));
}

#[test]
fn other_objects_are_not_looked_into() {
    for symbol in ["PyDict_Type", "PyTuple_Type", "PyModule_Type"] {
        let layout = layout_of(changed(basic_size(symbol), 1000));
        let layout = layout.expect("calls can be traced all the same");
        assert_eq!(layout.objects, None, "{symbol}");
    }
}

#[test]
fn types_that_are_not_those_measured_are_not_looked_into() {
    let moved = changed(member("PyRange_Type", "stop"), 48);
    assert_eq!(layout_of(moved).map(|layout| layout.objects), Ok(None));
}

#[test]
fn a_field_of_code_objects_that_moved_is_followed() {
    let data = changed(member("PyCode_Type", "co_consts"), 92);
    let objects = layout_of(data).expect("a plan").objects;
    assert_eq!(objects.map(|objects| objects.code_consts), Some(92));
}
