"""Runs programs under the oracle and under pytrace, and compares what they say.

    python run.py --pytrace BIN [--python P]... [--chroot ROOT] [--probes PLAN]... [PROGRAM]...
    python run.py [--python P]... [PROGRAM]...

For every interpreter, every program (default: all of tests/programs) and every variant that the
program declares: one row of a table, with what differs below it. Exits with 1 if anything does.
Without --pytrace the oracle runs twice, and the two must agree: that the program is the same each
time is what all comparisons rest on.

With --chroot the interpreters are those of another system's root, and pytrace traces
`-- chroot ROOT P PROGRAM`. The programs are copied to one path that is the same in and outside.

A program declares, in comments at the start of a line:

    # oracle: counts      no oracle: the program writes {"counts": {NAME: N}} to $PYTRACE_COUNTS
    # exit: N             its exit code (default 0)
    # variants: A | B     run it again with the options A, and again with B
    # scope-of: M [N...]  the scope is the directories of these modules (default: its own)
    # requires: M [N...]  skipped where one of these modules can't be imported
    # each: A=M [B=N...]  run it with the argument A and `scope-of: M`, then with B and N
                          (repeatable); skipped where the module A can't be imported
    # artefact: ...       see compare.py

A `__main__.py` runs as `-m PACKAGE`, from the directory that holds the package. Packages of
real programs come from `fetch-packages.sh DIR`; pass `--packages DIR`.
Needs CPython 3.9 for itself; the interpreters under test, 3.8 and later.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import astrace
import compare

TESTS = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ["*.py", "imports/main.py", "imports/*/__main__.py", "*/*/script*.py", "real/*.py"]
TIMEOUT = 900

FIND_SCOPES = """
import importlib, json, os, sys
for name in sys.argv[1].split():
    importlib.import_module(name)
