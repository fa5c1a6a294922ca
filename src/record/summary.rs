//! What a recording comes to, in a few lines on stderr.

use std::path::Path;
use std::time::{Duration, SystemTime};

use indicatif::HumanCount;

use super::consumer::Consumer;
use super::interpreters::Interpreters;
use super::self_check::coverage;
use crate::cpython::Way;
use crate::error::say;
use crate::recording::{Footer, Interpreter, Lost};
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
    /// Children that live on.
    children: usize,
    /// How many of the lost events may be none of the scope's.
    unjudged: u64,
    /// What happened to processes that could not be recorded.
    untold: u64,
    /// Whether processes were stopped so that nothing be lost.
    lossless: bool,
}

/// What the JIT does to the calls of generators.
const MAY_LACK_RESUMPTIONS: &str = "generators that go on and yield within code that the JIT has compiled \
     are not seen: of theirs, calls may be missing, and how many is not known";

impl Summary {
    pub(super) fn new(
        consumer: &Consumer,
        interpreters: &Interpreters<'_>,
        elapsed: Duration,
        cost: Option<Duration>,
        children: usize,
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
        let (unjudged, untold) = (tracer.lost_unjudged(), tracer.untold());
        let found = interpreters.found();
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
            children,
            unjudged,
            untold,
            lossless,
        }
    }

    /// The part of the trace file's footer that is known from this.
    pub(super) fn footer(&self) -> Footer {
        let mut interpreters = self.interpreters.clone();
        if self.totals.may_lack_resumptions {
            let compiling = interpreters.iter_mut().filter(|found| found.jit);
            for interpreter in compiling {
                interpreter.findings.push(MAY_LACK_RESUMPTIONS.to_owned());
            }
        }
        Footer {
            format: Footer::FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            interpreters,
            lost: self.totals.lost,
            lost_unjudged: self.unjudged.min(self.totals.lost),
            lost_by_thread: self.lost.clone(),
            ..Footer::default()
        }
    }

    /// Whether a Python was run or asked for, and none was traced.
    pub(super) fn lacks_python(&self) -> bool {
        self.lacks.is_some()
    }

    /// Says it.
    ///
    /// `output` is the file that holds the trace, if one does.
    pub(super) fn print(&self, output: Option<&Path>) {
        if self.interpreters.is_empty() {
            match &self.lacks {
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
            may_lack_resumptions,
            lost,
            cut,
        } = self.totals;
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        say(format_args!(
            "pytrace: {} call{} ({} internal, {} external, {} import) in {threads} thread{}, {}, {} lost",
            HumanCount(calls),
            plural(calls),
            HumanCount(internal),
            HumanCount(external),
            HumanCount(imports),
            plural(threads),
            view::Duration(nanoseconds(self.elapsed)),
            match lost {
                0 if may_lack_resumptions => "no event".to_owned(),
                0 => "none".to_owned(),
                _ => HumanCount(lost).to_string(),
            },
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
        if may_lack_resumptions {
            say(format_args!("pytrace: {MAY_LACK_RESUMPTIONS}"));
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
        match self.children {
            0 => {}
            1 => say(format_args!(
                "pytrace: 1 child process outlived the program: it goes on untraced"
            )),
            many => say(format_args!(
                "pytrace: {many} child processes outlived the program: they go on untraced"
            )),
        }
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
        if self.untold > 0 {
            say(format_args!(
                "pytrace: {} births, starts or ends of processes could not be recorded: \
                 children may be missing",
                HumanCount(self.untold)
            ));
        }
        if cut > 0 {
            eprintln!(
                "pytrace: {cut} stack{} too deep to be read whole: the outermost calls are missing",
                if cut == 1 { " was" } else { "s were" }
            );
        }
        if let Some(output) = output {
            say(format_args!("pytrace: trace in {}", output.display()));
        }
    }
}

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
