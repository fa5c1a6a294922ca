//! One call, in whole.

use std::sync::OnceLock;

use serde::Serialize;

use super::Explorer;
use super::threads::Functions;
use super::tree::{CallMembers, Cut, Placed};
use crate::recording::{Recording, Row};

/// How many callers are named: the innermost.
const ABOVE: usize = 100;
/// How many bytes of a value are shown, and how many bytes of JSON all are together.
const LONGEST: usize = 64 * 1024;
const ROOM: usize = 600_000;
/// How much of a caller's name and file is shown, in characters.
const NAME: usize = 300;
/// How many calls are in a block.
const BLOCK: usize = 4096;

/// A call and where it stands: the answer to `/api/call`.
#[derive(Debug, Serialize)]
pub struct CallInWhole {
    call: CallMembers,
    /// The file of its function, as it was recorded.
    pub path: String,
    /// First line of its function.
    pub module_line: u32,
    /// Its callers, the outermost first: the innermost of them.
    above: Vec<Caller>,
    /// Whether the file can be read: for who has a file system to say.
    pub readable: bool,
    next_same: Option<usize>,
    previous_same: Option<usize>,
}

/// A call above another.
#[derive(Debug, Serialize)]
pub(super) struct Caller {
    row: usize,
    name: String,
    file: String,
    line: u32,
}

/// What there is in stretches of a thread's calls, so that looking for something skips most.
#[derive(Debug, Default)]
pub(super) struct Blocks(OnceLock<Vec<Block>>);

#[derive(Debug, Clone, Copy)]
struct Block {
    /// Of its calls, that of the least deep one.
    depth: u32,
    /// A bit for each function that is in it; others may have the same.
    functions: [u64; 4],
}

impl Explorer<'_> {
    /// The call of this index in the thread of that index, if there are such.
    pub fn call(&self, thread: usize, row: usize) -> Option<CallInWhole> {
        let recording = self.recording();
        let thread_of_call = recording.threads.get(thread)?;
        let call = thread_of_call.calls.get(row)?;
        let calls = self.rows_of(thread);
        let code = recording.code(call);
        let above = calls.above(row, call.depth);
        let took = match above.first() {
            Some(&caller) => calls.rows[caller].duration,
            None => took(calls.rows),
        };
        let placed = Placed {
            index: row,
            row: call,
            self_time: calls.self_time(row),
            above: took,
            origin: self.origin,
        };
        let mut cut = Cut::of_call(LONGEST, ROOM);
        Some(CallInWhole {
            call: CallMembers::of_call(recording, placed, &mut cut),
            path: code.file.clone(),
            module_line: code.line,
            above: calls.named_from_top(&above),
            readable: false,
            next_same: calls.next_same(row),
            previous_same: calls.previous_same(row),
        })
    }
}

impl<'r> Explorer<'r> {
    /// The calls of a thread that what is between two calls at this depth stands below, the outermost
    /// first: the innermost of them. `before`: index of the call behind it.
    pub(super) fn callers(&self, thread: usize, before: usize, depth: u32) -> Vec<Caller> {
        let calls = self.rows_of(thread);
        calls.named_from_top(&calls.above(before, depth))
    }

    /// The calls of the thread with this index, which must exist.
    fn rows_of(&self, thread: usize) -> Thread<'_> {
        let rows = &self.recording.threads[thread].calls;
        Thread {
            recording: self.recording,
            rows,
            functions: self.functions(),
            blocks: self.blocks[thread].get(rows, self.functions()),
        }
    }
}

/// How long a thread made calls, in nanoseconds.
pub(super) fn took(rows: &[Row]) -> u64 {
    let start = rows.first().map_or(0, |row| row.start.0);
    let end = rows.iter().map(|row| row.end().0).max().unwrap_or_default();
    end.saturating_sub(start)
}

impl Blocks {
    fn get(&self, rows: &[Row], functions: &Functions) -> &[Block] {
        self.0.get_or_init(|| {
            let blocks = rows.chunks(BLOCK);
            blocks.map(|rows| Block::of(rows, functions)).collect()
        })
    }
}

impl Block {
    fn of(rows: &[Row], functions: &Functions) -> Block {
        let mut block = Block {
            depth: u32::MAX,
            functions: [0; 4],
        };
        for row in rows {
            block.depth = block.depth.min(row.depth);
            let (word, bit) = place(functions.of(row.code));
            block.functions[word] |= bit;
        }
        block
    }

    fn may_have(&self, function: u32) -> bool {
        let (word, bit) = place(function);
        self.functions[word] & bit != 0
    }
}

/// The bit of a function.
fn place(function: u32) -> (usize, u64) {
    (function as usize / 64 % 4, 1 << (function % 64))
}

/// A thread's calls, all of them.
struct Thread<'r> {
    recording: &'r Recording,
    rows: &'r [Row],
    functions: &'r Functions,
    blocks: &'r [Block],
}

