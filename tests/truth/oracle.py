"""What a program really calls: the truth that pytrace's recordings are compared with.

    python oracle.py [OPTIONS] -o TRUTH.json SCRIPT [ARGS...]
    python oracle.py [OPTIONS] -o TRUTH.json -m MODULE [ARGS...]

    --scope DIR            code under DIR is internal (repeatable; default: SCRIPT's directory)
    --no-external-calls    leave out calls to functions outside the scope
    --no-imports           leave out import activity
    --c-calls              record calls of C functions from internal code as well
    -o FILE                where the truth goes
    --values               record values as well: arguments, results, exceptions (recordvalues.py)
    --max-string N, --max-items N, --max-depth N
                           how much of a value is recorded, as pytrace is told
    --tool NAME            with this tool of tools.py active as well; without -o, with it alone
    --report FILE          where that tool's findings go

Runs the program as `python SCRIPT` or `python -m MODULE` would, with a profile function on every
thread, and applies pytrace's scope rules to what it saw. For CPython 3.6 and later, standard
library only: it must run inside any interpreter.

How it stays out of the way of the program:

* The profile function is installed by `PyEval_SetProfile` itself. It gets the very events that
  `sys.setprofile` gives, without what its trampoline adds: a copy of every frame's locals (before
  3.13), which keeps objects alive beyond their `del`, and `None` for "left by an exception".
* Each event appends one number to an array; scope and nesting are worked out at the end.
* Its own frames are invisible: as events, as ancestors and as callers.
* Modules it imports are forgotten again, so that the program's own imports happen.

What it can't see: whatever the interpreter runs while the profile function itself runs, namely
signal handlers and the collector's finalizers. Programs that need those to be seen turn the
collector off, or count for themselves (see `run.py`, `oracle: counts`).
"""

import sys

FORGET_MODULES_BEYOND = set(sys.modules)

import _thread
import array
import ctypes
import itertools
import opcode
import os
import re
from _json import encode_basestring_ascii as json_string

# Py_tracefunc's `what`.
CALL, RETURN, C_CALL, C_EXCEPTION, C_RETURN = 0, 3, 4, 5, 6

# An event is twice a code object's number, plus one if it was resumed; or it is one of the exits.
RESUMED = 1
LEFT_BY_RETURN, LEFT_BY_EXCEPTION, LEFT, LEFT_AT_ONCE = -1, -2, -3, -4

# Fields of an activation, in the order of its row in the truth file.
FIELDS = ["code", "category", "depth", "resumed", "exit"]
VALUES = 5  # with --values, one more: members of its event in a trace
EXIT = 4
EXITS = {LEFT_BY_RETURN: "return", LEFT_BY_EXCEPTION: "exception", LEFT: "either"}
EXITS[LEFT_AT_ONCE] = "at once"  # by an exception thrown into it, having run nothing

GENERATOR_FLAGS = 0x20 | 0x80 | 0x200  # CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR
RESUME = opcode.opmap.get("RESUME")
RESUME_LOCATION = 7 if sys.version_info >= (3, 15) else 3


class CFunction:
    """What stands for a C function where code objects are."""

    co_filename = "<built-in>"
    co_firstlineno = 0

    def __init__(self, function):
        self.co_name = function.__name__
        self.co_qualname = c_name(function)


def c_name(function):
    """What pytrace calls a C function: a method by the class that defines it."""
    owner, name = function.__self__, function.__name__
    if owner is None or type(owner) is type(sys):
        module = function.__module__
        return name if module in (None, "builtins") else "%s.%s" % (module, name)
    owner = owner if isinstance(owner, type) else type(owner)
    for base in owner.__mro__:
        if type(base.__dict__.get(name)) in (type(str.join), type(dict.__dict__["fromkeys"])):
            return "%s.%s" % (base.__qualname__, name)
    return "%s.%s" % (owner.__qualname__, name)


class Bytecode:
    """Tells how a generator's or coroutine's frame was entered (3.11 and later)."""

    def __init__(self, code):
        self.code = code.co_code
        self.first_resume = next(
            at
            for at in range(0, len(self.code), 2)
            if self.code[at] == RESUME and not self.code[at + 1] & RESUME_LOCATION
        )

    def entry(self, lasti, leaving=False):
        """RESUMED, or 0 for a start: of an activation that began at instruction `lasti`.

        Asked of one that is `leaving` by an exception: whether it was resumed and ran nothing.
        """
        if leaving and self.code[lasti] != RESUME:
            return 0
        if self.code[lasti] == RESUME:
            return RESUMED if self.code[lasti + 1] & RESUME_LOCATION else 0
        # Thrown into: no RESUME is run. Before the first one it has never run at all.
        return RESUMED if lasti > self.first_resume else 0


