//! Whether a recording is whole: the one place that decides it, for what is said at a recording's end,
//! and for what is shown of its file.
//!
//! Events that were lost are counted by themselves ([`Footer::lost`]), and have their places. What
//! stands here was missed in some other way.

use std::fmt::{self, Display, Formatter};

use indicatif::HumanCount;
use serde::{Deserialize, Serialize};

use super::{Footer, Recording, is_zero};

/// What is missing from a recording, or may be, although no events are counted as lost for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Incomplete {
    /// Processes that ran while their probes were put on: their first calls may be missing.
    #[serde(skip_serializing_if = "is_zero")]
    pub unheld: u64,
    /// Programs that had ended before it was seen what they were, and could not be held until then: there
    /// may have been Pythons among them.
    #[serde(skip_serializing_if = "is_zero")]
    pub unseen: u64,
    /// Processes that went on untraced, as something was wrong with them or their interpreter.
    #[serde(skip_serializing_if = "is_zero")]
    pub untraced: u64,
    /// Interpreters whose probes were found wrong and replaced, or were those of one whose JIT is off: of
    /// what they called before, calls may be missing.
    #[serde(skip_serializing_if = "is_zero")]
    pub replanned: u64,
    /// Interpreters whose probes do not see every call, and were kept; [`super::Interpreter::findings`]
    /// says what they lack.
    #[serde(skip_serializing_if = "is_zero")]
    pub partly_seen: u64,
    /// Interpreters whose JIT was on, and of which generators or coroutines are in the recording: those that
    /// go on and yield within compiled code are not seen.
    #[serde(skip_serializing_if = "is_zero")]
    pub compiled: u64,
    /// Calls that were left out, as nothing showed that they were right: of a CPython that is newer
    /// than the pytrace that recorded them.
    #[serde(skip_serializing_if = "is_zero")]
    pub unproved: u64,
    /// Births, starts and ends of processes that could not be told to the recorder.
    #[serde(skip_serializing_if = "is_zero")]
    pub untold: u64,
    /// Stacks that were too deep to be read whole: their outermost calls are missing.
    #[serde(skip_serializing_if = "is_zero")]
    pub cut: u64,
    /// Pythons among the child processes that lived on when the program had ended, and with it the
    /// recording, or that began as it did.
    #[serde(skip_serializing_if = "is_zero")]
    pub outlived: u64,
    /// An error ended the recording, and not the program or who recorded it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub broken_off: bool,
}

impl Incomplete {
    /// Whether nothing is known to be missing.
    pub fn is_empty(&self) -> bool {
        *self == Incomplete::default()
    }
}

/// A reason why a recording is not whole, beside events that are counted as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// [`Incomplete::unheld`].
    Unheld(u64),
    /// [`Incomplete::unseen`].
    Unseen(u64),
    /// [`Incomplete::untraced`].
    Untraced(u64),
    /// [`Incomplete::replanned`].
    Replanned(u64),
    /// [`Incomplete::partly_seen`].
    PartlySeen(u64),
    /// [`Incomplete::compiled`].
    Compiled(u64),
    /// [`Incomplete::unproved`].
    Unproved(u64),
    /// [`Incomplete::untold`].
    Untold(u64),
    /// [`Incomplete::cut`].
    Cut(u64),
    /// [`Incomplete::outlived`].
    Outlived(u64),
    /// [`Incomplete::broken_off`].
    BrokenOff,
}

impl Display for Gone {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let some = |f: &mut Formatter<'_>, count: u64, one: &str, many: &str| match count {
            1 => write!(f, "1 {one}"),
            _ => write!(f, "{} {many}", HumanCount(count)),
        };
        let processes = |f: &mut Formatter<'_>, count| some(f, count, "process", "processes");
        let interpreters =
            |f: &mut Formatter<'_>, count| some(f, count, "interpreter", "interpreters");
        match *self {
            Gone::Unheld(count) => {
                f.write_str("the first calls of ")?;
                processes(f, count)?;
                f.write_str(" may be missing")
            }
            Gone::Unseen(count) => {
                let one = "program had ended before it was seen whether it was Python";
                let many = "programs had ended before it was seen whether they were Python";
                some(f, count, one, many)
            }
            Gone::Untraced(count) => {
                processes(f, count)?;
                f.write_str(" went on untraced")
            }
            Gone::Replanned(count) => {
                f.write_str("calls may be missing from before the probes of ")?;
                interpreters(f, count)?;
                f.write_str(" were replaced")
            }
            Gone::PartlySeen(count) => {
                f.write_str("the probes of ")?;
                interpreters(f, count)?;
                f.write_str(" do not see every call")
            }
            Gone::Compiled(count) => {
                f.write_str("generators may have gone on unseen in compiled code of ")?;
                interpreters(f, count)
            }
            Gone::Unproved(count) => {
                some(f, count, "call was", "calls were")?;
                f.write_str(" left out, as nothing shows that their probes were right")
            }
            Gone::Untold(count) => {
                some(f, count, "birth, start or end", "births, starts or ends")?;
                f.write_str(" of processes could not be recorded: children may be missing")
            }
            Gone::Cut(count) => {
                some(f, count, "stack was", "stacks were")?;
                f.write_str(" too deep to be read whole: the outermost calls are missing")
            }
            Gone::Outlived(count) => {
                some(f, count, "child process", "child processes")?;
                f.write_str(" outlived the program, and went on untraced")
            }
            Gone::BrokenOff => f.write_str("an error ended the recording"),
        }
    }
}

