//! Texts as they were accepted once.

use std::path::Path;

/// Compares a text with the file of that name in `tests/data`.
pub(crate) fn check(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    if std::env::var_os("PYTRACE_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found, expected,
        "{name} differs; PYTRACE_BLESS=1 accepts it"
    );
}
