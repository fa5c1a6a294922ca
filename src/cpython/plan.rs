//! The probe plan: what a recording of one interpreter build attaches, and why.

use std::fmt;

use super::opcode::{Executor, Opcodes, Returns};
use super::{Gil, Layout, Ready, Remote, StaticType, ThreadList};

/// A CPython release, as `Py_Version` and `sys.version_info` give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Always 3.
    pub major: u8,
    /// Fixes opcode numbers and struct layouts.
    pub minor: u8,
    /// Patch release; `None` where the binary does not tell.
    pub micro: Option<u8>,
}

impl Version {
    /// The newest version of which all is known beforehand.
    pub(super) const NEWEST: Version = Version {
        major: 3,
        minor: 15,
        micro: None,
    };

    /// Whether its interpreters can be asked to instrument code (`sys.monitoring`): before they run a program
    /// or, `as_it_runs`, in between (PEP 768).
    pub fn can_mark(self, as_it_runs: bool) -> bool {
        let first = if as_it_runs { 14 } else { 12 };
        self.minor >= first && !self.is_newer_than_known()
    }

    /// Whether it came out after pytrace: then nothing is known of it but what a build tells and
    /// shows.
    pub fn is_newer_than_known(self) -> bool {
        (self.major, self.minor) > (Self::NEWEST.major, Self::NEWEST.minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        match self.micro {
            Some(micro) => write!(f, ".{micro}"),
            None => Ok(()),
        }
    }
}

/// The ways to see a function start and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlanKind {
    /// `python:function__entry` and `function__return`, compiled into the interpreter
    /// (`--with-dtrace`).
    Usdt,
    /// Uprobes on the interpreter's own opcode handlers and frame evaluator.
    Dispatch,
    /// The same, on what only code runs that the interpreter was asked to instrument.
    Selective,
}

/// The ways to a plan, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// The handlers of instrumented opcodes (3.12+), which the interpreter runs in code that it has been
    /// asked to instrument (`sys.monitoring`).
    Selective,
    /// Opcode handlers and the frame evaluator, at the places that cost least.
    Handlers,
    /// The same, but for how frames end: where the function is entered that pops them
    /// (`_PyEval_FrameClearAndPop`, 3.12+). Costs some 0.4 µs more per call, and sees every copy
    /// of the evaluator's exits that a compiler may have made.
    PopFunction,
    /// The probes that were compiled in: they cost more (`docs/interpreters.md`).
    Usdt,
    /// The same, with no more than the names that they give: for builds whose objects are laid
    /// out in an unknown way, or whose frames are found nowhere.
    Names,
    /// [`Way::PopFunction`], for processes whose JIT is on (3.14+): compiled code runs no handler, but
    /// has its frames popped by that function as well.
    Compiled,
}

impl Way {
    /// What it is called.
    pub fn kind(self) -> PlanKind {
        match self {
            Way::Handlers | Way::PopFunction | Way::Compiled => PlanKind::Dispatch,
            Way::Usdt | Way::Names => PlanKind::Usdt,
            Way::Selective => PlanKind::Selective,
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Selective => "the handlers of its instrumented opcodes",
            Way::Handlers => "its opcode handlers",
            Way::PopFunction => "the function that pops its frames",
            Way::Usdt => "its own probes (USDT)",
            Way::Compiled => "what sees compiled code (the JIT)",
            Way::Names => "the names that its own probes (USDT) give",
        })
    }
}

impl fmt::Display for PlanKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PlanKind::Usdt => "usdt",
            PlanKind::Dispatch => "dispatch",
            PlanKind::Selective => "selective",
        })
    }
}

/// A general-purpose register of x86-64, numbered as in instruction encodings
/// (rax = 0, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 ... r15 = 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Register(pub u8);

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 16] = [
            "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11",
            "r12", "r13", "r14", "r15",
        ];
        f.write_str(NAMES.get(usize::from(self.0)).copied().unwrap_or("?"))
    }
}

