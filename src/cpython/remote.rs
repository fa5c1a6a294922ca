//! Where a running interpreter takes scripts to run: `sys.remote_exec()`'s interface (PEP 768, 3.14+).

/// Where that lies, as `_Py_DebugOffsets.debugger_support` tells
/// (`Include/internal/pycore_debug_offsets.h`).
///
/// A thread that finds the flag set runs the file that the path names when it next looks at its eval
/// breaker for any reason (`_PyRunRemoteDebugger()` in `Python/ceval_gil.c`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote {
    /// Of `PyInterpreterState`: an `int`, 1 if the interpreter takes any.
    pub interpreter_enabled: u16,
    /// Of `PyThreadState`: a word of flags.
    pub tstate_eval_breaker: u16,
    /// Of `PyThreadState`: an `int`, 1 if there is a script to run.
    pub tstate_pending: u16,
    /// Of `PyThreadState`: the script's path, with a zero byte behind it.
    pub tstate_path: u16,
    /// Bytes that there are for the path.
    pub path_size: u16,
}

impl Remote {
    /// A flag of the eval breaker that has its thread let others run, and do nothing else
    /// (`_PY_EVAL_PLEASE_STOP_BIT` in `Include/internal/pycore_ceval.h`, 3.14 and 3.15).
    pub const BREAK: u8 = 1 << 5;
}
