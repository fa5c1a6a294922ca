//! The Python stacks of a process's threads, read from outside while it runs on.
//!
//! A thread that blocks, or that computes without calling anything, has no event: no probe tells
//! of it. Its stack is read from the target's memory instead, right after the probes have been
//! put on.
//!
//! Nothing is stopped for that, so two things need proof. *A stack is one that was there*: it is
//! read until two reads agree. *It is that of the beginning*: only threads that have had no event
//! up to a time after the look count, and every change of a stack that concerns the recording is
//! an event. What changes unseen is code outside the scope, above the frames that matter: where
//! two reads never agree, the part from the outermost frame on in which they do is taken.
//!
//! The next event of such a thread brings the kernel program's own report of its stack, as every
//! thread's first does, and the two are made to agree by the frames' addresses.
//!
//! What is read is the target's, hence hostile: every loop is bounded.

use std::collections::hash_map::Entry;
use std::io::IoSliceMut;
use std::time::{Duration, Instant};

use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use rustc_hash::FxHashMap;

use super::process;
use super::session::now;
use crate::cpython::{Copies, Layout, Plan, ThreadList};
use crate::event::{CodeRecord, Text, Whole};
use crate::trace::Time;

/// Interpreters and threads that are looked at.
const THREADS_MAX: usize = 1 << 16;
/// Frames that are read of a thread's stack, and of all together.
const FRAMES_MAX: usize = 1 << 17;
const FRAMES_TOTAL: usize = 1 << 20;
/// Code objects that are read.
const CODES_MAX: usize = 1 << 14;
/// Bytes that are read of a file name or a name at once; the rest is read where it is needed.
const STRING_MAX: usize = 4096;
/// How often a stack is read before what two reads have in common is taken for it.
const READS_MAX: usize = 8;
/// Bytes of the largest struct head that is read.
const HEAD_MAX: usize = 160;

/// All that was found in a process.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) pid: u32,
    /// When the look began.
    pub(super) time: Time,
    /// Whether there were threads that could call Python functions, with a stack of such or without.
    pub(super) has_threads: bool,
    /// The threads that have a Python stack.
    pub(super) stacks: Vec<Stack>,
    /// The stacks' code objects, by their addresses.
    pub(super) codes: FxHashMap<u64, CodeRecord>,
    done: Instant,
}

/// A thread's activations.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stack {
    pub(super) tid: u32,
    /// Addresses of frame and code object, innermost first.
    pub(super) frames: Vec<(u64, u64)>,
    /// Whether there are frames below these.
    pub(super) cut: bool,
}

impl Snapshot {
    /// How long ago the look ended.
    pub(super) fn age(&self) -> Duration {
        self.done.elapsed()
    }
}

/// Looks at a process. `bias` is what its addresses are off from those in the interpreter's
/// file. `None` where the interpreter does not tell where its threads are.
pub(super) fn look(pid: u32, plan: &Plan, bias: u64) -> Option<Snapshot> {
    let list = plan.threads?;
    let time = now();
    let target = Target {
        memory: Process(pid),
        layout: plan.layout.as_ref()?,
    };
    let states = target.thread_states(list, bias);
    let (stacks, codes) = target.look(&states, &Tasks::of(pid));
    Some(Snapshot {
        pid,
        time,
        has_threads: !states.is_empty(),
        stacks,
        codes,
        done: Instant::now(),
    })
}

/// An interpreter in a process.
#[derive(Debug)]
pub(super) struct Found {
    /// The address of its `PyInterpreterState`.
    pub(super) state: u64,
    /// Of each of its threads the address of its `PyThreadState`, and the id that we know the thread by.
    pub(super) threads: Vec<(u64, u32)>,
}

/// The interpreters in a process; `None` where it does not tell where they are.
pub(super) fn interpreters(pid: u32, plan: &Plan, bias: u64) -> Option<Vec<Found>> {
    let list = plan.threads?;
    let target = Target {
        memory: Process(pid),
        layout: plan.layout.as_ref()?,
    };
    let tasks = Tasks::of(pid);
    let found = target.interpreters(list, bias).into_iter();
    let with_ids = found.map(|(state, threads)| {
        let ids = |state| Some((state, target.thread_id(state, &tasks)?));
        let threads = threads.into_iter().filter_map(ids).collect();
        Found { state, threads }
    });
    Some(with_ids.collect())
}

/// A process's threads: the ids that it knows them by, to those that we do.
#[derive(Debug, Default)]
struct Tasks(FxHashMap<u32, u32>);

impl Tasks {
    fn of(pid: u32) -> Tasks {
        let tasks = process::threads(pid).take(THREADS_MAX);
        let tasks = tasks.filter_map(|tid| Some((process::innermost_id(tid)?, tid)));
        Tasks(tasks.collect())
    }
}

/// Somebody's memory.
trait Memory {
    /// Fills `bytes` from `address` on; false where that is not possible.
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool;

    fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)
            .then(|| u64::from_le_bytes(bytes))
    }
}

/// A process's memory.
#[derive(Debug)]
struct Process(u32);

