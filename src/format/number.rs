//! Microseconds with nanosecond digits, written and read without floating point.

/// Appends `ns` as microseconds with three decimals.
pub(super) fn write_micros(out: &mut Vec<u8>, ns: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(ns / 1000).as_bytes());
    let rest = ns % 1000;
    let digit = |value: u64| b'0' + (value % 10) as u8;
    out.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
}

/// Nanoseconds of a JSON number of microseconds: to the nearest, and to what a `u64` can hold.
/// `None` for what is no number.
pub(super) fn read_micros(text: &[u8]) -> Option<u64> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut number = Decimal::default();
    let mut rest = number.digits(text, false);
    if rest.len() == text.len() {
        return None;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = number.digits(fraction, true);
    }
    let exponent = match rest {
        [] => 0,
        [b'e' | b'E', exponent @ ..] => std::str::from_utf8(exponent).ok()?.parse::<i32>().ok()?,
        _ => return None,
    };
    let ns = number.scaled(exponent.saturating_add(3));
    Some(if negative { 0 } else { ns })
}

/// `digits * 10^exponent`.
#[derive(Default)]
struct Decimal {
    digits: u128,
    exponent: i32,
}

impl Decimal {
    /// More digits than any time of interest has, and few enough not to overflow.
    const CEILING: u128 = 10u128.pow(36);

    /// Takes the digits that `text` begins with and returns what follows them.
    fn digits<'a>(&mut self, text: &'a [u8], fraction: bool) -> &'a [u8] {
        let end = text
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(text.len());
        for byte in &text[..end] {
            if self.digits < Self::CEILING {
                self.digits = self.digits * 10 + u128::from(byte - b'0');
                self.exponent -= i32::from(fraction);
            } else {
                self.exponent = self.exponent.saturating_add(i32::from(!fraction));
            }
        }
        &text[end..]
    }

    /// The value times `10^shift`, to the nearest integer.
    fn scaled(&self, shift: i32) -> u64 {
        let exponent = self.exponent.saturating_add(shift);
        let power = 10u128.checked_pow(exponent.unsigned_abs());
        let value = match (power, exponent < 0) {
            (Some(power), false) => self.digits.saturating_mul(power),
            (Some(power), true) => (self.digits + power / 2) / power,
            (None, false) if self.digits > 0 => u128::MAX,
            (None, _) => 0,
        };
        u64::try_from(value).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(ns: u64) -> String {
        let mut out = Vec::new();
        write_micros(&mut out, ns);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn three_decimals_always() {
        assert_eq!(written(0), "0.000");
        assert_eq!(written(7), "0.007");
        assert_eq!(written(1_234_567), "1234.567");
        assert_eq!(written(999_999), "999.999");
        assert_eq!(written(u64::MAX), "18446744073709551.615");
    }

    #[test]
    fn other_tools_numbers() {
        for (text, ns) in [
            ("12", 12_000),
            ("12.5", 12_500),
            ("0.00049", 0),
            ("1.0005", 1_001),
            ("1.5e3", 1_500_000),
            ("15E-1", 1_500),
            ("-3.5", 0),
            ("1e400", u64::MAX),
            ("0e400", 0),
            ("1e-400", 0),
            (
                "98765432109876.54321000000000000000000000000000000000001",
                98_765_432_109_876_543,
            ),
        ] {
            assert_eq!(read_micros(text.as_bytes()), Some(ns), "{text}");
        }
        for text in ["", "-", ".5", "1x", "1e", "nan", "1e99999999999"] {
            assert_eq!(read_micros(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(ns: u64) {
            prop_assert_eq!(read_micros(written(ns).as_bytes()), Some(ns));
        }
    }
}