/// What it means that execution reached a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// `RESUME` and its variants (3.11+): an activation starts or resumes. Which of the two
    /// is in the opcode's argument: the byte at `next_instr + oparg_delta`, where
    /// `next_instr` is the register that holds the instruction pointer at the site.
    Resume {
        /// Register that points into the code object's instructions.
        next_instr: Register,
        /// Distance in bytes from that register's value to the opcode's argument.
        oparg_delta: i8,
        /// The site is the branch of a `RESUME_CHECK` which, with this zero flag, leads to the
        /// site of `RESUME`: then that one tells.
        gives_up: Option<bool>,
    },
    /// Compiled code is entered (3.15+, [`Way::Compiled`]): in place of a `RESUME`, as the instructions
    /// before it tell, an activation starts or resumes. The site is a branch: with the zero flag clear,
    /// the opcode in whose place `ENTER_EXECUTOR` stands is run instead, and that one tells.
    Executor {
        /// Register that points into the code object's instructions.
        next_instr: Register,
        /// Distance in bytes from that register's value to the opcode's argument.
        oparg_delta: i8,
    },
    /// The frame evaluator was entered (up to 3.10), past its recursion check: an activation
    /// starts or resumes, told apart by the frame's `f_lasti`.
    Eval {
        /// Register that holds the evaluator's `throwflag` argument at the site, if any does.
        throwflag: Option<Register>,
    },
    /// A generator is entered with an exception (`throw`, `close`), which executes no `RESUME`.
    Throw,
    /// A `RETURN_*` opcode leaves the frame, with what is on its stack.
    Return,
    /// `RETURN_CONST` leaves the frame (3.12, 3.13).
    ReturnConstant,
    /// `YIELD_VALUE` suspends the frame.
    Yield,
    /// An exception leaves the frame.
    Unwind,
    /// The frame is popped (`_PyEval_FrameClearAndPop`, 3.12+): by an exception when the thread
    /// state has a current exception, else by a return.
    Pop {
        /// The register that points to the thread state, where one is known to: that function's
        /// first argument.
        thread_state: Option<Register>,
    },
    /// The frame evaluator's one exit (up to 3.10): exception, yield or return, told apart by
    /// the value returned and the frame's state.
    EvalExit {
        /// Register that holds the value returned; null for an exception. `None` where no
        /// register holds it: then the thread state's pending exception decides.
        retval: Option<Register>,
    },
    /// `function__entry`.
    ///
    /// Up to 3.10 it is fired by the evaluator for every entry past the recursion check,
    /// `throw()` included: a start or a resumption, told apart as for [`Meaning::Eval`].
    ///
    /// In 3.15 it is fired at `start_frame` (`Python/bytecodes.c`), past the recursion check, for
    /// frames that are called and for generators that are sent to, but not for those thrown
    /// into (that is [`Meaning::Throw`]). The frame's `instr_ptr` is at the instruction
    /// executed next:
    /// - The frame is owned by the thread (`owner` 0): a start; but where the code's flags say
    ///   generator (0x20), coroutine (0x80) or asynchronous generator (0x200), only the object
    ///   is made, and no `function__return` follows: not an activation.
    /// - The frame is owned by a generator (1): a resumption, where `instr_ptr` is at one of
    ///   [`Plan::resumes`] with an argument that is not 0 under
    ///   [`Layout::resume_location_mask`]; else a start.
    UsdtEntry,
    /// `function__return`.
    ///
    /// Up to 3.10 it is fired on every way out of the evaluator: an exception, where the thread
    /// state has one ([`Layout::tstate_exception`]), else a yield, where the frame's state
    /// says suspended, else a return.
    ///
    /// In 3.15 it is fired by `RETURN_VALUE` and `YIELD_VALUE`, also in their instrumented
    /// forms, and when an exception leaves a frame; the frame is still the current one:
    /// - An exception, where the thread state has one.
    /// - A yield, where the frame is owned by a generator (1) and `instr_ptr` is at one of
    ///   [`Plan::resumes`].
    /// - Else a return. The shim frame under an `__init__` that a specialised call entered
    ///   returns as well, without ever having been entered.
    UsdtReturn,
    /// A thread does what else it has to do (`_Py_HandlePending`, its state in rdi). If compiled code has
    /// that done at a `RESUME`, that is run again (3.15+, [`Way::Compiled`]).
    Pending,
    /// The function that [`Meaning::UsdtEntry`] told of last does not run: its generator was made
    /// (`_Py_MakeCoro`, 3.15; what needs no frame to be told).
    GeneratorMade,
    /// A code object is freed (`PyCode_Type.tp_dealloc`; the object in rdi): its address may
    /// be another code object's soon.
    CodeFreed,
    /// A heap type is freed (`PyType_Type.tp_dealloc`; the object in rdi), likewise.
    TypeFreed,
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Meaning::Resume { .. } | Meaning::Executor { .. } => "start or resume",
            Meaning::Eval { .. } => "start or resume",
            Meaning::Throw => "throw into generator",
            Meaning::Return | Meaning::ReturnConstant => "return",
            Meaning::Yield => "yield",
            Meaning::Unwind => "unwind",
            Meaning::Pop { .. } => "unwind or return",
            Meaning::EvalExit { .. } => "return, yield or unwind",
            Meaning::UsdtEntry => "start or resume",
            Meaning::UsdtReturn => "return, yield or unwind",
            Meaning::Pending => "pending work",
            Meaning::GeneratorMade => "generator made",
            Meaning::CodeFreed => "code object freed",
            Meaning::TypeFreed => "type freed",
        })
    }
}

