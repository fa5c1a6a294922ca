//! `pytrace show`: what its options show of a trace, and how wide. The texts are those of
//! `tests/golden.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use nix::pty::{Winsize, openpty};

const TRACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/everything.json");

fn show(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pytrace"));
    command.arg("show").arg(TRACE).args(options);
    command.stdin(Stdio::null());
    command
}

fn piped(options: &[&str]) -> String {
    let output = show(options).output().unwrap();
    assert!(output.status.success(), "{options:?}: {output:?}");
    assert_eq!(output.stderr, b"", "{options:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a terminal of 72 columns gets to see.
fn on_a_terminal(options: &[&str]) -> String {
    let size = Winsize {
        ws_row: 24,
        ws_col: 72,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = openpty(Some(&size), None).unwrap();
    let mut child = show(options).stdout(pty.slave).spawn().unwrap();
    let mut text = Vec::new();
    // A terminal that nobody has open any more ends with an error.
    let _ = File::from(pty.master).read_to_end(&mut text);
    assert!(child.wait().unwrap().success());
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}

#[test]
fn what_goes_into_a_file_is_whole() {
    let tree = include_str!("data/everything.tree.txt");
    assert_eq!(piped(&[]), tree);
    assert_eq!(piped(&["--width", "0"]), tree);
}

#[test]
fn values_can_be_left_out() {
    let bare = include_str!("data/everything.bare.txt");
    assert_eq!(piped(&["--no-values"]), bare);
}

#[test]
fn lines_are_cut_to_the_terminal_or_as_asked() {
    let narrow = include_str!("data/everything.narrow.txt");
    assert_eq!(piped(&["--number-of-calls", "--width=72"]), narrow);
    assert_eq!(on_a_terminal(&["--number-of-calls"]), narrow);
    let tree = include_str!("data/everything.tree.txt");
    assert_eq!(on_a_terminal(&["--width=0"]), tree);
}
