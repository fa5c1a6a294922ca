//! What was found out once, for who asks again.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Answers by question, of which the ones asked for last are kept. Who asks what another one is
/// finding out already waits for it.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    /// The latest one last.
    answers: Mutex<Vec<Entry<K, V>>>,
    /// How many are kept.
    most: usize,
    /// What they may weigh together, by their own account. The latest one is kept in any case.
    weight: usize,
}

#[derive(Debug)]
struct Entry<K, V> {
    key: K,
    value: Arc<OnceLock<Arc<V>>>,
}

/// What an answer takes of a [`Cache`], in bytes or whatever that counts.
pub(super) trait Weigh {
    /// How much.
    fn weight(&self) -> usize;
}

impl<K: PartialEq, V: Weigh> Cache<K, V> {
    /// Keeps `most` answers of this weight in all.
    pub(super) fn new(most: usize, weight: usize) -> Self {
        Cache {
            answers: Mutex::new(Vec::new()),
            most,
            weight,
        }
    }

    /// The answer to `key`; `find` finds it out if nobody did yet.
    pub(super) fn get(&self, key: K, find: impl FnOnce() -> V) -> Arc<V> {
        let value = {
            // Entries are whole before they are in the list.
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = match answers.iter().position(|entry| entry.key == key) {
                Some(known) => answers.remove(known),
                None => Entry {
                    key,
                    value: Arc::default(),
                },
            };
            let value = Arc::clone(&entry.value);
            answers.push(entry);
            value
        };
        // Others ask other questions meanwhile.
        let answer = Arc::clone(value.get_or_init(|| Arc::new(find())));
        self.forget();
        answer
    }

    /// Lets go of the oldest ones, those that are being found out counted as nothing.
    fn forget(&self) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let weight = |entry: &Entry<K, V>| entry.value.get().map_or(0, |value| value.weight());
        let mut total: usize = answers.iter().map(weight).sum();
        while answers.len() > 1 && (answers.len() > self.most || total > self.weight) {
            total -= weight(&answers.remove(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    impl Weigh for usize {
        fn weight(&self) -> usize {
            *self
        }
    }

    #[test]
    fn two_who_ask_at_once_find_out_once() {
        let cache = Cache::new(2, 100);
        let (found, both) = (AtomicUsize::new(0), Barrier::new(2));
        let ask = || {
            both.wait();
            *cache.get('a', || found.fetch_add(1, Ordering::Relaxed) + 5)
        };
        let answers = std::thread::scope(|scope| {
            let other = scope.spawn(ask);
            (ask(), other.join().unwrap())
        });
        assert_eq!((answers, found.into_inner()), ((5, 5), 1));
    }

    #[test]
    fn the_oldest_ones_are_forgotten() {
        let cache = Cache::new(2, 100);
        let is_known = |key, weight| {
            let mut known = true;
            cache.get(key, || {
                known = false;
                weight
            });
            known
        };
        assert!(!is_known('a', 1) && !is_known('b', 1));
        assert!(is_known('a', 1) && !is_known('c', 1));
        // More than two.
        assert!(is_known('a', 1) && !is_known('b', 1));
        // Too heavy to stay beside anything else, but not to be kept.
        assert!(!is_known('d', 101) && is_known('d', 101) && !is_known('b', 1));
    }
}
