//! Splits a command line into pytrace's own options, the target, and the target's arguments.
//!
//! clap can't: `-m` and `-c` end pytrace's options although they are options, and a few options
//! are pytrace's even behind the script, among arguments that are not.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::Target;

/// A command line, taken apart.
#[derive(Debug)]
pub(super) struct Split {
    /// pytrace's own options, for clap.
    pub(super) options: Vec<OsString>,
    /// What to start; `None` where the line names nothing.
    pub(super) target: Option<Target>,
    /// The words of `options` that stood behind the script.
    pub(super) taken: Vec<String>,
}

/// Takes `args` apart; `clap` tells which of the options in front of the target have a value.
pub(super) fn split(clap: &clap::Command, args: &[OsString]) -> Result<Split, String> {
    let mut options = Vec::new();
    let mut rest = args.iter();
    while let Some(word) = rest.next() {
        match classify(clap, word) {
            Word::Separator => {
                let program = rest
                    .next()
                    .ok_or("a command is needed behind `--`")?
                    .clone();
                let args = rest.cloned().collect();
                return Ok(Split {
                    options,
                    target: Some(Target::Command { program, args }),
                    taken: Vec::new(),
                });
            }
            Word::Target(kind, value) => {
                let Some(value) = value.or_else(|| rest.next().cloned()) else {
                    return Err(match kind {
                        'm' => "a MODULE is needed behind -m".into(),
                        _ => "CODE is needed behind -c".into(),
                    });
                };
                let Behind { args, own, taken } = behind(rest.as_slice())?;
                options.extend(own);
                let target = match kind {
                    'm' => Target::Module { name: value, args },
                    'c' => Target::Code { code: value, args },
                    _ => Target::Script {
                        path: PathBuf::from(value),
                        args,
                    },
                };
                return Ok(Split {
                    options,
                    target: Some(target),
                    taken,
                });
            }
            Word::Option { value_follows } => {
                options.push(word.clone());
                if value_follows {
                    options.extend(rest.next().cloned());
                }
            }
        }
    }
    Ok(Split {
        options,
        target: None,
        taken: Vec::new(),
    })
}

/// What a word in front of the target is.
enum Word {
    /// `--`.
    Separator,
    /// `-m` or `-c` with or without the value in the same word, or a script (kind `s`).
    Target(char, Option<OsString>),
    /// An option, known to clap or not.
    Option { value_follows: bool },
}

fn classify(clap: &clap::Command, word: &OsStr) -> Word {
    let bytes = word.as_bytes();
    if bytes == b"--" {
        return Word::Separator;
    }
    if let Some(name) = bytes.strip_prefix(b"--") {
        let value_follows = !name.contains(&b'=')
            && clap.get_arguments().any(|arg| {
                arg.get_long().is_some_and(|long| long.as_bytes() == name) && takes_value(arg)
            });
        return Word::Option { value_follows };
    }
    match bytes {
        // A lone `-` is a script: python reads it from standard input.
        [b'-', cluster @ ..] if !cluster.is_empty() => {
            for (at, &letter) in cluster.iter().enumerate() {
                let value = &cluster[at + 1..];
                if matches!(letter, b'm' | b'c') && at == 0 {
                    let value = (!value.is_empty()).then(|| OsString::from_vec(value.to_vec()));
                    return Word::Target(char::from(letter), value);
                }
                let known = clap
                    .get_arguments()
                    .find(|a| a.get_short() == Some(char::from(letter)));
                if known.is_some_and(takes_value) {
                    return Word::Option {
                        value_follows: value.is_empty(),
                    };
                }
            }
            Word::Option {
                value_follows: false,
            }
        }
        _ => Word::Target('s', Some(word.to_owned())),
    }
}

fn takes_value(arg: &clap::Arg) -> bool {
    arg.get_action().takes_values()
}

/// What stood behind the script.
#[derive(Debug, Default)]
struct Behind {
    /// The script's.
    args: Vec<OsString>,
    /// pytrace's.
    own: Vec<OsString>,
    /// `own`, for people.
    taken: Vec<String>,
}

/// Sorts the words behind the script into the script's and pytrace's.
///
/// The first `--` ends the recognition and is dropped: it is how the user passes `-o` on, and a
/// script that never heard of pytrace would stumble over it.
fn behind(words: &[OsString]) -> Result<Behind, String> {
    let mut behind = Behind::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_bytes() {
            b"--" => {
                behind.args.extend(words.by_ref().cloned());
            }
            b"-o" | b"--output" | b"--scope" => {
                let value = words.next().filter(|value| !is_option(value)).ok_or_else(|| {
                    let word = word.to_string_lossy();
                    format!("{word} behind the script is pytrace's own and needs a value; `-- {word}` passes it on")
                })?;
                behind.take(&[word, value]);
            }
            b"--no-external-calls" | b"--no-imports" => behind.take(&[word]),
            bytes
                if bytes.starts_with(b"--output=")
                    || bytes.starts_with(b"--scope=")
                    || bytes.starts_with(b"-o") =>
            {
                behind.take(&[word]);
            }
            _ => behind.args.push(word.clone()),
        }
    }
    Ok(behind)
}

/// Whether a word can't be an option's value: clap doesn't take it as one either.
fn is_option(word: &OsStr) -> bool {
    word.len() > 1 && word.as_bytes().starts_with(b"-")
}

impl Behind {
    fn take(&mut self, words: &[&OsString]) {
        for &word in words {
            self.own.push(word.clone());
            self.taken.push(word.to_string_lossy().into_owned());
        }
    }
}
