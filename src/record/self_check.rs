//! The check of a plan while it is used: what the kernel programs say of each probe's first
//! hits, and whether starts and ends go together.

use std::fmt;

use crate::cpython::{FrameSource, Meaning, Plan, Probe, Way};
use crate::trace::Pairing;
use crate::tracer::{Check, CheckState};

/// Starts and ends that it takes to judge how they go together; and after which they have been.
const PAIRING_MIN: u64 = 256;
const PAIRING_ENOUGH: u64 = 1024;
/// One in so many may be without its other half: calls refused at the recursion limit are.
const PAIRING_TOLERANCE: u64 = 8;

/// Something that is not as the plan says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// At this site the thread state is asked for the frame.
    ThreadState { site: &'static str },
    /// At this site the thread state is asked whether there is an exception.
    NoReturnValue { site: &'static str },
    /// At this probe no frame could be found: its events are lost.
    NoFrame {
        probe: Box<Probe>,
        wrong: u32,
        hits: u32,
    },
    /// Starts and ends do not go together.
    Unpaired(Pairing),
    /// The plan has no frames, and what it tells of is less for that.
    NamesOnly {
        /// Whether they are those of 3.15, which tell even less.
        from_handlers: bool,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::ThreadState { site } => {
                write!(f, "{site}: the frame is taken from the thread state")
            }
            Finding::NoReturnValue { site } => {
                write!(f, "{site}: exceptions are told by the thread state")
            }
            Finding::NoFrame { probe, wrong, hits } => {
                let Probe { site, frame, .. } = &**probe;
                if *frame == FrameSource::Names {
                    return write!(f, "{site}: no names at {wrong} of {hits} hits");
                }
                write!(f, "{site}: no frame in {frame} at {wrong} of {hits} hits")
            }
            Finding::Unpaired(Pairing { paired, unpaired }) => {
                let all = paired + unpaired;
                write!(f, "{unpaired} of {all} starts and ends do not go together")
            }
            Finding::NamesOnly { from_handlers } => {
                f.write_str(
                    "only names are known: not qualified ones; what goes on looks like a call, \
                     at the line where it goes on; an exception like a return",
                )?;
                if *from_handlers {
                    f.write_str("; closures have line 0; throws into generators are left out")?;
                }
                Ok(())
            }
        }
    }
}

impl Finding {
    /// Whether another plan would fail in the same way.
    pub(super) fn concerns(&self, plan: &Plan) -> bool {
        match self {
            Finding::NoFrame { probe, .. } => plan.probes.contains(probe),
            _ => false,
        }
    }

    /// Whether calls are missing from what such a plan tells, or may be, that nobody counts.
    fn means_missing(&self) -> bool {
        match self {
            Finding::ThreadState { .. }
            | Finding::NoReturnValue { .. }
            // Its events are counted as lost.
            | Finding::NoFrame { .. } => false,
            Finding::Unpaired(_) => true,
            Finding::NamesOnly { from_handlers } => *from_handlers,
        }
    }
}

/// All that was found so far of one plan.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    /// Starts and ends have been found to go together.
    paired: bool,
    /// Another plan has taken this one's place for what was found.
    mended: bool,
}

/// What a look at the checks has led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Nothing new.
    Fine,
    /// New, and to be said; the recording is right as it is.
    Noted(Finding),
    /// The plan is wrong.
    Wrong {
        /// How that shows.
        finding: Finding,
        /// Whether the recording is worth nothing with this plan: what is missing are not just
        /// the events of a site that is seldom reached.
        fatal: bool,
    },
}

impl Findings {
    /// Whether it is still to be seen how starts and ends go together.
    pub(super) fn awaits_pairing(&self) -> bool {
        !self.paired
    }

    /// Judges by what there is, where there will not be more: whether some starts and ends go
    /// together, few don't, and every probe that was reached found its frame.
    pub(super) fn is_right_so_far(&self, checks: &[Check], pairing: Pairing) -> bool {
        let Pairing { paired, unpaired } = pairing;
        let no_failure = checks.iter().all(|check| {
            !check.has_lost() && matches!(check.state, CheckState::Pending | CheckState::Passed)
        });
        no_failure && paired > 0 && unpaired * PAIRING_TOLERANCE <= paired + unpaired
    }

    /// Another plan takes the place of this one.
    pub(super) fn mend(&mut self) {
        self.mended = true;
    }

