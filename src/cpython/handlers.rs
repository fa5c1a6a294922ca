//! Probes for 3.11 and later, where calls from Python to Python stay inside one evaluator and
//! frames start, end and are suspended in opcode handlers.

use std::cell::OnceCell;

use iced_x86::InstructionInfoFactory;
use rustc_hash::{FxHashMap, FxHashSet};

use super::aliases::{aliases, slot_of};
use super::derive::{Problem, probe};
use super::elf::Elf;
use super::environment::{Environment, Origin};
use super::executor;
use super::flow::Flow;
use super::interpreter::Interpreter;
use super::layout::Layout;
use super::machine::{RSP, emulated, ends, is_conditional, is_jump, store};
use super::opcode::{Opcode, Opcodes};
use super::plan::{FrameSource, Meaning, Probe, Register, Yielded, Yields};
use super::table::DispatchTable;
use super::throw::throws;
use super::unwinds::{pop_function, pop_sites, sites_reached, unwinds};
use super::yields::{partly_inferred, yielded_to, yields};

/// Instructions into a handler that are looked at for its store to the frame, or for a place
/// to probe. Handlers that matter are shorter.
pub(super) const HANDLER_MAX: usize = 48;

/// The evaluator's registers on entry to any handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Registers {
    /// Points to the frame. Maybe not a register: compilers keep it on the stack for want of one.
    pub(super) frame: Origin,
    /// Points to the instruction about to be executed, less `skew`.
    pub(super) next_instr: Register,
    skew: i64,
}

impl Registers {
    /// How far the opcode's argument, the second byte of an instruction, is from a copy of the
    /// instruction pointer with so much added.
    pub(super) fn argument(self, since: i64) -> Option<i8> {
        i8::try_from(self.skew + 1 - since).ok()
    }
}

/// The parts of an interpreter that are examined.
pub(super) struct Evaluator<'elf> {
    pub(super) elf: &'elf Elf,
    pub(super) opcodes: &'elf Opcodes,
    pub(super) table: DispatchTable,
    pub(super) flow: Flow,
    pub(super) minor: u8,
    /// Where frames have their `stackpointer`, 3.14+.
    pub(super) frame_stack_pointer: Option<u16>,
    /// Where frames have their `owner`, 3.12+.
    pub(super) frame_owner: Option<u16>,
    /// Where frames have the frame below.
    pub(super) frame_previous: i64,
    /// Where frames have what handlers store in them.
    frame_fields: [i64; 2],
    aliases: OnceCell<Environment>,
    pub(super) entry: u64,
}

/// Where it is seen that frames are popped, other than by yielding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PopSites {
    /// In the handlers that do it.
    Callers,
    /// In the function that they call for it (3.12+).
    Function,
    /// There, and compiled code may do it as well (3.14+).
    Compiled,
}

/// All probes of a dispatch plan.
pub(super) fn probes(
    interpreter: &Interpreter,
    layout: &Layout,
    pops: PopSites,
) -> Result<(Vec<Probe>, Yields), Problem> {
    let (evaluator, registers) = examine(interpreter, layout)?;
    probes_of(&evaluator, registers, layout, pops)
}

fn examine<'elf>(
    interpreter: &'elf Interpreter,
    layout: &Layout,
) -> Result<(Evaluator<'elf>, Registers), Problem> {
    let evaluator = Evaluator::new(interpreter, layout)?;
    let registers = evaluator
        .registers(layout)
        .ok_or(Problem::Site("the frame's register"))?;
    Ok((evaluator, registers))
}

