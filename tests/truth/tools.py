"""Tools that may be active in a program while it is traced: see `oracle.py --tool`.

Each counts something that it alone sees, in the program's own files, so that it can be told
whether tracing disturbed it. For CPython 3.6 and later; the standard library, and for `coverage`
the package of that name.
"""

import _operator
import _thread
import collections
import os
import sys


class Tool:
    """Being there in a process."""

    since = (3, 6)  # the first CPython that has it
    copies_locals = False  # by having a trace function in Python called, before 3.11

    def __init__(self, scope):
        self.scope = scope
        self.own_files = [os.path.realpath(__file__)]

    @classmethod
    def exists_in(cls, version):
        """Whether that CPython has it."""
        return version[:2] >= cls.since

    @staticmethod
    def excludes_oracle(version):
        """Whether it uses up what the oracle needs, so that only one of them can be active."""
        return False

    def start(self, main):
        """Begins, in the calling thread."""

    def stop(self):
        """Ends, in the main thread."""

    def report(self):
        """What it found in internal files: a number for each of some names."""
        return {}

    def is_internal(self, filename):
        """Whether it is to report on the file."""
        return self.scope.holds(self.scope.resolve(filename))

    def own_module(self, module):
        """Says that the module's functions, or the package's, are this tool's."""
        file = os.path.realpath(module.__file__)
        self.own_files.append(os.path.dirname(file) + "/" if hasattr(module, "__path__") else file)


class Profile(Tool):
    """No other tool than the oracle's own profile function."""


class Counting(Tool):
    """Counts by file and something else. Threads don't share counts: `+= 1` is not atomic."""

    def __init__(self, scope):
        super().__init__(scope)
        self.counts = []

    def new_counts(self):
        """Counts for one thread."""
        counts = collections.Counter()
        self.counts.append(counts)
        return counts

    def report(self):
        total = sum(self.counts, collections.Counter())
        internal = {file: self.is_internal(file) for file, _ in total}
        return {
            "%s %s" % key: count for key, count in total.items() if internal[key[0]]
        }


class SetTrace(Counting):
    """A trace function that wants to see every line, as a debugger or coverage in Python."""

    copies_locals = True

    def start(self, main):
        counts = self.new_counts()

        def trace(frame, event, arg):
            counts[frame.f_code.co_filename, "%s %s" % (event, frame.f_lineno)] += 1
            return trace

        sys.settrace(trace)

    def stop(self):
        sys.settrace(None)


class Pdb(Counting):
    """The machinery of pdb, single-stepping."""

    copies_locals = True

    def __init__(self, scope):
        super().__init__(scope)
        import bdb

        self.own_module(bdb)

        class Stepper(bdb.Bdb):
            """Answers every prompt with `step`."""

            def __init__(self, counts):
                super().__init__()
                self.counts = counts

            def user_line(self, frame):
                self.counts[frame.f_code.co_filename, frame.f_lineno] += 1
                self.set_step()
                # From 3.14 on it keeps the frame until the next step: what dies with the frame then
                # dies in the debugger, of which the oracle is told nothing.
                self.cmdframe = None

            def user_return(self, frame, value):
                # 3.13.0's keeps it until the next event: the same.
                self.enterframe = None

        self.make_stepper = Stepper

    def start(self, main):
        stepper = self.make_stepper(self.new_counts())
        stepper.reset()
        sys.settrace(stepper.trace_dispatch)

    def stop(self):
        sys.settrace(None)


class Coverage(Tool):
    """coverage.py with its tracer in C: the lines that were run, and what followed each."""

    core, tracer, branches = "ctrace", "CTracer", True

    def __init__(self, scope):
        super().__init__(scope)
        os.environ["COVERAGE_CORE"] = self.core
        import threading

        import coverage

        self.own_module(coverage)
        self.threading = threading
        self.coverage = coverage.Coverage(data_file=None, config_file=False, branch=self.branches)
        self.coverage.set_option("run:disable_warnings", ["no-data-collected"])

    def start(self, main):
        if main:
            self.coverage.start()
            found = self.coverage._collector.tracer_name()
            if found != self.tracer:  # it takes another where it can't have the one asked for
                sys.exit("coverage uses its %s, not %s" % (found, self.tracer))
        elif self.threading._trace_hook:
            # The program has a threading module of its own: oracle.py forgets this one.
            sys.settrace(self.threading._trace_hook)

    def stop(self):
        self.coverage.stop()

    def report(self):
        data = self.coverage.get_data()
        found = data.arcs if self.branches else data.lines
        return {
            file: sorted(found(file))
            for file in data.measured_files()
            if self.is_internal(file)
        }


class CoverageMonitoring(Coverage):
    """coverage.py with sys.monitoring: the lines that were run."""

    since = (3, 12)
    core, tracer, branches = "sysmon", "SysMonitor", False  # before 3.14 it has no branches


class CProfile(Tool):
    """cProfile: calls of each function; from 3.12 on, other threads' as well.

    Which of them it takes for recursive depends on how it interleaves threads.
    """

    def __init__(self, scope):
        super().__init__(scope)
        import cProfile

        self.own_module(cProfile)
        self.profile = cProfile.Profile()

    @staticmethod
    def excludes_oracle(version):
        return version[:2] < (3, 12)  # from then on it uses sys.monitoring

    def start(self, main):
        if main:
            self.profile.enable()

    def stop(self):
        self.profile.disable()

    def report(self):
        counts = collections.Counter()
        for entry in self.profile.getstats():
            code = entry.code
            if not isinstance(code, str) and self.is_internal(code.co_filename):
                name = "%s:%d %s" % (code.co_filename, code.co_firstlineno, code.co_name)
                counts[name] += entry.callcount
        return counts


class Monitoring(Counting):
    """A user of sys.monitoring that wants to see everything."""

    since = (3, 12)
    TOOL = 3
    COUNTED = (
        "PY_START PY_RESUME PY_RETURN PY_YIELD PY_THROW PY_UNWIND CALL LINE JUMP RAISE RERAISE"
        " EXCEPTION_HANDLED STOP_ITERATION"
    )

    def __init__(self, scope):
        super().__init__(scope)
        self.by_thread = {}

    def start(self, main):
        if not main:
            return
        monitoring = sys.monitoring
        monitoring.use_tool_id(self.TOOL, "pytrace's tests")
        wanted = monitoring.events.INSTRUCTION
        # Too many to be counted in Python; in C, something is done with each.
        monitoring.register_callback(self.TOOL, wanted, _operator.is_)
        for name in self.COUNTED.split():
            event = getattr(monitoring.events, name)
            monitoring.register_callback(self.TOOL, event, self.counter(name))
            wanted |= event
        monitoring.set_events(self.TOOL, wanted)

    def counter(self, name):
        """A callback that counts."""
        by_thread, new_counts, thread = self.by_thread, self.new_counts, _thread.get_ident

        def count(code, *where):
            counts = by_thread.get(thread())
            if counts is None:
                counts = by_thread[thread()] = new_counts()
            counts[code.co_filename, name] += 1

        return count

    def stop(self):
        sys.monitoring.set_events(self.TOOL, 0)
        sys.monitoring.free_tool_id(self.TOOL)


TOOLS = {
    "setprofile": Profile,
    "settrace": SetTrace,
    "pdb": Pdb,
    "coverage": Coverage,
    "coverage-sysmon": CoverageMonitoring,
    "cProfile": CProfile,
    "monitoring": Monitoring,
}
