//! Stacks made up in our own memory.

use std::cell::Cell;

use super::*;
use crate::cpython::{Gil, Version};

/// Words at addresses; what is not there reads as zero, up to an end.
#[derive(Default)]
struct Fake {
    words: FxHashMap<u64, u64>,
    /// What a word is from its second reading on, and from its third, ...
    later: FxHashMap<u64, Vec<u64>>,
    reads: Cell<u64>,
}

const END: u64 = 1 << 32;

impl Memory for Fake {
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
        self.reads.set(self.reads.get() + 1);
        if !(0x1000..END).contains(&address) {
            return false;
        }
        for (at, bytes) in (address..).step_by(8).zip(bytes.chunks_mut(8)) {
            let word = self.words.get(&at).copied().unwrap_or(0);
            bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
        }
        true
    }

    fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        let read = self.read(address, &mut bytes);
        let later = self.later.get(&address).filter(|later| !later.is_empty());
        let later = later.map(|later| later[self.reads.get() as usize % later.len()]);
        read.then(|| later.unwrap_or(u64::from_le_bytes(bytes)))
    }
}

const LIST: ThreadList = ThreadList {
    head: 0x1000,
    interpreter_next: 0,
    interpreter_threads: 8,
    thread_next: 8,
};
const INTERPRETER: u64 = 0x2000;
const STATE: u64 = 0x3000;
const FRAMES: u64 = 0x10_0000;
const CODE: u64 = 0x8000;

fn layout() -> Layout {
    let version = Version {
        major: 3,
        minor: 13,
        micro: None,
    };
    Layout::of(version, Gil::With).expect("a layout")
}

/// A thread with id 7 and so many frames of 256 bytes each, innermost first.
fn fake(frames: u64) -> Fake {
    let layout = layout();
    let mut fake = Fake::default();
    let mut set = |object: u64, offset: u16, word| {
        fake.words.insert(object + u64::from(offset), word);
    };
    set(LIST.head, 0, INTERPRETER);
    set(INTERPRETER, LIST.interpreter_threads, STATE);
    set(STATE, layout.tstate_native_id.expect("3.13 has it"), 7);
    set(STATE, layout.tstate_frame, FRAMES);
    for frame in 0..frames {
        let at = FRAMES + frame * 256;
        set(at, layout.frame_code, CODE);
        set(at, layout.frame_lasti, u64::MAX);
        set(
            at,
            layout.frame_previous,
            if frame + 1 < frames { at + 256 } else { 0 },
        );
    }
    fake
}

fn look(fake: &Fake) -> Vec<Stack> {
    look_by(fake, &layout())
}

fn look_by(fake: &Fake, layout: &Layout) -> Vec<Stack> {
    let tasks = Tasks([(7, 1007)].into_iter().collect());
    let target = Target {
        memory: Borrowed(fake),
        layout,
    };
    target.look(&target.thread_states(LIST, 0), &tasks).0
}

struct Borrowed<'f>(&'f Fake);

impl Memory for Borrowed<'_> {
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
        self.0.read(address, bytes)
    }

    fn word(&self, address: u64) -> Option<u64> {
        self.0.word(address)
    }
}

#[test]
fn a_stack_is_read_from_the_innermost_frame_on() {
    let frames = [(FRAMES, CODE), (FRAMES + 256, CODE), (FRAMES + 512, CODE)];
    assert_eq!(
        look(&fake(3)),
        [Stack {
            tid: 1007,
            frames: frames.to_vec(),
            cut: false
        }]
    );
}

#[test]
fn a_frame_that_has_not_started_is_none() {
    let mut fake = fake(3);
    fake.words
        .insert(FRAMES + u64::from(layout().frame_lasti), CODE);
    assert_eq!(look(&fake)[0].frames.len(), 2);
}