    /// Whether another plan has taken this one's place.
    pub(super) fn are_mended(&self) -> bool {
        self.mended
    }

    /// Whether calls are missing from what the plan has told, or may be, that nobody counts.
    pub(super) fn mean_missing(&self) -> bool {
        self.list.iter().any(Finding::means_missing)
    }

    /// Whether it made events go missing.
    pub(super) fn explain_losses(&self) -> bool {
        let mut list = self.list.iter();
        list.any(|finding| matches!(finding, Finding::NoFrame { .. }))
    }

    /// What was found, for people.
    pub(super) fn describe(&self) -> Vec<String> {
        self.list.iter().map(Finding::to_string).collect()
    }

    /// Looks at a plan's checks, and tells the first thing that is new.
    pub(super) fn look(&mut self, plan: &Plan, checks: &[Check], pairing: Pairing) -> Judgement {
        self.paired |= pairing.paired + pairing.unpaired >= PAIRING_ENOUGH;
        let found = plan
            .probes
            .iter()
            .zip(checks)
            .flat_map(|(probe, check)| of_probe(probe, *check))
            .chain(of_pairing(pairing))
            .chain(of_way(plan));
        for (finding, judge) in found {
            if !self.list.iter().any(|known| same(known, &finding)) {
                self.list.push(finding.clone());
                return judge(finding);
            }
        }
        Judgement::Fine
    }
}

/// Whether two findings are of the same thing, at different times.
fn same(one: &Finding, other: &Finding) -> bool {
    match (one, other) {
        (Finding::NoFrame { probe: one, .. }, Finding::NoFrame { probe: other, .. }) => {
            one == other
        }
        (Finding::Unpaired(_), Finding::Unpaired(_)) => true,
        _ => one == other,
    }
}

type Judge = fn(Finding) -> Judgement;

fn of_probe(probe: &Probe, check: Check) -> impl Iterator<Item = (Finding, Judge)> {
    let site = probe.site;
    let frame: Option<(Finding, Judge)> = match check.state {
        CheckState::Pending | CheckState::Passed => None,
        CheckState::ThreadState => Some((Finding::ThreadState { site }, Judgement::Noted)),
        CheckState::Failed => {
            let finding = Finding::NoFrame {
                probe: Box::new(probe.clone()),
                wrong: check.disagreed,
                hits: check.hits,
            };
            let judge = if is_rare(probe) { seldom } else { fatal };
            Some((finding, judge))
        }
    };
    let retval: Option<(Finding, Judge)> = check
        .no_retval
        .then_some((Finding::NoReturnValue { site }, Judgement::Noted));
    frame.into_iter().chain(retval)
}

fn of_pairing(pairing: Pairing) -> Option<(Finding, Judge)> {
    let all = pairing.paired + pairing.unpaired;
    (all >= PAIRING_MIN && pairing.unpaired * PAIRING_TOLERANCE > all)
        .then_some((Finding::Unpaired(pairing), fatal))
}

fn of_way(plan: &Plan) -> Option<(Finding, Judge)> {
    let from_handlers = plan.version.minor >= 15;
    (plan.way == Way::Names).then_some((
        Finding::NamesOnly { from_handlers },
        Judgement::Noted as Judge,
    ))
}

fn fatal(finding: Finding) -> Judgement {
    Judgement::Wrong {
        finding,
        fatal: true,
    }
}

fn seldom(finding: Finding) -> Judgement {
    Judgement::Wrong {
        finding,
        fatal: false,
    }
}

/// Whether a program may run for long before it gets there, and most of what it does is seen
/// without.
fn is_rare(probe: &Probe) -> bool {
    matches!(
        probe.meaning,
        Meaning::Throw | Meaning::Yield | Meaning::Unwind
    )
}

/// How many of a plan's probes have been reached and found right, and how many there are.
pub(super) fn coverage(plan: &Plan, checks: &[Check]) -> (usize, usize) {
    let mut by_name = Vec::new();
    let (mut reached, mut all) = (0, 0);
    for (probe, check) in plan.probes.iter().zip(checks) {
        // All places of the interpreter's own probe are checked as one.
        let own = matches!(probe.meaning, Meaning::UsdtEntry | Meaning::UsdtReturn);
        if probe.frame == FrameSource::None || own && by_name.contains(&probe.meaning) {
            continue;
        }
        by_name.push(probe.meaning);
        all += 1;
        reached += usize::from(check.is_passed());
    }
    (reached, all)
}
