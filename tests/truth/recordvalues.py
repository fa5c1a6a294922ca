"""Records the values of a program's calls beside the oracle's events: see `oracle.py --values`.

Runs inside the program, as oracle.py does, and with the same care. Reading arguments out of a frame
changes it before 3.13 (its locals are copied, and live as long as it does), and learning exceptions
takes another hook; so what is called when is compared in runs without this.

Before 3.12, the exception that leaves a frame is the one last raised or passing in it. A program
that handles another one before raising the first again, without naming it, would be misunderstood.
"""

import _thread
import ctypes
import opcode
import sys

from values import describe, describe_argument, describe_exception

# Py_tracefunc's `what`.
CALL, EXCEPTION, RETURN = 0, 1, 3

GENERATOR_FLAGS = 0x20 | 0x80 | 0x200  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR
RETURNS = {opcode.opmap.get(name) for name in ("RETURN_VALUE", "RETURN_CONST")}
HAS_MONITORING = sys.version_info >= (3, 12)
MONITORING_TOOL = 4

# Parameters whose values are recorded, in the order of a frame's locals; the others are one that is
# called like what stands for them.
PARAMETERS_MAX = 64
CUT = "\u2026"

TraceFunction = ctypes.PYFUNCTYPE(
    ctypes.c_int, ctypes.py_object, ctypes.py_object, ctypes.c_int, ctypes.c_void_p
)


def object_at(address):
    """The object at the address."""
    return ctypes.cast(address, ctypes.py_object).value


def parameters(code):
    """The names of a code object's parameters, in the order of its signature."""
    names = code.co_varnames
    positional, keyword_only = code.co_argcount, code.co_kwonlyargcount
    rest = iter(names[positional + keyword_only:])
    found = list(names[:positional])
    if code.co_flags & 0x04:  # CO_VARARGS
        found.append(next(rest))
    found += names[positional:positional + keyword_only]
    if code.co_flags & 0x08:  # CO_VARKEYWORDS
        found.append(next(rest))
    return found


def yields(frame):
    """Whether the frame, which gives a value, goes on after that."""
    code = frame.f_code
    return bool(code.co_flags & GENERATOR_FLAGS) and code.co_code[frame.f_lasti] not in RETURNS


class ThreadValues:
    """What one thread's events are about."""

    def __init__(self, events):
        self.events = events
        self.told = {}  # index of an event: members of the activation's event in a trace
        self.errors = {}  # frame: the exception last seen in it


class Values:
    """Listens to what the oracle is told."""

    def __init__(self, limits):
        self.limits = limits
        self.by_thread = {}
        self._trace = TraceFunction(self.see_exception)
        self._set_trace = ctypes.pythonapi.PyEval_SetTrace
        self._set_trace.argtypes = [TraceFunction, ctypes.py_object]
        self._set_trace.restype = None
        if HAS_MONITORING:
            unwind = sys.monitoring.events.PY_UNWIND
            sys.monitoring.use_tool_id(MONITORING_TOOL, "values")
            sys.monitoring.register_callback(MONITORING_TOOL, unwind, self.see_unwinding)
            sys.monitoring.set_events(MONITORING_TOOL, unwind)

    def start_thread(self, events):
        """Begins with the calling thread, whose events those are."""
        values = ThreadValues(events)
        if HAS_MONITORING:
            self.by_thread[_thread.get_ident()] = values
        else:
            self._set_trace(self._trace, values)
        return values

    def listen(self, profile):
        """The profile function that does what `profile` does, and records values."""

        def profile_values(values, frame, what, arg):
            if what == CALL or what == RETURN:
                events = values.events
                profile(events.append, frame, what, arg)
                see = self.see_call if what == CALL else self.see_return
                try:
                    found = see(values, frame, arg)
                except Exception as error:
                    found = {"failed": repr(error)}
                if found is not None:
                    values.told[len(events) - 1] = found
            return 0

        return profile_values

    def see_call(self, values, frame, arg):
        """The arguments of an activation that starts."""
        if values.events[-1] & 1:
            return None
        names = parameters(frame.f_code)
        if not names:
            return {"arguments": {}}
        given = frame.f_locals
        captured = frame.f_code.co_varnames[:PARAMETERS_MAX]
        arguments = {
            name: describe_argument(name, index == 0, given[name], self.limits)
            for index, name in enumerate(names)
            if name in captured
        }
        if len(names) > len(captured):
            arguments[CUT] = CUT
        return {"arguments": arguments}

    def see_return(self, values, frame, arg):
        """The value that is returned or yielded, or the exception."""
        error = values.errors.pop(id(frame), None)
        if arg is None:
            return error
        found = {"return": describe(object_at(arg), self.limits)}
        if yields(frame):
            found["yielded"] = True
        return found

    def see_exception(self, values, frame, what, arg):
        """Before 3.12, a trace function that wants to know of exceptions only."""
        if what == EXCEPTION:
            _, error, _ = object_at(arg)
            values.errors[id(frame)] = describe_exception(error, self.limits)
        return 0

    def see_unwinding(self, code, offset, error):
        """From 3.12 on: `error` leaves the frame, which the profile function has just been told.

        In 3.12 it was told that None was returned.
        """
        values = self.by_thread.get(_thread.get_ident())
        if values is not None and values.events:
            values.told[len(values.events) - 1] = describe_exception(error, self.limits)
