//! A probe plan in the terms of the kernel programs: `bpf/event.h`.

use crate::bpf::frames::types;
use crate::cpython::{
    FrameSource, Meaning, Methods, Objects, Plan, Probe, Register, ThreadStateSource, Way, Yielded,
    Yields,
};

/// The kernel program that a probe runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entrance {
    Freed,
    Leave,
    Enter,
    GeneratorMade,
    Pending,
    UsdtEntry,
    UsdtReturn,
    NamedEntry,
    NamedReturn,
}

impl Entrance {
    /// All of them.
    pub(super) const ALL: [Entrance; 9] = [
        Entrance::Freed,
        Entrance::Leave,
        Entrance::Enter,
        Entrance::GeneratorMade,
        Entrance::Pending,
        Entrance::UsdtEntry,
        Entrance::UsdtReturn,
        Entrance::NamedEntry,
        Entrance::NamedReturn,
    ];

    /// What the program is called in `bpf/frames.bpf.c`.
    pub(super) fn program(self) -> &'static str {
        match self {
            Entrance::Freed => "object_freed",
            Entrance::Leave => "frame_leave",
            Entrance::Enter => "frame_enter",
            Entrance::GeneratorMade => "generator_made",
            Entrance::Pending => "pending_handled",
            Entrance::UsdtEntry => "function_entry",
            Entrance::UsdtReturn => "function_return",
            Entrance::NamedEntry => "named_entry",
            Entrance::NamedReturn => "named_return",
        }
    }

    /// Whether the program is of section `uprobe`, and can have many places in one link.
    pub(super) fn is_uprobe(self) -> bool {
        matches!(
            self,
            Entrance::Freed
                | Entrance::Leave
                | Entrance::Enter
                | Entrance::GeneratorMade
                | Entrance::Pending
        )
    }

    /// By what name the program knows its probes where they have no cookies; `None`: it needs none,
    /// or gets libbpf's.
    fn probed_by(self) -> Option<types::probed_by> {
        use types::probed_by as by;
        match self {
            Entrance::Freed => Some(by::PROBED_BY_FREED),
            Entrance::Leave => Some(by::PROBED_BY_LEAVE),
            Entrance::Enter => Some(by::PROBED_BY_ENTER),
            Entrance::UsdtEntry => Some(by::PROBED_BY_USDT_ENTRY),
            Entrance::UsdtReturn => Some(by::PROBED_BY_USDT_RETURN),
            Entrance::GeneratorMade
            | Entrance::Pending
            | Entrance::NamedEntry
            | Entrance::NamedReturn => None,
        }
    }

    pub(super) fn of(probe: &Probe) -> Entrance {
        let by_name = probe.frame == FrameSource::Names;
        match probe.meaning {
            Meaning::CodeFreed | Meaning::TypeFreed => Entrance::Freed,
            Meaning::Return
            | Meaning::ReturnConstant
            | Meaning::Yield
            | Meaning::Unwind
            | Meaning::Pop { .. }
            | Meaning::EvalExit { .. } => Entrance::Leave,
            Meaning::Resume { .. }
            | Meaning::Executor { .. }
            | Meaning::Eval { .. }
            | Meaning::Throw => Entrance::Enter,
            Meaning::UsdtEntry if by_name => Entrance::NamedEntry,
            Meaning::UsdtEntry => Entrance::UsdtEntry,
            Meaning::UsdtReturn if by_name => Entrance::NamedReturn,
            Meaning::UsdtReturn => Entrance::UsdtReturn,
            Meaning::GeneratorMade => Entrance::GeneratorMade,
            Meaning::Pending => Entrance::Pending,
        }
    }
}

/// The cookies of a plan's probes for a kernel that has none: `PROBE_PLACE` in `bpf/event.h`, and what
/// the probe there is to be told.
pub(super) fn cookies(plan: &Plan) -> impl Iterator<Item = (u64, u64)> {
    (0..).zip(&plan.probes).filter_map(|(index, probe)| {
        let program = Entrance::of(probe).probed_by()?;
        let cookie = cookie(index, probe.meaning, probe.frame, probe.yielded);
        Some((probe.address << 3 | u64::from(program.0), cookie))
    })
}

