//! How far two stretches of one sequence are the same.
//!
//! Short answers come from comparing, long ones from hashes of prefixes: polynomials over the field
//! of 2^61 - 1 (modulo 2^64 they fail on the Thue-Morse sequence). Whoever relies on an answer
//! compares again.

/// What is compared before hashes are asked.
const DIRECT: usize = 32;
const PRIME: u64 = (1 << 61) - 1;
const BASE: u64 = 0x0a3d_70c4_9f1b_5e27;

/// Answers for one sequence.
pub(super) struct Lce<'s> {
    symbols: &'s [u32],
    /// Hash of what is before each position.
    prefixes: Vec<u64>,
    /// `BASE` to the power of 1, 2, 4, ...
    powers: Vec<u64>,
}

impl<'s> Lce<'s> {
    pub(super) fn new(symbols: &'s [u32]) -> Self {
        let mut prefixes = Vec::with_capacity(symbols.len() + 1);
        let mut hash = 0;
        prefixes.push(hash);
        for &symbol in symbols {
            hash = reduce(multiply(hash, BASE) + u64::from(symbol) + 1);
            prefixes.push(hash);
        }
        let mut powers = vec![BASE];
        while 1 << powers.len() <= symbols.len() {
            let last = powers[powers.len() - 1];
            powers.push(multiply(last, last));
        }
        Lce {
            symbols,
            prefixes,
            powers,
        }
    }

    /// How many symbols from `a` on are those from `b` on; `a < b`.
    pub(super) fn forward(&self, a: usize, b: usize) -> usize {
        let most = self.symbols.len() - b;
        let mut same = common(&self.symbols[a..], &self.symbols[b..], DIRECT.min(most));
        if same < DIRECT {
            return same;
        }
        self.gallop(most, &mut same, |same, len| (a + same, b + same, len));
        same
    }

    /// How many symbols before `a` are those before `b`; `a < b`. Looks at no more than `most`.
    pub(super) fn backward(&self, a: usize, b: usize, most: usize) -> usize {
        let most = most.min(a);
        let mut same = 0;
        while same < most && self.symbols[a - same - 1] == self.symbols[b - same - 1] {
            same += 1;
            if same == DIRECT {
                self.gallop(most, &mut same, |same, len| {
                    (a - same - len, b - same - len, len)
                });
                break;
            }
        }
        same
    }

    /// Hash of a stretch.
    pub(super) fn hash(&self, start: usize, len: usize) -> u64 {
        let mut power = 1;
        for (bit, &factor) in self.powers.iter().enumerate() {
            if len >> bit & 1 == 1 {
                power = multiply(power, factor);
            }
        }
        self.difference(start, len, power)
    }

    /// Moves `same` on by blocks that double, then halve.
    fn gallop(
        &self,
        most: usize,
        same: &mut usize,
        block: impl Fn(usize, usize) -> (usize, usize, usize),
    ) {
        let mut power = 5;
        let mut growing = true;
        loop {
            let len = 1 << power;
            if *same + len <= most && self.same(block(*same, len), self.powers[power]) {
                *same += len;
                if growing {
                    power += 1;
                    continue;
                }
            }
            growing = false;
            if power == 0 {
                return;
            }
            power -= 1;
        }
    }

    fn same(&self, (a, b, len): (usize, usize, usize), power: u64) -> bool {
        self.difference(a, len, power) == self.difference(b, len, power)
    }

    fn difference(&self, start: usize, len: usize, power: u64) -> u64 {
        let before = multiply(self.prefixes[start], power);
        reduce(self.prefixes[start + len] + PRIME - before)
    }
}

/// How many of the first symbols are the same; looks at no more than `most`, which both have.
pub(super) fn common(a: &[u32], b: &[u32], most: usize) -> usize {
    let pairs = a[..most].iter().zip(&b[..most]);
    pairs.take_while(|(a, b)| a == b).count()
}

fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    reduce((product as u64 & PRIME) + (product >> 61) as u64)
}

/// Of less than twice the prime.
fn reduce(value: u64) -> u64 {
    if value >= PRIME { value - PRIME } else { value }
}
