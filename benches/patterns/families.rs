//! Traces that are like programs', and lists that are hard to fold.

use pytrace::recording::{Recording, Row, Thread};
use pytrace::trace::{Category, Code, Kind, Time};

pub(crate) struct Family {
    pub(crate) name: &'static str,
    /// A recording of about so many calls.
    pub(crate) make: fn(usize) -> Recording,
}

pub(crate) const FAMILIES: &[Family] = &[
    // Epochs of steps through layers, with logging and evaluation now and then.
    Family {
        name: "train",
        make: |calls| train(calls, false),
    },
    // The same, but inner loops go round a varying number of times.
    Family {
        name: "trainvar",
        make: |calls| train(calls, true),
    },
    // All steps in one frame, the calls of each being leaves.
    Family {
        name: "flattrain",
        make: |calls| flat(flat_train(calls)),
    },
    Family {
        name: "deep",
        make: deep,
    },
    Family {
        name: "randomtree",
        make: random_tree,
    },
    Family {
        name: "same",
        make: |calls| flat(vec![0; calls]),
    },
    Family {
        name: "abcd",
        make: |calls| flat((0..calls as u32).map(|at| at % 4).collect()),
    },
    Family {
        name: "body20000",
        make: |calls| {
            flat(
                (0..calls as u32)
                    .map(|at| hash(at % 20_000) % 1000)
                    .collect(),
            )
        },
    },
    Family {
        name: "trips",
        make: |calls| flat(trips(calls)),
    },
    // Loops in loops in one frame, all of varying numbers of rounds.
    Family {
        name: "nests",
        make: |calls| flat(nests(calls)),
    },
    // `a b a a b a a a b ...`
    Family {
        name: "growing",
        make: |calls| flat(growing(calls)),
    },
    // Near repeats that are found one level after the other, in much that does not repeat.
    Family {
        name: "levels",
        make: |calls| flat(levels(calls)),
    },
    Family {
        name: "fibonacci",
        make: |calls| flat(fibonacci(calls)),
    },
    // Fibonacci words that are all different: what was found in one is of no use for the next.
    Family {
        name: "fibonaccis",
        make: |calls| flat(fibonaccis(calls, 300)),
    },
    Family {
        name: "thuemorse",
        make: |calls| flat((0..calls as u32).map(|at| at.count_ones() % 2).collect()),
    },
    Family {
        name: "debruijn",
        make: |calls| flat(de_bruijn(calls)),
    },
    Family {
        name: "random2",
        make: |calls| flat(random(calls, 2)),
    },
    Family {
        name: "random4",
        make: |calls| flat(random(calls, 4)),
    },
    Family {
        name: "random1000",
        make: |calls| flat(random(calls, 1000)),
    },
    // No two callees are the same.
    Family {
        name: "distinct",
        make: distinct,
    },
    Family {
        name: "doubled",
        make: |calls| flat(doubled(calls)),
    },
    // Random bodies as long as are folded by themselves, two and almost three times.
    Family {
        name: "bodies120",
        make: |calls| flat(bodies(calls, 120, 1000)),
    },
    Family {
        name: "bodies120x2",
        make: |calls| flat(bodies(calls, 120, 2)),
    },
];

/// A generator of numbers that are random enough.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (((self.0 >> 32) * u64::from(end)) >> 32) as u32
    }
}

