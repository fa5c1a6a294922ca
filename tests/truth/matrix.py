"""The truth on every interpreter, with every probe plan, without and with other tools active.

    python matrix.py --pytrace BIN --packages DIR [--full] [--tools LIST] [--save FILE]
                     NAME=ROOT:PYTHON...

NAME is what the table calls the interpreter PYTHON of the system below ROOT (/: this one's). Behind a
blank, a setting of the environment may follow: with one, only the programs that say `# compiled` run. One
line per comparison that differs or is skipped, with its reason, then the table:

    interpreter  version  build  plan  |  programs identical, without a tool and with each

A number is that of the programs whose whole sequence of calls is the oracle's; `!N` behind it that
of those that differ, `-N` of those that can't run there. `.` stands for a tool that this CPython
does not have, nothing for what was not asked for. Exits with 1 if anything differs.

Without --full: all programs without a tool and a few with each, on the first executable of each
version and with its first plan, but those that are large on the first of all only; elsewhere, the
programs that are quick. With --tools, only the columns of that list: `--tools alone,pdb`.
"""

import argparse
import collections
import itertools
import os
import re
import sys
import time

from cases import SELECTIVE, Case, Failure, Workplace, run_cases
from programs import find_programs
from tools import TOOLS

# Between them: calls and their ends of every kind, several threads.
FEW = ["functions", "exceptions", "generators", "coroutines", "threads"]
# The plan by which the interpreter marks what the scope's code calls as well: for programs of which it
# misses nothing.
EXTERNAL = "selective-external"

Row = collections.namedtuple("Row", "name target plan")


class Matrix:
    """All the cases, and what came of them."""

    def __init__(self, options, workplace):
        self.options = options
        self.workplace = workplace
        self.everything = find_programs([])
        self.few = find_programs(FEW)
        self.rows = []
        self.problems = []  # of interpreters as a whole
        self.totals = collections.defaultdict(collections.Counter)  # (row, tool): outcomes

    def add(self, specification):
        """Adds an interpreter: its rows."""
        name, _, place = specification.partition("=")
        place, *settings = place.split(" ")
        root, _, python = place.rpartition(":")
        try:
            settings = [setting.split("=", 1) for setting in settings]
            target = self.workplace.target(python, root, settings)
            # Before it, there are no packages to fetch (fetch-packages.sh).
            target.may_lack_modules = target.version < (3, 8)
            plans = target.plans(self.options.pytrace)
            # What is not called like a python need not come to where it would be asked.
            if not re.fullmatch(r"python[\d.]*[a-z]*", os.path.basename(python)):
                plans = [plan for plan in plans if plan not in SELECTIVE]
            if target.settings:
                plans = [plan for plan in plans if plan == "dispatch"]
            same = self.rows_of(target.version)
            if "selective" in plans and all(row.plan != EXTERNAL for row in same):
                plans.append(EXTERNAL)
            self.rows += [Row(name, target, plan) for plan in plans]
        except (Failure, OSError, ValueError) as error:
            self.problems.append("%s: %s" % (name, error))
            print("-- not tested: %s" % self.problems[-1], flush=True)

    def rows_of(self, version):
        """Those of interpreters of the same minor version."""
        return [row for row in self.rows if row.target.version[:2] == version[:2]]

    def programs(self, row, tool):
        """Those to be run."""
        if row.plan == EXTERNAL:
            seen = (each for each in self.everything if not each.is_missed)
            return [] if tool else [each for each in seen if each.is_quick or self.options.full]
        if row.target.settings:
            return [] if tool else [each for each in self.everything if each.is_compiled]
        if self.options.full:
            return self.everything
        same = self.rows_of(row.target.version)
        if row == next((each for each in same if not each.target.has_libpython), None):
            return self.few if tool else self.everything
        return [] if tool else [each for each in self.everything if each.is_quick]

    def cases(self):
        """All of them, with their rows."""
        numbers = collections.Counter()
        for row in self.rows:
            for tool in self.options.tools:
                if tool and not TOOLS[tool].exists_in(row.target.version):
                    continue
                for program in self.programs(row, tool):
                    for setting in program.settings():
                        if setting.large and not (self.options.full or row == self.rows[0]):
                            continue
                        if row.plan == EXTERNAL and "--no-external-calls" in setting.options:
                            continue  # as with the plan `selective`
                        numbers[row.target] += 1
                        number = numbers[row.target]
                        yield row, Case(row.target, program, setting, row.plan, tool, number)

    def run(self):
        """Runs the cases; says what is not identical."""
        planned = list(self.cases())
        columns = itertools.groupby(planned, lambda item: (item[0], item[1].tool))
        sizes = {column: len(list(items)) for column, items in columns}
        outcomes = run_cases([case for _, case in planned], self.options.pytrace, self.options.jobs)
        for (row, case), (well, text) in zip(planned, outcomes):
            counts = self.totals[row, case.tool]
            counts[well] += 1
            if not well:
                first, _, rest = text.partition("\n") if well is None else ("DIFFERS", "", text)
                print("  %s [%s]  %s" % (case.label, case.tool or "alone", first))
                print("".join("      %s\n" % line for line in rest.splitlines()), end="")
            if sum(counts.values()) == sizes[row, case.tool]:
                done = (heading(row), case.tool or "alone", self.cell(row, case.tool))
                print(time.strftime("-- %H:%M:%S ") + "%s, %s: %s" % done, flush=True)

    def table(self):
        """The table's lines."""
        lines = [["interpreter", "version", "build", "plan", "alone", *TOOLS]]
        for row in self.rows:
            build = "libpython" if row.target.has_libpython else "executable"
            build += ", " + row.target.compiler.split("(")[0].strip()
            version = "%d.%d.%d" % row.target.version
            cells = [self.cell(row, tool) for tool in [None, *TOOLS]]
            lines.append([row.name, version, build, row.plan, *cells])
        widths = [max(map(len, column)) for column in zip(*lines)]
        for line in lines:
            yield "  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip()
        total = sum(self.totals.values(), collections.Counter())
        yield "%d identical, %d differ, %d skipped" % (total[True], total[False], total[None])
        yield from ("not tested: " + problem for problem in self.problems)

    def cell(self, row, tool):
        """The numbers of one cell."""
        if tool and not TOOLS[tool].exists_in(row.target.version):
            return "."
        counts = self.totals.get((row, tool))
        if not counts:
            return ""
        differ = "!%d" % counts[False] if counts[False] else ""
        skipped = "-%d" % counts[None] if counts[None] else ""
        return "%d%s%s" % (counts[True], differ, skipped)

    def is_well(self):
        """Whether there was something to compare, and all of it is identical."""
        failed = any(counts[False] for counts in self.totals.values())
        return bool(self.totals) and not failed and not self.problems


