//! Opcode numbers, which CPython fixes for each minor version.

mod told;

use std::borrow::Cow;
use std::ops::RangeInclusive;

pub(super) use told::opcodes as told;

/// The opcodes of one minor version that the plan needs
/// (`Include/opcode_ids.h`, before 3.13 `Include/opcode.h`).
#[derive(Debug, Clone)]
pub(super) struct Opcodes {
    /// Numbers that no opcode, specialisation or instrumented form has: their handlers are all
    /// the same "unknown opcode".
    pub(super) unassigned: Cow<'static, [RangeInclusive<u8>]>,
    /// `RESUME` and its forms.
    pub(super) resumes: Cow<'static, [Opcode]>,
    /// The opcodes that return from a frame. Their instrumented forms are not here: those pop
    /// the frame through `_PyEval_FrameClearAndPop`.
    pub(super) returns: Cow<'static, [Opcode]>,
    /// The instrumented forms of the opcodes that return.
    pub(super) instrumented_returns: Cow<'static, [u8]>,
    /// `YIELD_VALUE` and its instrumented form.
    pub(super) yields: Cow<'static, [Opcode]>,
    /// What tells where the value is that a frame returns, in the versions that have
    /// `RETURN_CONST`.
    pub(super) by_instruction: Option<Returns>,
    /// How compiled code is entered, where that may be at a `RESUME`: with the JIT of 3.15.
    pub(super) executor: Option<Executor>,
    /// `RAISE_VARARGS`, whose handler leads to `exit_unwind` and to no other way out.
    pub(super) raise: u8,
}

/// Opcodes that return, each with its instrumented form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Returns {
    /// `RETURN_VALUE`: what is on top of the stack.
    pub value: [u8; 2],
    /// `RETURN_CONST`: the constant that its argument says.
    pub constant: [u8; 2],
    /// `EXTENDED_ARG`, which has the upper bits of the argument of the instruction behind it.
    pub extended_arg: u8,
}

/// The opcode by which compiled code is entered, and those before a `RESUME`, which tell in place of
/// which one it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executor {
    /// `ENTER_EXECUTOR`.
    pub enter: u8,
    /// `POP_TOP`, behind `RETURN_GENERATOR` and before a generator's first `RESUME`.
    pub pop_top: u8,
    /// `RETURN_GENERATOR`.
    pub return_generator: u8,
    /// `YIELD_VALUE`, before all the others; and as tools that watch instrument it.
    pub yields: [u8; 2],
}

/// An opcode's name and number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opcode {
    pub(super) name: &'static str,
    pub(super) number: u8,
}

const fn op(name: &'static str, number: u8) -> Opcode {
    Opcode { name, number }
}

/// A list that is known beforehand. Others are a build's own.
const fn known<T: Clone>(list: &'static [T]) -> Cow<'static, [T]> {
    Cow::Borrowed(list)
}

impl Opcodes {
    /// The opcodes of CPython 3.`minor`.
    pub(super) fn of(minor: u8) -> Option<&'static Opcodes> {
        Some(match minor {
            6 => &V3_6,
            7 => &V3_7,
            8 => &V3_8,
            9 => &V3_9,
            10 => &V3_10,
            11 => &V3_11,
            12 => &V3_12,
            13 => &V3_13,
            14 => &V3_14,
            15 => &V3_15,
            _ => return None,
        })
    }

    /// Whether no opcode has that number.
    pub(super) fn is_unassigned(&self, number: u8) -> bool {
        self.unassigned.iter().any(|range| range.contains(&number))
    }
}

/// Up to 3.10 frames are entered and left by the evaluator alone, not by single opcodes.
const fn before_resume(unassigned: &'static [RangeInclusive<u8>]) -> Opcodes {
    Opcodes {
        unassigned: known(unassigned),
        resumes: known(&[]),
        returns: known(&[]),
        instrumented_returns: known(&[]),
        yields: known(&[]),
        by_instruction: None,
        executor: None,
        raise: 130,
    }
}

