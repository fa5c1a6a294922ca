"""One program under one interpreter: run under the oracle and under pytrace, and compared."""

import concurrent.futures
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import astrace
import compare
from programs import TESTS
from tools import TOOLS

TIMEOUT = 900

FIND_SCOPES = """
import importlib, json, os, sys
for name in sys.argv[1].split():
    importlib.import_module(name)
files = [importlib.import_module(name).__file__ for name in sys.argv[2].split()]
print(json.dumps([os.path.dirname(os.path.realpath(file)) for file in files]))
"""

# Then it waits, to be looked at.
DESCRIBE = """
import json, platform, sys
print(json.dumps([list(sys.version_info[:3]), platform.python_compiler()]), flush=True)
sys.stdin.read()
"""


class Failure(Exception):
    """What makes a case fail, other than a difference."""


class Target:
    """An interpreter, where its files are, and how commands are run in its system."""

    def __init__(self, python, chroot, tests, work, packages, settings=()):
        self.python = python
        self.settings = dict(settings)  # of its environment
        self.chroot = chroot
        self.tests = tests  # these three are paths as the target sees them
        self.work = work
        self.packages = packages
        self.may_lack_modules = True
        self.environment = dict(
            os.environ, PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1", PYTHONUTF8="1"
        )
        for name in ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONSAFEPATH"):
            self.environment.pop(name, None)
        self.environment.update(self.settings)
        # Else pytrace runs the program as the user behind sudo, who may not write where we do.
        self.environment.pop("SUDO_UID", None)
        self.version, self.compiler, self.interpreter = self._describe()
        if packages:
            own = "%s/cpython-%d.%d" % (packages, *self.version[:2])
            self.environment["PYTHONPATH"] = "%s:%s" % (own, packages)

    def _describe(self):
        """Version, compiler, and the file on this system that holds the interpreter's code."""
        pipes = dict.fromkeys(["stdin", "stdout", "stderr"], subprocess.PIPE)
        command = self.command("-c", DESCRIBE)
        with subprocess.Popen(command, env=self.environment, **pipes) as process:
            line = process.stdout.readline()
            if not line:
                raise Failure("%s does not work:\n%s" % (self.python, process.communicate()[1]))
            # A chroot need not have /proc; this system's shows it as well.
            file = os.path.realpath("/proc/%d/exe" % process.pid)
            with open("/proc/%d/maps" % process.pid, encoding="utf-8") as maps:
                for library in re.findall(r" (/.*/libpython3\.\d+m?\.so.*)$", maps.read(), re.M):
                    file = library
            process.communicate()
        version, compiler = json.loads(line)
        return tuple(version), compiler, file

    @property
    def has_libpython(self):
        """Whether the interpreter is a shared library."""
        return ".so" in os.path.basename(self.interpreter)

    def plans(self, pytrace):
        """The probe plans that pytrace has for it."""
        code, output = self.run([pytrace, "doctor", "--python", self.interpreter])
        found = re.findall(r"^(\w+) probes:$", output, re.MULTILINE)
        if code or not found:
            raise Failure("pytrace has no plan for %s:\n%s" % (self.interpreter, output))
        return found

    def on_host(self, path):
        """A path of the target's, as this process sees it."""
        return pathlib.Path(self.chroot + str(path)) if self.chroot else path

    def command(self, *arguments):
        """The command that runs the target's interpreter."""
        prefix = ["chroot", self.chroot] if self.chroot else []
        return prefix + [self.python, *map(str, arguments)]

    def run(self, command, directory=None, **environment):
        """Runs a command; returns its exit code and output."""
        try:
            done = subprocess.run(
                command,
                cwd=directory and self.on_host(directory),
                env=dict(self.environment, **environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            raise Failure("no end after %d s: %s" % (TIMEOUT, " ".join(command))) from None
        return done.returncode, done.stdout.decode(errors="replace")


# Plans for which the interpreter marks what is recorded, with their options.
SELECTIVE = {
    "selective": ["--no-external-calls"],
    "selective-external": [],
    "selective-c": ["--c-calls"],
}


class Workplace:
    """Directories to work in; into a chroot, the tests are copied."""

    def __init__(self, packages=None):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # but clean up
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="pytrace-truth-")).resolve()
        self.work.chmod(0o755)
        self.packages = packages and pathlib.Path(packages).resolve()
        self.places = [self.work]
        self._targets = 0

    def target(self, python, chroot=None, settings=()):
        """An interpreter to be tested."""
        chroot = None if chroot in (None, "/") else os.path.realpath(chroot)
        tests, packages = TESTS, self.packages
        if chroot:
            tests = self.work / "tests"
            self._copy_to("")
            self._copy_to(chroot)
            packages = packages and tests / "packages"
        self._targets += 1
        work = self.work / str(self._targets)
        return Target(python, chroot, tests, work, packages, settings)

    def _copy_to(self, root):
        """Puts the tests where they have the same paths in and outside: pytrace resolves --scope."""
        place = pathlib.Path(root + str(self.work))
        if (place / "tests").exists():
            return
        if place not in self.places:
            self.places.append(place)
        ignore = shutil.ignore_patterns("__pycache__")
        sources = {"truth": TESTS / "truth", "programs": TESTS / "programs"}
        if self.packages:
            sources["packages"] = self.packages
        for name, source in sources.items():
            shutil.copytree(source, place / "tests" / name, ignore=ignore)

    def remove(self):
        """Leaves nothing behind."""
        for place in self.places:
            shutil.rmtree(place, ignore_errors=True)


