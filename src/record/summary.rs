//! What a recording comes to, in a few lines on stderr.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use indicatif::HumanCount;

use super::consumer::{Consumer, Finished};
use super::interpreters::Interpreters;
use super::self_check::{Findings, coverage};
use crate::cpython::{Foreign, Version, Way};
use crate::error::say;
use crate::recording::{Footer, Gone, Incomplete, Interpreter, Lost};
use crate::trace::Totals;
use crate::view;

/// The figures of a finished recording.
#[derive(Debug)]
pub(super) struct Summary {
    totals: Totals,
    elapsed: Duration,
    interpreters: Vec<Interpreter>,
    lost: Vec<Lost>,
    /// Versions among them that came out after pytrace.
    newer: Vec<String>,
    /// What recording a call costs here, as calibrated.
    cost: Option<Duration>,
    /// Whether events are missing as probes did not find their frames.
    probes_failed: bool,
    /// Why no interpreter was traced, although one was run or asked for; and the cure.
    lacks: Option<(String, &'static str)>,
    /// A Python that was run and can't be traced: its file, and what it is.
    untraceable: Option<(PathBuf, Foreign)>,
    /// What is missing that is not among the lost events.
    incomplete: Incomplete,
    /// Calls that the trace's file had no room for.
    unwritten: u64,
    /// Whether there is no such file, or not up to its end.
    file_failed: bool,
    /// How many of the lost events may be none of the scope's.
    unjudged: u64,
    /// Whether processes were stopped so that nothing be lost.
    lossless: bool,
    /// Calls outside the scope that probes were hit by for nothing, about.
    outside: u64,
    /// Versions of the interpreters that have not marked what is of the scope.
    ordinary: Vec<Version>,
    /// Whether one of them could have marked what is of the scope, and was not asked to.
    could_mark: bool,
}

impl Summary {
    /// `incomplete` is what the session knows of that; the rest is added.
    pub(super) fn new(
        consumer: &Consumer,
        interpreters: &Interpreters<'_>,
        elapsed: Duration,
        cost: Option<Duration>,
        incomplete: Incomplete,
        lossless: bool,
        asked_for: Option<&Path>,
    ) -> Self {
        let lacks = match (interpreters.foreign(), asked_for) {
            _ if !interpreters.found().is_empty() => None,
            (Some((program, foreign)), _) => Some((
                format!("{} is {foreign}", program.display()),
                foreign.cure(),
            )),
            (None, Some(program)) => Some((
                format!("{} started none", program.display()),
                "name the interpreter itself: --python PATH",
            )),
            (None, None) => None,
        };
        let totals = consumer.totals();
        let losses = consumer.losses().clone();
        let tracer = interpreters.tracer();
        let unjudged = tracer.lost_unjudged();
        let found = interpreters.found();
        let count = |is: fn(&Findings) -> bool| {
            let found = found.iter();
            found.filter(|it| is(&it.findings.borrow())).count() as u64
        };
        let compiling = found
            .iter()
            .filter(|it| it.plan.way == Way::Compiled)
            .count() as u64;
        let incomplete = Incomplete {
            replanned: incomplete.replanned + count(Findings::are_mended),
            partly_seen: count(|findings| !findings.are_mended() && findings.mean_missing()),
            untold: tracer.untold(),
            compiled: if totals.may_lack_resumptions {
                compiling
            } else {
                0
            },
            cut: totals.cut,
            untraced: incomplete.untraced + interpreters.untraceable(),
            ..incomplete
        };
        let untraceable = interpreters.foreign().filter(|(_, it)| it.is_python());
        let ordinary = found.iter().filter(|it| it.plan.way != Way::Selective);
        let ordinary = ordinary.map(|it| it.plan.version).collect();
        let probes_failed = found.iter().any(|interpreter| {
            let checks = interpreters.checks(interpreter);
            let pending = checks.iter().any(|check| check.has_lost());
            pending || interpreter.findings.borrow().explain_losses()
        });
        let mut newer: Vec<String> = found
            .iter()
            .filter(|found| found.plan.version.is_newer_than_known())
            .map(|found| found.plan.version.to_string())
            .collect();
        newer.dedup();
        let interpreters = found
            .iter()
            .map(|found| {
                let checks = interpreters.checks(found);
                let (checked, sites) = coverage(&found.plan, &checks);
                let mut findings = found.findings.borrow().describe();
                let is_newer = found.plan.version.is_newer_than_known();
                if interpreters.tracer().lacks_values(&found.plan) {
                    let objects = match is_newer {
                        true => "newer than pytrace",
                        false => "not those of its version",
                    };
                    findings.push(format!("no values: this build's objects are {objects}"));
                }
                Interpreter {
                    path: found.path.display().to_string(),
                    version: found.plan.version.to_string(),
                    free_threaded: found.plan.free_threaded(),
                    plan: found.plan.kind().to_string(),
                    sites,
                    checked,
                    jit: found.plan.way == Way::Compiled,
                    findings,
                }
            })
            .collect();
        Summary {
            totals,
            elapsed,
            interpreters,
            newer,
            lost: losses.iter().map(Lost::from).collect(),
            cost,
            probes_failed,
            lacks,
            untraceable: untraceable.cloned(),
            incomplete,
            unwritten: 0,
            file_failed: false,
            unjudged,
            lossless,
            outside: 0,
            ordinary,
            could_mark: false,
        }
    }

