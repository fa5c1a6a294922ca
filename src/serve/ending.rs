//! Ends the process at once when it is asked to, with the exit code of a success.

use std::io;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// Ends the process on Ctrl-C, `SIGTERM`, and when the terminal goes away; not on the latter under
/// `nohup`, which has it ignored.
///
/// It has no state that would be lost, so that nothing is waited for: no request, no file.
pub(super) fn end_on_signals() -> io::Result<()> {
    let ends = SigAction::new(SigHandler::Handler(end), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler does nothing but _exit(2), which is async-signal-safe.
        let before = unsafe { sigaction(signal, &ends) }?;
        if signal == Signal::SIGHUP && matches!(before.handler(), SigHandler::SigIgn) {
            // SAFETY: it was this process's disposition until just now.
            unsafe { sigaction(signal, &before) }?;
        }
    }
    Ok(())
}

extern "C" fn end(_: libc::c_int) {
    // SAFETY: it does not return, and is allowed in a signal handler.
    unsafe { libc::_exit(0) }
}
