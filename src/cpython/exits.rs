//! Where the frame evaluator of 3.6 to 3.10 is left.
//!
//! All of its ways out make the caller's frame current, `tstate->frame = f->f_back`, and end in
//! `return _Py_CheckFunctionResult(..., retval, ...)` (`exit_eval_frame`, `Python/ceval.c`).
//! Where that is a call, it has the frame and the value returned in registers. Where compilers
//! inline it, the register of the frame is often reused for `f_back`, and the exit is probed
//! at branches before that.

use iced_x86::InstructionInfoFactory;
use rustc_hash::{FxHashMap, FxHashSet};

use super::derive::probe;
use super::elf::Elf;
use super::environment::Environment;
use super::flow::{Flow, function_name};
use super::layout::Layout;
use super::machine::{
    RSP, changes, emulated, ends, is_any_call, is_call, is_conditional, load, store, successor,
    tested_for_zero,
};
use super::plan::{FrameSource, Meaning, Probe, Register};

/// Instructions from `f->f_back` to the value returned, at most.
const TAIL_MAX: usize = 32;

/// Branches nearest to the exits that are considered for a probe.
const BRANCHES_MAX: usize = 24;

/// One copy of the evaluator's exit.
#[derive(Debug, Clone, Copy)]
struct Exit {
    /// `mov register, [frame + f_back]`.
    back: u64,
    /// The call of `_Py_CheckFunctionResult`, or the test of the value returned.
    check: u64,
    /// The register with the value returned at `check`.
    retval: Register,
    /// The register with the frame at `check`, unless it was reused.
    frame: Option<Register>,
}

/// All exits of an evaluator.
pub(super) struct Exits<'a> {
    elf: &'a Elf,
    flow: &'a Flow,
    /// Where execution comes from indirectly.
    roots: FxHashSet<u64>,
    /// Keeps the frame throughout the evaluator.
    frame: Register,
    exits: Vec<Exit>,
}