class Recorder:
    """The profile function, and what it has seen: per thread, an array of events.

    With `values`, of recordvalues.py, also what these events are about.
    """

    def __init__(self, values=None, c_calls=False):
        self.codes = {}  # number -> code object, which also keeps its address from being reused
        self.threads = []  # (is the main thread, events, index -> values)
        self._values = values
        profile = self._make_profile(c_calls)
        if values:
            profile = values.listen(profile)
        self._profile = ctypes.PYFUNCTYPE(
            ctypes.c_int, ctypes.py_object, ctypes.py_object, ctypes.c_int, ctypes.c_void_p
        )(profile)
        self._set_profile = ctypes.pythonapi.PyEval_SetProfile
        self._set_profile.argtypes = [type(self._profile), ctypes.py_object]
        self._set_profile.restype = None

    def _make_profile(self, c_calls):
        """A `Py_tracefunc`, in Python, whose object is the `append` of its thread's array."""
        codes, known, c_known, numbers = self.codes, {}, {}, itertools.count()
        # 3.12 passes None for "left by an exception"; the others pass NULL.
        ambiguous = id(None) if sys.version_info[:2] == (3, 12) else -1
        at_resume = sys.version_info >= (3, 13)  # where a frame thrown into stays, if in no handler
        own_file = Recorder.__init__.__code__.co_filename

        def learn(code):
            # Two threads may both learn a code object: it then has two numbers, which is harmless.
            number = next(numbers)
            codes[number] = None if code.co_filename == own_file else code
            resumable = code.co_flags & GENERATOR_FLAGS
            entry = None
            if resumable and RESUME is None:
                entry = frame_has_run
            elif resumable:
                entry = Bytecode(code).entry
            known[id(code)] = keep = (number << 1, entry, code)
            return keep

        def learn_c(function):
            name = c_name(function)
            number = c_known.get(name)
            if number is None:
                number = c_known[name] = next(numbers)
                codes[number] = CFunction(function)
            return number << 1

        def frame_has_run(lasti):
            return RESUMED if lasti >= 0 else 0

        def profile(append, frame, what, arg):
            if what == CALL:
                code = frame.f_code
                event, entry, _ = known.get(id(code)) or learn(code)
                append(event if entry is None else event | entry(frame.f_lasti))
            elif what == RETURN:
                if arg is None:
                    code = frame.f_code
                    entry = at_resume and (known.get(id(code)) or learn(code))[1]
                    append(LEFT_AT_ONCE if entry and entry(frame.f_lasti, True) else LEFT_BY_EXCEPTION)
                else:
                    append(LEFT if arg == ambiguous else LEFT_BY_RETURN)
            elif c_calls and what == C_CALL:
                append(learn_c(ctypes.cast(arg, ctypes.py_object).value))
            elif c_calls and what in (C_EXCEPTION, C_RETURN):
                append(LEFT_BY_EXCEPTION if what == C_EXCEPTION else LEFT_BY_RETURN)
            return 0

        return profile

    def start(self, main=False):
        """Records the calling thread from now on."""
        events = array.array("i")
        if self._values:
            values = self._values.start_thread(events)
            self.threads.append((main, events, values.told))
            self._set_profile(self._profile, values)
        else:
            self.threads.append((main, events, None))
            self._set_profile(self._profile, events.append)


def follow_threads(start):
    """Has `start` called in every thread started from now on, whoever starts it."""

    def run(function, args, kwargs):
        start()
        return function(*args, **kwargs)

    # Plain functions: what they wrap may have more parameters in later versions.
    def start_new_thread(function, args, kwargs={}):
        return start_plain(run, (function, args, kwargs))

    def start_joinable_thread(function, *args, **kwargs):
        return start_joinable(lambda: run(function, (), {}), *args, **kwargs)

    start_plain = _thread.start_new_thread
    start_joinable = getattr(_thread, "start_joinable_thread", None)
    replacements = {
        "start_new_thread": start_new_thread,
        "start_new": start_new_thread,
        "start_joinable_thread": start_joinable_thread,
        # The names under which threading keeps them; site may have loaded it already.
        "_start_new_thread": start_new_thread,
        "_start_joinable_thread": start_joinable_thread,
    }
    for module in (_thread, sys.modules.get("threading")):
        for name, replacement in replacements.items():
            if hasattr(module, name):
                setattr(module, name, replacement)


