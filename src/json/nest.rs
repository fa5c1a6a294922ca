//! Objects in lists in objects, written as they come.

use std::io::{self, Write};

use serde::Serialize;

/// A document whose objects are begun and ended one by one. What an object holds is in its member
/// `items`, which it only has if there is something.
pub(super) struct Nest<'w, W> {
    out: &'w mut W,
    /// The members of the object that is begun.
    text: Vec<u8>,
    /// Whether the outermost list has an object.
    begun: bool,
    /// For each object that is open, whether it has items.
    open: Vec<bool>,
}

impl<'w, W: Write> Nest<'w, W> {
    /// Begins a document with the members of `head` and those of a list called `list`.
    pub(super) fn new(out: &'w mut W, head: &impl Serialize, list: &str) -> io::Result<Self> {
        let mut nest = Nest {
            out,
            text: Vec::new(),
            begun: false,
            open: Vec::new(),
        };
        nest.members(head)?;
        write!(nest.out, ",\n\"{list}\":[\n")?;
        Ok(nest)
    }

    /// Begins an object, on a line of its own, inside of that which was begun last and did not end.
    pub(super) fn begin(&mut self, members: &impl Serialize) -> io::Result<()> {
        let has_items = self.open.last_mut().unwrap_or(&mut self.begun);
        let inside = !std::mem::replace(has_items, true);
        self.out.write_all(match (inside, self.open.is_empty()) {
            (false, _) => b",\n",
            (true, true) => b"",
            (true, false) => b",\"items\":[\n",
        })?;
        self.members(members)?;
        self.open.push(false);
        Ok(())
    }

    /// Ends the object that was begun last and did not end.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let has_items = self.open.pop() == Some(true);
        self.out.write_all(if has_items { b"]}" } else { b"}" })
    }

    /// Ends the document with a member called `name`.
    pub(super) fn finish(self, name: &str, value: &impl Serialize) -> io::Result<()> {
        write!(self.out, "\n],\n\"{name}\":")?;
        serde_json::to_writer(&mut *self.out, value)?;
        self.out.write_all(b"}\n")
    }

    /// Writes an object without its closing brace.
    fn members(&mut self, members: &impl Serialize) -> io::Result<()> {
        self.text.clear();
        serde_json::to_writer(&mut self.text, members)?;
        self.text.pop();
        self.out.write_all(&self.text)
    }
}
