mod frames;
mod random;

use super::*;
use crate::bpf::frames::types;
use crate::event::Text;

const PID: u32 = 7;

/// A value to be, with its children.
#[derive(Clone)]
struct Made {
    shape: Shape,
    detail: u32,
    type_address: u64,
    length: u64,
    data: Vec<u8>,
    claimed: usize,
    children: Vec<Made>,
}

impl Made {
    fn children(self, children: impl Into<Vec<Made>>) -> Made {
        let children = children.into();
        Made {
            claimed: children.len(),
            children,
            ..self
        }
    }

    fn detail(self, detail: u32) -> Made {
        Made { detail, ..self }
    }

    fn typed(self, type_address: u64) -> Made {
        Made {
            type_address,
            ..self
        }
    }
}

fn made(shape: Shape, length: u64, data: &[u8]) -> Made {
    Made {
        shape,
        detail: 0,
        type_address: 0,
        length,
        data: data.to_vec(),
        claimed: 0,
        children: Vec::new(),
    }
}

fn int(value: i64) -> Made {
    let mut rest = value.unsigned_abs();
    let mut data = Vec::new();
    let mut digits = 0;
    while rest != 0 {
        data.extend(((rest & 0x3fff_ffff) as u32).to_le_bytes());
        rest >>= 30;
        digits += 1;
    }
    let negative = types::value_detail::VALUE_NEGATIVE.0;
    made(Shape::Int, digits, &data).detail(if value < 0 { negative } else { 0 })
}

fn string(text: &str) -> Made {
    let ascii = text.is_ascii();
    let data: Vec<u8> = if ascii {
        text.bytes().collect()
    } else {
        text.chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect()
    };
    made(Shape::Str, text.chars().count() as u64, &data).detail(if ascii { 1 } else { 4 })
}

fn sequence(shape: Shape, items: impl Into<Vec<Made>>) -> Made {
    let items = items.into();
    let length = items.len() as u64 / if shape == Shape::Dict { 2 } else { 1 };
    made(shape, length, &[]).children(items)
}

/// As the kernel program writes them: breadth first.
fn bytes(roots: Vec<Made>) -> Vec<u8> {
    let mut queue = std::collections::VecDeque::from(roots);
    let mut out = Vec::new();
    while let Some(value) = queue.pop_front() {
        let padded = value.data.len().next_multiple_of(8);
        out.extend((24 + padded as u16).to_le_bytes());
        out.extend([value.shape.number(), value.claimed as u8]);
        out.extend(value.detail.to_le_bytes());
        out.extend(value.type_address.to_le_bytes());
        out.extend(value.length.to_le_bytes());
        out.extend(&value.data);
        out.resize(out.len() + padded - value.data.len(), 0xee);
        queue.extend(value.children);
    }
    out
}

fn describer() -> Describer {
    let redaction = Redaction::new(DEFAULT_REDACTION).unwrap();
    let mut describer = Describer::new(redaction, 200, 3);
    for (address, name, module, class) in [
        (1, "Trainer", "train", "Trainer"),
        (2, "Color", "app", "Color"),
        (3, "PosixPath", "pathlib", "PosixPath"),
        (4, "DataFrame", "pandas.core.frame", "DataFrame"),
        (5, "Point", "__main__", "Point"),
    ] {
        let text = |text: &str| {
            Some(Text {
                text: text.to_owned(),
                whole: None,
            })
        };
        describer.meet(
            PID,
            &TypeRecord {
                address,
                name: name.to_owned(),
                qualname: text(class),
                module: text(module),
                heap: true,
                enumeration: class == "Color",
                slots: match class {
                    "PosixPath" => vec!["_drv".to_owned(), "_raw_paths".to_owned()],
                    _ => Vec::new(),
                },
            },
        );
    }
    for (address, name) in [
        (10, "ValueError"),
        (11, "numpy.ndarray"),
        (12, "numpy.float32"),
        (13, "numpy.complex64"),
        (14, "numpy.float16"),
    ] {
        describer.meet(
            PID,
            &TypeRecord {
                address,
                name: name.to_owned(),
                qualname: None,
                module: None,
                heap: false,
                enumeration: false,
                slots: Vec::new(),
            },
        );
    }
    describer
}

fn shown(value: Made) -> String {
    let text = describer().result(PID, &bytes(vec![value]));
    text.unwrap().into()
}

