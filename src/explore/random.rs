//! Recordings to explore, in tests: of any shape, with sane times or with any.

use proptest::prelude::*;

use super::filter::Filter;
use crate::recording::{Calls, Flags, Recording, Row, Texts, Thread};
use crate::trace::{Category, Code, Kind, ThreadId, Time};

/// A call: how many calls end before it, its code, times before it and in it, whether an exception
/// left it, its values.
type Step = (usize, u32, u64, u64, bool, usize);

/// Names, files and categories; the first and the last one are the same function.
const CODES: [(&str, &str, Category); 6] = [
    ("main", "/p/train.py", Category::Internal),
    ("Trainer.step", "/p/train.py", Category::Internal),
    ("dumps", "/lib/json/__init__.py", Category::External),
    (
        "_find_and_load",
        "<frozen importlib._bootstrap>",
        Category::Import,
    ),
    ("größe", "/p/Maße.py", Category::Internal),
    ("main", "/p/train.py", Category::Import),
];

/// Arguments as they are kept, and results or messages.
const VALUES: [(&str, &str); 5] = [
    ("", "None"),
    ("self\t<Trainer>\nx\t17\n", "0.25"),
    ("path\t'/tmp/Step'\n", "a step too far"),
    ("x\t17\n", "None"),
    ("main\tÄÖÜ\n", "MAIN"),
];

/// The codes of all recordings here.
pub(super) fn codes() -> Vec<Code> {
    let code = |(name, file, category): (&str, &str, Category)| Code {
        name: name.into(),
        file: file.into(),
        line: 1,
        kind: Kind::Function,
        category,
    };
    CODES.map(code).into()
}

/// A recording of threads with these calls.
pub(super) fn recording(threads: impl IntoIterator<Item = Vec<Row>>) -> Recording {
    let threads = (1..).zip(threads).map(|(tid, calls)| Thread {
        id: ThreadId { pid: 1, tid },
        calls,
        ..Thread::default()
    });
    Recording {
        threads: threads.collect(),
        codes: codes(),
        ..Recording::default()
    }
}

/// A call of the first code.
pub(super) fn row(depth: u32, start: u64, duration: u64) -> Row {
    Row {
        start: Time(start),
        duration,
        depth,
        ..Row::default()
    }
}

/// Whose calls are within their callers.
pub(super) fn sane_recording() -> impl Strategy<Value = Recording> {
    prop::collection::vec(steps(), 0..4).prop_map(|threads| build(&threads, &[]))
}

/// Whose calls start and end at any time, in no order.
pub(super) fn any_recording() -> impl Strategy<Value = Recording> {
    let time = prop_oneof![0u64..3000, any::<u64>(), Just(u64::MAX)];
    let wrong = prop::option::weighted(0.2, (time.clone(), time));
    let wrongs = prop_oneof![Just(Vec::new()), prop::collection::vec(wrong, 1..50)];
    let threads = prop::collection::vec(steps(), 0..4);
    (threads, wrongs).prop_map(|(threads, wrongs)| build(&threads, &wrongs))
}

/// Any filter.
pub(super) fn any_filter() -> impl Strategy<Value = Filter> {
    let flags = any::<(bool, bool)>();
    let rare = (prop_oneof![Just(0), 0u64..300], prop::bool::weighted(0.2));
    (flags, rare).prop_map(
        |((hide_imports, hide_external), (min_duration, only_exceptions))| Filter {
            hide_imports,
            hide_external,
            min_duration,
            only_exceptions,
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let up = prop_oneof![3 => Just(0usize), 4 => Just(1), 2 => 2usize..5, 1 => 5usize..50];
    let time = || prop_oneof![0u64..3, 0u64..100];
    let raised = prop::bool::weighted(0.2);
    let code = 0..CODES.len() as u32;
    let step = (up, code, time(), time(), raised, 0..VALUES.len());
    prop::collection::vec(step, 0..600)
}

/// `wrongs` has starts and durations that some of the calls get instead of their own.
fn build(threads: &[Vec<Step>], wrongs: &[Option<(u64, u64)>]) -> Recording {
    let mut texts = Texts::default();
    let mut built = Vec::new();
    for steps in threads {
        let mut clock = 1_000_000;
        let mut rows: Vec<Row> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for &(up, code, before, inside, raised, value) in steps {
            for _ in 0..up {
                if let Some(ended) = open.pop() {
                    clock += before / 3;
                    rows[ended].duration = clock - rows[ended].start.0;
                }
            }
            clock += before;
            let (arguments, outcome) = VALUES[value];
            let mut row = Row {
                start: Time(clock),
                number: rows.len() as u64 + 1,
                code,
                depth: open.len() as u32,
                arguments: texts.add(arguments),
                outcome: texts.add(outcome),
                ..Row::default()
            };
            row.flags.set(Flags::RAISED, raised);
            open.push(rows.len());
            rows.push(row);
            clock += inside;
        }
        for ended in open {
            rows[ended].duration = clock - rows[ended].start.0;
        }
        for (row, wrong) in rows.iter_mut().zip(wrongs.iter().cycle()) {
            if let &Some((start, duration)) = wrong {
                (row.start, row.duration) = (Time(start), duration);
            }
        }
        built.push(rows);
    }
    let mut recording = recording(built);
    texts.close();
    recording.texts = texts;
    recording
}

/// For each call the position of its caller.
pub(super) fn callers(calls: &Calls<'_>) -> Vec<Option<usize>> {
    let mut path: Vec<usize> = Vec::new();
    let positions = 0..calls.len();
    let callers = positions.map(|position| {
        path.truncate(calls.depth(position) as usize);
        let caller = path.last().copied();
        path.push(position);
        caller
    });
    callers.collect()
}

/// What a call took without those that it called.
pub(super) fn own_times(calls: &Calls<'_>) -> Vec<u64> {
    let mut times: Vec<u64> = (0..calls.len())
        .map(|position| calls.row(position).duration)
        .collect();
    for (position, caller) in callers(calls).into_iter().enumerate() {
        if let Some(caller) = caller {
            times[caller] = times[caller].saturating_sub(calls.row(position).duration);
        }
    }
    times
}
