//! The options on a python's command line (`Python/getopt.c`).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

/// What a python's command line says before what is the script's own.
#[derive(Debug, Default)]
pub(crate) struct Options<'a> {
    /// Those of one letter, but for `-m` and `-c`.
    pub(crate) letters: Vec<u8>,
    /// The script; `None` for `-m`, `-c` and standard input.
    pub(crate) script: Option<&'a OsStr>,
}

impl Options<'_> {
    /// Reads them off the arguments behind the program's name.
    pub(crate) fn of(args: &[OsString]) -> Options<'_> {
        let mut options = Options::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_bytes() {
                b"--" => {
                    options.script = args.next().map(OsString::as_os_str);
                    break;
                }
                b"--check-hash-based-pycs" => {
                    args.next();
                }
                [b'-', b'-', ..] => {}
                b"-" | b"" => break,
                [b'-', cluster @ ..] => {
                    // Options without a value may share a word with one that has one: `-uW error`.
                    for (at, letter) in cluster.iter().enumerate() {
                        match letter {
                            b'm' | b'c' => return options,
                            b'W' | b'X' => {
                                if at + 1 == cluster.len() {
                                    args.next();
                                }
                                break;
                            }
                            letter => options.letters.push(*letter),
                        }
                    }
                }
                _ => {
                    options.script = Some(arg);
                    break;
                }
            }
        }
        options
    }
}