static V3_6: Opcodes = before_resume(&[0..=0, 6..=8, 30..=49, 117..=118, 159..=255]);
static V3_7: Opcodes = before_resume(&[0..=0, 6..=8, 30..=49, 117..=118, 162..=255]);
static V3_8: Opcodes = before_resume(&[0..=0, 7..=8, 30..=49, 117..=121, 164..=255]);
static V3_9: Opcodes = before_resume(&[0..=0, 7..=8, 30..=47, 119..=120, 166..=255]);
// 255 is `DO_TRACING`.
static V3_10: Opcodes = before_resume(&[0..=0, 7..=8, 35..=48, 80..=81, 166..=254]);

static V3_11: Opcodes = Opcodes {
    unassigned: known(&[181..=254]),
    resumes: known(&[op("RESUME", 151), op("RESUME_QUICK", 150)]),
    returns: known(&[op("RETURN_VALUE", 83)]),
    instrumented_returns: known(&[]),
    yields: known(&[op("YIELD_VALUE", 86)]),
    by_instruction: None,
    executor: None,
    raise: 130,
};

static V3_12: Opcodes = Opcodes {
    unassigned: known(&[169..=170, 177..=236, 255..=255]),
    resumes: known(&[op("RESUME", 151), op("INSTRUMENTED_RESUME", 240)]),
    returns: known(&[op("RETURN_VALUE", 83), op("RETURN_CONST", 121)]),
    instrumented_returns: known(&[242, 247]),
    yields: known(&[op("YIELD_VALUE", 150), op("INSTRUMENTED_YIELD_VALUE", 243)]),
    by_instruction: Some(Returns {
        value: [83, 242],
        constant: [121, 247],
        extended_arg: 144,
    }),
    executor: None,
    raise: 130,
};

static V3_13: Opcodes = Opcodes {
    unassigned: known(&[119..=148, 223..=235, 255..=255]),
    resumes: known(&[
        op("RESUME", 149),
        op("RESUME_CHECK", 207),
        op("INSTRUMENTED_RESUME", 236),
    ]),
    returns: known(&[op("RETURN_VALUE", 36), op("RETURN_CONST", 103)]),
    instrumented_returns: known(&[239, 240]),
    yields: known(&[op("YIELD_VALUE", 118), op("INSTRUMENTED_YIELD_VALUE", 241)]),
    by_instruction: Some(Returns {
        value: [36, 239],
        constant: [103, 240],
        extended_arg: 71,
    }),
    executor: None,
    raise: 101,
};

static V3_14: Opcodes = Opcodes {
    unassigned: known(&[121..=127, 212..=233]),
    resumes: known(&[
        op("RESUME", 128),
        op("RESUME_CHECK", 196),
        op("INSTRUMENTED_RESUME", 245),
    ]),
    returns: known(&[op("RETURN_VALUE", 35)]),
    instrumented_returns: known(&[246]),
    yields: known(&[op("YIELD_VALUE", 120), op("INSTRUMENTED_YIELD_VALUE", 247)]),
    by_instruction: None,
    executor: None,
    raise: 104,
};

static V3_15: Opcodes = Opcodes {
    unassigned: known(&[120..=127, 219..=232]),
    resumes: known(&[
        op("RESUME", 128),
        op("RESUME_CHECK", 200),
        op("RESUME_CHECK_JIT", 201),
        op("INSTRUMENTED_RESUME", 244),
    ]),
    returns: known(&[op("RETURN_VALUE", 33)]),
    instrumented_returns: known(&[245]),
    yields: known(&[op("YIELD_VALUE", 119), op("INSTRUMENTED_YIELD_VALUE", 246)]),
    by_instruction: None,
    executor: Some(Executor {
        enter: 254,
        pop_top: 29,
        return_generator: 32,
        yields: [119, 246],
    }),
    raise: 103,
};