/// Where the frame concerned is found when a probe fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameSource {
    /// A register points to it.
    Register(Register),
    /// 8 bytes on the stack point to it: the evaluator has no register left for it.
    Stack {
        /// rbp or rsp.
        base: Register,
        /// Bytes from where that points to.
        offset: i32,
    },
    /// Nowhere any more: it is that of the generator which was resumed by the frame that a register
    /// points to, and has yielded to that.
    YieldedTo(Register),
    /// It is the thread state's current frame.
    ThreadState,
    /// Nowhere. The function's names and its line are the probe's arguments ([`Way::Names`]).
    Names,
    /// Not needed.
    None,
}

impl fmt::Display for FrameSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameSource::Register(register) => write!(f, "{register}"),
            FrameSource::Stack { base, offset } => write!(f, "[{base}{offset:+}]"),
            FrameSource::YieldedTo(caller) => write!(f, "callee of {caller}"),
            FrameSource::ThreadState => f.write_str("thread state"),
            FrameSource::Names => f.write_str("(names only)"),
            FrameSource::None => f.write_str("-"),
        }
    }
}

/// How a thread finds its own `PyThreadState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ThreadStateSource {
    /// A global pointer at this virtual address of the ELF file
    /// (`_PyRuntime.gilstate.tstate_current`, up to 3.11).
    Global(u64),
    /// Thread-local storage of the executable: the pointer at `fs_base + offset` (3.12+,
    /// static executables).
    ThreadLocal(i32),
    /// Thread-local storage of a shared library (3.12+): the pointer at `offset` from the address
    /// that `__tls_get_addr` returns for an index.
    Indexed {
        /// Virtual address in the ELF file of the index (`tls_index`: the module's number and an
        /// offset in its block), which the dynamic linker fills in.
        index: u64,
        /// Distance in bytes from the address for that index.
        offset: i32,
    },
    /// The same, where the compiler was told to use TLS descriptors (`-mtls-dialect=gnu2`).
    Described {
        /// Virtual address in the ELF file of the descriptor (a function and its argument), which
        /// the dynamic linker fills in.
        descriptor: u64,
        /// Distance in bytes from the address that is described.
        offset: i32,
    },
}

impl ThreadStateSource {
    /// Virtual address in the ELF file of what leads to it, where there is such a thing.
    pub fn address(self) -> Option<u64> {
        match self {
            ThreadStateSource::Global(address)
            | ThreadStateSource::Indexed { index: address, .. }
            | ThreadStateSource::Described {
                descriptor: address,
                ..
            } => Some(address),
            ThreadStateSource::ThreadLocal(_) => None,
        }
    }
}

/// Where the reference to a yielded value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yielded {
    /// On the frame's stack, so many bytes from where a register points to.
    Near {
        /// The register.
        register: Register,
        /// Bytes from there.
        offset: i8,
    },
    /// In a register: it has been taken from the stack of a frame that is no more the current one.
    In(Register),
    /// Where the frame's own `stackpointer` (3.14+) says: it has been stored.
    AtStackPointer,
}

