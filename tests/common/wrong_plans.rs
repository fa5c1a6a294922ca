//! pytrace with plans that are wrong on purpose: `tests/tools/wrong_plans.rs`.

use std::path::PathBuf;

/// Built along with the tests, next to them.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().expect("its own path");
    let target = test.ancestors().nth(2).expect("target/PROFILE/deps/NAME");
    target.join("examples").join("wrong_plans")
}
