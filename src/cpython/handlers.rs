//! Probes for 3.11 and later, where calls from Python to Python stay inside one evaluator and
//! frames start, end and are suspended in opcode handlers.

use iced_x86::{Code, ConditionCode, InstructionInfoFactory};
use rustc_hash::{FxHashMap, FxHashSet};

use super::aliases::aliases;
use super::derive::{Problem, probe};
use super::elf::Elf;
use super::flow::{Flow, function_address};
use super::interpreter::Interpreter;
use super::layout::Layout;
use super::machine::{
    Environment, RDX, RSI, RSP, changes, emulated, ends, is_call, is_conditional, is_jump, place,
    store, tested_for_zero,
};
use super::opcode::{Opcode, Opcodes};
use super::plan::{FrameSource, Meaning, Probe, Register};
use super::table::DispatchTable;

/// Instructions into a handler that are looked at for its store to the frame, or for a place
/// to probe. Handlers that matter are shorter.
const HANDLER_MAX: usize = 48;

/// `_PyInterpreterFrame.is_entry`, 3.11 only (`Include/internal/pycore_frame.h`).
const IS_ENTRY_3_11: i64 = 68;

/// The evaluator's registers on entry to any handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Registers {
    /// Points to the frame.
    frame: Register,
    /// Points to the instruction about to be executed, less `skew`.
    next_instr: Register,
    skew: i64,
}

/// The parts of an interpreter that are examined.
struct Evaluator<'elf> {
    elf: &'elf Elf,
    opcodes: &'static Opcodes,
    table: DispatchTable,
    flow: Flow,
    entry: u64,
    minor: u8,
}

/// All probes of a dispatch plan.
pub(super) fn probes(interpreter: &Interpreter, layout: &Layout) -> Result<Vec<Probe>, Problem> {
    let evaluator = Evaluator::new(interpreter)?;
    let registers = evaluator
        .registers(layout)
        .ok_or(Problem::Site("the frame's register"))?;
    let mut probes = Vec::new();
    let opcodes = evaluator.opcodes;
    for opcode in opcodes.resumes {
        probes.extend(evaluator.resume(opcode, registers));
    }
    if !probes.iter().any(|probe| probe.site == "RESUME") {
        return Err(Problem::Site("RESUME"));
    }
    for opcode in opcodes.returns {
        let site = evaluator.exit(opcode, opcodes.returns, registers, Meaning::Return);
        probes.push(site.ok_or(Problem::Site(opcode.name))?);
    }
    for opcode in opcodes.yields {
        let site = evaluator.exit(opcode, opcodes.yields, registers, Meaning::Yield);
        probes.push(site.ok_or(Problem::Site(opcode.name))?);
    }
    probes.extend(evaluator.unwinds(registers)?);
    probes.push(
        evaluator
            .throw()
            .ok_or(Problem::Site("the entry of throw()"))?,
    );
    Ok(probes)
}

/// The one probe that a plan of the interpreter's own probes needs besides: `throw()` and
/// `close()` into a generator.
pub(super) fn throw_probe(interpreter: &Interpreter) -> Result<Probe, Problem> {
    Evaluator::new(interpreter)?
        .throw()
        .ok_or(Problem::Site("the entry of throw()"))
}