/// What travels with the probe that is at `index` in its plan: see `COOKIE_*` in `bpf/event.h`.
pub(super) fn cookie(
    index: u8,
    meaning: Meaning,
    frame: FrameSource,
    yielded: Option<Yielded>,
) -> u64 {
    const TSTATE: u64 = 0xfe;
    const NO_REGISTER: u64 = 0xff;
    const STACK_POINTER: u64 = 0xfe;
    use types::probe_kind as probe;
    let register = |register: Option<Register>| register.map_or(NO_REGISTER, |r| u64::from(r.0));
    let gives_up = match meaning {
        Meaning::Resume { gives_up, .. } => match gives_up {
            None => types::gives_up::GIVES_UP_NOT,
            Some(false) => types::gives_up::GIVES_UP_UNLESS_ZERO,
            Some(true) => types::gives_up::GIVES_UP_IF_ZERO,
        },
        Meaning::Executor { .. } => types::gives_up::GIVES_UP_UNLESS_ZERO,
        _ => types::gives_up::GIVES_UP_NOT,
    };
    let (kind, extra, delta) = match meaning {
        Meaning::Resume {
            next_instr,
            oparg_delta,
            ..
        } => (probe::PROBE_RESUME, u64::from(next_instr.0), oparg_delta),
        Meaning::Executor {
            next_instr,
            oparg_delta,
        } => (probe::PROBE_EXECUTOR, u64::from(next_instr.0), oparg_delta),
        Meaning::Eval { throwflag } => (probe::PROBE_EVAL, register(throwflag), 0),
        Meaning::Throw => (probe::PROBE_THROW, NO_REGISTER, 0),
        Meaning::Return => (probe::PROBE_RETURN, NO_REGISTER, 0),
        Meaning::ReturnConstant => (probe::PROBE_RETURN_CONST, NO_REGISTER, 0),
        Meaning::Yield => match yielded {
            Some(Yielded::Near { register, offset }) => {
                (probe::PROBE_YIELD, u64::from(register.0), offset)
            }
            // The kernel program takes it so where the probe's frame is the caller's.
            Some(Yielded::In(register)) => (probe::PROBE_YIELD, u64::from(register.0), 0),
            Some(Yielded::AtStackPointer) => (probe::PROBE_YIELD, STACK_POINTER, 0),
            None => (probe::PROBE_YIELD, NO_REGISTER, 0),
        },
        Meaning::Unwind => (probe::PROBE_UNWIND, NO_REGISTER, 0),
        Meaning::Pop { thread_state } => (probe::PROBE_POP, register(thread_state), 0),
        Meaning::EvalExit { retval } => (probe::PROBE_EVAL_EXIT, register(retval), 0),
        Meaning::UsdtEntry => (probe::PROBE_USDT_ENTRY, NO_REGISTER, 0),
        Meaning::UsdtReturn => (probe::PROBE_USDT_RETURN, NO_REGISTER, 0),
        Meaning::GeneratorMade => (probe::PROBE_GENERATOR_MADE, NO_REGISTER, 0),
        Meaning::Pending => (probe::PROBE_PENDING, NO_REGISTER, 0),
        Meaning::CodeFreed => (probe::PROBE_CODE_FREED, NO_REGISTER, 0),
        Meaning::TypeFreed => (probe::PROBE_TYPE_FREED, NO_REGISTER, 0),
    };
    let is_caller = matches!(frame, FrameSource::YieldedTo(_));
    let (frame, slot) = match frame {
        FrameSource::Register(register) | FrameSource::YieldedTo(register) => {
            (u64::from(register.0), None)
        }
        FrameSource::Stack { base, offset } => (u64::from(base.0), Some(offset / 8)),
        FrameSource::ThreadState => (TSTATE, None),
        FrameSource::Names | FrameSource::None => (NO_REGISTER, None),
    };
    let on_stack = slot.map_or(0, |words| 1 << 42 | i64::from(words).cast_unsigned() << 48);
    u64::from(kind.0)
        | frame << 8
        | extra << 16
        | u64::from(delta.cast_unsigned()) << 24
        | u64::from(index) << 32
        | u64::from(gives_up.0) << 40
        | u64::from(is_caller) << 43
        | on_stack
}

/// What they want to know of a process, whose interpreter's addresses are off from the file's by
/// `bias`.
pub(super) fn kernel_process(plan: &Plan, bias: u64) -> types::process {
    types::process {
        tstate_address: plan
            .thread_state
            .and_then(ThreadStateSource::address)
            .map_or(0, |address| address.wrapping_add(bias)),
        bias,
    }
}

