//! What a recorded call costs on this machine: the kernel programs of a recording, run on an
//! activation of our own making.
//!
//! Measured, not looked up: the cost of a probe differs by a factor of ten between machines
//! (virtual or not, mitigations), and by another between kernels.

use std::arch::global_asm;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::interpreters::{Interpreter, Interpreters};
use super::maps;
use crate::cpython::{
    FrameSource, Layout, Meaning, Plan, PlanKind, Probe, Register, ThreadStateSource,
};
use crate::trace::{Category, CodeIs};
use crate::tracer::Probes;

/// Rounds that are timed together, and how often: the quickest count, as all that disturbs a
/// measurement makes it longer. Some 20 ms in a virtual machine.
const ROUNDS: u32 = 1_000;
const TIMES: u32 = 10;
/// Rounds before: the code object is met, caches are warm.
const WARM_UP: u64 = 100;

// A loop with the two instructions that a start's and an end's probe are put on: jumps, as in an
// interpreter's opcode handlers, and which SystemTap notes describe as the interpreter's own
// probes, for libbpf to find (a `nop` there costs the same). The frame stays in rdi, the rounds
// are in rsi.
global_asm!(
    ".pushsection .text.pytrace_calibration,\"ax\",@progbits",
    ".globl pytrace_calibration",
    ".globl pytrace_calibration_enter",
    ".globl pytrace_calibration_leave",
    "pytrace_calibration:",
    "pytrace_calibration_enter:",
    "jmp 2f",
    "2:",
    "pytrace_calibration_leave:",
    "jmp 3f",
    "3:",
    "dec rsi",
    "jnz pytrace_calibration",
    "ret",
    ".popsection",
    ".macro pytrace_note site, name",
    ".pushsection .note.stapsdt,\"\",@note",
    ".balign 4",
    ".4byte 8, 992f-991f, 3",
    ".asciz \"stapsdt\"",
    "991:",
    ".8byte \\site, 0, 0",
    ".asciz \"python\"",
    ".asciz \"\\name\"",
    ".asciz \"8@%rdi\"",
    "992:",
    ".balign 4",
    ".popsection",
    ".endm",
    "pytrace_note pytrace_calibration_enter, function__entry",
    "pytrace_note pytrace_calibration_leave, function__return",
);

unsafe extern "sysv64" {
    fn pytrace_calibration(frame: *const u64, rounds: u64);
    safe static pytrace_calibration_enter: u8;
    safe static pytrace_calibration_leave: u8;
}

const FRAME: Register = Register(7); // rdi

/// Measures what a call costs with the probes of the last interpreter of a recording. Also
/// returns the probes, which take long to remove and are best removed with all others.
///
/// `None` where attaching fails, and for plans without frames.
pub(super) fn cost_per_call(interpreters: &mut Interpreters<'_>) -> Option<(Duration, Probes)> {
    let interpreter = &Rc::clone(interpreters.found().last()?);
    interpreters.end_checks(interpreter);
    let activation = Activation::new(interpreter.plan.layout.as_ref()?);
    let plan = imitation(&interpreter.plan, &activation)?;
    let pid = std::process::id();
    let executable = PathBuf::from("/proc/self/exe");
    let (tracer, build) = (interpreters.tracer(), interpreter.build());
    tracer.prepare(build, &plan, pid, 0).ok()?;
    let probes = tracer.attach(build, &plan, pid, &executable).ok()?;
    interpreters.start_only(interpreter, pid);
    activation.run(WARM_UP);
    answer(interpreter, pid, &activation);
    activation.run(WARM_UP);
    let times = (0..TIMES).map(|_| {
        let started = Instant::now();
        activation.run(ROUNDS.into());
        started.elapsed() / ROUNDS
    });
    Some((times.min()?, probes))
}