fn hash(number: u32) -> u32 {
    (u64::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u32
}

/// Collects calls.
struct Calls {
    rows: Vec<Row>,
    codes: u32,
}

impl Calls {
    fn new(calls: usize) -> Calls {
        Calls {
            rows: Vec::with_capacity(calls + 1000),
            codes: 0,
        }
    }

    fn push(&mut self, depth: u32, code: u32) {
        self.codes = self.codes.max(code + 1);
        let number = self.rows.len() as u64 + 1;
        self.rows.push(Row {
            start: Time(number),
            duration: 1,
            number,
            code,
            depth,
            ..Row::default()
        });
    }

    fn recording(self) -> Recording {
        let mut recording = Recording::default();
        recording.codes = (0..self.codes)
            .map(|line| Code {
                name: "f".into(),
                file: "f.py".into(),
                line,
                kind: Kind::Function,
                category: Category::Internal,
            })
            .collect();
        recording.threads.push(Thread {
            calls: self.rows,
            ..Thread::default()
        });
        recording
    }
}

/// One frame that calls all of these.
fn flat(symbols: Vec<u32>) -> Recording {
    let mut calls = Calls::new(symbols.len());
    calls.push(0, 0);
    for symbol in symbols {
        calls.push(1, symbol + 1);
    }
    calls.recording()
}

/// Pairs of one of many functions in another.
fn distinct(calls: usize) -> Recording {
    const FUNCTIONS: u32 = 4000;
    let mut all = Calls::new(calls);
    all.push(0, 0);
    for pair in 0..calls as u32 / 2 {
        all.push(1, pair / FUNCTIONS);
        all.push(2, pair % FUNCTIONS);
    }
    all.recording()
}

fn train(calls: usize, varying: bool) -> Recording {
    let mut random = Random(7);
    let mut all = Calls::new(calls);
    all.push(0, 0);
    let mut step = 0;
    while all.rows.len() < calls {
        if step % 100 == 0 {
            all.push(1, 1);
        }
        step += 1;
        all.push(2, 2);
        let batch = if varying { 1 + random.below(8) } else { 4 };
        for _ in 0..batch {
            all.push(3, 3);
            all.push(4, 4);
        }
        all.push(3, 5);
        for _ in 0..12 {
            all.push(4, 6);
            all.push(5, 7);
            for _ in 0..2 {
                all.push(6, 8);
                all.push(7, 9);
                all.push(6, 10);
            }
            all.push(5, 11);
        }
        all.push(3, 12);
        all.push(3, 13);
        if step % 10 == 0 {
            all.push(3, 14);
        }
        if step % 50 == 0 {
            all.push(3, 15);
            for _ in 0..20 {
                all.push(4, 16);
                all.push(5, 17);
            }
        }
    }
    all.recording()
}

fn flat_train(calls: usize) -> Vec<u32> {
    let mut list = Vec::with_capacity(calls + 100);
    let mut step = 0;
    while list.len() < calls {
        step += 1;
        list.push(1);
        for _ in 0..6 {
            list.extend([2, 3, 4, 5, 4, 5]);
        }
        list.extend([6, 7, 8]);
        if step % 10 == 0 {
            list.push(9);
        }
        if step % 50 == 0 {
            list.extend([10; 20]);
        }
    }
    list
}

fn deep(calls: usize) -> Recording {
    let mut all = Calls::new(calls);
    while all.rows.len() < calls {
        for depth in 0..1000 {
            all.push(depth, depth % 7);
        }
    }
    all.recording()
}

fn random_tree(calls: usize) -> Recording {
    let mut random = Random(3);
    let mut all = Calls::new(calls);
    let mut depth = 0;
    while all.rows.len() < calls {
        all.push(depth, random.below(20));
        depth = match random.below(5) {
            0 | 1 => (depth + 1).min(40),
            2 => depth,
            _ => depth.saturating_sub(random.below(3)).max(1),
        };
    }
    all.recording()
}

fn trips(calls: usize) -> Vec<u32> {
    let mut random = Random(5);
    let mut list = Vec::with_capacity(calls + 100);
    while list.len() < calls {
        list.push(1);
        list.resize(list.len() + 1 + random.below(50) as usize, 2);
        list.push(3);
    }
    list
}

fn nests(calls: usize) -> Vec<u32> {
    fn nest(list: &mut Vec<u32>, random: &mut Random, level: u32) {
        list.push(level);
        for _ in 0..1 + random.below(4) {
            match level {
                8 => list.push(9),
                _ => nest(list, random, level + 1),
            }
        }
    }
    let mut random = Random(19);
    let mut list = Vec::with_capacity(calls + 300_000);
    while list.len() < calls {
        nest(&mut list, &mut random, 1);
    }
    list.truncate(calls);
    list
}

fn growing(calls: usize) -> Vec<u32> {
    let mut list = Vec::with_capacity(calls + 10_000);
    for count in 1.. {
        if list.len() >= calls {
            break;
        }
        list.resize(list.len() + count, 1);
        list.push(2);
    }
    list
}

/// Of each `x`, the next is `x x y`, each `y` with callees of its own number of rounds.
fn levels(calls: usize) -> Vec<u32> {
    let mut random = Random(23);
    let mut list = vec![0];
    for level in 1..17 {
        list.extend_from_within(..);
        list.resize(list.len() + 1 + random.below(3) as usize, level);
    }
    list.extend((list.len()..calls).map(|_| 100 + random.below(1000)));
    list
}

fn fibonacci(len: usize) -> Vec<u32> {
    let (mut last, mut word) = (vec![1], vec![0]);
    while word.len() < len {
        let next = [word.as_slice(), &last].concat();
        last = std::mem::replace(&mut word, next);
    }
    word.truncate(len);
    word
}

/// Such words of a length, each with two letters of its own.
fn fibonaccis(calls: usize, len: usize) -> Vec<u32> {
    let word = fibonacci(len);
    // Any two of a thousand letters.
    let pairs = (0..1000u32).flat_map(|a| (0..a).map(move |b| [a, b]));
    let words = pairs.flat_map(|pair| word.iter().map(move |&letter| pair[letter as usize]));
    words.cycle().take(calls).collect()
}

/// Each binary word of a length once.
fn de_bruijn(calls: usize) -> Vec<u32> {
    let order = calls.max(2).ilog2();
    let mask = (1usize << order) - 1;
    let mut seen = vec![false; mask + 1];
    let mut word = 0usize;
    let mut list = Vec::with_capacity(mask + 1);
    // Appends 1 where that gives a new word, else 0.
    loop {
        let one = (word << 1 | 1) & mask;
        let zero = (word << 1) & mask;
        let next = if seen[one] { zero } else { one };
        if seen[next] {
            return list;
        }
        seen[next] = true;
        list.push((next & 1) as u32);
        word = next;
    }
}

fn random(calls: usize, letters: u32) -> Vec<u32> {
    let mut random = Random(11);
    (0..calls).map(|_| random.below(letters)).collect()
}

/// Random blocks of up to 2,000, each twice.
fn doubled(calls: usize) -> Vec<u32> {
    let mut random = Random(13);
    let mut list: Vec<u32> = Vec::with_capacity(calls + 4000);
    while list.len() < calls {
        let start = list.len();
        let len = 1 + random.below(2000) as usize;
        list.extend((0..len).map(|_| random.below(4)));
        list.extend_from_within(start..);
    }
    list
}

fn bodies(calls: usize, len: usize, letters: u32) -> Vec<u32> {
    let mut random = Random(17);
    let mut list: Vec<u32> = Vec::with_capacity(calls + 3 * len);
    while list.len() < calls {
        let start = list.len();
        list.extend((0..len).map(|_| random.below(letters)));
        list.extend_from_within(start..);
        list.extend_from_within(start..start + len - 1);
    }
    list
}
