//! The texts of a recording's calls: arguments, results, messages.

use std::hash::Hasher as _;
use std::num::NonZeroU32;

use rustc_hash::FxHasher;

/// How many texts are found again when they come again.
// Fuzzing reads small files, thousands a second: they have to fill it as large ones do.
const SLOTS: usize = if cfg!(fuzzing) { 1 << 4 } else { 1 << 20 };

/// Texts, one behind the other. The same text is kept once, mostly.
///
/// What finds it again is of fixed size, each entry giving way to the next with its hash: no file
/// can make it slow, and it does not grow with texts that are all different.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    all: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// By one half of the hash; empty until there is a text.
    recent: Vec<Recent>,
}

/// A text that may come again.
#[derive(Debug, Clone, Copy, Default)]
struct Recent {
    index: Option<NonZeroU32>,
    /// The other half of its hash: texts that differ mostly do so here, and need not be looked at, which
    /// would be slow, somewhere in gigabytes.
    hash: u32,
}

impl Texts {
    /// The index of `text`, plus one; `None` where there are too many.
    pub(crate) fn add(&mut self, text: &str) -> Option<NonZeroU32> {
        if self.recent.is_empty() {
            self.recent = vec![Recent::default(); SLOTS];
        }
        let mut hasher = FxHasher::default();
        hasher.write(text.as_bytes());
        // The upper half of the product that Fx hashes with is the better one.
        let finished = hasher.finish();
        let slot = (finished >> 32) as usize % SLOTS;
        let hash = finished as u32;
        let recent = self.recent[slot];
        if let Some(index) = recent.index
            && recent.hash == hash
            && self.get(index) == text
        {
            return Some(index);
        }
        let index = u32::try_from(self.ends.len() + 1)
            .ok()
            .and_then(NonZeroU32::new)?;
        self.all.push_str(text);
        self.ends.push(self.all.len());
        let index = Some(index);
        self.recent[slot] = Recent { index, hash };
        index
    }

    /// The text of an index that [`Texts::add`] returned.
    pub(crate) fn get(&self, index: NonZeroU32) -> &str {
        let index = index.get() as usize;
        let begin = match index {
            1 => 0,
            _ => self.ends[index - 2],
        };
        &self.all[begin..self.ends[index - 1]]
    }

    /// How many there are: the indices are from 1 up to this.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Gives back what is needed for adding only.
    pub(crate) fn close(&mut self) {
        self.recent = Vec::new();
        self.all.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_that_comes_again_is_kept_once() {
        let mut kept = Texts::default();
        let indices = ["a", "", "b", "a", "", "b"].map(|text| kept.add(text).unwrap());
        assert_eq!(indices[..3], indices[3..]);
        assert_eq!((&*kept.all, kept.ends.len()), ("ab", 3));
    }

    proptest! {
        #[test]
        fn texts_are_found(texts: Vec<String>) {
            let mut kept = Texts::default();
            let indices: Vec<_> = texts.iter().map(|text| kept.add(text).unwrap()).collect();
            kept.close();
            for (text, index) in texts.iter().zip(indices) {
                prop_assert_eq!(kept.get(index), text);
            }
        }
    }
}