    /// Calls outside the scope have hit probes for nothing, about so many; `as_it_runs`: in programs that
    /// ran already.
    pub(super) fn were_outside(&mut self, calls: u64, as_it_runs: bool) {
        self.outside = calls;
        let mut ordinary = self.ordinary.iter();
        self.could_mark = ordinary.any(|version| version.can_mark(as_it_runs));
    }

    /// The part of the trace file's footer that is known from this.
    pub(super) fn footer(&self) -> Footer {
        Footer {
            format: Footer::FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            interpreters: self.interpreters.clone(),
            lost: self.totals.lost,
            lost_unjudged: self.unjudged.min(self.totals.lost),
            lost_by_thread: self.lost.clone(),
            incomplete: self.incomplete.clone(),
            ..Footer::default()
        }
    }

    /// Whether a Python was run or asked for, and none was traced.
    pub(super) fn lacks_python(&self) -> bool {
        self.lacks.is_some()
    }

    /// What has become of the trace: how it was written, and whether it is where it should be.
    pub(super) fn written(&mut self, finished: &io::Result<Finished>, is_in_place: bool) {
        if let Ok(Finished::File(ended)) = finished {
            self.unwritten = ended.unwritten;
        }
        self.file_failed = finished.is_err() || !is_in_place;
    }

    /// Whether events were lost, and what else is missing.
    fn completeness(&self) -> String {
        let footer = self.footer();
        let mut gone: Vec<String> = footer.gone().iter().map(ToString::to_string).collect();
        match self.unwritten {
            0 => {}
            1 => gone.push("1 call could not be written".to_owned()),
            calls => gone.push(format!("{} calls could not be written", HumanCount(calls))),
        }
        if self.file_failed {
            gone.push("its file is not complete".to_owned());
        }
        let lost = match footer.lost {
            0 if gone.is_empty() => return "none lost".to_owned(),
            0 => String::new(),
            lost => format!("{} lost, ", HumanCount(lost)),
        };
        match &gone[..] {
            [] => lost.trim_end_matches(", ").to_owned(),
            _ => format!("{lost}not whole: {}", gone.join("; ")),
        }
    }