class Scope:
    """Which files are internal."""

    LIBRARY_DIRECTORY = re.compile(r"/(site-packages|dist-packages|lib/python\d+\.\d+)/")
    IMPORT_SYSTEM = re.compile(
        r"<frozen (importlib.*|zipimport)>|.*/importlib/_bootstrap(_external)?\.py"
    )

    def __init__(self, directories):
        self.working_directory = os.getcwd()
        self.directories = [os.path.realpath(directory) for directory in directories]

    def resolve(self, filename):
        """The real path of a code object's file; names that are no file's stay as they are."""
        if filename.startswith("<"):
            return filename
        return os.path.realpath(os.path.join(self.working_directory, filename))

    def holds(self, path):
        """Whether code of the resolved file `path` is internal."""
        for directory in self.directories:
            prefix = directory.rstrip("/") + "/"
            if path.startswith(prefix):
                below = "/" + path[len(prefix):]
                if not self.LIBRARY_DIRECTORY.search(below):
                    return True
        return False

    def is_import_system(self, path):
        """Whether `path` is a file of the import system."""
        return self.IMPORT_SYSTEM.fullmatch(path) is not None


class Code:
    """What the truth file says about a code object, and its verdict."""

    def __init__(self, code, scope):
        self.name = getattr(code, "co_qualname", code.co_name)
        self.file = scope.resolve(code.co_filename)
        self.line = code.co_firstlineno
        self.is_module = code.co_name == "<module>"
        self.is_internal = scope.holds(self.file)
        self.is_import_system = scope.is_import_system(self.file)
        self.is_c = isinstance(code, CFunction)


class Frame:
    """What an activation on the stack means to the ones above it."""

    __slots__ = ("is_internal", "nearest", "depth", "row")

    def __init__(self, is_internal, nearest, depth, row):
        self.is_internal = is_internal
        self.nearest = nearest  # category of the nearest that is recorded, this one included
        self.depth = depth  # how many are kept, this one included
        self.row = row  # its row, if kept


def activations(events, codes, left_out, told=None):
    """The rows of the recorded activations of one thread, in order of start.

    `codes` maps a number to its `Code`, or to None for the oracle's own; `left_out` holds the
    categories that the caller does not want; `told`, an event's index to what it was about.
    """
    rows = []
    nowhere = Frame(False, None, 0, None)
    stack = []
    for index, event in enumerate(events):
        if event < 0:
            # The first exits are those of frames that were entered before recording began.
            row = stack.pop().row if stack else None
            if row is not None:
                row[EXIT] = EXITS[event]
                if told is not None:
                    row[VALUES].update(told.get(index, {}))
            continue
        below = stack[-1] if stack else nowhere
        number = event >> 1
        code = codes[number]
        if code is None:
            stack.append(Frame(below.is_internal, below.nearest, below.depth, None))
            continue
        category = categorize(code, below)
        # The import system's functions are external calls as well.
        outside = not code.is_internal and "external" in left_out
        if category is None or category in left_out or outside:
            # An external call that is left out does not come between an import and what it runs.
            nearest = below.nearest if category in (None, "external") else category
            stack.append(Frame(code.is_internal and not code.is_c, nearest, below.depth, None))
            continue
        if code.is_c:
            # Whom it calls, its caller calls.
            row = [number, category, below.depth, False, None]
            rows.append(row)
            stack.append(Frame(below.is_internal, below.nearest, below.depth + 1, row))
            continue
        row = [number, category, below.depth, bool(event & RESUMED), None]
        if told is not None:
            row.append(dict(told.get(index, {})))
        rows.append(row)
        stack.append(Frame(code.is_internal, category, below.depth + 1, row))
    return rows


def categorize(code, below):
    """The category of an activation of `code` upon `below`; None if it is not recorded."""
    if code.is_internal:
        return "import" if code.is_module and below.nearest == "import" else "internal"
    if not below.is_internal:
        return None
    return "import" if code.is_import_system else "external"


def write_truth(path, recorder, scope, left_out, own_files, copies_locals):
    """Writes what was recorded, as JSON."""
    codes = {}
    for number, code in list(recorder.codes.items()):
        codes[number] = None if code is None else Code(code, scope)
    with open(path, "w", encoding="ascii") as file:
        write = file.write
        write('{"truth": 1,\n "python": [%d, %d, %d],\n' % sys.version_info[:3])
        write(' "qualified_names": %s,\n' % json_value(hasattr(write_truth.__code__, "co_qualname")))
        write(' "scope": [%s],\n' % ", ".join(map(json_string, scope.directories)))
        write(' "own_files": [%s],\n' % ", ".join(map(json_string, own_files)))
        write(' "copies_locals": %s,\n' % json_value(copies_locals))
        write(' "fields": [%s],\n' % ", ".join(map(json_string, FIELDS)))
        write(' "threads": [')
        used = set()
        separator = "\n"
        for main, events, told in list(recorder.threads):
            rows = activations(events, codes, left_out, told)
            if not rows:
                continue
            used.update(row[0] for row in rows)
            write('%s  {"main": %s, "activations": [\n' % (separator, json_value(main)))
            write(",\n".join("[%s]" % ",".join(map(json_value, row)) for row in rows))
            write("]}")
            separator = ",\n"
        write('],\n "codes": {')
        separator = "\n"
        for number in sorted(used):
            code = codes[number]
            row = ", ".join(map(json_value, (code.name, code.file, code.line)))
            write('%s  "%d": [%s]' % (separator, number, row))
            separator = ",\n"
        write("}}\n")


