//! Paths of `pathlib`.

use super::nodes::Node;
use super::string;
use super::text::Writer;
use super::types::Type;
use crate::event::Shape;

const SLASH: u32 = '/' as u32;
const DOT: u32 = '.' as u32;

impl Writer<'_> {
    /// Writes a path for POSIX, if its slots tell all of it: its text where that was asked for before,
    /// the segments that it was made of (3.12+), or its parts.
    pub(super) fn path(&mut self, node: &Node, class: &Type) -> bool {
        let slot = |name: &str| {
            let at = class.slots.iter().position(|slot| **slot == *name)?;
            node.children().nth(at)
        };
        let whole = slot("_str").and_then(|at| self.characters(at));
        let segments = || {
            let found = ["_raw_paths", "_parts"].into_iter().filter_map(slot);
            let joined = found.filter_map(|at| self.joined(at)).next();
            joined.map(|joined| normal(&joined))
        };
        let Some(path) = whole.or_else(segments) else {
            return false;
        };
        let data: Vec<u8> = path.iter().flat_map(|code| code.to_le_bytes()).collect();
        self.out.push_str(class.short());
        self.out.push('(');
        let quote = string::open_str(self.out, &data, 4);
        self.out.push(quote);
        self.out.push(')');
        true
    }

    /// The segments in a list, put together: an absolute one makes those before it void.
    fn joined(&self, index: usize) -> Option<Vec<u32>> {
        let list = self.nodes.get(index)?;
        let whole = list.children().len() as u64 == list.value.length;
        if list.value.shape != Shape::List || !whole {
            return None;
        }
        let mut path = Vec::new();
        for child in list.children() {
            let segment = self.characters(child)?;
            if segment.first() == Some(&SLASH) {
                path.clear();
            } else if path.last().is_some_and(|&last| last != SLASH) {
                path.push(SLASH);
            }
            path.extend(segment);
        }
        Some(path)
    }

    /// The characters of a str that is all there.
    fn characters(&self, index: usize) -> Option<Vec<u32>> {
        let value = &self.nodes.get(index)?.value;
        let (data, cut) = self.shown(value, value.width());
        let whole = value.shape == Shape::Str && !cut && !value.torn();
        whole.then(|| string::characters(data, value.width()).collect())
    }
}

/// A path as `pathlib` writes it: without empty and `.` components. Two slashes at its beginning stay
/// two, any other number is one (POSIX, pathname resolution).
fn normal(path: &[u32]) -> Vec<u32> {
    let slashes = path.iter().take_while(|&&code| code == SLASH).count();
    let root = match slashes {
        0 => 0,
        2 => 2,
        _ => 1,
    };
    let mut normal = vec![SLASH; root];
    let components = path.split(|&code| code == SLASH);
    for component in components.filter(|it| !it.is_empty() && **it != [DOT]) {
        if normal.len() > root {
            normal.push(SLASH);
        }
        normal.extend(component);
    }
    if normal.is_empty() {
        normal.push(DOT);
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_pathlib_does() {
        for (path, expected) in [
            ("a//b", "a/b"),
            ("./a", "a"),
            ("a/./b/", "a/b"),
            ("a/", "a"),
            ("", "."),
            ("/", "/"),
            ("//a", "//a"),
            ("///a", "/a"),
            ("/a/../b", "/a/../b"),
        ] {
            let codes: Vec<u32> = path.chars().map(u32::from).collect();
            let text = normal(&codes).into_iter().filter_map(char::from_u32);
            assert_eq!(text.collect::<String>(), expected, "{path}");
        }
    }
}
