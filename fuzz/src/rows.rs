//! What has to hold of the calls of any recording.

use pytrace::recording::{Recording, Row};
use pytrace::trace::{Code, ThreadId};

/// Panics unless each thread's calls nest: each is at most one level below the one before it, and so
/// stands behind its caller; and unless all indices lead somewhere.
pub fn check_nesting(recording: &Recording) {
    for thread in &recording.threads {
        let mut room = 0;
        for row in &thread.calls {
            assert!(row.depth <= room, "{:?}: {row:?}", thread.id);
            room = row.depth + 1;
            texts(recording, row);
        }
    }
    let ids = recording.threads.iter().map(|thread| thread.id);
    assert!(ids.is_sorted_by(|a, b| a < b), "threads have their order");
}

/// Panics unless each call begins and ends within its caller.
pub fn check_times(recording: &Recording) {
    for thread in &recording.threads {
        let mut callers: Vec<&Row> = Vec::new();
        for row in &thread.calls {
            callers.truncate(row.depth as usize);
            if let Some(caller) = callers.last() {
                let within = caller.start <= row.start && row.end() <= caller.end();
                assert!(within, "{:?}: {row:?} in {caller:?}", thread.id);
            }
            callers.push(row);
        }
    }
}

/// Exception, arguments, result and message.
type Texts<'r> = (
    Option<&'r str>,
    Option<Vec<(&'r str, &'r str)>>,
    Option<&'r str>,
    Option<&'r str>,
);

/// A call free of indices.
type Call<'r> = (ThreadId, Row, &'r Code, Texts<'r>);

/// Panics unless both have the same calls of the same threads.
pub fn check_same(one: &Recording, other: &Recording) {
    assert_eq!(number(one), number(other), "numbers of calls");
    for (one, other) in calls(one).zip(calls(other)) {
        assert_eq!(one, other);
    }
}

/// How many calls there are.
pub fn number(recording: &Recording) -> usize {
    recording.threads.iter().map(|it| it.calls.len()).sum()
}

fn calls(recording: &Recording) -> impl Iterator<Item = Call<'_>> {
    recording.threads.iter().flat_map(|thread| {
        thread.calls.iter().map(|row| {
            let plain = Row {
                code: 0,
                exception: None,
                arguments: None,
                outcome: None,
                ..*row
            };
            (thread.id, plain, recording.code(row), texts(recording, row))
        })
    })
}

fn texts<'r>(recording: &'r Recording, row: &Row) -> Texts<'r> {
    let arguments = recording.arguments(row);
    (
        recording.exception(row),
        arguments.map(|arguments| arguments.iter().collect()),
        recording.result(row),
        recording.message(row),
    )
}
