//! Following values through registers and the stack.

use iced_x86::{Code, Instruction, InstructionInfoFactory, OpKind, Register as Iced};

use super::machine::{
    CALLER_SAVED, Place, RBP, RSP, callee_saved, general, is_any_call, load, place, store, writes,
};
use super::plan::{FrameSource, Register};

/// Where a value was at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// In a register.
    Register(Register),
    /// On the stack: 8 bytes at a distance from what rbp or rsp held at the start.
    Slot(Place),
}

impl Origin {
    /// The register, if it is one.
    pub(super) fn register(self) -> Option<Register> {
        match self {
            Origin::Register(register) => Some(register),
            Origin::Slot(_) => None,
        }
    }

    /// A frame that is there at the start.
    pub(super) fn frame(self) -> Option<FrameSource> {
        Some(match self {
            Origin::Register(register) => FrameSource::Register(register),
            // What a probe's cookie has room for: 16 bits, of words.
            Origin::Slot(slot) => FrameSource::Stack {
                base: slot.base,
                offset: (slot.offset % 8 == 0 && i16::try_from(slot.offset / 8).is_ok())
                    .then_some(slot.offset as i32)?,
            },
        })
    }
}

impl From<Register> for Origin {
    fn from(register: Register) -> Origin {
        Origin::Register(register)
    }
}

impl PartialEq<Register> for Origin {
    fn eq(&self, other: &Register) -> bool {
        *self == Origin::Register(*other)
    }
}

/// A value as known at some place: what was somewhere at the start, plus a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    /// Where it was at the start.
    pub(super) origin: Origin,
    /// What has been added since.
    pub(super) delta: i64,
    /// Only the low 4 bytes are left of it.
    pub(super) cut: bool,
}

impl Value {
    fn of(origin: impl Into<Origin>) -> Value {
        Value {
            origin: origin.into(),
            delta: 0,
            cut: false,
        }
    }
}

/// Bytes of a slot.
const SLOT: i64 = 8;

/// Bytes of an int.
const INT: i64 = 4;

/// Which registers and slots of the stack hold known values, kept up to date instruction by
/// instruction.
#[derive(Debug, Clone)]
pub(super) struct Environment {
    registers: [Option<Value>; 16],
    /// Slots that have been written to since the start; `None`: too many to know.
    written: Option<Vec<(Place, Option<Value>)>>,
    /// The register from which those are counted. What is counted from the other may be the same
    /// slots: how far apart the two are is not known.
    written_from: Option<Register>,
}

impl Environment {
    /// Everything holds its own value at the start.
    pub(super) fn new() -> Environment {
        Environment {
            registers: std::array::from_fn(|number| Some(Value::of(Register(number as u8)))),
            written: Some(Vec::new()),
            written_from: None,
        }
    }

    /// Makes it known that `place` holds the same as `origin` at the start.
    pub(super) fn alias(&mut self, place: Origin, origin: Origin) {
        let value = Some(Value::of(origin));
        match place {
            Origin::Register(register) => self.set(register, value),
            Origin::Slot(slot) => self.set_slot(slot, value),
        }
    }

    /// What a register holds now.
    pub(super) fn get(&self, register: Register) -> Option<Value> {
        self.registers
            .get(usize::from(register.0))
            .copied()
            .flatten()
    }

    /// What lies on the stack at an operand's place, if it is a slot of the stack at all.
    pub(super) fn get_slot(&self, place: Place) -> Option<Value> {
        let slot = self.slot(place)?;
        if self.written_from.is_some_and(|base| base != slot.base) {
            return None;
        }
        let mut written = self.written.as_ref()?.iter();
        match written.find(|(other, _)| *other == slot) {
            Some((_, value)) => *value,
            None => Some(Value::of(Origin::Slot(slot))),
        }
    }

    /// An operand's place as it is seen from the start, on the stack.
    fn slot(&self, place: Place) -> Option<Place> {
        let base = self.get(place.base)?;
        match base.origin {
            Origin::Register(register @ (RBP | RSP)) if !base.cut => Some(Place {
                base: register,
                offset: base.delta.checked_add(place.offset)?,
            }),
            _ => None,
        }
    }