files = [importlib.import_module(name).__file__ for name in sys.argv[2].split()]
print(json.dumps([os.path.dirname(os.path.realpath(file)) for file in files]))
"""


class Failure(Exception):
    """What makes a case fail, other than a difference."""


Setting = collections.namedtuple("Setting", "argument requires scope_of options")


class Program:
    """A program file, and what it declares about itself."""

    def __init__(self, path):
        self.path = path
        self.source = path.read_text(encoding="utf-8")
        self.counts_itself = self._declared("oracle") == "counts"
        self.exit_code = int(self._declared("exit") or 0)
        self.requires = self._declared("requires")
        self.scope_of = self._declared("scope-of")
        self.artefacts = compare.Artefacts(self.source)
        declared = self._declared("variants")
        self.variants = [[]] + [variant.split() for variant in declared.split("|") if declared]
        self.each = [
            pair.split("=")
            for line in re.findall(r"^# each: (.*)$", self.source, re.MULTILINE)
            for pair in line.split()
        ]

    def settings(self):
        """The settings to run it in: (argument, what it requires, its scope's modules, options)."""
        for argument, scope_of in self.each or [(None, self.scope_of)]:
            for variant in self.variants:
                yield Setting(argument, argument or self.requires, scope_of, variant)

    def _declared(self, key):
        found = re.search(r"^# %s: (.*)$" % re.escape(key), self.source, re.MULTILINE)
        return found.group(1).strip() if found else ""

    @property
    def is_main_of_package(self):
        return self.path.name == "__main__.py"

    @property
    def name(self):
        """Short, for the table."""
        name = str(self.path.parent.name if self.is_main_of_package else self.path.name)
        return "-m " + name if self.is_main_of_package else name


class Target:
    """An interpreter, where its files are, and how commands are run in its system."""

    def __init__(self, python, chroot, tests, work, packages):
        self.python = python
        self.chroot = chroot
        self.tests = tests  # these three are paths as the target sees them
        self.work = work
        self.packages = packages
        self.environment = dict(
            os.environ, PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1", PYTHONUTF8="1"
        )
        for name in ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONSAFEPATH"):
            self.environment.pop(name, None)
        if packages:
            self.environment["PYTHONPATH"] = str(packages)

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


class Case:
    """One program in one setting, under one interpreter."""

    def __init__(self, target, program, setting, probes, number):
        self.target = target
        self.program = program
        self.setting = setting
        self.probes = probes
        self.work = target.work / str(number)
        target.on_host(self.work).mkdir(parents=True)

    @property
    def label(self):
        argument = [self.setting.argument] if self.setting.argument else []
        return " ".join([self.program.name, *argument, *self.setting.options])

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

    def truth(self, scopes, name="truth.json"):
        """Runs the oracle; returns its document."""
        output = self.work / name
        directory, arguments = self.program_arguments()
        options = [option for scope in scopes for option in ("--scope", scope)]
        oracle = self.target.tests / "truth" / "oracle.py"
        command = self.target.command(
            oracle, *options, *self.setting.options, "-o", output, *arguments
        )
        self.check(*self.target.run(self.in_directory(command, directory), directory))
        return compare.load_json(self.target.on_host(output))

    def in_directory(self, command, directory):
        """chroot(8) goes to the root directory; this goes back."""
        if not (self.target.chroot and directory):
            return command
        change = 'cd "$0" && exec "$@"'
        return command[:2] + ["/bin/sh", "-c", change, str(directory)] + command[2:]

    def trace(self, pytrace, scopes):
        """Runs pytrace; returns its document, and that of the program's own counts."""
        output = self.target.on_host(self.work / "trace.json")
        counts = self.work / "counts.json"
        directory, arguments = self.program_arguments()
        command = [pytrace, "-o", str(output), *self.setting.options]
        for scope in scopes:
            command += ["--scope", str(scope)]
        if self.probes:
            command += ["--probes", self.probes]
        if self.target.chroot:
            command += ["--", *self.in_directory(self.target.command(*arguments), directory)]
        else:
            command += ["--python", self.target.python, *map(str, arguments)]
        self.check(*self.target.run(command, directory, PYTRACE_COUNTS=str(counts)))
        own = None
        if self.program.counts_itself:
            own = compare.load_json(self.target.on_host(counts))
        return compare.load_json(output), own

    def check(self, code, output):
        """The exit code must be the program's."""
        if code != self.program.exit_code:
            tail = "\n".join(output.splitlines()[-15:])
            raise Failure("exit code %d, not %d\n%s" % (code, self.program.exit_code, tail))

    def outcome(self, pytrace):
        """Whether all is well (None: skipped), and what to say."""
        try:
            scopes = self.scopes()
            if scopes is None:
                return None, "skipped: needs " + (self.setting.requires or self.setting.scope_of)
            if self.program.counts_itself and not pytrace:
                return None, "skipped: counts itself"
            if pytrace:
                trace, counts = self.trace(pytrace, scopes)
                truth = counts or self.truth(scopes)
                return compare.report(truth, trace, self.program.artefacts)
            again = astrace.as_trace(self.truth(scopes, "again.json"))
            return compare.report(self.truth(scopes), again, compare.Artefacts(), exits=True)
        except (Failure, OSError, ValueError) as error:
            return False, str(error) or repr(error)


def find_programs(names):
    """The programs asked for, by path or by name; all if none."""
    everything = [
        path for pattern in PROGRAMS for path in sorted((TESTS / "programs").glob(pattern))
    ]
    if not names:
        return [Program(path) for path in everything]
    found = []
    for name in names:
        matching = [path for path in everything if name in (path.name, path.stem)]
        path = pathlib.Path(name).resolve()
        if not matching and path.is_relative_to(TESTS) and path.is_file():
            matching = [path]
        if not matching:
            sys.exit("no program is called " + name)
        found += [Program(path) for path in matching]
    return found


def make_targets(options, work):
    """The interpreters; into a chroot, everything is copied."""
    tests = TESTS
    packages = options.packages and pathlib.Path(options.packages).resolve()
    chroot = options.chroot and os.path.realpath(options.chroot)
    if chroot:
        ignore = shutil.ignore_patterns("__pycache__")
        copies = {"truth": tests / "truth", "programs": tests / "programs", "packages": packages}
        # The same paths in and outside: pytrace resolves --scope out here.
        for name, source in copies.items():
            for root in ("", chroot):
                if source:
                    target = pathlib.Path(root + str(work / "tests" / name))
                    shutil.copytree(source, target, ignore=ignore)
        tests, packages = work / "tests", packages and work / "tests" / "packages"
    return [
        Target(python, chroot, tests, work / str(number), packages)
        for number, python in enumerate(options.python or [sys.executable])
    ]


def run_all(options, work):
    """Runs all cases and prints the table; returns whether nothing failed."""
    cases = []
    for target in make_targets(options, work):
        for program in find_programs(options.programs):
            for setting in program.settings():
                for probes in options.probes or [None]:
                    cases.append(Case(target, program, setting, probes, len(cases)))
    width = max(len(case.label) for case in cases)
    totals = {True: 0, False: 0, None: 0}
    python = None
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        outcomes = pool.map(lambda case: case.outcome(options.pytrace), cases)
        for case, (well, text) in zip(cases, outcomes):
            totals[well] += 1
            if case.target.python != python:
                python = case.target.python
                print(python if not case.target.chroot else case.target.chroot + python)
            first, _, rest = text.partition("\n") if well is not False else ("DIFFERS", "", text)
            plan = " [%s]" % case.probes if case.probes else ""
            print("  %-*s%s  %s" % (width, case.label, plan, first), flush=True)
            if rest:
                print("".join("      %s\n" % line for line in rest.splitlines()), end="")
    print("%d identical, %d differ, %d skipped" % (totals[True], totals[False], totals[None]))
    return not totals[False]


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="default: all")
    parser.add_argument("--pytrace", metavar="BIN", help="without it, only the oracle runs, twice")
    parser.add_argument("--python", action="append", metavar="P", help="repeatable")
    parser.add_argument("--chroot", metavar="ROOT", help="the interpreters are inside ROOT")
    parser.add_argument("--probes", action="append", help="pytrace's --probes (repeatable)")
    parser.add_argument("--packages", metavar="DIR", help="what fetch-packages.sh filled")
    parser.add_argument("--jobs", type=int, default=2, help="at the same time (default: 2)")
    parser.add_argument("--keep", action="store_true", help="keep truths and traces, and say where")
    options = parser.parse_args()
    if options.pytrace:
        options.pytrace = os.path.abspath(options.pytrace)
    work = pathlib.Path(tempfile.mkdtemp(prefix="pytrace-truth-")).resolve()
    work.chmod(0o755)
    places = [work]
    if options.chroot:
        places.append(pathlib.Path(os.path.realpath(options.chroot) + str(work)))
    try:
        well = run_all(options, work)
    finally:
        for place in places:
            if options.keep:
                print("kept:", place)
            else:
                shutil.rmtree(place, ignore_errors=True)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