    /// Says it.
    ///
    /// `output` is the file that holds the trace, if one does.
    pub(super) fn print(&self, output: Option<&Path>) {
        if self.interpreters.is_empty() {
            match &self.lacks {
                // Why has been said.
                None if self.incomplete.untraced > 0 => say(format_args!(
                    "pytrace: nothing was traced: {}",
                    Gone::Untraced(self.incomplete.untraced)
                )),
                None => say(format_args!(
                    "pytrace: no CPython was run: nothing to trace"
                )),
                Some((why, cure)) => {
                    say(format_args!("pytrace: no CPython was run: {why}"));
                    say(format_args!("hint: {cure}"));
                }
            }
            return;
        }
        let Totals {
            calls,
            internal,
            external,
            imports,
            threads,
            starts_inferred,
            may_lack_resumptions: _,
            lost,
            cut: _,
        } = self.totals;
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        say(format_args!(
            "pytrace: {} call{} ({} internal, {} external, {} import) in {threads} thread{}, {}, {}",
            HumanCount(calls),
            plural(calls),
            HumanCount(internal),
            HumanCount(external),
            HumanCount(imports),
            plural(threads),
            view::Duration(nanoseconds(self.elapsed)),
            self.completeness(),
        ));
        for interpreter in &self.interpreters {
            let Interpreter {
                path,
                version,
                free_threaded,
                plan,
                sites,
                checked,
                jit: _,
                findings,
            } = interpreter;
            let is_another = |other: &Interpreter| other.path == *path && other.plan != *plan;
            if *checked == 0 && self.interpreters.iter().any(is_another) {
                continue; // it was to be probed so, and could not be
            }
            let checked = if findings.is_empty() {
                format!("{checked} of {sites} sites reached and verified")
            } else {
                format!("found wrong: {}", findings.join("; "))
            };
            let build = if *free_threaded { " free-threaded" } else { "" };
            say(format_args!(
                "pytrace: CPython {version}{build} ({path}), {plan} probes, {checked}"
            ));
        }
        if self.interpreters.iter().any(|interpreter| interpreter.jit) {
            say(format_args!(
                "pytrace: the JIT was on: {} of the calls started in compiled code, no later than said; \
                 PYTHON_JIT=0 makes all exact",
                HumanCount(starts_inferred),
            ));
        }
        if let Some((program, foreign)) = &self.untraceable {
            let program = program.display();
            say(format_args!(
                "pytrace: {program} is {foreign}: it went on untraced"
            ));
        }
        for version in &self.newer {
            say(format_args!(
                "pytrace: CPython {version} is newer than this pytrace: how it is traced was derived \
                 from what it tells of itself"
            ));
        }
        if let Some(cost) = self.cost {
            let in_all = cost * u32::try_from(calls).unwrap_or(u32::MAX);
            say(format_args!(
                "pytrace: a recorded call costs {} on this machine, its values aside: {} in all",
                view::Duration(nanoseconds(cost)),
                view::Duration(nanoseconds(in_all)),
            ));
        }
        self.say_outside(calls);
        if lost > 0 {
            let why = if self.probes_failed {
                "as the self-check found"
            } else {
                "most likely as the ring buffer was full"
            };
            say(format_args!(
                "pytrace: {} events LOST, {why}; the trace says where",
                HumanCount(lost)
            ));
            if self.unjudged > 0 {
                say(format_args!(
                    "pytrace: up to {} of them may be none of the scope's: their code was not known yet",
                    HumanCount(self.unjudged.min(lost))
                ));
            }
            if !self.probes_failed {
                let instead = match self.lossless {
                    true => "",
                    false => "--lossless stops the process for a moment instead; ",
                };
                say(format_args!(
                    "hint: {instead}--ring-size takes more MiB than the default {}",
                    super::RING_MIB
                ));
            }
        }
        if let Some(output) = output {
            say(format_args!("pytrace: trace in {}", output.display()));
        }
    }
}

impl Summary {
    /// Says what calls outside the scope have cost, where that are many, and how to spare it.
    fn say_outside(&self, recorded: u64) {
        let seen = self.outside + recorded;
        let (Some(cost), true) = (self.cost, self.outside > recorded) else {
            return;
        };
        // They cost somewhat less than one that is recorded.
        let in_all = cost * u32::try_from(self.outside).unwrap_or(u32::MAX);
        // Where code is marked, each piece of it is seen once, in any case.
        if !self.could_mark && in_all * WORTH_SAYING < self.elapsed {
            return;
        }
        say(format_args!(
            "pytrace: {:.0} % of the calls that its probes saw were outside the scope: up to {} in all",
            100.0 * self.outside as f64 / seen as f64,
            view::Duration(nanoseconds(in_all)),
        ));
        let without = self.elapsed.checked_sub(in_all);
        let factor = without.map(|it| self.elapsed.as_secs_f64() / it.as_secs_f64());
        if self.could_mark
            && let Some(factor) = factor.filter(|factor| (WORTH..100.0).contains(factor))
        {
            say(format_args!(
                "hint: --selective spares most of that: all would have taken up to {factor:.1} times less"
            ));
        }
    }
}

/// By which share of a recording it costs something to speak of: one in so many.
const WORTH_SAYING: u32 = 20;
/// How many times faster a recording must be to be recommended.
const WORTH: f64 = 1.15;

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A time in UTC, to the second.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = libc::time_t::try_from(since.as_secs()).unwrap_or_default();
    // SAFETY: all zeroes are a valid tm; gmtime_r fills it from a live time_t.
    let tm = unsafe {
        let mut tm = std::mem::zeroed();
        libc::gmtime_r(&raw const seconds, &raw mut tm);
        tm
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        tm.tm_year + 1900,
        tm.tm_mon + 1,
        tm.tm_mday,
        tm.tm_hour,
        tm.tm_min,
        tm.tm_sec
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(951_827_696);
        assert_eq!(rfc3339(time), "2000-02-29T12:34:56Z");
    }
}
