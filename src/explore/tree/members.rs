//! What is told of a call.

use serde::Serialize;

use crate::explore::shown::json_len;
use crate::pattern::Call;
use crate::recording::{Fact, Facts, Flags, Row};

/// How many characters of a text are shown, and how many arguments.
const CHARACTERS: usize = 120;
const ARGUMENTS: usize = 12;
/// How many characters of a text are shown when there is no room.
const CHARACTERS_WITHOUT_ROOM: usize = 8;

/// A call, or what calls that share a line have in common: `call` of `docs/serve-api.md`.
#[derive(Debug, Serialize)]
pub struct CallMembers {
    /// Index into the calls of its thread.
    pub row: usize,
    /// Its number.
    pub call: u64,
    name: String,
    file: String,
    line: u32,
    code: u32,
    category: &'static str,
    kind: &'static str,
    start: u64,
    duration: u64,
    #[serde(rename = "self")]
    self_time: u64,
    share: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<Vec<(String, Option<String>)>>,
    #[serde(skip_serializing_if = "is_false")]
    arguments_cut: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Option<String>>,
    #[serde(skip_serializing_if = "is_false")]
    yielded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Option<String>>,
    flags: Vec<&'static str>,
    #[serde(flatten)]
    several: Option<Several>,
}

/// What there is to say of several calls.
#[derive(Debug, Serialize)]
struct Several {
    of: usize,
    min: u64,
    max: u64,
    raised: usize,
    #[serde(skip_serializing_if = "is_false")]
    values_differ: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    differs: Vec<&'static str>,
}

/// How a line's call is placed.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Placed<'a> {
    /// Index into the calls of its thread.
    pub(in super::super) index: usize,
    pub(in super::super) row: &'a Row,
    /// Mean time without what it called, in nanoseconds.
    pub(in super::super) self_time: u64,
    /// How long what it stands below took, in nanoseconds.
    pub(in super::super) above: u64,
    /// When the first call of the recording started.
    pub(in super::super) origin: u64,
}

/// Cuts texts.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Cut {
    /// How many characters a text has at most, and how many bytes.
    characters: usize,
    bytes: usize,
    arguments: usize,
    /// How many bytes of JSON there is room for in all texts to come.
    room: usize,
}

impl Cut {
    /// For lines of a tree.
    pub(super) fn of_lines(room: usize) -> Cut {
        Cut {
            characters: CHARACTERS,
            bytes: usize::MAX,
            arguments: ARGUMENTS,
            room,
        }
    }

    /// For a call in whole.
    pub(in super::super) fn of_call(bytes: usize, room: usize) -> Cut {
        Cut {
            characters: usize::MAX,
            bytes,
            arguments: usize::MAX,
            room,
        }
    }

    /// Few characters are left of a text even where there is no room.
    fn text(&mut self, text: &str) -> String {
        let mut kept = String::new();
        let mut taken = 0;
        for (index, c) in text.chars().enumerate() {
            let len = json_len(c);
            let has_room = index < CHARACTERS_WITHOUT_ROOM || taken + len <= self.room;
            if index == self.characters || kept.len() + c.len_utf8() > self.bytes || !has_room {
                kept.push('…');
                break;
            }
            taken += len;
            kept.push(c);
        }
        self.room = self.room.saturating_sub(taken);
        kept
    }
}

impl CallMembers {
    pub(in super::super) fn new(placed: Placed<'_>, facts: &Facts<'_>, cut: &mut Cut) -> Self {
        let Placed { index, row, .. } = placed;
        let code = facts.code;
        let duration = facts.mean();
        let mut differs = Vec::new();
        let mut outcome = |name, fact: Option<Fact<'_>>| match fact {
            None => Some(None),
            Some(Fact::Same(text)) => Some(Some(cut.text(text))),
            Some(Fact::Differs) => {
                differs.push(name);
                None
            }
        };
        let result = outcome("result", facts.result);
        let exception = outcome("exception", facts.exception);
        let message = outcome("message", facts.message);
        let mut arguments_cut = false;
        let arguments = facts.arguments.as_ref().map(|arguments| {
            arguments_cut = arguments.len() > cut.arguments;
            let shown = arguments.iter().take(cut.arguments);
            let shown = shown.map(|&(name, value)| {
                let value = match value {
                    Fact::Same(value) => {
                        let shown = cut.text(value);
                        arguments_cut |= shown != value;
                        Some(shown)
                    }
                    Fact::Differs => None,
                };
                (cut.text(name), value)
            });
            shown.collect::<Vec<_>>()
        });
        let some_differ = arguments
            .as_ref()
            .is_some_and(|arguments| arguments.iter().any(|(_, value)| value.is_none()));
        let several = (facts.count > 1).then_some(Several {
            of: facts.count,
            min: facts.min,
            max: facts.max,
            raised: facts.raised,
            values_differ: some_differ || !differs.is_empty(),
            differs,
        });
        CallMembers {
            row: index,
            call: row.number,
            name: cut.text(&code.name),
            file: cut.text(code.file_name()),
            line: code.line,
            code: row.code,
            category: code.category.as_str(),
            kind: code.kind.as_str(),
            start: row.start.0.saturating_sub(placed.origin),
            duration,
            self_time: placed.self_time,
            share: share(duration, placed.above),
            arguments,
            arguments_cut,
            result,
            yielded: facts.flags.has(Flags::YIELDED),
            exception,
            message,
            flags: flags(facts.flags),
            several,
        }
    }

    /// Of a single call.
    pub(in super::super) fn of_call(
        recording: &crate::recording::Recording,
        placed: Placed<'_>,
        cut: &mut Cut,
    ) -> Self {
        let facts = Facts::of(recording, placed.row, std::iter::empty());
        CallMembers::new(placed, &facts, cut)
    }
}

impl<'a> Placed<'a> {
    pub(super) fn at(call: &Call<'a>, self_time: u64, above: u64, origin: u64) -> Placed<'a> {
        Placed {
            index: call.index(),
            row: call.row(),
            self_time,
            above,
            origin,
        }
    }
}

/// A part of a whole, from 0 to 1, to a thousandth of a percent.
fn share(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        _ => ((part as f64 / whole as f64).min(1.0) * 1e5).round() / 1e5,
    }
}

fn flags(flags: Flags) -> Vec<&'static str> {
    let running = match flags.has(Flags::BEGAN_IN_GAP) {
        true => "began_in_gap",
        false => "already_running",
    };
    let words = [
        (Flags::RESUMED, "resumed"),
        (Flags::ALREADY_RUNNING, running),
        (Flags::START_INFERRED, "start_inferred"),
        (Flags::UNFINISHED, "unfinished"),
        (Flags::END_INFERRED, "end_inferred"),
    ];
    let set = words.into_iter().filter(|(flag, _)| flags.has(*flag));
    set.map(|(_, word)| word).collect()
}

fn is_false(flag: &bool) -> bool {
    !flag
}
