//! Medians, and how far what they are of lies apart.

use std::fmt;

/// Numbers in ascending order.
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Spread {
        let mut numbers: Vec<f64> = numbers.into_iter().collect();
        numbers.sort_unstable_by(f64::total_cmp);
        Spread(numbers)
    }

    /// What each number is to its counterpart.
    pub(crate) fn of_ratios(numbers: &[f64], to: &[f64]) -> Spread {
        Spread::of(numbers.iter().zip(to).map(|(number, to)| number / to))
    }

    pub(crate) fn median(&self) -> f64 {
        self.at(0.5)
    }

    pub(crate) fn least(&self) -> f64 {
        self.0[0]
    }

    /// Between which bounds the median of all runs there could be lies, with 95 % confidence; whatever
    /// their distribution is. Fewer than six say nothing of that.
    pub(crate) fn confidence(&self) -> Option<[f64; 2]> {
        if self.0.len() < 6 {
            return None;
        }
        let half = 1.96 * (self.0.len() as f64).sqrt() / 2.0;
        let middle = (self.0.len() - 1) as f64 / 2.0;
        let lowest = (middle - half).floor().max(0.0) as usize;
        Some([self.0[lowest], self.0[self.0.len() - 1 - lowest]])
    }

    fn at(&self, part: f64) -> f64 {
        let place = (self.0.len() - 1) as f64 * part;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        self.0[below] + (self.0[above] - self.0[below]) * place.fract()
    }
}

/// The median and, behind it, the quartiles.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, low, high] = [0.5, 0.25, 0.75].map(|part| self.at(part));
        write!(f, "{median:.2} ({low:.2}-{high:.2})")
    }
}
