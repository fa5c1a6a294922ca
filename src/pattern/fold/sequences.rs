//! Sequences that are hard to fold.

use proptest::prelude::*;

/// `a b a a b a b a ...`: nothing but repeats, at all scales.
pub(in crate::pattern) fn fibonacci(len: usize) -> Vec<u32> {
    let (mut last, mut word) = (vec![1], vec![0]);
    while word.len() < len {
        let next = [word.as_slice(), &last].concat();
        last = std::mem::replace(&mut word, next);
    }
    word.truncate(len);
    word
}

/// Repeats, but nothing three times.
pub(in crate::pattern) fn thue_morse(len: usize) -> Vec<u32> {
    (0..len as u32).map(|at| at.count_ones() % 2).collect()
}

/// Each word of `order` letters out of `letters` once.
pub(in crate::pattern) fn de_bruijn(letters: u32, order: usize) -> Vec<u32> {
    // All Lyndon words whose length divides the order, in order (Duval's algorithm).
    let mut sequence = Vec::new();
    let mut word = vec![0u32];
    loop {
        if order.is_multiple_of(word.len()) {
            sequence.extend(&word);
        }
        let len = word.len();
        word = (0..order).map(|at| word[at % len]).collect();
        while word.last() == Some(&(letters - 1)) {
            word.pop();
        }
        match word.last_mut() {
            Some(last) => *last += 1,
            None => return sequence,
        }
    }
}

/// What loops in loops leave behind.
pub(in crate::pattern) fn loops(most: usize) -> impl Strategy<Value = Vec<u32>> {
    let leaf = prop::collection::vec(0u32..4, 1..5);
    let nested = leaf.prop_recursive(5, 40, 4, |inner| {
        let parts = prop::collection::vec((inner, 1usize..5), 1..4);
        parts.prop_map(|parts| {
            let repeated = parts.into_iter().map(|(part, count)| part.repeat(count));
            repeated.collect::<Vec<_>>().concat()
        })
    });
    nested.prop_map(move |mut list| {
        list.truncate(most);
        list
    })
}