def json_value(value):
    """`value` in JSON. The json module is the program's to import, not ours."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        members = (json_string(key) + ":" + json_value(each) for key, each in value.items())
        return "{%s}" % ",".join(members)
    return json_string(value)


class Options:
    """The command line."""

    def __init__(self, arguments):
        self.scope = []
        self.left_out = set()
        self.output = self.tool = self.report = None
        self.values = self.c_calls = False
        self.limits = {}
        self.module = None
        arguments = list(arguments)
        while arguments and arguments[0].startswith("-"):
            option = arguments.pop(0)
            if option == "--no-external-calls":
                self.left_out.add("external")
            elif option == "--no-imports":
                self.left_out.add("import")
            elif option == "--c-calls":
                self.c_calls = True
            elif option == "--values":
                self.values = True
            elif option in ("--max-string", "--max-items", "--max-depth") and arguments:
                self.limits[option[len("--max-"):]] = int(arguments.pop(0))
            elif option in ("--scope", "-o", "-m", "--tool", "--report") and arguments:
                value = arguments.pop(0)
                if option == "--scope":
                    self.scope.append(value)
                elif option == "-o":
                    self.output = os.path.abspath(value)
                elif option == "--tool":
                    self.tool = value
                elif option == "--report":
                    self.report = os.path.abspath(value)
                else:
                    self.module = value
                    break
            else:
                sys.exit(__doc__)
        if not (self.output or self.tool) or not (self.module or arguments):
            sys.exit(__doc__)
        self.script = None if self.module else arguments.pop(0)
        self.arguments = arguments
        if not self.scope:
            self.scope = [os.path.dirname(os.path.realpath(self.script)) if self.script else "."]


def fresh_main_module():
    """Makes a new `__main__`, like the one a program finds."""
    main = type(sys)("__main__")
    main.__builtins__ = sys.modules["builtins"]
    sys.modules["__main__"] = main
    return main.__dict__


def prepare(options):
    """Sets the stage as `python SCRIPT` does; returns the function that runs the program."""
    for name in set(sys.modules) - FORGET_MODULES_BEYOND:
        del sys.modules[name]
    namespace = fresh_main_module()
    if options.module:
        import runpy

        sys.argv[:] = ["-m"] + options.arguments
        sys.path[0] = os.getcwd()
        return lambda: runpy._run_module_as_main(options.module)
    loader = sys.modules["_frozen_importlib_external"].SourceFileLoader
    namespace.update(
        __file__=options.script, __cached__=None, __loader__=loader("__main__", options.script)
    )
    sys.argv[:] = [options.script] + options.arguments
    sys.path[0] = os.path.dirname(os.path.realpath(options.script))
    with open(options.script, "rb") as file:
        code = compile(file.read(), options.script, "exec", dont_inherit=True)
    return lambda: exec(code, namespace)


def make_tool(name, scope):
    """The tool of that name, not yet active."""
    import tools

    return tools.TOOLS[name](scope)


def make_values(limits):
    """What records values, within these limits."""
    import recordvalues
    import values

    return recordvalues.Values(values.Limits(**limits))


def write_report(path, findings):
    """Writes what a tool found. The program's run is over: modules may be imported."""
    import json

    with open(path, "w", encoding="ascii") as file:
        json.dump(findings, file, indent=1, sort_keys=True)


def main():
    """Runs the program, and writes the truth when the interpreter ends."""
    options = Options(sys.argv[1:])
    scope = Scope(options.scope)
    values = make_values(options.limits) if options.values else None
    recorder = Recorder(values, options.c_calls) if options.output else None
    tool = make_tool(options.tool, scope) if options.tool else None
    own_files = [os.path.realpath(__file__)] + (tool.own_files if tool else [])
    run = prepare(options)
    process = os.getpid()

    def start(main=False):
        if tool:
            tool.start(main)
        if recorder:
            recorder.start(main)

    def finish():
        # Called before the program's own exit functions, which are still to be recorded.
        atexit.unregister(finish)
        atexit._run_exitfuncs()
        if recorder:
            sys.setprofile(None)
        if tool:
            tool.stop()
        if os.getpid() != process:
            return
        if recorder:
            copies = bool(tool) and tool.copies_locals and sys.version_info < (3, 11)
            write_truth(options.output, recorder, scope, options.left_out, own_files, copies)
        if options.report:
            write_report(options.report, tool.report())

    follow_threads(start)
    start(main=True)
    try:
        run()
    finally:
        # Not earlier: whether `import atexit` finds it loaded is the program's business.
        import atexit

        atexit.register(finish)


if __name__ == "__main__":
    main()