impl Memory for Process {
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
        let Ok(base) = usize::try_from(address) else {
            return false;
        };
        let remote = RemoteIoVec {
            base,
            len: bytes.len(),
        };
        let pid = Pid::from_raw(self.0.cast_signed());
        process_vm_readv(pid, &mut [IoSliceMut::new(bytes)], &[remote]) == Ok(remote.len)
    }
}

/// What one reading of a stack gives.
#[derive(Debug, Default, PartialEq, Eq)]
struct Chain {
    frames: Vec<(u64, u64)>,
    cut: bool,
}

/// An interpreter in somebody's memory.
struct Target<'l, M> {
    memory: M,
    layout: &'l Layout,
}

impl<M: Memory> Target<'_, M> {
    fn look(&self, states: &[u64], tasks: &Tasks) -> (Vec<Stack>, FxHashMap<u64, CodeRecord>) {
        let mut budget = FRAMES_TOTAL;
        let mut stacks: FxHashMap<u32, Stack> = FxHashMap::default();
        let mut codes = FxHashMap::default();
        for &state in states {
            let Some(tid) = self.thread_id(state, tasks) else {
                continue;
            };
            // The interpreters' newest come first, and each one's newest thread state: of
            // several that a thread has with frames, one of a sub-interpreter runs on top.
            let Entry::Vacant(vacant) = stacks.entry(tid) else {
                continue;
            };
            let Chain { mut frames, cut } = self.stack(state, &mut budget);
            frames.retain(|&(_, code)| self.meet_code(code, &mut codes));
            if !frames.is_empty() {
                vacant.insert(Stack { tid, frames, cut });
            }
        }
        let mut stacks: Vec<Stack> = stacks.into_values().collect();
        stacks.sort_unstable_by_key(|stack| stack.tid);
        (stacks, codes)
    }

    /// The addresses of all `PyInterpreterState`s, with those of their `PyThreadState`s.
    fn interpreters(&self, list: ThreadList, bias: u64) -> Vec<(u64, Vec<u64>)> {
        let mut found = Vec::new();
        let mut left = THREADS_MAX;
        let mut interpreter = self.memory.word(list.head.wrapping_add(bias));
        while let Some(at) = interpreter.filter(|&at| at != 0 && found.len() < THREADS_MAX) {
            let mut states = Vec::new();
            let mut state = self.field(at, list.interpreter_threads);
            while let Some(at) = state.filter(|&at| at != 0 && left > 0) {
                left -= 1;
                states.push(at);
                state = self.field(at, list.thread_next);
            }
            interpreter = self.field(at, list.interpreter_next);
            found.push((at, states));
        }
        found
    }

    /// The addresses of all `PyThreadState`s.
    fn thread_states(&self, list: ThreadList, bias: u64) -> Vec<u64> {
        let interpreters = self.interpreters(list, bias).into_iter();
        interpreters.flat_map(|(_, states)| states).collect()
    }

    /// The id of a thread state's thread, if there is one.
    fn thread_id(&self, state: u64, tasks: &Tasks) -> Option<u32> {
        /// glibc's `struct pthread.tid` (`nptl/descr.h`: behind a `tcbhead_t` that is padded to
        /// 0x2c0 bytes and a `list_t`), and musl's (`src/internal/pthread_impl.h`).
        const TID_IN_PTHREAD: [u16; 2] = [0x2d0, 0x30];
        let known = |id: u64| tasks.0.get(&(id as u32)).copied();
        let native = self
            .layout
            .tstate_native_id
            .and_then(|offset| self.field(state, offset));
        native.and_then(known).or_else(|| {
            let pthread = self.field(state, self.layout.tstate_thread_id)?;
            TID_IN_PTHREAD
                .iter()
                .find_map(|&offset| known(self.field(pthread, offset)?))
        })
    }

    /// A thread's stack; empty where it can't be read.
    fn stack(&self, state: u64, budget: &mut usize) -> Chain {
        let mut last = Chain::default();
        let mut best = Chain::default();
        for read in 0..READS_MAX {
            let chain = self
                .walk(state, (*budget).min(FRAMES_MAX))
                .unwrap_or_default();
            *budget = budget.saturating_sub(chain.frames.len());
            if read > 0 && chain == last {
                return chain;
            }
            if !chain.cut && !last.cut {
                let pairs = chain.frames.iter().rev().zip(last.frames.iter().rev());
                let common = pairs.take_while(|(now, before)| now == before).count();
                if common > best.frames.len() {
                    best.frames = chain.frames[chain.frames.len() - common..].to_vec();
                }
            }
            last = chain;
        }
        best
    }

    /// Reads a thread's chain of frames once, at most `limit` of them.
    fn walk(&self, state: u64, limit: usize) -> Option<Chain> {
        let layout = self.layout;
        let mut frame = self.field(state, layout.tstate_frame)?;
        if let Some(offset) = layout.cframe_frame.filter(|_| frame != 0) {
            frame = self.field(frame, offset)?;
        }
        let mut frames = Vec::new();
        let mut is_top = true;
        for _ in 0..limit {
            if frame == 0 {
                break;
            }
            let head = self.head(frame, layout.frame_head)?;
            if !is_entry_frame(layout, &head) {
                let code = word(&head, layout.frame_code) & !layout.code_tag_mask;
                if !(is_top && self.is_unstarted(&head, code)) {
                    frames.push((frame, code));
                }
                is_top = false;
            }
            frame = word(&head, layout.frame_previous);
        }
        Some(Chain {
            frames,
            cut: frame != 0,
        })
    }

    /// Whether a frame was made, but has not got to where its start is an event: see
    /// `is_unstarted` in `bpf/frames.bpf.c`.
    fn is_unstarted(&self, head: &[u8; HEAD_MAX], code: u64) -> bool {
        const CODE_UNIT: u64 = 2;
        let layout = self.layout;
        let lasti = word(head, layout.frame_lasti);
        let fields = layout.code_instructions.zip(layout.code_first_traceable);
        let Some((instructions, back)) = fields else {
            return lasti as i32 == -1;
        };
        let instructions = code.wrapping_add(u64::from(instructions));
        let first = self.memory.word(instructions.wrapping_sub(back.into()));
        let first = u64::from(first.unwrap_or(0) as u32).wrapping_mul(CODE_UNIT);
        let run = match layout.copies {
            None => instructions,
            Some(copies) => self.copy(copies, head, code).unwrap_or(instructions),
        };
        lasti < run.wrapping_add(first)
    }

    /// Where the copy of a code object's instructions is that a frame runs: see `instructions_of` in
    /// `bpf/detail.h`.
    fn copy(&self, copies: Copies, head: &[u8; HEAD_MAX], code: u64) -> Option<u64> {
        let array = self.field(code, copies.code_array)?;
        let index = u64::from(word(head, copies.frame_index) as u32);
        self.field(
            array.wrapping_add(index.wrapping_mul(8)),
            copies.array_items,
        )
    }

    /// Reads a code object, unless it has been read; false where it is none.
    fn meet_code(&self, address: u64, codes: &mut FxHashMap<u64, CodeRecord>) -> bool {
        let full = codes.len() >= CODES_MAX;
        match codes.entry(address) {
            Entry::Occupied(_) => true,
            Entry::Vacant(_) if full => false,
            Entry::Vacant(vacant) => self.code(address).map(|code| vacant.insert(code)).is_some(),
        }
    }

    fn code(&self, address: u64) -> Option<CodeRecord> {
        let layout = self.layout;
        let name = layout.code_qualname.unwrap_or(layout.code_name);
        let fields = [
            layout.code_flags,
            layout.code_firstlineno,
            layout.code_filename,
            name,
        ];
        let head = self.head(address, fields.into_iter().max()?.checked_add(8)?)?;
        Some(CodeRecord {
            address,
            id: 0,
            flags: word(&head, layout.code_flags) as u32,
            first_line: word(&head, layout.code_firstlineno) as u32,
            filename: self.string(word(&head, layout.code_filename)),
            name: self.string(word(&head, name)),
            qualifier: None,
            first_argument: String::new(),
        })
    }

    /// A str object: see `read_string_head` in `bpf/python.h`.
    fn string(&self, address: u64) -> Text {
        self.compact_string(address)
            .unwrap_or_else(Text::unreadable)
    }

    fn compact_string(&self, address: u64) -> Option<Text> {
        let length = self.layout.ob_size();
        let state = length + 16;
        let head = self.head(address, state + 8)?;
        let state = word(&head, state) as u32 >> self.layout.str_kind_bit;
        let (width, compact, ascii) = ((state & 7) as u8, state >> 3 & 1, state >> 4 & 1);
        let before = if ascii == 1 {
            self.layout.str_ascii
        } else {
            self.layout.str_compact
        };
        let whole = Whole {
            address: address.wrapping_add(u64::from(before)),
            length: u32::try_from(word(&head, length)).unwrap_or(u32::MAX),
            width,
        };
        let mut bytes = vec![0; whole.bytes().min(STRING_MAX)];
        let read = compact == 1 && self.memory.read(whole.address, &mut bytes);
        read.then(|| Text::captured(&bytes, whole))
    }

    fn field(&self, object: u64, offset: u16) -> Option<u64> {
        self.memory.word(object.wrapping_add(u64::from(offset)))
    }

    /// The first `length` bytes of an object, followed by zeros.
    fn head(&self, address: u64, length: u16) -> Option<[u8; HEAD_MAX]> {
        let mut head = [0; HEAD_MAX];
        self.memory
            .read(address, head.get_mut(..usize::from(length))?)
            .then_some(head)
    }
}

/// 3.12+: a frame of no function, where C code has called Python; the highest values of
/// `enum _frameowner`.
fn is_entry_frame(layout: &Layout, head: &[u8; HEAD_MAX]) -> bool {
    const FRAME_OWNED_BY_C: u8 = 3;
    layout
        .frame_owner
        .is_some_and(|owner| word(head, owner) as u8 >= FRAME_OWNED_BY_C)
}

/// The eight bytes at an offset; zero past the end.
fn word(head: &[u8; HEAD_MAX], offset: u16) -> u64 {
    let bytes = head
        .get(usize::from(offset)..)
        .and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests;
