"""Runs programs under the oracle and under pytrace, and compares what they say.

    python run.py --pytrace BIN [--python P]... [--chroot ROOT] [--probes PLAN]... [PROGRAM]...
    python run.py [--python P]... [PROGRAM]...

With --jit, PYTHON_JIT=1 is in the environment, and some calls must have started in compiled code in
every program that says `# compiled`.

For every interpreter, every program (default: all of tests/programs) and every variant that the
program declares: one row of a table, with what differs below it. Exits with 1 if anything does.
Without --pytrace the oracle runs twice, and the two must agree: that the program is the same each
time is what all comparisons rest on.

With --tool, one of tools.py is active in the traced process. So is the oracle, where they don't
exclude each other: truth and trace are then of the same run. And what the tool finds must be the
same as without pytrace.

With --values, values are compared for every program, not only for those that ask for it.

With --chroot the interpreters are those of another system's root, and pytrace traces
`-- chroot ROOT P PROGRAM`. The programs are copied to one path that is the same in and outside.

A program declares, in comments at the start of a line:

    # oracle: counts      no oracle: the program writes {"counts": {NAME: N}} to $PYTRACE_COUNTS,
                          and what else compare.py asks of such a truth
    # exit: N             its exit code (default 0)
    # variants: A | B     run it again with the options A, and again with B
    # scope-of: M [N...]  the scope is the directories of these modules (default: its own)
    # values              values are compared as well: arguments, results, exceptions
    # may-be-cut: NAME [NAME...]
                        values of these functions may show less than their limits allow, if
                        they say so: holes of dicts and sets take time to pass
    # any-order: NAME [NAME...]
                        the attributes in these functions' values come in any order: after some
                        were deleted, that of their class's other instances may be what is left
    # since: 3.N          skipped where CPython is older
    # requires: M [N...]  skipped where one of these modules can't be imported
    # each: A=M [B=N...]  run it with the argument A and `scope-of: M`, then with B and N
                          (repeatable); skipped where the module A can't be imported
    # compiled            with the JIT on, calls start in compiled code
    # large: A [B...]     with these arguments it makes half a million calls and more: not where a
                          tool is active, of which each calls some functions
    # alone               not where a tool is active: it has objects that bear no looking at
    # selective misses: N [N...]
                        functions of whose calls --selective, with external calls, may lack some: they
                        are called by no instruction that calls, or while its own lines run
    # artefact: ...       see compare.py

A `__main__.py` runs as `-m PACKAGE`, from the directory that holds the package. Packages of
real programs come from `fetch-packages.sh DIR`; pass `--packages DIR`. With `--all` nothing may be
skipped.
Needs CPython 3.9 for itself; the interpreters under test, 3.6 and later.
"""

import argparse
import itertools
import os
import sys

from cases import Case, Workplace, run_cases
from programs import find_programs
from tools import TOOLS


def make_cases(options, workplace):
    """Every program in every setting, for every interpreter."""
    programs = find_programs(options.programs)
    number = 0
    for python in options.python or [sys.executable]:
        settings = {"PYTHON_JIT": "1"} if options.jit else {}
        target = workplace.target(python, options.chroot, settings)
        tools = [tool for tool in options.tool or [None] if exists(tool, target)]
        for program in programs:
            ways = itertools.product(program.settings(), options.probes or [None], tools)
            for setting, probes, tool in ways:
                if probes == "selective-c" and "--no-external-calls" in setting.options:
                    continue
                number += 1
                program.with_values |= options.values
                yield Case(target, program, setting, probes, tool, number, options.keep)


def exists(tool, target):
    """Whether the interpreter has the tool; and none, all of them have."""
    return tool is None or TOOLS[tool].exists_in(target.version)


def run_all(options, workplace):
    """Runs all cases and prints the table; returns whether nothing failed."""
    cases = list(make_cases(options, workplace))
    width = max((len(case.label) for case in cases), default=0)
    totals = {True: 0, False: 0, None: 0}
    python = None
    outcomes = run_cases(cases, options.pytrace, options.jobs)
    for case, (well, text) in zip(cases, outcomes):
        totals[well] += 1
        if case.target.python != python:
            python = case.target.python
            print((case.target.chroot or "") + python)
        first, _, rest = text.partition("\n") if well is not False else ("DIFFERS", "", text)
        how = "".join(" [%s]" % word for word in (case.probes, case.tool) if word)
        print("  %-*s%s  %s" % (width, case.label, how, first), flush=True)
        if rest:
            print("".join("      %s\n" % line for line in rest.splitlines()), end="")
    print("%d identical, %d differ, %d skipped" % (totals[True], totals[False], totals[None]))
    return bool(cases) and not totals[False] and not (options.all and totals[None])


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="default: all")
    parser.add_argument("--pytrace", metavar="BIN", help="without it, only the oracle runs, twice")
    parser.add_argument("--python", action="append", metavar="P", help="repeatable")
    parser.add_argument("--chroot", metavar="ROOT", help="the interpreters are inside ROOT")
    parser.add_argument("--probes", action="append", help="pytrace's --probes (repeatable)")
    parser.add_argument("--tool", action="append", choices=TOOLS, help="(repeatable)")
    parser.add_argument("--jit", action="store_true", help="switch the JIT on (3.14 and later)")
    parser.add_argument("--values", action="store_true", help="compare values of all programs")
    parser.add_argument("--packages", metavar="DIR", help="what fetch-packages.sh filled")
    parser.add_argument("--jobs", type=int, default=2, help="at the same time (default: 2)")
    parser.add_argument("--all", action="store_true", help="a program that is skipped has failed")
    parser.add_argument("--keep", action="store_true", help="keep truths and traces, and say where")
    options = parser.parse_args()
    if options.tool and not options.pytrace:
        parser.error("--tool needs --pytrace")
    if options.pytrace:
        options.pytrace = os.path.abspath(options.pytrace)
    workplace = Workplace(options.packages)
    try:
        well = run_all(options, workplace)
    finally:
        if options.keep:
            print("kept:", *workplace.places)
        else:
            workplace.remove()
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
