//! Calls to the text of a file, and the text of a file to a tree.
//!
//! The expected texts are in `tests/data`. `PYTRACE_BLESS=1 cargo test --test golden` writes them
//! anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/blessed.rs"]
mod blessed;
mod common;

use blessed::check;
use pytrace::format::read_from;
use pytrace::trace::{Arguments, Call, Category, Exit, Kind};
use pytrace::view::{Style, TreeOptions, write_tree};

/// A bit of everything.
fn calls() -> Vec<Call> {
    let module = common::code(
        "<module>",
        "/home/u/p/train.py",
        1,
        Kind::Module,
        Category::Internal,
    );
    let step = common::code(
        "Trainer.step",
        "/home/u/p/train.py",
        88,
        Kind::Method,
        Category::Internal,
    );
    let dumps = common::code(
        "dumps",
        "/usr/lib/json/__init__.py",
        183,
        Kind::Function,
        Category::External,
    );
    let find = common::code(
        "_find_and_load",
        "<frozen importlib._bootstrap>",
        1022,
        Kind::Import,
        Category::Import,
    );
    let batches = common::code(
        "batches",
        "/home/u/p/data.py",
        9,
        Kind::Generator,
        Category::Internal,
    );
    let odd = common::code(
        "\u{1b}[31m\"odd\"\\",
        "/home/u/p/a\nb.py",
        3,
        Kind::Function,
        Category::Internal,
    );

    let mut module_run = common::call(812, 1, 0, &module, 0, 20_500_000);
    module_run.arguments = Some(Arguments::new([]));
    module_run.result = Some("None".into());
    let mut step_run = common::call(812, 3, 1, &step, 3_000_000, 11_901_000);
    step_run.arguments = Some(Arguments::new([
        ("self", "<Trainer>"),
        ("batch", "list[8] [1, 2, 3, …]"),
        ("token", "<redacted>"),
    ]));
    step_run.result = Some("0.25".into());
    let mut dumped = common::call(812, 4, 2, &dumps, 4_000_000, 4_120_000);
    dumped.arguments = Some(Arguments::new([
        (
            "obj",
            "dict[2] {'größe': '日本語', 'html': '<b>&\"x\"</b>'}",
        ),
        ("args", "tuple[0] ()"),
        ("kw", "dict[1] {'esc': '\\x1b[31m\\ud800'}"),
    ]));
    dumped.result = Some("str[1000] '{\"größe\": \"日本…'".into());
    let mut resumed = common::call(812, 5, 2, &batches, 5_000_000, 5_000_820);
    resumed.resumed = true;
    resumed.exit = Exit::Yield;
    resumed.result = Some("None".into());
    let mut raised = common::call(812, 6, 2, &dumps, 6_000_000, 6_008_901);
    raised.arguments = Some(Arguments::new([("obj", "<unreadable>"), ("kw", "…")]));
    raised.exit = Exit::Exception;
    raised.exception = Some("ValueError".into());
    // The program's own text, with whatever is in it.
    raised.message = Some("no \u{1b}[31mred\u{202e} <script>\u{7}\nhere".into());
    let mut started = common::call(812, 8, 1, &batches, 14_000_000, 14_001_000);
    started.arguments = Some(Arguments::new([("n", "3")]));
    started.exit = Exit::Yield;
    started.result = Some("tuple[2] (5, <Batch n=3 …>)".into());
    let mut running = common::call(813, 1, 0, &odd, 0, 90_000_000_000);
    running.already_running = true;
    running.exit = Exit::Unfinished;
    // No recorder of ours writes this; a file may hold it.
    running.arguments = Some(Arguments::new([("\u{202e}x", "a\u{1b}]0;title\u{7}")]));
    vec![
        common::call(812, 2, 1, &find, 1_000_000, 2_234_567),
        dumped,
        resumed,
        raised,
        step_run,
        common::call(812, 7, 1, &step, 12_000_000, 13_000_000),
        started,
        module_run,
        running,
    ]
}

fn tree(file: &[u8], options: &TreeOptions) -> String {
    let mut out = Vec::new();
    write_tree(&read_from(file).unwrap(), options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn calls_become_a_file_and_a_tree() {
    let file = common::written(&calls());
    check("everything.json", std::str::from_utf8(&file).unwrap());
    check("everything.tree.txt", &tree(&file, &TreeOptions::default()));
    let ascii = TreeOptions {
        style: Style::Ascii,
        width: Some(100),
        ..TreeOptions::default()
    };
    check("everything.ascii.txt", &tree(&file, &ascii));
    let narrow = TreeOptions {
        width: Some(72),
        number_of_calls: true,
        ..TreeOptions::default()
    };
    check("everything.narrow.txt", &tree(&file, &narrow));
    let bare = TreeOptions {
        values: false,
        ..TreeOptions::default()
    };
    check("everything.bare.txt", &tree(&file, &bare));
}

#[test]
fn a_file_cut_short_becomes_a_tree() {
    let file = common::written(&calls());
    let text = std::str::from_utf8(&file).unwrap();
    let cut = text.find("\"call\":3").unwrap();
    check("cut.tree.txt", &tree(&file[..cut], &TreeOptions::default()));
}

#[test]
fn another_tools_file_becomes_a_tree() {
    check(
        "viztracer.tree.txt",
        &tree(
            include_bytes!("data/viztracer.json"),
            &TreeOptions::default(),
        ),
    );
}
