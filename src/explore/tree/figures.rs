//! Figures of lines, over all the calls that they stand for.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::around::Above;
use crate::pattern::{Call, Node, Repeat, Stride, Times};
use crate::recording::{Facts, Recording};

/// How many points the times of repetitions are drawn with.
const SPARK: usize = 60;
/// Figures over more calls are kept for the next time.
const MANY: usize = 4096;
/// How many of each kind are kept.
const KEPT: usize = 10_000;

/// What a call's line says, or that of a repeat of one call.
#[derive(Debug)]
pub(super) struct CallFigures<'r> {
    pub(super) facts: Facts<'r>,
    /// Mean time without what it called, in nanoseconds.
    pub(super) self_time: u64,
}

/// What a repeat's line says of its repetitions.
#[derive(Debug)]
pub(super) struct RepeatFigures {
    pub(super) times: Times,
    /// Which of its own repetitions took longest, wherever else it stands.
    pub(super) slowest: usize,
    /// Times in order, in nanoseconds; of many the longest of each stretch.
    pub(super) spark: Vec<u64>,
}

/// Which line: its first call, of a repeat also how many there are, the repetition that it shows, and
/// what multiplies it.
type Key = (usize, Option<usize>, Option<usize>, Box<[Stride]>);

/// Figures that took long: good for the patterns they are of.
#[derive(Debug, Default)]
pub(in super::super) struct FiguresCache<'r> {
    calls: Kept<CallFigures<'r>>,
    repeats: Kept<RepeatFigures>,
}

#[derive(Debug)]
struct Kept<T>(Mutex<FxHashMap<Key, Arc<T>>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Kept(Mutex::default())
    }
}

impl<T> Kept<T> {
    /// Computes what is not known outside of the lock.
    fn get(&self, calls: usize, key: impl FnOnce() -> Key, compute: impl FnOnce() -> T) -> Arc<T> {
        if calls <= MANY {
            return Arc::new(compute());
        }
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key();
        if let Some(known) = known().get(&key) {
            return Arc::clone(known);
        }
        let computed = Arc::new(compute());
        let mut known = known();
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(key, Arc::clone(&computed));
        computed
    }
}

/// Computes figures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures<'v, 'r> {
    pub(super) recording: &'r Recording,
    pub(super) cache: &'v FiguresCache<'r>,
}

/// The call whose line a node is; `None` for a repeat of more than one.
pub(super) fn call_of<'p>(node: &Node<'p>, step: Option<usize>) -> Option<Call<'p>> {
    match node {
        Node::Call(call) => Some(*call),
        Node::Gap(_) => None,
        Node::Repeat(repeat) => match step {
            Some(step) if repeat.is_of_one_call() => repeat.repetition(step).next(),
            Some(_) => None,
            None => repeat.only_call(),
        },
    }
}

impl<'r> Figures<'_, 'r> {
    /// Of the line of `call`, which is that of `node`, see [`call_of`].
    pub(super) fn of_call(
        &self,
        call: &Call<'_>,
        node: &Node<'_>,
        step: Option<usize>,
        strides: &[Stride],
    ) -> Arc<CallFigures<'r>> {
        let all = match (node, step) {
            (Node::Repeat(repeat), None) => Some(repeat),
            _ => None,
        };
        let copies = Stride::copies(strides);
        let looks = match all {
            Some(repeat) => copies.saturating_mul(repeat.total_calls()),
            None => copies.saturating_mul(call.rows().len()),
        };
        let key = || {
            let calls = all.map(Repeat::total_calls);
            (call.position(), calls, step, strides.into())
        };
        self.cache.calls.get(looks, key, || {
            // In one pass: rows are far apart, so reading them is what takes time.
            let mut self_time = 0u128;
            let mut sum = |(row, own): (_, u64)| {
                self_time += u128::from(own);
                row
            };
            let (recording, first) = (self.recording, call.row());
            let facts = match all {
                Some(repeat) => {
                    let rows = repeat.timed_copies(strides).map(&mut sum);
                    Facts::of(recording, first, rows.skip(1))
                }
                None => {
                    let rows = call.timed_copies(strides).map(&mut sum);
                    Facts::of(recording, first, rows.skip(1))
                }
            };
            let count = facts.count as u128;
            let self_time = u64::try_from((self_time + count / 2) / count).unwrap_or(u64::MAX);
            CallFigures { facts, self_time }
        })
    }

    /// Of the repetitions of a repeat.
    pub(super) fn of_repeat(&self, repeat: &Repeat<'_>, strides: &[Stride]) -> Arc<RepeatFigures> {
        let copies = Stride::copies(strides);
        let key = || {
            let first = repeat.rows().start;
            (first, Some(repeat.total_calls()), None, strides.into())
        };
        let looks = copies.saturating_mul(repeat.total_calls());
        self.cache.repeats.get(looks, key, || {
            let own = repeat.repetitions().len();
            let all = copies * own;
            let points = all.min(SPARK);
            let mut spark = vec![0; points];
            let durations = repeat.durations_of_copies(strides).enumerate();
            let times = Times::of(durations.map(|(index, duration)| {
                let point = &mut spark[index * points / all];
                *point = duration.max(*point);
                duration
            }));
            // The first copy is the repeat itself.
            let slowest = match copies {
                1 => times.slowest,
                _ => Times::of(repeat.durations_of_copies(strides).take(own)).slowest,
            };
            RepeatFigures {
                times,
                slowest,
                spark,
            }
        })
    }

    /// How long the line that a list stands below took, in nanoseconds: of a repeat, a repetition; of
    /// several, on average.
    pub(super) fn took(&self, above: &Above<'_>) -> u64 {
        let Above {
            node,
            step,
            strides,
        } = above;
        if let Some(call) = call_of(node, *step) {
            return self.of_call(&call, node, *step, strides).facts.mean();
        }
        match (node, step) {
            (Node::Repeat(repeat), Some(step)) => {
                let calls = repeat.repetition(*step);
                let durations = calls.map(|call| call.row().duration);
                durations.fold(0, u64::saturating_add)
            }
            (Node::Repeat(repeat), None) => {
                self.of_repeat(repeat, strides).times.mean.round() as u64
            }
            (Node::Call(call), _) => call.row().duration,
            (Node::Gap(gap), _) => gap.sum.duration(),
        }
    }
}
