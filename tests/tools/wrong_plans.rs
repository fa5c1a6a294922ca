//! pytrace with plans that are wrong on purpose, for `tests/self_check.rs` and
//! `tests/newer_versions.rs`.
//!
//! The first argument says how: `register:SITE` (another register is said to hold the frame),
//! `site:SITE` (that site is not probed), `value` (another register is said to hold the value
//! returned), `offset` (frames are said to have their code objects elsewhere), `layout` (the layout
//! of objects is said to be unknown), `none`. Plans that are gone over to are right. The rest is pytrace's.

use std::process::ExitCode;
use std::sync::OnceLock;

use pytrace::cpython::{
    self, Choice, FrameSource, Interpreter, Meaning, Plan, PlanError, Register, Way,
};
use pytrace::{cli, error, record};

static FAULT: OnceLock<String> = OnceLock::new();

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let fault = arguments.next().and_then(|fault| fault.into_string().ok());
    let fault = fault.expect("the fault comes first");
    FAULT.set(fault).expect("set once");
    let command = match cli::parse(arguments) {
        Ok(cli::Command::Record(options)) => options,
        other => panic!("not a recording: {other:?}"),
    };
    ExitCode::from(record::run_with(&command, wrong).unwrap_or_else(|failure| {
        error::print_report(&failure);
        error::exit_code(&failure)
    }))
}

fn wrong(
    interpreter: &Interpreter,
    choice: Choice,
    failed: Option<Way>,
) -> Result<Plan, PlanError> {
    let fault = FAULT.get().expect("set by main");
    if fault == "layout" {
        return cpython::plan_after(interpreter, choice, Some(Way::Usdt));
    }
    let mut plan = cpython::plan_after(interpreter, choice, failed)?;
    if failed.is_none() && fault != "none" {
        spoil(&mut plan, fault);
    }
    Ok(plan)
}

fn spoil(plan: &mut Plan, fault: &str) {
    /// r9, which an evaluator uses for all sorts of things.
    const OTHER: Register = Register(9);
    let before = plan.clone();
    let (what, site) = fault.split_once(':').unwrap_or((fault, ""));
    match what {
        "register" => {
            let probes = plan.probes.iter_mut().filter(|probe| probe.site == site);
            probes.for_each(|probe| probe.frame = FrameSource::Register(OTHER));
        }
        "site" => plan.probes.retain(|probe| probe.site != site),
        "value" => {
            for probe in &mut plan.probes {
                if let Meaning::EvalExit { retval } = &mut probe.meaning {
                    *retval = Some(OTHER);
                }
            }
        }
        "offset" => plan.layout.as_mut().expect("frames").frame_code += 8,
        _ => panic!("no such fault: {fault}"),
    }
    assert_ne!(
        format!("{before:?}"),
        format!("{plan:?}"),
        "{fault} spoils nothing"
    );
}