impl<'elf> Evaluator<'elf> {
    fn new(interpreter: &'elf Interpreter) -> Result<Evaluator<'elf>, Problem> {
        let elf = interpreter.elf();
        let minor = interpreter.version().minor;
        let opcodes = Opcodes::of(minor).ok_or(Problem::Version)?;
        let table = DispatchTable::find(elf, opcodes).ok_or(Problem::Table)?;
        let entry = interpreter.evaluator();
        let flow = Flow::from(elf, table.handlers().into_iter().chain([entry]));
        Ok(Evaluator {
            elf,
            opcodes,
            table,
            flow,
            entry,
            minor,
        })
    }

    /// Nearly every handler starts with `frame->prev_instr = next_instr++` (3.11, 3.12) or
    /// `frame->instr_ptr = next_instr` (`INSTRUCTION_START`, `Python/ceval_macros.h`; the
    /// generated cases since 3.13): the store tells both registers.
    fn registers(&self, layout: &Layout) -> Option<Registers> {
        let field = i64::from(layout.frame_lasti);
        let mut votes: FxHashMap<Registers, usize> = FxHashMap::default();
        let mut facts = InstructionInfoFactory::new();
        let handlers = self.table.handlers();
        for handler in &handlers {
            let mut environment = Environment::new();
            let mut at = *handler;
            for _ in 0..HANDLER_MAX {
                let Some(instruction) = self.flow.get(at) else {
                    break;
                };
                if ends(instruction) || is_jump(instruction) {
                    break;
                }
                if let Some((to, register)) = store(instruction)
                    && let Some(base) = environment.get(to.base)
                    && let Some(value) = environment.get(register)
                    && base.delta + to.offset == field
                    && base.origin != RSP
                    && base.origin != value.origin
                    && !value.cut
                {
                    let registers = Registers {
                        frame: base.origin,
                        next_instr: value.origin,
                        skew: value.delta,
                    };
                    *votes.entry(registers).or_default() += 1;
                    break;
                }
                environment.step(instruction, &mut facts);
                at = instruction.next_ip();
            }
        }
        let (registers, count) = votes.into_iter().max_by_key(|(_, count)| *count)?;
        // 181 to 229 of 183 to 235 handlers agree in the builds examined.
        (count * 2 > handlers.len()).then_some(registers)
    }

    fn resume(&self, opcode: &Opcode, registers: Registers) -> Option<Probe> {
        let handler = self.table.handler(opcode.number)?;
        // The argument is the second byte of the instruction.
        let delta = |since: i64| i8::try_from(registers.skew + 1 - since).ok();
        let found = self.walk(handler, Environment::new(), |environment| {
            let frame = environment.copy_of(registers.frame)?;
            let held = environment.holding(registers.next_instr);
            (!held.is_empty()).then_some((frame, held))
        });
        // A `RESUME_CHECK` that gives up joins `RESUME` with other copies than `RESUME` has.
        let agreed = found.and_then(|(address, (frame, held))| {
            let (next_instr, since) = held.into_iter().find(|(next_instr, since)| {
                let agrees = |environment: &Environment| {
                    environment.holds(frame, registers.frame, 0)
                        && environment.holds(*next_instr, registers.next_instr, *since)
                };
                self.belongs(address, self.opcodes.resumes, &Environment::new(), agrees)
            })?;
            Some((address, (frame, next_instr, since)))
        });
        let (address, (frame, next_instr, since)) =
            agreed.unwrap_or((handler, (registers.frame, registers.next_instr, 0)));
        let meaning = Meaning::Resume {
            next_instr,
            oparg_delta: delta(since)?,
        };
        self.probe(address, meaning, FrameSource::Register(frame), opcode.name)
    }

    fn exit(
        &self,
        opcode: &Opcode,
        family: &[Opcode],
        registers: Registers,
        meaning: Meaning,
    ) -> Option<Probe> {
        let handler = self.table.handler(opcode.number)?;
        let place = |environment: Environment| {
            let want = |environment: &Environment| environment.copy_of(registers.frame);
            self.walk(handler, environment.clone(), want)
                .filter(|(address, frame)| {
                    self.belongs(*address, family, &environment, |environment| {
                        environment.holds(*frame, registers.frame, 0)
                    })
                })
        };
        let found = place(Environment::new()).or_else(|| {
            // Maybe a copy of the frame's register lasts longer than the register itself.
            let mut environment = Environment::new();
            let handlers = self.table.handlers();
            for copy in aliases(&self.flow, &handlers, self.entry, registers.frame) {
                environment.alias(copy, registers.frame);
            }
            place(environment)
        });
        let (address, frame) = found.unwrap_or((handler, registers.frame));
        self.probe(address, meaning, FrameSource::Register(frame), opcode.name)
    }

    /// Whether only opcodes of one family come by a place, and all with what is wanted in the
    /// registers: handlers jump into each other's, as a `RESUME_CHECK` that gives up does into
    /// `RESUME`'s.
    fn belongs(
        &self,
        address: u64,
        family: &[Opcode],
        at_start: &Environment,
        agrees: impl Fn(&Environment) -> bool,
    ) -> bool {
        const HANDLERS_MAX: usize = 512;
        let family: Vec<u64> = family
            .iter()
            .filter_map(|opcode| self.table.handler(opcode.number))
            .collect();
        let mut seen = FxHashSet::default();
        let strangers = self.table.handlers().into_iter().chain([self.entry]);
        for stranger in strangers.filter(|handler| !family.contains(handler)) {
            seen.extend(self.flow.reachable_unseen(stranger, &seen));
        }
        if seen.contains(&address) {
            return false;
        }
        let mut facts = InstructionInfoFactory::new();
        family.into_iter().all(|handler| {
            let mut seen = FxHashSet::default();
            let mut pending = vec![(handler, at_start.clone())];
            while let Some((at, mut environment)) = pending.pop() {
                if at == address {
                    if !agrees(&environment) {
                        return false;
                    }
                    continue;
                }
                let Some(instruction) = self.flow.get(at) else {
                    continue;
                };
                if seen.len() < HANDLERS_MAX && seen.insert(at) {
                    environment.step(instruction, &mut facts);
                    let next = self.flow.successors(at).into_iter();
                    pending.extend(next.map(|next| (next, environment.clone())));
                }
            }
            true
        })
    }

    /// The first instruction of a handler that the kernel emulates and that every execution
    /// of the handler reaches, if what is wanted is in registers there.
    fn walk<T>(
        &self,
        handler: u64,
        mut environment: Environment,
        want: impl Fn(&Environment) -> Option<T>,
    ) -> Option<(u64, T)> {
        let mut facts = InstructionInfoFactory::new();
        let mut at = handler;
        for _ in 0..HANDLER_MAX {
            let instruction = self.flow.get(at)?;
            if emulated(instruction)
                && let Some(found) = want(&environment)
            {
                return Some((at, found));
            }
            // Behind a branch not every execution comes by, or not this handler's alone.
            if ends(instruction) || is_jump(instruction) || is_conditional(instruction) {
                return None;
            }
            environment.step(instruction, &mut facts);
            at = instruction.next_ip();
        }
        None
    }

    /// Where exceptions leave frames.
    fn unwinds(&self, registers: Registers) -> Result<Vec<Probe>, Problem> {
        let missing = Problem::Site("exit_unwind");
        let mut returning = FxHashSet::default();
        for opcode in self.opcodes.returns {
            if let Some(handler) = self.table.handler(opcode.number) {
                returning.extend(self.flow.reachable(handler, |_| false));
            }
        }
        let raise = self
            .table
            .handler(self.opcodes.raise)
            .ok_or(missing.clone())?;
        let raising = self.flow.reachable(raise, |_| false);
        let mut probes = if self.minor == 11 {
            self.entry_checks(&raising)
        } else {
            self.pops(registers, &raising, &returning)
        };
        if !probes.iter().any(|probe| probe.site == "exit_unwind") {
            return Err(missing);
        }
        probes.sort_by_key(|probe| probe.address);
        Ok(probes)
    }

    /// 3.11: `exit_unwind` pops the frame in line, and asks `frame->is_entry` whether that was
    /// the frame the evaluator was entered for. So do `RETURN_VALUE` and `RETURN_GENERATOR`,
    /// to which raising an exception does not lead.
    fn entry_checks(&self, raising: &FxHashSet<u64>) -> Vec<Probe> {
        let mut facts = InstructionInfoFactory::new();
        let mut probes = Vec::new();
        for (address, instruction) in self.flow.iter() {
            let Some(field) = place(instruction) else {
                continue;
            };
            if instruction.code() != Code::Cmp_rm8_imm8
                || instruction.immediate8() != 0
                || field.offset != IS_ENTRY_3_11
                || !raising.contains(&address)
            {
                continue;
            }
            let mut at = instruction.next_ip();
            for _ in 0..8 {
                let Some(next) = self.flow.get(at) else { break };
                if is_conditional(next) {
                    let frame = FrameSource::Register(field.base);
                    probes.extend(self.probe(at, Meaning::Unwind, frame, "exit_unwind"));
                    break;
                }
                if ends(next) || is_jump(next) || changes(next, field.base, &mut facts) {
                    break;
                }
                at = next.next_ip();
            }
        }
        probes
    }

    /// 3.12+: the evaluator pops frames by `_PyEval_FrameClearAndPop(tstate, frame)`. The calls
    /// that `RETURN_VALUE` leads to are that opcode's; the others are `exit_unwind`'s and those
    /// of the instrumented returns.
    fn pops(
        &self,
        registers: Registers,
        raising: &FxHashSet<u64>,
        returning: &FxHashSet<u64>,
    ) -> Vec<Probe> {
        let Some(function) = self.clear_and_pop(registers) else {
            return Vec::new();
        };
        let mut probes = Vec::new();
        for (address, instruction) in self.flow.iter() {
            if !(is_call(instruction) || is_jump(instruction)) || returning.contains(&address) {
                continue;
            }
            if function_address(self.elf, instruction.near_branch_target()) == function {
                let site = if raising.contains(&address) {
                    "exit_unwind"
                } else {
                    "frame_clear_and_pop"
                };
                let frame = FrameSource::Register(RSI);
                probes.extend(self.probe(address, Meaning::Pop, frame, site));
            }
        }
        probes
    }

    /// `_PyEval_FrameClearAndPop`; in 3.12 `_PyEvalFrameClearAndPop`, a hidden symbol, so that
    /// in a stripped file it is the function that `RETURN_VALUE` calls with its frame.
    fn clear_and_pop(&self, registers: Registers) -> Option<u64> {
        let names = ["_PyEval_FrameClearAndPop", "_PyEvalFrameClearAndPop"];
        if let Some(symbol) = names.iter().find_map(|name| self.elf.symbol(name)) {
            return Some(symbol.address);
        }
        let opcode = self.opcodes.returns.first()?;
        let mut environment = Environment::new();
        let mut facts = InstructionInfoFactory::new();
        let mut at = self.table.handler(opcode.number)?;
        for _ in 0..HANDLER_MAX {
            let instruction = self.flow.get(at)?;
            if is_call(instruction) {
                let passed = environment.get(RSI)?;
                let is_frame = passed.origin == registers.frame && passed.delta == 0;
                return is_frame
                    .then(|| function_address(self.elf, instruction.near_branch_target()));
            }
            if ends(instruction) {
                return None;
            }
            environment.step(instruction, &mut facts);
            at = if is_jump(instruction) {
                instruction.near_branch_target()
            } else {
                instruction.next_ip()
            };
        }
        None
    }

    /// `throw()` and `close()` enter the evaluator with `throwflag` (its third argument) set
    /// and execute no `RESUME`. Where the flag is found not to be zero, the next emulated
    /// instruction is probed; it checks the recursion limit. Entering normally costs nothing.
    fn throw(&self) -> Option<Probe> {
        const PROLOGUE_MAX: usize = 400;
        let mut facts = InstructionInfoFactory::new();
        let mut seen = FxHashSet::default();
        // The path that runs straight on is examined first: last in, first out.
        let mut pending = vec![(self.entry, Environment::new(), false)];
        while let Some((at, mut environment, mut flag_tested)) = pending.pop() {
            if seen.len() > PROLOGUE_MAX || !seen.insert(at) {
                continue;
            }
            let Some(instruction) = self.flow.get(at) else {
                continue;
            };
            if is_conditional(instruction) && flag_tested {
                let block = match instruction.condition_code() {
                    ConditionCode::ne => Some(instruction.near_branch_target()),
                    ConditionCode::e => Some(instruction.next_ip()),
                    _ => None,
                };
                if let Some(found) = block.and_then(|block| self.thrown(block, &environment)) {
                    return Some(found);
                }
            }
            if let Some(register) = tested_for_zero(instruction) {
                let value = environment.get(register);
                flag_tested = value.is_some_and(|value| value.origin == RDX && value.delta == 0);
            } else if instruction.rflags_modified() != 0 {
                flag_tested = false;
            }
            environment.step(instruction, &mut facts);
            for next in self.flow.successors(at).into_iter().rev() {
                pending.push((next, environment.clone(), flag_tested));
            }
        }
        None
    }

    fn thrown(&self, block: u64, at_test: &Environment) -> Option<Probe> {
        let mut environment = at_test.clone();
        let mut facts = InstructionInfoFactory::new();
        let mut at = block;
        for _ in 0..HANDLER_MAX {
            let instruction = self.flow.get(at)?;
            if emulated(instruction) {
                let frame = FrameSource::Register(environment.copy_of(RSI)?);
                return self.probe(at, Meaning::Throw, frame, "throw");
            }
            if ends(instruction) {
                return None;
            }
            environment.step(instruction, &mut facts);
            at = instruction.next_ip();
        }
        None
    }

    fn probe(
        &self,
        address: u64,
        meaning: Meaning,
        frame: FrameSource,
        site: &'static str,
    ) -> Option<Probe> {
        probe(self.elf, self.flow.get(address)?, meaning, frame, site)
    }
}
