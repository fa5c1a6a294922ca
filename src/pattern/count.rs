//! Numbers that vary.

/// A number that need not be the same in every repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Count {
    /// Where it is smallest.
    pub min: usize,
    /// Where it is largest.
    pub max: usize,
}

impl Count {
    pub(super) fn one(value: usize) -> Count {
        Count {
            min: value,
            max: value,
        }
    }

    /// The number, if there is but one.
    pub fn single(self) -> Option<usize> {
        (self.min == self.max).then_some(self.min)
    }
}