impl Footer {
    /// Why the recording is not whole, beside events that are counted as lost.
    pub fn gone(&self) -> Vec<Gone> {
        // All by name, so that what is added is not forgotten here.
        let Incomplete {
            unheld,
            unseen,
            untraced,
            replanned,
            partly_seen,
            compiled,
            unproved,
            untold,
            cut,
            outlived,
            broken_off,
        } = self.incomplete;
        let counts = [
            (unheld, Gone::Unheld as fn(u64) -> Gone),
            (unseen, Gone::Unseen),
            (untraced, Gone::Untraced),
            (replanned, Gone::Replanned),
            (partly_seen, Gone::PartlySeen),
            (compiled, Gone::Compiled),
            (unproved, Gone::Unproved),
            (untold, Gone::Untold),
            (cut, Gone::Cut),
            (outlived, Gone::Outlived),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let counts = counts.map(|(count, gone)| gone(count));
        counts
            .chain(broken_off.then_some(Gone::BrokenOff))
            .collect()
    }

    /// Whether every call that there was is in the recording, as far as is known.
    pub fn is_whole(&self) -> bool {
        self.lost == 0 && self.gone().is_empty()
    }
}

impl Recording {
    /// Why it is not whole, beside events that are counted as lost and a file that ends early.
    pub fn gone(&self) -> Vec<Gone> {
        self.footer.as_ref().map(Footer::gone).unwrap_or_default()
    }

    /// Whether every call that there was is in it, as far as is known.
    pub fn is_whole(&self) -> bool {
        !self.truncated && self.lost() == 0 && self.gone().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footer(incomplete: Incomplete) -> Footer {
        Footer {
            incomplete,
            ..Footer::default()
        }
    }

    #[test]
    fn every_reason_is_told_and_makes_a_recording_less_than_whole() {
        assert!(footer(Incomplete::default()).is_whole());
        let all = r#"{"unheld": 1, "unseen": 1, "untraced": 2, "replanned": 1, "partly_seen": 2, "compiled": 1, "unproved": 1000,
                      "untold": 1, "cut": 2, "outlived": 1, "broken_off": true}"#;
        let all: serde_json::Map<String, serde_json::Value> = serde_json::from_str(all).unwrap();
        let words = [
            "the first calls of 1 process may be missing",
            "1 program had ended before it was seen whether it was Python",
            "2 processes went on untraced",
            "calls may be missing from before the probes of 1 interpreter were replaced",
            "the probes of 2 interpreters do not see every call",
            "generators may have gone on unseen in compiled code of 1 interpreter",
            "1,000 calls were left out, as nothing shows that their probes were right",
            "1 birth, start or end of processes could not be recorded: children may be missing",
            "2 stacks were too deep to be read whole: the outermost calls are missing",
            "1 child process outlived the program, and went on untraced",
            "an error ended the recording",
        ];
        let mut told = Vec::new();
        for (name, value) in &all {
            let one = serde_json::json!({ name.as_str(): value });
            let one = footer(serde_json::from_value(one).unwrap());
            assert!(!one.is_whole(), "{name}");
            told.extend(one.gone().iter().map(Gone::to_string));
        }
        told.sort();
        let mut expected = words.map(str::to_owned);
        expected.sort();
        assert_eq!(told, expected);
        // As they stand in a file.
        let together = footer(serde_json::from_value(all.clone().into()).unwrap());
        let written = serde_json::to_value(&together.incomplete).unwrap();
        assert_eq!(written, serde_json::Value::from(all));
        assert_eq!(
            together
                .gone()
                .iter()
                .map(Gone::to_string)
                .collect::<Vec<_>>(),
            words
        );
    }

    #[test]
    fn lost_events_count_as_well() {
        let lost = Footer {
            lost: 1,
            ..Footer::default()
        };
        assert!(!lost.is_whole());
        assert!(lost.gone().is_empty(), "that is said with its places");
    }

    #[test]
    fn a_file_that_ends_early_is_not_whole() {
        assert!(Recording::default().is_whole());
        let truncated = Recording {
            truncated: true,
            ..Recording::default()
        };
        assert!(!truncated.is_whole());
        let told = Recording {
            footer: Some(footer(Incomplete {
                unheld: 1,
                ..Incomplete::default()
            })),
            ..Recording::default()
        };
        assert!(!told.is_whole());
    }
}
