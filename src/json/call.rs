//! The members of a call.

use serde::{Serialize, Serializer};

use super::JsonOptions;
use crate::recording::{Flags, Recording, Row};
use crate::trace::ArgumentsRef;

/// A call, but for what it called. What is not known, empty or false has no member.
#[derive(Serialize)]
pub(super) struct CallMembers<'r> {
    call: u64,
    name: &'r str,
    #[serde(skip_serializing_if = "str::is_empty")]
    file: &'r str,
    #[serde(skip_serializing_if = "is_zero")]
    line: u32,
    category: &'static str,
    kind: &'static str,
    start_ns: u64,
    dur_ns: u64,
    self_ns: u64,
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "serialize_arguments"
    )]
    arguments: Option<ArgumentsRef<'r>>,
    #[serde(rename = "return", skip_serializing_if = "Option::is_none")]
    result: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'r str>,
    #[serde(skip_serializing_if = "is_false")]
    yielded: bool,
    #[serde(skip_serializing_if = "is_false")]
    resume: bool,
    #[serde(skip_serializing_if = "is_false")]
    already_running: bool,
    #[serde(skip_serializing_if = "is_false")]
    began_in_gap: bool,
    #[serde(skip_serializing_if = "is_false")]
    unfinished: bool,
    #[serde(skip_serializing_if = "is_false")]
    start_inferred: bool,
    #[serde(skip_serializing_if = "is_false")]
    end_inferred: bool,
}

impl<'r> CallMembers<'r> {
    pub(super) fn of(
        recording: &'r Recording,
        row: &Row,
        self_time: u64,
        options: JsonOptions,
    ) -> Self {
        let code = recording.code(row);
        let values = options.values.then_some(recording);
        CallMembers {
            call: row.number,
            name: &code.name,
            file: &code.file,
            line: code.line,
            category: code.category.as_str(),
            kind: code.kind.as_str(),
            start_ns: row.start.0,
            dur_ns: row.duration,
            self_ns: self_time,
            arguments: values.and_then(|recording| recording.arguments(row)),
            result: values.and_then(|recording| recording.result(row)),
            exception: recording.exception(row),
            message: values.and_then(|recording| recording.message(row)),
            yielded: row.flags.has(Flags::YIELDED),
            resume: row.flags.has(Flags::RESUMED),
            already_running: row.flags.has(Flags::ALREADY_RUNNING),
            began_in_gap: row.flags.has(Flags::BEGAN_IN_GAP),
            unfinished: row.flags.has(Flags::UNFINISHED),
            start_inferred: row.flags.has(Flags::START_INFERRED),
            end_inferred: row.flags.has(Flags::END_INFERRED),
        }
    }
}

/// For each of a thread's calls, how long it ran without those that it called itself.
pub(super) fn self_times(rows: &[Row]) -> Vec<u64> {
    let mut times = vec![0; rows.len()];
    // From the back: by depth, the time of the calls seen below the caller that is still to come.
    let mut below: Vec<u64> = Vec::new();
    for (row, time) in rows.iter().zip(&mut times).rev() {
        let depth = row.depth as usize;
        below.resize(below.len().max(depth + 2), 0);
        // Other tools' calls may outlive their callers.
        *time = row.duration.saturating_sub(below[depth + 1]);
        below.truncate(depth + 1);
        below[depth] = below[depth].saturating_add(row.duration);
    }
    times
}

fn serialize_arguments<S: Serializer>(
    arguments: &Option<ArgumentsRef<'_>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(arguments.iter().flat_map(|arguments| arguments.iter()))
}

fn is_zero(line: &u32) -> bool {
    *line == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Time;

    #[test]
    fn what_is_left_without_callees() {
        let row = |(depth, duration)| Row {
            start: Time(0),
            duration,
            number: 0,
            code: 0,
            depth,
            ..Row::default()
        };
        for (calls, expected) in [
            (&[][..], &[][..]),
            (&[(0, 10), (1, 4), (2, 3), (1, 5), (0, 7)], &[1, 1, 3, 5, 7]),
            // Callees that outlive their callers, and times that don't add up.
            (&[(0, 3), (1, 2), (1, 2)], &[0, 2, 2]),
            (
                &[(0, 3), (1, u64::MAX), (1, u64::MAX)],
                &[0, u64::MAX, u64::MAX],
            ),
        ] {
            let rows: Vec<Row> = calls.iter().copied().map(row).collect();
            assert_eq!(self_times(&rows), expected);
        }
    }
}
