//! Values of a target's objects as captured, to text.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use pytrace::event::{Parameters, Text, TypeRecord};
use pytrace::value::{DEFAULT_REDACTION, Describer, Redaction};

/// Types that values may be of, at multiples of 16. Some are shown in ways of their own.
const TYPES: [(&str, &str, &[&str]); 12] = [
    ("", "Plain", &[]),
    ("app.models", "Slotted", &["x", "password", "y\x1b[2J"]),
    ("builtins", "ValueError", &[]),
    ("pathlib", "PosixPath", &["_raw_paths", "_drv"]),
    ("pathlib._local", "PosixPath", &["_str"]),
    ("numpy", "ndarray", &[]),
    ("numpy", "float64", &[]),
    ("torch", "Tensor", &[]),
    ("torch.nn.modules.linear", "Linear", &[]),
    ("pandas.core.frame", "DataFrame", &[]),
    ("pandas.core.series", "Series", &[]),
    ("app", "Colour", &[]),
];

thread_local! {
    /// With the types met: to compile its pattern takes longer than an input does.
    static DESCRIBER: RefCell<Describer> = RefCell::new(describer());
}

fn describer() -> Describer {
    let redaction = Redaction::new(DEFAULT_REDACTION).expect("it is ours");
    let mut describer = Describer::new(redaction, 200, 3);
    let text = |text: &str| Text {
        text: text.to_owned(),
        whole: None,
    };
    for (address, (module, name, slots)) in (16..).step_by(16).zip(TYPES) {
        let heap = module != "builtins";
        describer.meet(
            0,
            &TypeRecord {
                address,
                name: if heap {
                    name.to_owned()
                } else {
                    format!("{module}.{name}")
                },
                qualname: heap.then(|| text(name)),
                module: heap.then(|| text(module)),
                heap,
                enumeration: name == "Colour",
                slots: slots.iter().map(|slot| (*slot).to_owned()).collect(),
            },
        );
    }
    describer
}

fuzz_target!(|bytes: &[u8]| {
    DESCRIBER.with_borrow_mut(|describer| check(describer, bytes));
});

fn check(describer: &mut Describer, bytes: &[u8]) {
    let count = u32::from(bytes.first().copied().unwrap_or_default());
    let names = describer.parameters(&Parameters {
        code: 0,
        positional: count % 8,
        keyword_only: count >> 5,
        flags: count,
        names: bytes,
    });
    // One value leads to others, but none to more than a line or two.
    let longest = 4096 + bytes.len() * 8;
    let readable = |text: &str| !text.contains(char::is_control) && text.len() <= longest;
    let arguments = describer.arguments(0, &names, bytes);
    for (name, value) in arguments.iter() {
        assert!(readable(name) && readable(value), "{name:?}={value:?}");
        if name.to_lowercase().contains("password") {
            assert_eq!(value, "<redacted>", "{name}");
        }
    }
    let (name, message) = describer.exception(0, bytes);
    for text in [describer.result(0, bytes), name, message]
        .into_iter()
        .flatten()
    {
        assert!(readable(&text), "{text:?}");
    }
    // What is remembered of one object says nothing of the next.
    let again = describer.arguments(0, &names, bytes);
    assert!(again.iter().eq(arguments.iter()));
}
