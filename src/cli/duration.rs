//! `TIME`: a number and its unit.

use std::time::Duration;

/// The longest recording that can be asked for: a year.
const MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// Parses `500ms`, `10s`, `1.5s`, `2m`, `1h`: more than zero, at most a year.
///
/// A bare number is refused: seconds to some, milliseconds to others.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds_per_unit = match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "" => return Err(format!("a unit is needed: `{text}s` or `{text}ms`")),
        _ => return Err("a number and its unit are needed: us, ms, s, m or h".into()),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| format!("`{number}` is not a number"))?;
    match Duration::try_from_secs_f64(number * seconds_per_unit) {
        Ok(Duration::ZERO) => Err("more than zero is needed".into()),
        Ok(duration) if duration <= MAX => Ok(duration),
        _ => Err("at most a year is possible".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_a_unit_are_durations() {
        for (text, ms) in [
            ("10s", 10_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1.5s", 1_500),
            (".5s", 500),
            ("8760h", 31_536_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["1500ns", "1.5us", "1.5µs"] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(1500)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "s",
            "10",
            "-1s",
            "1e3s",
            "10 s",
            "10sec",
            "0s",
            "0.0ms",
            "1.2.3s",
            ".s",
            "inf",
            "nan",
            "NaNs",
            "8761h",
            "99999999999999999999999h",
            "10S",
            "١s",
        ] {
            assert!(parse(text).is_err(), "{text}: {:?}", parse(text));
        }
    }
}
