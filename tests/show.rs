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

/// What a terminal of 72 columns gets to see that has no colours.
fn on_a_terminal(options: &[&str]) -> String {
    let variables = [("LC_ALL", "C.UTF-8"), ("NO_COLOR", "1"), ("PAGER", "cat")];
    on_a_terminal_with(&variables, options)
}

/// What a terminal of 72 columns gets to see, where these variables and no others are set.
fn on_a_terminal_with(variables: &[(&str, &str)], options: &[&str]) -> String {
    let size = Winsize {
        ws_row: 24,
        ws_col: 72,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = openpty(Some(&size), None).unwrap();
    let mut command = show(options);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap());
    command.env("TERM", "xterm").envs(variables.iter().copied());
    let mut child = command.stdout(pty.slave).spawn().unwrap();
    // Its copy of the terminal's end goes with it.
    drop(command);
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

#[test]
fn a_terminal_has_colours_unless_somebody_objects() {
    let shown = |variables: &[(&str, &str)]| on_a_terminal_with(variables, &["--no-pager"]);
    let utf8 = ("LANG", "C.UTF-8");
    let coloured = shown(&[utf8]);
    assert!(
        coloured.contains("\u{1b}[1mTrainer.step\u{1b}[0m"),
        "{coloured}"
    );
    for plain in [
        shown(&[utf8, ("NO_COLOR", "1")]),
        shown(&[utf8, ("TERM", "dumb")]),
        piped(&[]),
    ] {
        assert!(!plain.contains('\u{1b}'), "{plain}");
    }
    assert!(shown(&[utf8, ("NO_COLOR", "")]).contains('\u{1b}'));
}

#[test]
fn a_terminal_without_utf_8_gets_ascii() {
    let ascii = include_str!("data/everything.ascii.txt");
    let width = "--width=100";
    assert_eq!(piped(&["--ascii", width]), ascii);
    for locale in ["C", "de_DE.ISO-8859-1"] {
        let variables = [("LC_ALL", locale), ("NO_COLOR", "1"), ("PAGER", "cat")];
        assert_eq!(on_a_terminal_with(&variables, &[width]), ascii, "{locale}");
    }
}

#[test]
fn a_terminal_gets_a_pager() {
    let utf8 = [("LANG", "C.UTF-8"), ("NO_COLOR", "1")];
    let with = |pager| [utf8[0], utf8[1], pager];
    let whole = on_a_terminal(&[]);
    // It is run by a shell, and has what git gives to less.
    let own = on_a_terminal_with(&with(("PYTRACE_PAGER", "echo LESS=$LESS; head -n 1")), &[]);
    let first = whole.lines().next().unwrap();
    assert_eq!(own, format!("LESS=FRX\n{first}\n"));
    let ordinary = on_a_terminal_with(&with(("PAGER", "tail -n 1")), &[]);
    assert_eq!(ordinary.trim_end(), whole.lines().last().unwrap());
    assert_eq!(on_a_terminal_with(&with(("PYTRACE_PAGER", "")), &[]), whole);
    let none = on_a_terminal_with(&with(("PAGER", "false")), &["--no-pager"]);
    assert_eq!(none, whole);
}

#[test]
fn what_is_not_wanted_is_left_out_and_counted() {
    for (options, lines, left_out) in [
        (&["--hide-imports"][..], 16, 1),
        (&["--hide-imports", "--hide-external"], 14, 3),
        (&["--thread", "812"], 14, 1),
        (&["--thread", "813"], 7, 8),
        (&["--depth", "1"], 10, 7),
        (&["--min-duration", "1.1ms"], 12, 5),
        (&["--function", "^Trainer"], 11, 4),
        (&["--function", "nothing"], 5, 9),
    ] {
        let text = piped(options);
        assert_eq!(text.lines().count(), lines, "{options:?}: {text}");
        let note = match left_out {
            1 => "1 call left out, as asked for\n".to_owned(),
            count => format!("{count} calls left out, as asked for\n"),
        };
        assert!(text.ends_with(&note), "{options:?}: {text}");
    }
    let text = piped(&["--no-times", "--no-values", "--hide-imports"]);
    assert!(text.contains("├── Trainer.step [train.py:88]\n"), "{text}");
}

#[test]
fn upper_levels_are_shown_of_what_is_long() {
    let text = piped(&["--limit", "8"]);
    assert!(text.contains("more, "), "{text}");
    assert!(text.contains("\nThe upper levels of 13 lines, 8 at most. --limit 0 shows all"));
    assert_eq!(piped(&["--limit", "0"]), piped(&[]));
}
