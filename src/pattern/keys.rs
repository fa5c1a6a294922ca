//! Which codes are the same function.

use rustc_hash::FxHashMap;

use crate::trace::Code;

/// For each code the number of its function. The same file, first line and name are the same
/// function: a recording has one code for each category that it ran under.
pub(crate) fn function_keys(codes: &[Code]) -> Vec<u32> {
    let mut known = FxHashMap::default();
    let mut keys = Vec::with_capacity(codes.len());
    for code in codes {
        let next = known.len() as u32;
        let identity = (&*code.file, code.line, &*code.name);
        keys.push(*known.entry(identity).or_insert(next));
    }
    keys
}