impl Thread<'_> {
    /// The first call from `from` on for which this holds, in blocks for which that does.
    fn next(
        &self,
        from: usize,
        block: impl Fn(&Block) -> bool,
        found: impl Fn(&Row) -> bool,
    ) -> Option<usize> {
        let mut at = from;
        while at < self.rows.len() {
            let end = (at / BLOCK + 1) * BLOCK;
            let end = end.min(self.rows.len());
            if block(&self.blocks[at / BLOCK])
                && let Some(index) = self.rows[at..end].iter().position(&found)
            {
                return Some(at + index);
            }
            at = end;
        }
        None
    }

    /// The last call before `before` for which this holds, in blocks for which that does.
    fn previous(
        &self,
        before: usize,
        block: impl Fn(&Block) -> bool,
        found: impl Fn(&Row) -> bool,
    ) -> Option<usize> {
        let mut end = before;
        while end > 0 {
            let start = (end - 1) / BLOCK * BLOCK;
            if block(&self.blocks[start / BLOCK])
                && let Some(index) = self.rows[start..end].iter().rposition(&found)
            {
                return Some(start + index);
            }
            end = start;
        }
        None
    }

    /// The innermost callers of what stands at this depth before a call, the innermost first.
    fn above(&self, before: usize, depth: u32) -> Vec<usize> {
        let mut above: Vec<usize> = Vec::new();
        let (mut before, mut depth) = (before, depth);
        while above.len() < ABOVE
            && let Some(caller) =
                self.previous(before, |block| block.depth < depth, |row| row.depth < depth)
        {
            above.push(caller);
            (before, depth) = (caller, self.rows[caller].depth);
        }
        above
    }

    /// What is told of callers, given the innermost first.
    fn named_from_top(&self, above: &[usize]) -> Vec<Caller> {
        above.iter().rev().map(|&row| self.named(row)).collect()
    }

    /// How long a call ran without those that it called itself, in nanoseconds.
    fn self_time(&self, row: usize) -> u64 {
        let depth = self.rows[row].depth;
        let above = |row: &Row| row.depth <= depth;
        let end = self.next(row + 1, |block| block.depth <= depth, above);
        let end = end.unwrap_or(self.rows.len());
        let (mut below, mut at) = (0u64, row + 1);
        let callee = depth + 1;
        while let Some(found) =
            self.next(at, |block| block.depth <= callee, |row| row.depth <= callee)
            && found < end
        {
            below = below.saturating_add(self.rows[found].duration);
            at = found + 1;
        }
        // Other tools' calls may outlive their callers.
        self.rows[row].duration.saturating_sub(below)
    }

    fn next_same(&self, row: usize) -> Option<usize> {
        let function = self.function(&self.rows[row]);
        let block = |block: &Block| block.may_have(function);
        self.next(row + 1, block, |row| self.function(row) == function)
    }

    fn previous_same(&self, row: usize) -> Option<usize> {
        let function = self.function(&self.rows[row]);
        let block = |block: &Block| block.may_have(function);
        self.previous(row, block, |row| self.function(row) == function)
    }

    fn function(&self, row: &Row) -> u32 {
        self.functions.of(row.code)
    }

    fn named(&self, row: usize) -> Caller {
        let code = self.recording.code(&self.rows[row]);
        let cut = |text: &str| text.chars().take(NAME).collect();
        Caller {
            row,
            name: cut(&code.name),
            file: cut(code.file_name()),
            line: code.line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::tree::recording;

    /// Several blocks of calls that go up and down, now and then back to the top.
    fn rows() -> Vec<(u32, u32)> {
        let mut depth = 0u32;
        let mut state = 1u64;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let chance = (state >> 32) as u32;
            let row = (
                depth,
                if chance.is_multiple_of(5000) {
                    4
                } else {
                    chance / 7 % 4
                },
            );
            depth = match chance % 6000 {
                0 => 0,
                chance if chance % 5 < 2 => depth + 1,
                chance if chance % 5 < 4 => depth.saturating_sub(chance % 3),
                _ => depth,
            };
            row
        };
        (0..20_000).map(next).collect()
    }

    #[test]
    fn a_call_is_placed_as_a_look_at_every_call_would() {
        let recording = recording(rows());
        let explorer = Explorer::new(&recording);
        let rows = &recording.threads[0].calls;
        for row in (0..rows.len()).step_by(97) {
            let found = serde_json::to_value(explorer.call(0, row).unwrap()).unwrap();
            let (depth, code) = (rows[row].depth, rows[row].code);
            let mut above = Vec::new();
            let mut least = depth;
            for at in (0..row).rev() {
                if rows[at].depth < least {
                    least = rows[at].depth;
                    above.insert(0, at);
                }
            }
            let above = &above[above.len().saturating_sub(ABOVE)..];
            let named = found["above"].as_array().unwrap().iter();
            let named: Vec<_> = named
                .map(|caller| caller["row"].as_u64().unwrap() as usize)
                .collect();
            assert_eq!(named, above);
            let below = rows[row + 1..].iter().take_while(|row| row.depth > depth);
            let callees = below.filter(|row| row.depth == depth + 1);
            let callees: u64 = callees.map(|row| row.duration).sum();
            let own = rows[row].duration.saturating_sub(callees);
            assert_eq!(found["call"]["self"].as_u64(), Some(own));
            let next = (row + 1..rows.len()).find(|&at| rows[at].code == code);
            let previous = (0..row).rev().find(|&at| rows[at].code == code);
            let place = |name: &str| found[name].as_u64().map(|row| row as usize);
            assert_eq!(
                (place("next_same"), place("previous_same")),
                (next, previous)
            );
        }
        assert!(explorer.call(0, rows.len()).is_none());
        assert!(explorer.call(1, 0).is_none());
    }

    #[test]
    fn values_are_whole_up_to_64_kib() {
        let mut recording = recording([(0, 0), (1, 1)]);
        let value = "\u{e9}".repeat(40_000);
        let text = recording.texts.add(&format!("x\t{value}\n"));
        recording.threads[0].calls[1].arguments = text;
        let found = Explorer::new(&recording).call(0, 1).unwrap();
        let found = serde_json::to_value(found).unwrap();
        let shown = found["call"]["arguments"][0][1].as_str().unwrap();
        assert_eq!(shown.len(), 64 * 1024 + "\u{2026}".len());
        assert_eq!(found["call"]["arguments_cut"], true);
        assert_eq!(found["path"], "/p/f.py");
        assert_eq!(found["above"][0]["name"], "f0");
    }
}