fn probes_of(
    evaluator: &Evaluator<'_>,
    registers: Registers,
    layout: &Layout,
    pops: PopSites,
) -> Result<(Vec<Probe>, Yields), Problem> {
    let mut probes = Vec::new();
    let opcodes = evaluator.opcodes;
    for opcode in opcodes.resumes.iter() {
        let site = evaluator.resume(opcode, &opcodes.resumes, registers);
        // Handlers that are the same may be one: RESUME_CHECK's and RESUME_CHECK_JIT's, without a JIT.
        let fresh = site.filter(|site: &Probe| {
            let mut known = probes.iter();
            known.all(|known: &Probe| known.address != site.address)
        });
        probes.extend(fresh);
    }
    if !probes.iter().any(|probe| probe.site == "RESUME") {
        return Err(Problem::Site("RESUME"));
    }
    match pops {
        PopSites::Callers => {
            let mut returns = Vec::new();
            for opcode in opcodes.returns.iter() {
                let constant = opcodes
                    .by_instruction
                    .as_ref()
                    .is_some_and(|returns| returns.constant.contains(&opcode.number));
                let meaning = match constant {
                    true => Meaning::ReturnConstant,
                    false => Meaning::Return,
                };
                let site = evaluator.exit(opcode, &opcodes.returns, registers, meaning, None);
                returns.push(site.ok_or(Problem::Site(opcode.name))?);
            }
            // Where instrumented returns have their frames popped by the others, without coming by their
            // probes, that is where all are seen.
            if pops_are_shared(evaluator, registers, &returns) {
                returns.clear();
            }
            probes.extend(unwinds(evaluator, registers, returns.is_empty())?);
            probes.extend(returns);
        }
        PopSites::Function | PopSites::Compiled => {
            probes.push(pop_function(evaluator, registers)?);
        }
    }
    let stack = evaluator.stack_pointer(registers);
    for opcode in opcodes.yields.iter() {
        let site = evaluator.exit(opcode, &opcodes.yields, registers, Meaning::Yield, stack);
        let site = site.ok_or(Problem::Site(opcode.name))?;
        // Compiled code resumes generators too, of which nothing tells by whom.
        let cheaper = (!site.emulated && pops != PopSites::Compiled)
            .then(|| yielded_to(evaluator, opcode, registers, stack));
        probes.push(cheaper.flatten().unwrap_or(site));
    }
    let throws = throws(evaluator, registers);
    probes.extend(throws.ok_or(Problem::Site("the entry of throw()"))?);
    let yields = match pops {
        PopSites::Compiled => {
            if let Some(executor) = opcodes.executor {
                let version = layout.code_instrumentation(evaluator.minor);
                probes.extend(executor::probes(
                    evaluator,
                    executor.enter,
                    registers,
                    version,
                )?);
            }
            partly_inferred(evaluator, &mut probes).ok_or(Problem::Site("RESUME_CHECK"))?
        }
        PopSites::Callers | PopSites::Function => yields(evaluator, registers, &mut probes),
    };
    Ok((probes, yields))
}

/// Those of the probes that instrumented code comes by, and no other: but where exceptions leave frames,
/// and enter generators.
pub(super) fn instrumented(
    interpreter: &Interpreter,
    layout: &Layout,
) -> Result<(Vec<Probe>, Yields), Problem> {
    let (evaluator, registers) = examine(interpreter, layout)?;
    let (mut probes, _) = probes_of(&evaluator, registers, layout, PopSites::Callers)?;
    let is_return = |it: &Probe| matches!(it.meaning, Meaning::Return | Meaning::ReturnConstant);
    if !probes.iter().any(is_return) || !returns_are_apart(&evaluator, registers, &probes) {
        return Err(Problem::Site("INSTRUMENTED_RETURN_VALUE"));
    }
    probes.retain(|probe| match probe.meaning {
        Meaning::Resume { .. } | Meaning::Yield => probe.site.starts_with("INSTRUMENTED_"),
        _ => !is_return(probe),
    });
    let sites = [
        "INSTRUMENTED_RESUME",
        "INSTRUMENTED_YIELD_VALUE",
        "frame_clear_and_pop",
        "exit_unwind",
    ];
    for site in sites {
        if !probes.iter().any(|probe| probe.site == site) {
            return Err(Problem::Site(site));
        }
    }
    Ok((probes, Yields::Probed))
}

