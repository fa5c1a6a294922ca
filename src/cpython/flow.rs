//! The control flow of compiled code, followed from given places through direct jumps.

use iced_x86::{Instruction, OpKind};
use rustc_hash::{FxHashMap, FxHashSet};

use super::elf::Elf;
use super::machine::{decode, ends, is_any_call, is_call, is_conditional, is_jump};

/// Instructions that are followed at most. CPython's evaluator has some 30,000.
const LIMIT: usize = 400_000;

/// Instructions reached from some places without entering calls, by address.
///
/// Indirect jumps are not followed: to the evaluator those are the dispatch of the next
/// opcode, whose handlers are roots themselves.
#[derive(Debug)]
pub(super) struct Flow {
    instructions: FxHashMap<u64, Instruction>,
    predecessors: FxHashMap<u64, Vec<u64>>,
    never_return: FxHashSet<u64>,
}

impl Flow {
    /// Follows the code from `roots`.
    pub(super) fn from(elf: &Elf, roots: impl IntoIterator<Item = u64>) -> Flow {
        let mut flow = Flow {
            instructions: FxHashMap::default(),
            predecessors: FxHashMap::default(),
            never_return: FxHashSet::default(),
        };
        let mut callees = FxHashMap::default();
        let mut pending: Vec<u64> = roots.into_iter().collect();
        while let Some(address) = pending.pop() {
            if flow.instructions.contains_key(&address) || flow.instructions.len() >= LIMIT {
                continue;
            }
            if !elf.is_code(address) {
                continue;
            }
            let Some(instruction) = elf.bytes_at(address).and_then(|b| decode(b, address)) else {
                continue;
            };
            if is_call(&instruction) {
                let target = instruction.near_branch_target();
                let never = callees
                    .entry(target)
                    .or_insert_with(|| never_returns(elf, target, 2));
                if *never {
                    flow.never_return.insert(address);
                }
            }
            flow.instructions.insert(address, instruction);
            for next in flow.successors(address) {
                flow.predecessors.entry(next).or_default().push(address);
                pending.push(next);
            }
        }
        flow
    }

    /// The instruction at an address that was reached.
    pub(super) fn get(&self, address: u64) -> Option<&Instruction> {
        self.instructions.get(&address)
    }

    /// Every instruction reached, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Instruction)> {
        self.instructions
            .iter()
            .map(|(address, instruction)| (*address, instruction))
    }

    /// Where execution may go on after an instruction, calls passed over.
    pub(super) fn successors(&self, address: u64) -> Vec<u64> {
        let Some(instruction) = self.get(address) else {
            return Vec::new();
        };
        if ends(instruction) || self.never_return.contains(&address) {
            return Vec::new();
        }
        if is_jump(instruction) {
            return vec![instruction.near_branch_target()];
        }
        let mut next = vec![instruction.next_ip()];
        if is_conditional(instruction) {
            next.push(instruction.near_branch_target());
        }
        next
    }

    /// Whether an instruction has that address in it, absolute or relative to its own.
    pub(super) fn refers_to(&self, address: u64) -> bool {
        self.instructions.values().any(|instruction| {
            (0..instruction.op_count()).any(|operand| match instruction.op_kind(operand) {
                OpKind::Memory => instruction.memory_displacement64() == address,
                OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate64 => {
                    instruction.immediate(operand) == address
                }
                _ => false,
            })
        })
    }

    /// Instructions from which execution may come.
    pub(super) fn predecessors(&self, address: u64) -> &[u64] {
        self.predecessors.get(&address).map_or(&[], Vec::as_slice)
    }

    /// What is reachable from `start` and not in `seen`, nor only through what is.
    pub(super) fn reachable_unseen(&self, start: u64, seen: &FxHashSet<u64>) -> FxHashSet<u64> {
        let mut found = FxHashSet::default();
        let mut pending = vec![start];
        while let Some(address) = pending.pop() {
            let new = self.get(address).is_some() && !seen.contains(&address);
            if new && found.insert(address) {
                pending.extend(self.successors(address));
            }
        }
        found
    }

    /// What is reachable from `start`, not going past `stop`.
    pub(super) fn reachable(&self, start: u64, stop: impl Fn(u64) -> bool) -> FxHashSet<u64> {
        let mut seen = FxHashSet::default();
        let mut pending = vec![start];
        while let Some(address) = pending.pop() {
            if self.get(address).is_some() && seen.insert(address) && !stop(address) {
                pending.extend(self.successors(address));
            }
        }
        seen
    }
}

/// Whether a function ends the process: it is known by name, or goes straight to one that is.
fn never_returns(elf: &Elf, address: u64, depth: u32) -> bool {
    const NAMES: [&str; 9] = [
        "Py_FatalError",
        "_Py_FatalErrorFunc",
        "_Py_FatalErrorFormat",
        "_Py_FatalError_TstateNULL",
        "abort",
        "__stack_chk_fail",
        "__assert_fail",
        "exit",
        "_exit",
    ];
    if let Some(name) = function_name(elf, address) {
        return NAMES.contains(&name);
    }
    let mut at = address;
    for _ in 0..16 {
        let Some(instruction) = elf.bytes_at(at).and_then(|bytes| decode(bytes, at)) else {
            return false;
        };
        if is_call(&instruction) || is_jump(&instruction) {
            return depth > 0 && never_returns(elf, instruction.near_branch_target(), depth - 1);
        }
        if ends(&instruction) || is_conditional(&instruction) || is_any_call(&instruction) {
            return false;
        }
        at = instruction.next_ip();
    }
    false
}

/// The name of the function at an address, or of the one a PLT entry there goes to.
pub(super) fn function_name(elf: &Elf, address: u64) -> Option<&str> {
    elf.name_at(address)
        .or_else(|| elf.imported_at(plt_slot(elf, address)?))
}

/// The function an address stands for: itself, or what a PLT entry there goes to, as far as
/// this file defines that.
pub(super) fn function_address(elf: &Elf, address: u64) -> u64 {
    plt_slot(elf, address)
        .and_then(|slot| elf.imported_at(slot))
        .and_then(|name| elf.symbol(name))
        .map_or(address, |symbol| symbol.address)
}

/// The GOT slot that a PLT entry jumps through: `[endbr64] [bnd] jmp [rip + slot]`.
fn plt_slot(elf: &Elf, address: u64) -> Option<u64> {
    let mut at = address;
    for _ in 0..2 {
        let instruction = decode(elf.bytes_at(at)?, at)?;
        if instruction.is_jmp_near_indirect() && instruction.is_ip_rel_memory_operand() {
            return Some(instruction.ip_rel_memory_address());
        }
        if !super::machine::is_landing_pad(&instruction) {
            return None;
        }
        at = instruction.next_ip();
    }
    None
}