    /// Whether a register holds the whole of `origin` plus `delta`.
    pub(super) fn holds(&self, register: Register, origin: impl Into<Origin>, delta: i64) -> bool {
        let value = Value {
            delta,
            ..Value::of(origin)
        };
        self.get(register) == Some(value)
    }

    /// Whether the frame that was at `origin` at the start is now found by that source.
    pub(super) fn finds(&self, source: FrameSource, origin: Origin) -> bool {
        match source {
            FrameSource::Register(register) => self.holds(register, origin, 0),
            FrameSource::Stack { base, offset } => {
                let offset = i64::from(offset);
                self.get_slot(Place { base, offset }) == Some(Value::of(origin))
            }
            _ => false,
        }
    }

    /// Where the frame that was at `origin` at the start is found now: in a register, if it can be.
    pub(super) fn source_of(&self, origin: Origin) -> Option<FrameSource> {
        if let Some(register) = self.copy_of(origin) {
            return Some(FrameSource::Register(register));
        }
        let own = match origin {
            Origin::Slot(slot) => Some(slot),
            Origin::Register(_) => None,
        };
        let written = self.written.iter().flatten().map(|(slot, _)| *slot);
        own.into_iter().chain(written).find_map(|slot| {
            // As far from its base as that has not moved.
            let moved = self
                .get(slot.base)
                .filter(|base| base.origin == slot.base)?;
            let offset = slot.offset.checked_sub(moved.delta)?;
            let source = Origin::Slot(Place { offset, ..slot }).frame()?;
            self.finds(source, origin).then_some(source)
        })
    }

    /// Registers that hold the whole of `origin` plus a constant now; callee-saved ones first,
    /// since a compiler keeps there what must last.
    pub(super) fn holding(&self, origin: impl Into<Origin>) -> Vec<(Register, i64)> {
        let origin = origin.into();
        let mut held: Vec<_> = (0..16u8)
            .map(Register)
            .filter_map(|register| {
                let value = self
                    .get(register)
                    .filter(|value| value.origin == origin && !value.cut)?;
                Some((register, value.delta))
            })
            .collect();
        held.sort_by_key(|(register, _)| (!callee_saved(*register), register.0));
        held
    }

    /// A register that holds exactly `origin`.
    pub(super) fn copy_of(&self, origin: impl Into<Origin>) -> Option<Register> {
        self.holding(origin)
            .into_iter()
            .find_map(|(register, delta)| (delta == 0).then_some(register))
    }

    /// A register that holds at least the low 4 bytes of `origin`.
    pub(super) fn int_copy_of(&self, origin: Register) -> Option<Register> {
        (0..16u8).map(Register).find(|register| {
            self.get(*register)
                .is_some_and(|value| value.origin == origin && value.delta == 0)
        })
    }

    fn set(&mut self, register: Register, value: Option<Value>) {
        if let Some(slot) = self.registers.get_mut(usize::from(register.0)) {
            *slot = value;
        }
    }

    /// Takes in the effect of one instruction.
    pub(super) fn step(&mut self, instruction: &Instruction, facts: &mut InstructionInfoFactory) {
        if is_any_call(instruction) {
            for register in CALLER_SAVED {
                self.set(register, None);
            }
            return;
        }
        let result = self.result(instruction);
        self.write_slots(instruction, facts);
        for used in facts.info(instruction).used_registers() {
            if writes(used.access())
                && let Some(register) = general(used.register())
            {
                self.set(register, None);
            }
        }
        if let Some((register, value)) = result {
            self.set(register, value);
        }
    }

    /// Takes in what an instruction does to the stack.
    fn write_slots(&mut self, instruction: &Instruction, facts: &mut InstructionInfoFactory) {
        let stored = store(instruction).or_else(|| store_int(instruction));
        for used in facts.info(instruction).used_memory() {
            let Some(base) = general(used.base()).filter(|_| writes(used.access())) else {
                continue;
            };
            let offset = used.displacement() as i64;
            let Some(at) = self.slot(Place { base, offset }) else {
                if base == RSP {
                    self.written = None;
                }
                continue;
            };
            if used.index() != Iced::None || instruction.has_rep_prefix() {
                self.written = None; // anywhere
            }
            // Below what rsp pointed to at the start, nothing lay that is counted from rbp.
            if at.base != RSP || at.offset >= 0 {
                let base = *self.written_from.get_or_insert(at.base);
                if base != at.base {
                    self.written = None;
                }
            }
            let bytes = i64::try_from(used.memory_size().size()).unwrap_or(SLOT);
            // What it writes to in part, nobody knows any more.
            for offset in at.offset - SLOT + 1..at.offset + bytes {
                let slot = Place { offset, ..at };
                if offset + INT > at.offset || !self.is_int(slot) {
                    self.set_slot(slot, None);
                }
            }
            let value = stored.and_then(|(_, register)| self.get(register));
            let cut = bytes < SLOT;
            self.set_slot(at, value.map(|value| Value { cut, ..value }));
        }
    }

