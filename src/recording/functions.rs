//! Which calls are of the same function, and how many there are.

use std::collections::HashMap;

use super::{Flags, Recording, Row};

/// Counts the calls of each function, thread by thread: starts, not resumptions.
///
/// A function is a name, file and line: those that ran under two categories are one here.
#[derive(Debug)]
pub struct CallCounter {
    /// By index into [`Recording::codes`]: the index of its function.
    functions: Vec<usize>,
    /// By function: the calls counted so far, and all of the thread's.
    counts: Vec<(u64, u64)>,
}

impl CallCounter {
    /// Of a recording's functions, with no thread yet.
    pub fn new(recording: &Recording) -> Self {
        let mut known = HashMap::new();
        let functions = recording.codes.iter().map(|code| {
            let next = known.len();
            *known
                .entry((&*code.name, &*code.file, code.line))
                .or_insert(next)
        });
        let functions = functions.collect();
        CallCounter {
            functions,
            counts: vec![(0, 0); known.len()],
        }
    }

    /// Goes over to the thread with these calls.
    pub fn begin_thread(&mut self, calls: &[Row]) {
        // Only the thread's own: a file may have as many threads as functions.
        for row in calls {
            self.counts[self.functions[row.code as usize]] = (0, 0);
        }
        for row in calls.iter().filter(|row| is_start(row)) {
            self.counts[self.functions[row.code as usize]].1 += 1;
        }
    }

    /// The number of the thread's next call among the calls of its function, from 1 on, and how
    /// many these are; `None` for a resumption.
    pub fn next(&mut self, row: &Row) -> Option<(u64, u64)> {
        if !is_start(row) {
            return None;
        }
        let (number, all) = &mut self.counts[self.functions[row.code as usize]];
        *number += 1;
        Some((*number, *all))
    }
}

fn is_start(row: &Row) -> bool {
    !row.flags.has(Flags::RESUMED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Category, Code, Kind, Time};

    #[test]
    fn starts_are_counted_by_function_and_thread() {
        let code = |name: &str, category| Code {
            name: name.into(),
            file: "/p/f.py".into(),
            line: 1,
            kind: Kind::Function,
            category,
        };
        let recording = Recording {
            codes: vec![
                code("f", Category::Internal),
                code("g", Category::Internal),
                code("f", Category::Import),
            ],
            ..Recording::default()
        };
        let row = |code, flags| Row {
            start: Time(0),
            duration: 0,
            number: 0,
            code,
            depth: 0,
            exception: None,
            arguments: None,
            outcome: None,
            flags,
        };
        let started = Flags::default();
        let calls = [
            row(0, started),
            row(1, started),
            row(1, Flags::RESUMED),
            row(2, started),
            row(0, started),
        ];
        let mut counter = CallCounter::new(&recording);
        for _ in 0..2 {
            counter.begin_thread(&calls);
            assert_eq!(
                calls.each_ref().map(|row| counter.next(row)),
                [Some((1, 3)), Some((1, 1)), None, Some((2, 3)), Some((3, 3))]
            );
        }
    }
}