fn fields(name: &str, data: &[u8]) -> Made {
    let offsets = recipe::ObjectOffsets {
        head: 16,
        function_qualname: 0,
        method_function: 0,
        builtin_definition: 0,
        module_name: 0,
        exception_arguments: 0,
    };
    let recipes = recipe::recipes(&offsets);
    let recipe = recipes.iter().find(|recipe| recipe.name == name).unwrap();
    made(Shape::Fields, 0, data)
        .detail(u32::from(recipe.number) << types::value_detail::VALUE_RECIPE_SHIFT.0)
}

#[test]
fn shapes_have_their_numbers() {
    for number in 0..19 {
        let bytes = bytes(vec![made(Shape::Opaque, 0, &[])]);
        let mut bytes = bytes;
        bytes[2] = number;
        let value = crate::event::values(&bytes).next().unwrap();
        assert_eq!(value.shape.number(), number);
    }
}

#[test]
fn numbers() {
    for (value, text) in [
        (0, "0"),
        (42, "42"),
        (-7, "-7"),
        (i64::MAX, "9223372036854775807"),
    ] {
        assert_eq!(shown(int(value)), text);
    }
    let digits = |count: usize, digit: u32| -> Vec<u8> {
        (0..count).flat_map(|_| digit.to_le_bytes()).collect()
    };
    assert_eq!(
        shown(made(Shape::Int, 9, &digits(9, 0x3fff_ffff))),
        "1897137590064188545819787018382342682267975428761855001222473056385648716020711423"
    );
    let one = [digits(2, 0), digits(1, 1)].concat();
    assert_eq!(shown(made(Shape::Int, 12, &one)), "<int of 100 digits>");
    for (value, text) in [
        (0.1, "0.1"),
        (5.0, "5.0"),
        (-0.0, "-0.0"),
        (1e16, "1e+16"),
        (1e15, "1000000000000000.0"),
        (1e-5, "1e-05"),
        (0.0001, "0.0001"),
        (f64::INFINITY, "inf"),
        (f64::NAN, "nan"),
        (1.5e300, "1.5e+300"),
        (123456.789, "123456.789"),
        (5e-324, "5e-324"),
        (1e22, "1e+22"),
        (f64::MAX, "1.7976931348623157e+308"),
        (0.00012345, "0.00012345"),
        (-2.5, "-2.5"),
        (9999999999999998.0, "9999999999999998.0"),
        (1.0 / 3.0, "0.3333333333333333"),
    ] {
        assert_eq!(shown(made(Shape::Float, 0, &value.to_le_bytes())), text);
    }
    for (real, imaginary, text) in [
        (1.0, 2.0, "(1+2j)"),
        (0.0, 2.0, "2j"),
        (-0.0, -1.0, "(-0-1j)"),
        (f64::NAN, f64::INFINITY, "(nan+infj)"),
        (0.0, -0.0, "-0j"),
        (1.5, -1e20, "(1.5-1e+20j)"),
    ] {
        let data = [real.to_le_bytes(), imaginary.to_le_bytes()].concat();
        assert_eq!(shown(made(Shape::Complex, 0, &data)), text);
    }
}

#[test]
fn strings() {
    for (value, text) in [
        ("abc", "'abc'"),
        ("it's", "\"it's\""),
        ("'\"", "'\\'\"'"),
        ("a\\\n\t\r\u{1b}", r"'a\\\n\t\r\x1b'"),
        ("é😀", "'é😀'"),
        ("\u{202e}\u{a0}", r"'\u202e\xa0'"),
        ("\u{e0001}", r"'\U000e0001'"),
        ("", "''"),
    ] {
        assert_eq!(shown(string(value)), text);
    }
    let surrogate = made(Shape::Str, 1, &[0, 0xd8]).detail(2);
    assert_eq!(shown(surrogate), r"'\ud800'");
    let cut = made(Shape::Str, 1000, b"abcdefgh").detail(1);
    assert_eq!(shown(cut), "str[1000] 'abcdefgh…'");
    assert_eq!(shown(made(Shape::Bytes, 4, b"abc\0")), r"b'abc\x00'");
    assert_eq!(
        shown(made(Shape::Bytearray, 3, b"abc")),
        "bytearray(b'abc')"
    );
    assert_eq!(
        shown(made(Shape::Bytearray, 1000, b"abcdefgh")),
        "bytearray[1000] b'abcdefgh…'"
    );
}