#[test]
fn a_frame_that_runs_its_thread_s_copy_has_started_where_that_says() {
    const ARRAY: u64 = 0xa000;
    const COPY: u64 = 0xb000;
    const INDEX: u64 = 2;
    /// Of the first traceable instruction.
    const FIRST: u64 = 3;
    let version = Version {
        major: 3,
        minor: 14,
        micro: None,
    };
    let layout = Layout::of(version, Gil::Without).expect("a layout");
    let copies = layout.copies.expect("3.14 has them");
    let first_traceable =
        layout.code_instructions.expect("3.11+") - layout.code_first_traceable.expect("3.11+");
    for (lasti, frames) in [(COPY + 2 * FIRST - 2, 0), (COPY + 2 * FIRST, 1)] {
        let mut fake = Fake::default();
        for (object, offset, word) in [
            (LIST.head, 0, INTERPRETER),
            (INTERPRETER, LIST.interpreter_threads, STATE),
            (STATE, layout.tstate_native_id.expect("3.14 has it"), 7),
            (STATE, layout.tstate_frame, FRAMES),
            (FRAMES, layout.frame_code, CODE | layout.code_tag_mask),
            (FRAMES, layout.frame_lasti, lasti),
            (FRAMES, copies.frame_index, INDEX),
            (CODE, first_traceable, FIRST),
            (CODE, copies.code_array, ARRAY),
            (ARRAY + 8 * INDEX, copies.array_items, COPY),
        ] {
            fake.words.insert(object + u64::from(offset), word);
        }
        let found: usize = look_by(&fake, &layout)
            .iter()
            .map(|stack| stack.frames.len())
            .sum();
        assert_eq!(found, frames, "{lasti:#x}");
    }
}

#[test]
fn where_reads_never_agree_the_outer_frames_are_taken() {
    let mut fake = fake(9);
    let top = STATE + u64::from(layout().tstate_frame);
    fake.later
        .insert(top, (0..7).map(|n| FRAMES + n * 256).collect());
    let stacks = look(&fake);
    assert!((3..9).contains(&stacks[0].frames.len()), "{stacks:?}");
    assert_eq!(stacks[0].frames.last(), Some(&(FRAMES + 8 * 256, CODE)));
}

#[test]
fn circles_end() {
    let layout = layout();
    let mut frames = fake(3);
    frames
        .words
        .insert(FRAMES + 512 + u64::from(layout.frame_previous), FRAMES);
    let stack = &look(&frames)[0];
    assert!(stack.cut && stack.frames.len() <= FRAMES_MAX);
    let mut states = fake(3);
    states
        .words
        .insert(STATE + u64::from(LIST.thread_next), STATE);
    assert_eq!(look(&states).len(), 1);
    let mut interpreters = fake(3);
    interpreters.words.insert(INTERPRETER, INTERPRETER);
    assert_eq!(look(&interpreters).len(), 1);
}

#[test]
fn wild_pointers_are_no_stack() {
    let layout = layout();
    for wild in [1, END, u64::MAX, u64::MAX - 7] {
        for place in [
            LIST.head,
            INTERPRETER + u64::from(LIST.interpreter_threads),
            STATE + u64::from(layout.tstate_frame),
            FRAMES + 512 + u64::from(layout.frame_previous),
        ] {
            let mut fake = fake(3);
            fake.words.insert(place, wild);
            assert_eq!(look(&fake), [], "{wild:#x} at {place:#x}");
        }
        let mut names = fake(3);
        names
            .words
            .insert(CODE + u64::from(layout.code_filename), wild);
        assert_eq!(look(&names)[0].frames.len(), 3, "a name is not needed");
    }
    assert_eq!(look(&Fake::default()), []);
}

#[test]
fn our_own_memory_can_be_read() {
    let word = 0x1234_5678_9abc_def0_u64;
    let own = Process(std::process::id());
    assert_eq!(own.word((&raw const word) as u64), Some(word));
    assert_eq!(own.word(8), None);
}
