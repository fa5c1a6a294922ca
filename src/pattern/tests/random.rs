//! Trees of any kind come back whole: wide, deep, of few functions or many, with repeats at any
//! level, with functions that are the same under several names for it.

use proptest::prelude::*;

use super::*;

/// What kind of tree.
#[derive(Debug, Clone)]
struct Tree {
    calls: usize,
    /// Calls go deeper in `down`, and back up in `up` out of ten cases.
    down: u32,
    up: u32,
    most_depth: u32,
    /// In so many out of a hundred cases, some of what was called last is called again.
    again: u32,
    codes: Vec<(String, u32, bool)>,
    seed: u64,
}

fn any_kind() -> impl Strategy<Value = Tree> {
    let name = prop_oneof![Just(String::new()), "[ab]", "\\PC{1,12}"];
    let codes = prop::collection::vec((name, 0u32..3, any::<bool>()), 1..12);
    let depths = prop_oneof![1u32..5, 5u32..100, 1000u32..8000];
    let kinds = (1usize..12_000, 0u32..8, 0u32..8, depths, 0u32..40);
    let trees = (kinds, codes, any::<u64>());
    trees.prop_map(|((calls, down, up, most_depth, again), codes, seed)| Tree {
        calls,
        down,
        up,
        most_depth,
        again,
        codes,
        seed: seed | 1,
    })
}

impl Tree {
    fn recording(&self) -> Recording {
        let mut recording = recording(self.rows());
        let code = |(name, line, external): &(String, u32, bool)| Code {
            line: *line,
            ..code(
                name,
                [Category::Internal, Category::External][usize::from(*external)],
            )
        };
        recording.codes = self.codes.iter().map(code).collect();
        recording
    }

    fn rows(&self) -> Vec<(u32, u32)> {
        let mut state = self.seed;
        let mut below = |end: u32| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 32) as u32) % end
        };
        let mut rows: Vec<(u32, u32)> = Vec::new();
        let mut depth = 0;
        while rows.len() < self.calls {
            if below(100) < self.again && !rows.is_empty() {
                again(&mut rows, below(3) + 1, below(4) + 1);
                // What was copied may end further up.
                depth = rows[rows.len() - 1].0;
                continue;
            }
            rows.push((depth, below(self.codes.len() as u32)));
            match below(10) {
                chance if chance < self.down => depth = (depth + 1).min(self.most_depth),
                chance if chance < self.down + self.up => depth -= below(depth.min(20) + 1),
                _ => {}
            }
        }
        rows
    }
}

/// Adds copies of up to so many of the last siblings.
fn again(rows: &mut Vec<(u32, u32)>, siblings: u32, copies: u32) {
    let top = rows[rows.len().saturating_sub(40)..]
        .iter()
        .map(|row| row.0)
        .min()
        .unwrap_or(0);
    let mut start = rows.len();
    for _ in 0..siblings {
        // The last one at that depth before this, unless its caller comes first.
        match rows[..start].iter().rposition(|row| row.0 <= top) {
            Some(found) if rows[found].0 == top => start = found,
            _ => break,
        }
    }
    for _ in 0..copies {
        let len = rows.len();
        rows.extend_from_within(start..len.min(start + 200));
    }
}

/// Depth and function of calls.
fn functions(recording: &Recording, calls: Vec<(u32, u32)>) -> Vec<(u32, (&str, u32))> {
    let function = |code: u32| {
        let code = &recording.codes[code as usize];
        (&*code.name, code.line)
    };
    let calls = calls.into_iter();
    calls.map(|(depth, code)| (depth, function(code))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn trees_of_any_kind_come_back_whole(tree in any_kind()) {
        let recording = tree.recording();
        let rows = recording.threads[0].calls.iter();
        let calls = rows.map(|row| (row.depth, row.code)).collect();
        let calls = functions(&recording, calls);
        for nearness in ALL {
            let patterns = Patterns::new(&recording, nearness);
            prop_assert!(functions(&recording, expand(&patterns)) == calls, "{nearness:?}");
            assert_consistent(&patterns);
        }
        prop_assert!(functions(&recording, expand(&Patterns::unfolded(&recording))) == calls);
    }
}
