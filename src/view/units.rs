//! Durations for people.

use std::fmt::{self, Display, Formatter};

/// The units and how many nanoseconds they have.
const UNITS: [(u128, &str); 6] = [
    (1, "ns"),
    (1_000, "µs"),
    (1_000_000, "ms"),
    (1_000_000_000, "s"),
    (60_000_000_000, "min"),
    (3_600_000_000_000, "h"),
];

/// Displays nanoseconds with three significant digits and a fitting unit: `820 ns`, `8.90 µs`. The
/// alternate form (`{:#}`) is plain ASCII.
#[derive(Debug, Clone, Copy)]
pub struct Duration(pub u64);

impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ns = u128::from(self.0);
        if ns < 1000 {
            return write!(f, "{ns} ns");
        }
        for (index, (size, name)) in UNITS.into_iter().enumerate().skip(1) {
            let next = UNITS.get(index + 1).map_or(u128::MAX / 100, |next| next.0);
            for (decimals, scale) in [(2, 100), (1, 10), (0, 1)] {
                // In units of the last digit shown, to the nearest.
                let value = (ns * scale + size / 2) / size;
                let carries_over = value * size >= next * scale;
                let fits = value < 1000 || (index + 1 == UNITS.len() && decimals == 0);
                if fits && !carries_over {
                    let name = if f.alternate() && name == "µs" {
                        "us"
                    } else {
                        name
                    };
                    return match decimals {
                        0 => write!(f, "{value} {name}"),
                        _ => write!(f, "{}.{:0decimals$} {name}", value / scale, value % scale),
                    };
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits() {
        for (ns, text) in [
            (0, "0 ns"),
            (820, "820 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (8_901, "8.90 µs"),
            (9_996, "10.0 µs"),
            (99_960, "100 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (8_900_000, "8.90 ms"),
            (59_940_000_000, "59.9 s"),
            (59_960_000_000, "1.00 min"),
            (90_000_000_000, "1.50 min"),
            (3_599_000_000_000, "1.00 h"),
            (36_000_000_000_000, "10.0 h"),
            (u64::MAX, "5124096 h"),
        ] {
            assert_eq!(Duration(ns).to_string(), text);
        }
        assert_eq!(format!("{:#}", Duration(8_901)), "8.90 us");
    }
}
