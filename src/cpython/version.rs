//! Which CPython a file is, told from the file alone.

use super::elf::Elf;
use super::plan::Version;

/// From `PY_VERSION_HEX` (3.11.2 final: `0x030b02f0`).
pub(super) fn from_hex(hex: u64) -> Option<Version> {
    let [high, major, minor, micro, _level] = {
        let bytes = hex.to_be_bytes();
        [bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]
    };
    (high == 0 && major == 3 && minor < 64).then_some(Version {
        major,
        minor,
        micro: Some(micro),
    })
}

/// The version of the CPython that `elf` defines.
pub(super) fn of(elf: &Elf) -> Option<Version> {
    from_symbol(elf).or_else(|| from_strings(elf))
}

/// The data symbol `Py_Version` (3.11+), as big as a C long.
fn from_symbol(elf: &Elf) -> Option<Version> {
    let symbol = elf.symbol("Py_Version")?;
    let word = elf.bytes_at(symbol.address)?.first_chunk::<8>()?;
    from_hex(u64::from_le_bytes(*word))
}

/// Up to 3.10 the version is only text: `PY_VERSION`, which `Py_GetVersion` prints, and the
/// library directory `python3.N`, which `Modules/getpath.c` joins. The literals' order is the
/// linker's choice, so: the minor version that most strings ending in `python3.N` agree on,
/// then a string that is exactly a version of that minor.
fn from_strings(elf: &Elf) -> Option<Version> {
    const MINORS: usize = 16;
    let mut votes = [0u32; MINORS];
    let mut versions: [Option<Version>; MINORS] = [None; MINORS];
    for section in elf
        .sections()
        .iter()
        .filter(|section| section.name.starts_with(".rodata"))
    {
        for text in elf.section_bytes(section).split(|byte| *byte == 0) {
            if text.len() > 128 {
                continue;
            }
            let Ok(text) = std::str::from_utf8(text) else {
                continue;
            };
            if let Some((_, minor)) = text.rsplit_once("python3.")
                && let Some(vote) = number(minor).and_then(|minor| votes.get_mut(minor as usize))
            {
                *vote += 1;
            }
            // Linkers merge a literal with the tail of a longer one (`/opt/python/3.9.18`).
            if let Some(version) = text.rsplit(['/', '-', ' ']).next().and_then(release)
                && let Some(slot) = versions.get_mut(usize::from(version.minor))
            {
                *slot = Some(version);
            }
        }
    }
    let minor = (0..MINORS)
        .filter(|minor| votes[*minor] > 0)
        .max_by_key(|minor| votes[*minor]);
    match minor {
        Some(minor) => versions[minor].or(Some(Version {
            major: 3,
            minor: u8::try_from(minor).ok()?,
            micro: None,
        })),
        None => {
            let mut named = versions.iter().flatten();
            let version = named.next().copied()?;
            named.next().is_none().then_some(version)
        }
    }
}

/// `3.9.2`, `3.10.0rc1`, `3.8.18+`: `PY_VERSION`.
fn release(text: &str) -> Option<Version> {
    let (minor, rest) = text.strip_prefix("3.")?.split_once('.')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (micro, suffix) = rest.split_at_checked(digits)?;
    let known_suffix = suffix.is_empty()
        || suffix == "+"
        || ["a", "b", "rc"].iter().any(|level| {
            let serial = suffix.strip_prefix(level);
            serial.is_some_and(|serial| number(serial.trim_end_matches('+')).is_some())
        });
    let minor = number(minor)?;
    // The symbol `Py_Version` tells from 3.11 on; 3.5 and before are not supported anywhere.
    ((6..=10).contains(&minor) && known_suffix).then_some(Version {
        major: 3,
        minor,
        micro: Some(number(micro)?),
    })
}

fn number(text: &str) -> Option<u8> {
    let plain = !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_its_hex_form() {
        let version = from_hex(0x030b_02f0).expect("3.11.2");
        assert_eq!(version.to_string(), "3.11.2");
        assert_eq!(from_hex(0x020e_12f0), None);
        assert_eq!(from_hex(0x1_030b_02f0), None);
    }

    #[test]
    fn a_version_is_read_from_its_text() {
        for text in ["3.9.2", "3.10.0rc1", "3.8.18+"] {
            assert!(release(text).is_some(), "{text}");
        }
        for text in [
            "3.9", "3.9.2 ", "3.11.2", "2.7.18", "3.x.1", "3.9.", "13.9.2", "3.9.2foo",
        ] {
            assert_eq!(release(text), None, "{text}");
        }
    }
}