/// Whether what returns from instrumented code has its frame popped where other returns have, and comes
/// there by another way than past their probes. 3.12+.
fn pops_are_shared(evaluator: &Evaluator<'_>, registers: Registers, returns: &[Probe]) -> bool {
    let numbers = &evaluator.opcodes.instrumented_returns;
    if numbers.is_empty() {
        return false;
    }
    let sites = pop_sites(evaluator, registers);
    let reached = |number: u8, stop: &dyn Fn(u64) -> bool| {
        let handler = evaluator.table.handler(number);
        handler.map_or_else(FxHashSet::default, |it| {
            sites_reached(evaluator, it, &sites, stop)
        })
    };
    let plain = evaluator.opcodes.returns.iter();
    let of_plain: FxHashSet<u64> = plain
        .flat_map(|opcode| reached(opcode.number, &|_| false))
        .collect();
    let is_probed = |at: u64| returns.iter().any(|probe| probe.address == at);
    let mut instrumented = numbers.iter();
    instrumented.any(|number| !reached(*number, &is_probed).is_disjoint(&of_plain))
}

/// Whether what returns from instrumented code comes by a place of its own that pops its frame, and not by
/// that of the opcode which it is a form of: compilers merge what they have in common.
fn returns_are_apart(evaluator: &Evaluator<'_>, registers: Registers, probes: &[Probe]) -> bool {
    let sites = pop_sites(evaluator, registers);
    let is_probed = |at: &u64| probes.iter().any(|probe| probe.address == *at);
    let mut numbers = evaluator.opcodes.instrumented_returns.iter();
    numbers.all(|number| {
        let handler = evaluator.table.handler(*number);
        let reached = handler.map(|it| sites_reached(evaluator, it, &sites, |_| false));
        reached.is_some_and(|reached| !reached.is_empty() && reached.iter().all(is_probed))
    })
}

