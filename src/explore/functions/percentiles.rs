//! Exact percentiles of the durations of each function.

use super::profile::Sums;
use crate::explore::threads::Functions;
use crate::recording::Calls;

/// How many durations are looked at together, at eight bytes each; more only if one function has
/// more.
const TOGETHER: u64 = 8_000_000;

/// Finds the medians and 95th percentiles: the smallest durations that so many of the calls do not
/// exceed.
pub(super) fn find<'r>(
    sums: &mut [Sums],
    functions: &Functions,
    threads: impl Iterator<Item = usize> + Clone,
    calls: impl Fn(usize) -> Calls<'r>,
) {
    // Where each function's next duration goes.
    let mut next = vec![0; sums.len()];
    let mut durations: Vec<u64> = Vec::new();
    let mut begin = 0;
    while begin < sums.len() {
        let mut end = begin;
        let mut len = 0;
        while let Some(sums) = sums.get(end) {
            if end > begin && len + sums.calls > TOGETHER {
                break;
            }
            next[end] = len as usize;
            len += sums.calls;
            end += 1;
        }
        durations.clear();
        durations.resize(len as usize, 0);
        for thread in threads.clone() {
            let calls = calls(thread);
            for position in 0..calls.len() {
                let row = calls.row(position);
                let function = functions.of(row.code) as usize;
                if (begin..end).contains(&function) {
                    durations[next[function]] = row.duration;
                    next[function] += 1;
                }
            }
        }
        for function in begin..end {
            let sums = &mut sums[function];
            let behind = next[function];
            let of_function = &mut durations[behind - sums.calls as usize..behind];
            (sums.median, sums.p95) = median_and_p95(of_function);
        }
        begin = end;
    }
}

/// Puts `durations` into another order; zeros if there are none.
fn median_and_p95(durations: &mut [u64]) -> (u64, u64) {
    if durations.is_empty() {
        return (0, 0);
    }
    // Of the nearest rank.
    let rank = |percent: usize| (durations.len() * percent).div_ceil(100) - 1;
    let (median, p95) = (rank(50), rank(95));
    let (below, &mut p95, _) = durations.select_nth_unstable(p95);
    let median = match below.is_empty() || median == below.len() {
        true => p95,
        false => *below.select_nth_unstable(median).1,
    };
    (median, p95)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn so_many_calls_are_within_a_percentile(mut durations in prop::collection::vec(0u64..50, 1..300)) {
            let found = median_and_p95(&mut durations);
            let reach = |percent: usize, most: u64| {
                let within = durations.iter().filter(|&&duration| duration <= most).count();
                within * 100 >= durations.len() * percent
            };
            let least = |percent| durations.iter().copied().filter(|&most| reach(percent, most)).min();
            prop_assert_eq!((Some(found.0), Some(found.1)), (least(50), least(95)));
        }
    }
}