    /// Whether what is known of a slot are its first four bytes only.
    fn is_int(&self, slot: Place) -> bool {
        let mut written = self.written.iter().flatten();
        written.any(|(other, value)| *other == slot && value.is_some_and(|value| value.cut))
    }

    fn set_slot(&mut self, slot: Place, value: Option<Value>) {
        /// More than a handler writes to before its probe.
        const WRITTEN_MAX: usize = 64;
        let Some(written) = &mut self.written else {
            return;
        };
        if let Some((_, known)) = written.iter_mut().find(|(other, _)| *other == slot) {
            *known = value;
        } else if value.is_some() || slot.offset % SLOT == 0 {
            // The stack is aligned, and so is whatever lies on it.
            written.push((slot, value));
        }
        if written.len() > WRITTEN_MAX {
            self.written = None;
        }
    }

    /// The value of the destination, where it is one that is followed.
    fn result(&self, instruction: &Instruction) -> Option<(Register, Option<Value>)> {
        let add = |register, amount: i64| {
            let value = self.get(register)?;
            Some(Value {
                delta: value.delta.checked_add(amount)?,
                ..value
            })
        };
        match instruction.code() {
            Code::Push_r64 | Code::Pushq_imm8 | Code::Pushq_imm32 => {
                return Some((RSP, add(RSP, -SLOT)));
            }
            _ => {}
        }
        let destination = general(instruction.op0_register())?;
        let value = match instruction.code() {
            Code::Mov_r64_rm64 | Code::Mov_rm64_r64
                if instruction.op0_kind() == OpKind::Register
                    && instruction.op1_kind() == OpKind::Register =>
            {
                self.get(general(instruction.op1_register())?)
            }
            Code::Mov_r64_rm64 => {
                let (_, from) = load(instruction)?;
                self.get_slot(from).filter(|value| !value.cut)
            }
            // The evaluator's throw flag is an int, and copied as one.
            Code::Mov_r32_rm32 | Code::Mov_rm32_r32
                if instruction.op0_kind() == OpKind::Register
                    && instruction.op1_kind() == OpKind::Register =>
            {
                let value = self.get(general(instruction.op1_register())?);
                value.map(|value| Value { cut: true, ..value })
            }
            Code::Mov_r32_rm32 => {
                let value = self.get_slot(place(instruction)?);
                value.map(|value| Value { cut: true, ..value })
            }
            Code::Lea_r64_m => {
                let place = place(instruction)?;
                add(place.base, place.offset)
            }
            Code::Add_rm64_imm8 | Code::Add_rm64_imm32 | Code::Add_RAX_imm32
                if instruction.op0_kind() == OpKind::Register =>
            {
                add(destination, instruction.immediate(1) as i64)
            }
            Code::Sub_rm64_imm8 | Code::Sub_rm64_imm32 | Code::Sub_RAX_imm32
                if instruction.op0_kind() == OpKind::Register =>
            {
                add(
                    destination,
                    (instruction.immediate(1) as i64).checked_neg()?,
                )
            }
            Code::Inc_rm64 if instruction.op0_kind() == OpKind::Register => add(destination, 1),
            Code::Dec_rm64 if instruction.op0_kind() == OpKind::Register => add(destination, -1),
            _ => return None,
        };
        Some((destination, value))
    }
}

/// `mov [place], register` of 4 bytes.
fn store_int(instruction: &Instruction) -> Option<(Place, Register)> {
    let is = instruction.code() == Code::Mov_rm32_r32 && instruction.op0_kind() == OpKind::Memory;
    let register = is.then(|| general(instruction.op1_register())).flatten()?;
    Some((place(instruction)?, register))
}

#[cfg(test)]
mod tests;