/// The kernel program has met the code object, and asks what it is; the first answer that it can
/// take is the one to the right question, which is its id: the time of first sight.
fn answer(interpreter: &Interpreter, pid: u32, activation: &Activation) {
    let address = activation.code.as_ptr() as u64;
    if let Some(id) = interpreter.verdicts.asked(pid, address) {
        interpreter
            .verdicts
            .answer(pid, address, id, CodeIs::Of(Category::Internal));
    }
}

/// The plan with its probes on our own loop.
fn imitation(plan: &Plan, activation: &Activation) -> Option<Plan> {
    let (start, end) = if plan.kind() == PlanKind::Usdt {
        (Meaning::UsdtEntry, Meaning::UsdtReturn)
    } else if plan.version.minor >= 11 {
        (
            Meaning::Resume {
                next_instr: FRAME,
                oparg_delta: 0,
                gives_up: None,
            },
            Meaning::Return,
        )
    } else {
        // No value is returned here; a register with anything else would be followed as one.
        (
            Meaning::Eval { throwflag: None },
            Meaning::EvalExit { retval: None },
        )
    };
    let probe = |meaning, label: &u8| {
        let address = std::ptr::from_ref(label) as u64;
        Some(Probe {
            meaning,
            address,
            offset: maps::file_offset(&fs::read_to_string("/proc/self/maps").ok()?, address)?,
            semaphore: None,
            instruction: "jmp".to_owned(),
            emulated: true,
            yielded: None,
            frame: FrameSource::Register(FRAME),
            site: "calibration",
        })
    };
    let thread_state = plan.thread_state.map(|source| match source {
        ThreadStateSource::Global(_) => ThreadStateSource::Global(activation.thread_state()),
        thread_local @ ThreadStateSource::ThreadLocal(_) => thread_local,
        // No module has that number: the thread has no state, hence no exception.
        ThreadStateSource::Indexed { offset, .. } | ThreadStateSource::Described { offset, .. } => {
            ThreadStateSource::Indexed {
                index: activation.thread_state(),
                offset,
            }
        }
    });
    Some(Plan {
        thread_state,
        probes: vec![
            probe(start, &pytrace_calibration_enter)?,
            probe(end, &pytrace_calibration_leave)?,
        ],
        // Places in the interpreter's file, not in ours.
        compiler: None,
        ready: None,
        ..plan.clone()
    })
}

/// A frame, its code object and the string that names both it and its file, laid out as the
/// interpreter has them.
struct Activation {
    frame: Box<[u64; 64]>,
    code: Box<[u64; 64]>,
    _name: Box<[u64; 16]>,
    /// A thread state without a current exception, and before it a pointer to it.
    thread_state: Box<[u64; 64]>,
}

impl Activation {
    fn new(layout: &Layout) -> Self {
        // PyASCIIObject, all versions: length at 16, state at 32 (kind 1, compact, ascii).
        let mut name = Box::new([0; 16]);
        name[2] = 1;
        name[4] = 1 << 2 | 1 << 5 | 1 << 6;
        let mut code = Box::new([0; 64]);
        let fields = [
            Some(layout.code_filename),
            Some(layout.code_name),
            layout.code_qualname,
        ];
        for field in fields.into_iter().flatten() {
            code[usize::from(field) / 8] = name.as_ptr() as u64;
        }
        let mut frame = Box::new([0; 64]);
        frame[usize::from(layout.frame_code) / 8] = code.as_ptr() as u64;
        let mut thread_state = Box::new([0; 64]);
        thread_state[0] = thread_state[1..].as_ptr() as u64;
        Activation {
            frame,
            code,
            _name: name,
            thread_state,
        }
    }

    /// Where the pointer to the thread state is.
    fn thread_state(&self) -> u64 {
        self.thread_state.as_ptr() as u64
    }

    fn run(&self, rounds: u64) {
        // SAFETY: the loop touches no memory; the frame is for the kernel programs to read.
        unsafe { pytrace_calibration(self.frame.as_ptr(), rounds) };
    }
}