/// The plan as the kernel programs want it.
pub(super) fn kernel_plan(plan: &Plan, external_calls: bool) -> types::plan {
    let Some(layout) = &plan.layout else {
        return types::plan::default(); // no objects are read
    };
    // method.h needs both, and takes a `frame_locals` of 0 for code objects with qualified names.
    let methods = layout.methods.zip(layout.objects);
    let methods = |field: fn(Methods, Objects) -> u16| {
        methods.map_or(0, |(methods, objects)| field(methods, objects))
    };
    let minor = plan.version.minor;
    let (tstate_source, tstate_offset) = match plan.thread_state {
        None => (types::tstate_source::TSTATE_NONE, 0),
        Some(ThreadStateSource::Global(_)) => (types::tstate_source::TSTATE_GLOBAL, 0),
        Some(ThreadStateSource::ThreadLocal(offset)) => {
            (types::tstate_source::TSTATE_FS_BASE, offset)
        }
        Some(ThreadStateSource::Indexed { offset, .. }) => {
            (types::tstate_source::TSTATE_TLS_INDEX, offset)
        }
        Some(ThreadStateSource::Described { offset, .. }) => {
            (types::tstate_source::TSTATE_TLS_DESCRIPTOR, offset)
        }
    };
    let frame_state = match minor {
        ..=9 => types::frame_state::FRAME_STATE_STACKTOP,
        10 => types::frame_state::FRAME_STATE_CHAR,
        11.. => types::frame_state::FRAME_STATE_NONE,
    };
    let code_fields = [
        layout.code_flags,
        layout.code_firstlineno,
        layout.code_filename,
        layout.code_name,
        layout.code_qualname.unwrap_or(0),
    ];
    let mut resume_opcodes = [0; 4];
    for (slot, opcode) in resume_opcodes.iter_mut().zip(&plan.resumes) {
        *slot = *opcode;
    }
    let compiled = plan.way == Way::Compiled;
    let executor = plan.executor().filter(|_| compiled);
    // Since 3.15, compiled code keeps what it returns in a register.
    let (text, text_bytes) = if executor.is_some() {
        plan.text
    } else {
        (0, 0)
    };
    let infers_yields = matches!(plan.yields, Yields::Inferred | Yields::PartlyInferred);
    let mut sources = plan.probes.iter().map(|probe| probe.frame);
    let keeps_generators =
        infers_yields || sources.any(|frame| matches!(frame, FrameSource::YieldedTo(_)));
    types::plan {
        code_tag_mask: layout.code_tag_mask,
        text,
        text_bytes,
        code_instrumentation: layout.code_instrumentation(minor),
        // enum _framestate, Include/internal/pycore_frame.h
        generator_executing: if minor >= 15 { 4 } else { 0 },
        pop_top_opcode: executor.map_or(0, |executor| executor.pop_top),
        return_generator_opcode: executor.map_or(0, |executor| executor.return_generator),
        yield_opcodes: executor.map_or([0; 2], |executor| executor.yields),
        tstate_offset,
        tstate_source: tstate_source.0,
        frame_state: frame_state.0,
        frame_head: layout.frame_head,
        frame_code: layout.frame_code,
        frame_previous: layout.frame_previous,
        frame_lasti: layout.frame_lasti,
        frame_state_offset: layout.frame_state,
        frame_owner: layout.frame_owner.unwrap_or(0),
        code_head: code_fields.into_iter().max().unwrap_or(0) + 8,
        code_flags: layout.code_flags,
        code_firstlineno: layout.code_firstlineno,
        code_filename: layout.code_filename,
        code_name: layout.code_qualname.unwrap_or(layout.code_name),
        code_instructions: layout.code_instructions.unwrap_or(0),
        str_ascii: layout.str_ascii,
        str_compact: layout.str_compact,
        tstate_frame: layout.tstate_frame,
        cframe_frame: layout.cframe_frame.unwrap_or(0),
        tstate_exception: layout.tstate_exception,
        type_name: layout.type_name(),
        frame_locals: methods(|_, objects| objects.frame_locals),
        code_nlocals: methods(|_, objects| objects.code_nlocals),
        code_varnames: methods(|_, objects| objects.code_names),
        code_cellvars: methods(|methods, _| methods.code_cellvars),
        function_code: methods(|methods, _| methods.function_code),
        function_closure: methods(|methods, _| methods.function_closure),
        function_qualname: methods(|_, objects| objects.function_qualname),
        type_qualname: methods(|_, objects| objects.heap_qualname),
        tstate_has_cframe: u8::from(layout.cframe_frame.is_some()),
        resume_location_mask: layout.resume_location_mask,
        exception_is_type: u8::from(minor <= 11),
        external_calls: u8::from(external_calls),
        resume_opcodes,
        infer_yields: u8::from(infers_yields),
        keep_generators: u8::from(keeps_generators),
        code_copies: layout.copies.map_or(0, |copies| copies.code_array),
        frame_copy: layout.copies.map_or(0, |copies| copies.frame_index),
        copies_items: layout.copies.map_or(0, |copies| copies.array_items as u8),
        ob_type: layout.ob_type as u8,
        str_kind_bit: layout.str_kind_bit as u8,
        code_first_traceable: layout.code_first_traceable.unwrap_or(0) as u8,
        free_threaded: u8::from(plan.free_threaded()),
        pad: [0; 4],
        tstate_thread_id: layout.tstate_thread_id,
    }
}