impl<'elf> Evaluator<'elf> {
    fn new(interpreter: &'elf Interpreter, layout: &Layout) -> Result<Evaluator<'elf>, Problem> {
        let elf = interpreter.elf();
        let minor = interpreter.version().minor;
        let opcodes = interpreter.opcodes().ok_or(Problem::Version)?;
        let entry = interpreter.evaluator();
        let table = DispatchTable::find(elf, opcodes, entry).ok_or(Problem::Table)?;
        let flow = Flow::from(elf, table.handlers().into_iter().chain([entry]));
        Ok(Evaluator {
            elf,
            opcodes,
            table,
            flow,
            entry,
            minor,
            frame_owner: layout.frame_owner,
            frame_previous: i64::from(layout.frame_previous),
            frame_fields: [layout.frame_lasti, layout.frame_state].map(i64::from),
            aliases: OnceCell::new(),
            frame_stack_pointer: (minor >= 14).then_some(layout.frame_state),
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
                    && let Some(next_instr) = value.origin.register()
                {
                    let registers = Registers {
                        frame: base.origin,
                        next_instr,
                        skew: value.delta,
                    };
                    *votes.entry(registers).or_default() += 1;
                    break;
                }
                environment.step(instruction, &mut facts);
                at = instruction.next_ip();
            }
        }
        // With gcc 181 to 229 of 183 to 235 handlers tell, at most two of them otherwise; clang
        // moves the store to where it matters, so that it starts only some thirty.
        const TELLING_MIN: usize = 16;
        let total: usize = votes.values().sum();
        let (registers, count) = votes.into_iter().max_by_key(|(_, count)| *count)?;
        (count >= TELLING_MIN && count * 5 >= total * 4).then_some(registers)
    }

    fn resume(&self, opcode: &Opcode, family: &[Opcode], registers: Registers) -> Option<Probe> {
        let handler = self.table.handler(opcode.number)?;
        let place = |environment: &Environment| {
            let want = |environment: &Environment| {
                let frame = environment.source_of(registers.frame)?;
                let held = environment.holding(registers.next_instr);
                (!held.is_empty()).then_some((frame, held))
            };
            let (address, (frame, held)) = self.walk(handler, environment.clone(), want)?;
            // A `RESUME_CHECK` that gives up joins `RESUME` with other copies than `RESUME` has.
            let (next_instr, since) = held.into_iter().find(|(next_instr, since)| {
                let agrees = |environment: &Environment| {
                    environment.finds(frame, registers.frame)
                        && environment.holds(*next_instr, registers.next_instr, *since)
                };
                self.belongs(address, family, environment, agrees)
            })?;
            Some((address, (frame, next_instr, since)))
        };
        let found = place(&Environment::new()).or_else(|| place(self.with_aliases(registers)));
        let (address, (frame, next_instr, since)) = match found {
            Some(found) => found,
            None => (handler, (registers.frame.frame()?, registers.next_instr, 0)),
        };
        let meaning = Meaning::Resume {
            next_instr,
            oparg_delta: registers.argument(since)?,
            gives_up: None,
        };
        self.probe(address, meaning, frame, opcode.name)
    }

    fn exit(
        &self,
        opcode: &Opcode,
        family: &[Opcode],
        registers: Registers,
        meaning: Meaning,
        stack: Option<Register>,
    ) -> Option<Probe> {
        let handler = self.table.handler(opcode.number)?;
        let place = |environment: &Environment| {
            let want = |environment: &Environment| {
                let frame = environment.source_of(registers.frame)?;
                Some((frame, stack.map(|stack| environment.holding(stack))))
            };
            let (address, (frame, held)) = self.walk(handler, environment.clone(), want)?;
            let agrees = |environment: &Environment| environment.finds(frame, registers.frame);
            if !self.belongs(address, family, environment, agrees) {
                return None;
            }
            let held = stack.zip(held).and_then(|(stack, held)| {
                held.into_iter().find(|(register, since)| {
                    self.belongs(address, family, environment, |environment| {
                        environment.holds(*register, stack, *since)
                    })
                })
            });
            Some((address, frame, held))
        };
        let found = place(&Environment::new()).or_else(|| place(self.with_aliases(registers)));
        let (address, frame, held) = match found {
            Some(found) => found,
            None => (
                handler,
                registers.frame.frame()?,
                stack.map(|stack| (stack, 0)),
            ),
        };
        let probe = self.probe(address, meaning, frame, opcode.name)?;
        // What is given back is on top of the stack as the handler finds it.
        let near = held.and_then(|(register, since)| {
            let offset = i8::try_from(-8 - since).ok()?;
            Some(Yielded::Near { register, offset })
        });
        let stored = || {
            let stored = self.stores_stack(handler, address, registers, stack?);
            stored.then_some(Yielded::AtStackPointer)
        };
        Some(Probe {
            yielded: near.or_else(stored),
            ..probe
        })
    }

    /// What is known at the start of any handler: maybe a copy of the frame's register lasts longer
    /// than the register itself.
    fn with_aliases(&self, registers: Registers) -> &Environment {
        self.aliases.get_or_init(|| {
            let mut environment = Environment::new();
            if let Some(register) = registers.frame.register() {
                let handlers = self.table.handlers();
                let slot = slot_of(&self.flow, &self.frame_fields);
                for copy in aliases(&self.flow, &handlers, self.entry, register, slot) {
                    environment.alias(copy, registers.frame);
                }
            }
            environment
        })
    }

    /// Whether only opcodes of one family come by a place, and all with what is wanted in the
    /// registers: handlers jump into each other's, as a `RESUME_CHECK` that gives up does into
    /// `RESUME`'s.
    pub(super) fn belongs(
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

    /// A probe on an instruction of the evaluator.
    pub(super) fn probe(
        &self,
        address: u64,
        meaning: Meaning,
        frame: FrameSource,
        site: &'static str,
    ) -> Option<Probe> {
        probe(self.elf, self.flow.get(address)?, meaning, frame, site)
    }
}