#[test]
fn containers() {
    let ints = |range: std::ops::Range<i64>| range.map(int).collect::<Vec<_>>();
    assert_eq!(shown(sequence(Shape::List, ints(1..3))), "list[2] [1, 2]");
    assert_eq!(shown(sequence(Shape::Tuple, ints(1..2))), "tuple[1] (1,)");
    assert_eq!(shown(sequence(Shape::Set, [])), "set[0] {}");
    assert_eq!(
        shown(sequence(
            Shape::Dict,
            [string("a"), int(1), string("token"), int(2)]
        )),
        "dict[2] {'a': 1, 'token': <redacted>}"
    );
    let mut cut = sequence(Shape::List, ints(1..4));
    cut.length = 8;
    let nested = sequence(
        Shape::Tuple,
        [
            cut.clone(),
            sequence(Shape::Frozenset, ints(1..2)),
            sequence(Shape::List, ints(1..3)),
            made(Shape::List, 8, &[]),
            sequence(Shape::Set, []),
        ],
    );
    assert_eq!(
        shown(nested),
        "tuple[5] (list[8] [1, 2, 3, …], frozenset({1}), [1, 2], list[8] […], set())"
    );
    assert_eq!(shown(cut), "list[8] [1, 2, 3, …]");
    let point = sequence(Shape::Tuple, ints(1..3)).typed(5);
    assert_eq!(shown(point), "Point[2] (1, 2)");
}

#[test]
fn what_was_changed_meanwhile_shows_nothing_of_what_it_may_not_have_held() {
    let changed = types::value_detail::VALUE_CHANGED.0;
    let list = sequence(Shape::List, [int(1), int(2)]).detail(changed);
    assert_eq!(shown(list.clone()), "list[2] <changed>");
    let nested = sequence(Shape::Tuple, [list, int(3)]);
    assert_eq!(shown(nested), "tuple[2] (list[2] <changed>, 3)");
    let instance = sequence(Shape::Instance, [string("x"), int(1)]).typed(1);
    assert_eq!(shown(instance.detail(changed)), "<train.Trainer <changed>>");
    let bytes = made(Shape::Bytearray, 3, b"abc").detail(changed);
    assert_eq!(shown(bytes), "bytearray[3] <changed>");
}

#[test]
fn objects() {
    let instance = |children: Vec<Made>| sequence(Shape::Instance, children).typed(1);
    assert_eq!(shown(instance(vec![])), "<train.Trainer>");
    let mut three = instance(vec![string("x"), int(1), string("password"), string("a")]);
    three.length = 3;
    assert_eq!(shown(three), "<train.Trainer x=1 password=<redacted> …>");
    let member = sequence(Shape::Instance, [string("_name_"), string("RED")]).typed(2);
    assert_eq!(shown(member), "Color.RED");
    let raw = sequence(Shape::List, [string("/a"), string("b")]);
    let path = made(Shape::Instance, 0, &[])
        .children([made(Shape::Unset, 0, &[]), raw])
        .typed(3)
        .detail(types::value_detail::VALUE_SLOTS.0);
    assert_eq!(shown(path), "PosixPath('/a/b')");
    let frame = sequence(Shape::Instance, [string("_mgr"), int(1)]).typed(4);
    assert_eq!(shown(frame), "<pandas.DataFrame>");
    assert_eq!(shown(made(Shape::Type, 1, &[])), "<class 'train.Trainer'>");
    assert_eq!(shown(made(Shape::Opaque, 0, &[])), "<object>");
    assert_eq!(shown(made(Shape::Unreadable, 0, &[])), "<unreadable>");
    let range = |step| fields("range", &[]).children([int(0), int(10), int(step)]);
    assert_eq!(shown(range(1)), "range(0, 10)");
    assert_eq!(shown(range(2)), "range(0, 10, 2)");
    let none = || made(Shape::None, 0, &[]);
    let slice = fields("slice", &[]).children([none(), int(5), none()]);
    assert_eq!(shown(slice), "slice(None, 5, None)");
    let function = || fields("function", &[]).children([string("outer.<locals>.f")]);
    assert_eq!(shown(function()), "<function outer.<locals>.f>");
    let method = fields("method", &[]).children([function()]);
    assert_eq!(shown(method), "<bound method outer.<locals>.f>");
    let mut name = [0; 64];
    name[..3].copy_from_slice(b"len");
    let builtin = fields("builtin_function_or_method", &name);
    assert_eq!(shown(builtin), "<built-in function len>");
    let module = fields("module", &[]).children([string("os")]);
    assert_eq!(shown(module), "<module 'os'>");
    let mut array = [0u8; 88];
    array[8] = 2;
    array[16] = 3;
    array[24] = 4;
    array[80] = b'f';
    array[84] = 12;
    let array = fields("numpy.ndarray", &array).typed(11);
    assert_eq!(shown(array), "<numpy.ndarray float64 (3, 4)>");
    let scalar = fields("numpy.float32", &[0, 0, 0, 0x3f, 0, 0, 0, 0]).typed(12);
    assert_eq!(shown(scalar), "<numpy.float32 0.5>");
    let scalar = fields("numpy.complex64", &[0, 0, 0, 0x3f, 0, 0, 0, 0x3f]).typed(13);
    assert_eq!(shown(scalar), "<numpy.complex64 (0.5+0.5j)>");
    for (bits, text) in [
        (0x2e66, "0.1"),
        (0x3800, "0.5"),
        (0x7bff, "65500.0"),
        (0xfc00, "-inf"),
        (0x0001, "6e-08"),
    ] {
        let scalar = fields("numpy.float16", &u64::to_le_bytes(bits)).typed(14);
        assert_eq!(shown(scalar), format!("<numpy.float16 {text}>"));
    }
}

