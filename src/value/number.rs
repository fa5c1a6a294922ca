//! Numbers as Python shows them.

use std::fmt::{LowerExp, Write};

const DIGIT_BITS: u32 = 30;

/// Writes an int of `length` digits of 30 bits, of which `data` has all or, beyond
/// `whole`, the last `top`.
pub(super) fn int(
    out: &mut String,
    negative: bool,
    length: u64,
    data: &[u8],
    whole: usize,
    top: usize,
) {
    let small = usize::try_from(length).ok().filter(|&count| count <= whole);
    let count = small.unwrap_or(top);
    let Some(data) = data.get(..count * 4) else {
        return out.push('…');
    };
    let digits = data
        .chunks_exact(4)
        .map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]) & ((1 << DIGIT_BITS) - 1));
    if small.is_none() {
        return long(out, negative, length, digits);
    }
    if negative {
        out.push('-');
    }
    if count <= 2 {
        let value = digits
            .rev()
            .fold(0u64, |value, digit| value << DIGIT_BITS | u64::from(digit));
        return out.push_str(itoa::Buffer::new().format(value));
    }
    if count <= 4 {
        let value = digits.rev().fold(0u128, |value, digit| {
            value << DIGIT_BITS | u128::from(digit)
        });
        return out.push_str(itoa::Buffer::new().format(value));
    }
    let mut digits: Vec<u32> = digits.collect();
    let mut parts = Vec::new();
    while digits.iter().any(|&digit| digit != 0) {
        let mut rest = 0u64;
        for digit in digits.iter_mut().rev() {
            let value = rest << DIGIT_BITS | u64::from(*digit);
            *digit = (value / 1_000_000_000) as u32;
            rest = value % 1_000_000_000;
        }
        parts.push(rest);
    }
    let mut parts = parts.into_iter().rev();
    let _ = write!(out, "{}", parts.next().unwrap_or(0));
    for part in parts {
        let _ = write!(out, "{part:09}");
    }
}

/// Writes how many decimal digits an int has whose last digits these are.
fn long(
    out: &mut String,
    negative: bool,
    length: u64,
    top: impl DoubleEndedIterator<Item = u32> + ExactSizeIterator,
) {
    let below = length.saturating_sub(top.len() as u64) as f64 * f64::from(DIGIT_BITS);
    let top = top.rev().fold(0.0, |value, digit| {
        value * f64::from(1u32 << DIGIT_BITS) + f64::from(digit)
    });
    if top == 0.0 {
        return out.push_str("<int>");
    }
    let log = top.log10() + below * std::f64::consts::LOG10_2;
    let tolerance = (log * 4.0 * f64::EPSILON).max(1e-9);
    let sign = if negative { "negative " } else { "" };
    let (about, digits) = if (log - log.round()).abs() <= tolerance {
        ("about ", log.round() + 1.0)
    } else {
        ("", log.floor() + 1.0)
    };
    let _ = write!(out, "<{sign}int of {about}{digits:.0} digits>");
}

/// Writes a float as `repr` does.
pub(super) fn float(out: &mut String, value: f64) {
    general(out, value, format_args!("{value:e}"), true);
}

/// Writes a float of half the size.
pub(super) fn single(out: &mut String, value: f32) {
    general(out, f64::from(value), format_args!("{value:e}"), true);
}

/// Writes a float of a quarter of the size, given its bits.
pub(super) fn half(out: &mut String, bits: u16) {
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    let value = if bits >> 15 == 0 {
        magnitude
    } else {
        -magnitude
    };
    let near = 2f64.powi(exponent.max(1) - 26);
    for digits in 0..5 {
        let text = format!("{value:.digits$e}");
        if text
            .parse()
            .is_ok_and(|close: f64| (close - value).abs() < near)
        {
            return general(out, value, format_args!("{text}"), true);
        }
    }
    general(out, value, format_args!("{value:e}"), true);
}

/// Writes a complex number as `repr` does.
pub(super) fn complex<T: Copy + Into<f64> + LowerExp>(out: &mut String, real: T, imaginary: T) {
    let part = |out: &mut String, value: T| {
        general(out, value.into(), format_args!("{value:e}"), false);
    };
    let (first, second): (f64, f64) = (real.into(), imaginary.into());
    if first == 0.0 && first.is_sign_positive() {
        part(out, imaginary);
        return out.push('j');
    }
    out.push('(');
    part(out, real);
    if second.is_nan() || second.is_sign_positive() {
        out.push('+');
    }
    part(out, imaginary);
    out.push_str("j)");
}

/// Rearranges `1.25e3`, what Rust makes of the shortest digits, to `1250.0`.
fn general(out: &mut String, value: f64, scientific: std::fmt::Arguments<'_>, point: bool) {
    if value.is_nan() {
        return out.push_str("nan");
    }
    if value.is_infinite() {
        return out.push_str(if value > 0.0 { "inf" } else { "-inf" });
    }
    let start = out.len();
    let _ = out.write_fmt(scientific);
    let mut text = [0u8; 40];
    let written = out.get(start..).unwrap_or_default();
    let length = written.len().min(text.len());
    text[..length].copy_from_slice(&written.as_bytes()[..length]);
    out.truncate(start);
    let text = std::str::from_utf8(&text[..length]).unwrap_or_default();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = match mantissa.strip_prefix('-') {
        Some(rest) => {
            out.push('-');
            rest
        }
        None => mantissa,
    };
    let (head, tail) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !(-4..16).contains(&exponent) {
        out.push_str(mantissa);
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "e{sign}{:02}", exponent.abs());
    } else if exponent < 0 {
        out.push_str("0.");
        out.extend((1..-exponent).map(|_| '0'));
        out.push_str(head);
        out.push_str(tail);
    } else {
        out.push_str(head);
        let whole = exponent as usize;
        if tail.len() > whole {
            out.push_str(&tail[..whole]);
            out.push('.');
            out.push_str(&tail[whole..]);
        } else {
            out.push_str(tail);
            out.extend((tail.len()..whole).map(|_| '0'));
            if point {
                out.push_str(".0");
            }
        }
    }
}