class Case:
    """One program in one setting, under one interpreter, with a tool active or none."""

    def __init__(self, target, program, setting, probes, tool, number, keep=False):
        self.keep = keep  # its files
        self.target = target
        self.program = program
        self.setting = setting
        self.probes = probes
        self.tool = tool
        self.work = target.work / str(number)

    @property
    def label(self):
        argument = [self.setting.argument] if self.setting.argument else []
        return " ".join([self.program.name, *argument, *self.setting.options])

    @property
    def is_selective(self):
        """Whether the interpreter is to mark what is recorded."""
        return self.probes in SELECTIVE

    @property
    def wanted_options(self):
        """What else is to be recorded, or not, by both pytrace and the oracle: options."""
        of_plan = SELECTIVE.get(self.probes, [])
        return [option for option in of_plan if option not in self.setting.options]

    def path(self):
        """The program's path as the target sees it."""
        return self.target.tests / self.program.path.relative_to(TESTS)

    def scopes(self):
        """The scope's directories; None where the program can't run."""
        if not (self.setting.scope_of or self.setting.requires):
            path = self.path()
            return [path.parent.parent if self.program.is_main_of_package else path.parent]
        command = self.target.command(
            "-c", FIND_SCOPES, self.setting.requires, self.setting.scope_of
        )
        code, output = self.target.run(command)
        if code:
            return None
        # The program itself as well: where it begins, interpreter start-up ends (compare.py).
        return json.loads(output.splitlines()[-1]) + [self.path().parent]

    def program_arguments(self):
        """What follows the interpreter; a package's working directory goes with it."""
        path = self.path()
        if self.program.is_main_of_package:
            return path.parent.parent, ["-m", path.parent.name]
        return None, [path] + ([self.setting.argument] if self.setting.argument else [])

    def oracle_command(self, scopes, *options):
        """The command that runs the oracle, and its directory."""
        directory, arguments = self.program_arguments()
        scope_options = [option for scope in scopes for option in ("--scope", scope)]
        command = self.target.command(
            self.target.tests / "truth" / "oracle.py",
            *scope_options,
            *self.setting.options,
            *self.wanted_options,
            *options,
            *arguments,
        )
        return self.in_directory(command, directory), directory

    def in_directory(self, command, directory):
        """chroot(8) goes to the root directory; this goes back."""
        if not (self.target.chroot and directory):
            return command
        change = 'cd "$0" && exec "$@"'
        return command[:2] + ["/bin/sh", "-c", change, str(directory)] + command[2:]

    def pytrace_command(self, pytrace, scopes):
        """The beginning of the command that runs pytrace, and the trace's path."""
        output = self.target.on_host(self.work / "trace.json")
        # The oracle sees its own process only.
        command = [pytrace, "--no-follow", "-o", str(output), *self.setting.options, *self.wanted_options]
        for scope in scopes:
            command += ["--scope", str(scope)]
        if self.is_selective:
            command += ["--selective"]
        elif self.probes:
            command += ["--probes", self.probes]
        return command, output

    def run(self, command, directory):
        """Runs a command, whose exit code must be the program's; returns its output."""
        counts = str(self.work / "counts.json")
        code, output = self.target.run(command, directory, PYTRACE_COUNTS=counts)
        if code != self.program.exit_code:
            tail = "\n".join(output.splitlines()[-15:])
            raise Failure("exit code %d, not %d\n%s" % (code, self.program.exit_code, tail))
        return output

    def load(self, path):
        """The JSON document that the target wrote."""
        return compare.load_json(self.target.on_host(path))

    def truth(self, scopes, name="truth.json"):
        """Runs the oracle; returns its document."""
        output = self.work / name
        self.run(*self.oracle_command(scopes, "-o", output))
        return self.load(output)

    def truth_of_values(self, scopes, name="values.json"):
        """The same, with values. They take a run of their own: see recordvalues.py."""
        output = self.work / name
        self.run(*self.oracle_command(scopes, "--values", "-o", output))
        return self.load(output)

    def own_counts(self):
        """What the program counted itself."""
        return self.load(self.work / "counts.json")

    def compare_plain(self, pytrace, scopes):
        """Traces the program."""
        directory, arguments = self.program_arguments()
        command, trace = self.pytrace_command(pytrace, scopes)
        if self.target.chroot:
            command += ["--", *self.in_directory(self.target.command(*arguments), directory)]
        else:
            command += ["--python", self.target.python, *map(str, arguments)]
        said = self.run(command, directory)
        truth = self.own_counts() if self.program.counts_itself else self.truth(scopes)
        document = compare.load_json(trace)
        if self.is_selective and compare.plans(document) != {"selective"}:
            raise Failure("it was not asked to mark what is recorded")
        if self.program.is_compiled and compare.had_jit(document):
            events = [event["args"] for event in document["traceEvents"] if event["ph"] == "X"]
            inferred = sum(bool(args.get("start_inferred")) for args in events)
            if not 0 < inferred < len(events):
                raise Failure("%d of %d calls started in compiled code" % (inferred, len(events)))
        outcome = compare.report(truth, document, self.program.artefacts)
        if not outcome[0]:
            lines = [line for line in said.splitlines() if line.startswith(("pytrace: ", "hint: "))]
            return False, "\n".join([outcome[1], *lines])
        # What records values does not hear of C functions.
        is_without = self.program.counts_itself or "--c-calls" in self.wanted_options
        if not self.program.with_values or is_without:
            return outcome
        truth = self.truth_of_values(scopes)
        return compare.report(truth, document, self.program.artefacts, with_values=True)

    def compare_with_tool(self, pytrace, scopes):
        """Traces the program with a tool active: the oracle too, unless they exclude each other.

        What they find must be the same as without pytrace. A program that counts itself does so
        because the oracle cannot (at the recursion limit its profile function fails), and what it
        does depends on the time it takes.
        """
        truth, report = self.work / "truth.json", self.work / "report.json"
        options = ["--tool", self.tool, "--report", report]
        counts_itself = self.program.counts_itself
        excluded = TOOLS[self.tool].excludes_oracle(self.target.version)
        together = not (excluded or counts_itself)
        if together:
            options += ["-o", truth]
        command, directory = self.oracle_command(scopes, *options)
        tracing, trace = self.pytrace_command(pytrace, scopes)
        if counts_itself:
            self.run([*tracing, "--", *command], directory)
            return compare.report(self.own_counts(), compare.load_json(trace), compare.NONE)

        self.run(command, directory)
        undisturbed = self.load(report)
        truth_alone = self.load(truth) if together else self.truth(scopes)
        self.run([*tracing, "--", *command], directory)
        found = self.load(truth) if together else truth_alone
        well, text = compare.report(found, compare.load_json(trace), self.program.artefacts)
        if well and together:
            well, problems = compare.report(truth_alone, astrace.as_trace(found), compare.NONE)
            text = text if well else "the oracle was disturbed:\n" + problems
        disturbed = list(compare.compare_reports(undisturbed, self.load(report)))
        if disturbed:
            head = [] if well else [text]
            return False, "\n".join([*head, self.tool + " was disturbed:", *disturbed])
        return well, text

    def compare_oracle(self, scopes):
        """Runs the oracle twice: that it agrees with itself is what all comparisons rest on."""
        truth = self.truth(scopes)
        again = astrace.as_trace(self.truth(scopes, "again.json"))
        outcome = compare.report(truth, again, compare.NONE, exits=True)
        if not outcome[0] or not self.program.with_values:
            return outcome
        again = astrace.as_trace(self.truth_of_values(scopes))
        outcome = compare.report(truth, again, compare.NONE)
        if not outcome[0]:
            return outcome
        values = self.truth_of_values(scopes)
        return compare.report(values, again, compare.NONE, with_values=True)

    def outcome(self, pytrace):
        """Whether all is well (None: skipped), and what to say."""
        try:
            if self.target.version < self.program.since:
                return None, "skipped: needs CPython %d.%d" % self.program.since
            if self.tool and self.program.runs_alone:
                return None, "skipped: not with a tool active"
            if self.tool and self.setting.large:
                return None, "skipped: too large with a tool active"
            self.target.on_host(self.work).mkdir(parents=True)
            scopes = self.scopes()
            if scopes is None:
                wanted = self.setting.requires or self.setting.scope_of
                return None if self.target.may_lack_modules else False, "skipped: needs " + wanted
            if self.tool == "setprofile" and self.program.counts_itself:
                return None, "skipped: the oracle is the tool, and it counts itself"
            if self.tool:
                return self.compare_with_tool(pytrace, scopes)
            if pytrace:
                return self.compare_plain(pytrace, scopes)
            if self.program.counts_itself:
                return None, "skipped: counts itself"
            return self.compare_oracle(scopes)
        except (Failure, OSError, ValueError) as error:
            return False, str(error) or repr(error)


def run_cases(cases, pytrace, jobs):
    """The outcomes of the cases, in order; `jobs` of them at a time."""
    # Processes, not threads: comparing takes as long as tracing.
    pool = concurrent.futures.ProcessPoolExecutor(jobs)
    try:
        yield from pool.map(run_case, cases, itertools.repeat(pytrace))
    finally:
        pool.shutdown(cancel_futures=True)


def run_case(case, pytrace):
    """The outcome of one case. Its files are removed: traces are large."""
    try:
        return case.outcome(pytrace)
    finally:
        if not case.keep:
            shutil.rmtree(case.target.on_host(case.work), ignore_errors=True)