impl<'a> Exits<'a> {
    /// Finds the exits of an evaluator that keeps its frame in `frame`; `argument` is the
    /// register in which `_Py_CheckFunctionResult` takes the value returned.
    pub(super) fn find(
        elf: &'a Elf,
        flow: &'a Flow,
        roots: FxHashSet<u64>,
        frame: Register,
        argument: Register,
        layout: &Layout,
    ) -> Exits<'a> {
        let mut exits: Vec<Exit> = flow
            .iter()
            .filter(|(_, instruction)| {
                load(instruction).is_some_and(|(_, from)| {
                    from.base == frame && from.offset == i64::from(layout.frame_previous)
                })
            })
            .filter_map(|(back, _)| exit(elf, flow, back, frame, argument, layout))
            .collect();
        exits.sort_by_key(|exit| exit.back);
        Exits {
            elf,
            flow,
            roots,
            frame,
            exits,
        }
    }

    /// Probes that together are passed exactly once on every way out.
    /// None where there is no such place.
    pub(super) fn probes(&self) -> Vec<Probe> {
        let at_checks: Option<Vec<Probe>> = self
            .exits
            .iter()
            .map(|exit| self.probe(exit.check, exit.retval, exit.frame?))
            .collect();
        let at_branches = || {
            let (retval, branches) = self.cut()?;
            branches
                .into_iter()
                .map(|at| self.probe(at, retval, self.frame))
                .collect()
        };
        at_checks.or_else(at_branches).unwrap_or_default()
    }

    /// One branch, else two, that every way to the exits passes exactly once while the frame
    /// and the value returned are in their registers.
    fn cut(&self) -> Option<(Register, Vec<u64>)> {
        let retval = self.exits.first()?.retval;
        if self.exits.iter().any(|exit| exit.retval != retval) {
            return None;
        }
        let region = self.region(retval);
        let mut branches: Vec<(usize, u64)> = region
            .iter()
            .filter_map(|(at, distance)| {
                let instruction = self.flow.get(*at)?;
                let cheap = emulated(instruction) && !is_any_call(instruction);
                (cheap && *distance > 0).then_some((*distance, *at))
            })
            .collect();
        branches.sort_unstable();
        branches.truncate(BRANCHES_MAX);
        let branches: Vec<u64> = branches.into_iter().map(|(_, at)| at).collect();
        let single = branches.iter().map(|at| vec![*at]);
        let pairs = branches.iter().enumerate().flat_map(|(index, first)| {
            branches
                .iter()
                .take(index)
                .map(|second| vec![*second, *first])
        });
        let found = single
            .chain(pairs)
            .find(|cut| self.passed_once(cut, &region))?;
        Some((retval, found))
    }

    /// The instructions from which every way leads to an exit without changing the registers
    /// of the frame and of the value returned, with their distance to the exit.
    fn region(&self, retval: Register) -> FxHashMap<u64, usize> {
        let mut facts = InstructionInfoFactory::new();
        let mut region: FxHashMap<u64, usize> = FxHashMap::default();
        let mut pending: Vec<u64> = self.exits.iter().map(|exit| exit.back).collect();
        region.extend(pending.iter().map(|at| (*at, 0)));
        while let Some(at) = pending.pop() {
            let distance = region.get(&at).copied().unwrap_or_default();
            for before in self.flow.predecessors(at) {
                if region.contains_key(before) {
                    continue;
                }
                let Some(instruction) = self.flow.get(*before) else {
                    continue;
                };
                let next = self.flow.successors(*before);
                let keeps = !changes(instruction, self.frame, &mut facts)
                    && !changes(instruction, retval, &mut facts);
                if keeps && next.iter().all(|next| region.contains_key(next)) {
                    region.insert(*before, distance + 1);
                    pending.push(*before);
                }
            }
        }
        region
    }

    fn passed_once(&self, cut: &[u64], region: &FxHashMap<u64, usize>) -> bool {
        // Backwards from the exits, everything must come by the cut before it leaves the region.
        let mut seen = FxHashSet::default();
        let mut pending: Vec<u64> = self.exits.iter().map(|exit| exit.back).collect();
        while let Some(at) = pending.pop() {
            if cut.contains(&at) || !seen.insert(at) {
                continue;
            }
            let before = self.flow.predecessors(at);
            let enters = before.iter().any(|before| !region.contains_key(before));
            if self.roots.contains(&at) || before.is_empty() || enters {
                return false;
            }
            pending.extend(before);
        }
        // Forwards from one branch of the cut, none may come before the exit.
        let is_exit = |at: u64| self.exits.iter().any(|exit| exit.back == at);
        cut.iter().all(|branch| {
            self.flow.successors(*branch).into_iter().all(|next| {
                let after = self.flow.reachable(next, is_exit);
                cut.iter().all(|other| !after.contains(other))
            })
        })
    }

    fn probe(&self, at: u64, retval: Register, frame: Register) -> Option<Probe> {
        let retval = Some(retval);
        probe(
            self.elf,
            self.flow.get(at)?,
            Meaning::EvalExit { retval },
            FrameSource::Register(frame),
            "exit_eval_frame",
        )
    }
}

/// Follows `f->f_back` into the thread state and on to the value returned.
fn exit(
    elf: &Elf,
    flow: &Flow,
    back: u64,
    frame: Register,
    argument: Register,
    layout: &Layout,
) -> Option<Exit> {
    let mut facts = InstructionInfoFactory::new();
    let mut environment = Environment::new();
    let (loaded, _) = load(flow.get(back)?)?;
    let mut made_current = false;
    let mut tested = None;
    let mut at = back;
    for _ in 0..TAIL_MAX {
        let instruction = flow.get(at)?;
        let is_store = store(instruction).is_some_and(|(to, stored)| {
            stored == loaded && to.base != RSP && to.offset == i64::from(layout.tstate_frame)
        });
        if is_store {
            made_current = true;
        } else if !made_current && at != back && changes(instruction, loaded, &mut facts) {
            return None;
        }
        if let Some(register) = tested_for_zero(instruction) {
            tested = Some(register);
        }
        let checked = if is_call(instruction) {
            let name = function_name(elf, instruction.near_branch_target());
            Some((name == Some("_Py_CheckFunctionResult")).then_some(argument)?)
        } else if is_conditional(instruction) {
            Some(tested?)
        } else {
            None
        };
        if let Some(retval) = checked {
            let frame = environment.copy_of(frame);
            return made_current.then_some(Exit {
                back,
                check: at,
                retval,
                frame,
            });
        }
        if ends(instruction) || is_any_call(instruction) {
            return None;
        }
        environment.step(instruction, &mut facts);
        at = successor(instruction);
    }
    None
}