def heading(row):
    """A row in words."""
    return "%s, %s%s, %s" % (row.name, row.target.chroot or "", row.target.python, row.plan)


def tools(text):
    """Those that a list names, `alone` being none."""
    known = {"alone": None, **{tool: tool for tool in TOOLS}}
    unknown = [name for name in text.split(",") if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError("%s is none of %s" % (unknown[0], ", ".join(known)))
    return [known[name] for name in text.split(",")]


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("interpreters", nargs="+", metavar="NAME=ROOT:PYTHON")
    parser.add_argument("--pytrace", metavar="BIN", required=True)
    parser.add_argument("--packages", metavar="DIR", required=True)
    parser.add_argument("--jobs", type=int, default=2, help="at the same time (default: 2)")
    parser.add_argument("--full", action="store_true", help="all programs, everywhere")
    parser.add_argument(
        "--tools", metavar="LIST", type=tools, default=[None, *TOOLS], help="default: alone and all"
    )
    parser.add_argument("--save", metavar="FILE", help="write the table there as well")
    options = parser.parse_args()
    options.pytrace = os.path.abspath(options.pytrace)
    workplace = Workplace(options.packages)
    try:
        matrix = Matrix(options, workplace)
        for specification in options.interpreters:
            matrix.add(specification)
        matrix.run()
    finally:
        workplace.remove()
    table = "\n".join(matrix.table()) + "\n"
    print("\n" + table, end="")
    if options.save:
        with open(options.save, "w", encoding="utf-8") as file:
            file.write(table)
    return 0 if matrix.is_well() else 1


if __name__ == "__main__":
    sys.exit(main())