/// One place to probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What it means when execution gets there.
    pub meaning: Meaning,
    /// Virtual address in the ELF file.
    pub address: u64,
    /// Offset in the file, which is what the kernel wants.
    pub offset: u64,
    /// Offset in the file of the counter to raise while the probe is attached (a USDT probe's
    /// semaphore): the code around the probe runs only while it is not zero.
    pub semaphore: Option<u64>,
    /// The instruction there, disassembled, for people (`je short 000000000052F601h`).
    pub instruction: String,
    /// Whether the kernel emulates that instruction (0.4 us) or must single-step it (9 us).
    pub emulated: bool,
    /// Where the frame is.
    pub frame: FrameSource,
    /// Of a yield: where the reference to the value yielded lies, where that is known.
    pub yielded: Option<Yielded>,
    /// Which part of the interpreter this is: `RESUME`, `RETURN_VALUE`, `exit_unwind`, ...
    pub site: &'static str,
}

/// How a plan sees generators yield.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yields {
    /// By probes, when it happens.
    Probed,
    /// As [`Yields::Probed`], with a probe that is single-stepped and that
    /// [`Plan::infer_yields`] can do without.
    Inferable,
    /// By probes, but for those in compiled code ([`Way::Compiled`]): as [`Yields::Inferred`].
    PartlyInferred,
    /// By no probe: at the thread's next event its generators are found to run or not to.
    Inferred,
}

/// How to observe one interpreter build.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How it was come by.
    pub way: Way,
    /// The interpreter's version.
    pub version: Version,
    /// What to attach.
    pub probes: Vec<Probe>,
    /// How it sees generators yield.
    pub yields: Yields,
    /// Numbers of the `RESUME` opcode and its forms in this version; none up to 3.10.
    pub resumes: Vec<u8>,
    /// Where fields lie in this version's objects; `None` for [`Way::Names`], which reads none.
    pub layout: Option<Layout>,
    /// How a thread finds its thread state, where that is known.
    pub thread_state: Option<ThreadStateSource>,
    /// Where the states of all threads are, where that is known.
    pub threads: Option<ThreadList>,
    /// Offset in the file of a place that is reached before the JIT compiles code, and never where it is
    /// off; `None`: there is no JIT, or it is taken to be on.
    pub compiler: Option<u64>,
    /// Where it can be asked to instrument code before it runs the program: of [`Way::Selective`].
    pub ready: Option<Ready>,
    /// Where it can be asked for something as it runs.
    pub remote: Option<Remote>,
    /// The interpreter's own code: first address, and bytes.
    pub text: (u64, u64),
    /// The interpreter's own types.
    pub types: Vec<StaticType>,
}

impl Plan {
    /// Which of the two ways to see functions it takes.
    pub fn kind(&self) -> PlanKind {
        self.way.kind()
    }

    /// Whether its interpreter was built without the GIL, so that its threads run at the same time.
    pub fn free_threaded(&self) -> bool {
        let layout = self.layout.as_ref();
        layout.is_some_and(|layout| layout.gil() == Gil::Without)
    }

    /// Does without a probe for yields where that costs much more than others and can be spared.
    pub fn infer_yields(&mut self) {
        if self.yields == Yields::Inferable {
            self.probes
                .retain(|probe| probe.emulated || probe.meaning != Meaning::Yield);
            self.yields = Yields::Inferred;
        }
    }

    /// Numbers of the opcodes that return, where a version has some that return constants: what a
    /// frame returns is then to be found by its instruction. 3.12 and 3.13.
    pub fn returns(&self) -> Option<&'static Returns> {
        Opcodes::of(self.version.minor)?.by_instruction.as_ref()
    }

    /// What tells where compiled code is entered, where it may be at a function's start.
    pub fn executor(&self) -> Option<&'static Executor> {
        Opcodes::of(self.version.minor)?.executor.as_ref()
    }

    /// Whether it gives functions their qualified names (3.11+).
    pub fn has_qualified_names(&self) -> bool {
        let layout = self.layout.as_ref();
        layout.is_some_and(|layout| layout.code_qualname.is_some())
    }
}