#[test]
fn exceptions() {
    let error = |arguments: Vec<Made>| {
        let arguments = sequence(Shape::Tuple, arguments);
        fields("BaseException", &[]).children([arguments]).typed(10)
    };
    assert_eq!(shown(error(vec![])), "ValueError()");
    assert_eq!(
        shown(error(vec![string("a"), int(1)])),
        "ValueError('a', 1)"
    );
    let told = |value: Made| describer().exception(PID, &bytes(vec![value]));
    let (name, message) = told(error(vec![string("it's\n")]));
    assert_eq!(name.as_deref(), Some("ValueError"));
    assert_eq!(message.as_deref(), Some("it's\\n"));
    assert_eq!(told(error(vec![int(1)])).1, None);
    assert_eq!(told(string("text")).1.as_deref(), Some("text"));
    assert_eq!(told(made(Shape::Unset, 0, &[])), (None, None));
}

fn parameters(
    names: &[&str],
    positional: u32,
    keyword_only: u32,
    flags: u32,
) -> (Describer, ParameterNames) {
    let mut describer = describer();
    let names = bytes(names.iter().map(|name| string(name)).collect());
    let names = describer.parameters(&Parameters {
        code: 0,
        positional,
        keyword_only,
        flags,
        names: &names,
    });
    (describer, names)
}

#[test]
fn arguments_are_in_the_order_of_the_signature() {
    let (mut describer, names) = parameters(&["self", "x", "token", "args", "kwargs"], 2, 1, 12);
    let values = bytes(vec![
        made(Shape::Instance, 1, &[]).typed(1),
        int(1),
        string("s3cr3t"),
        sequence(Shape::Tuple, [int(2)]),
        sequence(Shape::Dict, [string("password"), int(5)]),
    ]);
    let arguments = describer.arguments(PID, &names, &values);
    assert_eq!(
        arguments.iter().collect::<Vec<_>>(),
        [
            ("self", "<Trainer>"),
            ("x", "1"),
            ("args", "tuple[1] (2,)"),
            ("token", "<redacted>"),
            ("kwargs", "dict[1] {'password': <redacted>}"),
        ]
    );
    let arguments = describer.arguments(PID, &names, &values[..24]);
    assert_eq!(arguments.iter().nth(1), Some(("x", "…")));
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    let (mut describer, names) = parameters(&["a", "b", "c"], 3, 0, 0);
    let values = bytes(vec![int(1), int(22), int(333)]);
    let start = std::time::Instant::now();
    for _ in 0..2_000_000 {
        std::hint::black_box(describer.arguments(PID, &names, std::hint::black_box(&values)));
    }
    eprintln!(
        "{:.2} million a second",
        2.0 / start.elapsed().as_secs_f64()
    );
}
