"""The programs that are run, and what each declares about itself: see run.py."""

import collections
import pathlib
import re
import sys

import compare

TESTS = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ["*.py", "imports/main.py", "imports/*/__main__.py", "*/*/script*.py", "values/*.py"]
PROGRAMS += ["real/*.py"]

Setting = collections.namedtuple("Setting", "argument requires scope_of options large")


class Program:
    """A program file, and what it declares about itself."""

    def __init__(self, path):
        self.path = path
        self.source = path.read_text(encoding="utf-8")
        self.with_values = self._declares("values")
        self.runs_alone = self._declares("alone")
        self.is_compiled = self._declares("compiled")
        self.counts_itself = self._declared("oracle") == "counts"
        self.exit_code = int(self._declared("exit") or 0)
        self.since = tuple(map(int, re.findall(r"\d+", self._declared("since"))))
        self.requires = self._declared("requires")
        self.scope_of = self._declared("scope-of")
        self.large = self._declared("large").split()
        self.is_missed = self._declares("selective misses: .*")
        self.artefacts = compare.Artefacts(self.source)
        declared = self._declared("variants")
        self.variants = [[]] + [variant.split() for variant in declared.split("|") if declared]
        self.each = [
            pair.split("=")
            for line in re.findall(r"^# each: (.*)$", self.source, re.MULTILINE)
            for pair in line.split()
        ]

    def settings(self):
        """The settings to run it in: (argument, what it requires, its scope's modules, options, large)."""
        for argument, scope_of in self.each or [(None, self.scope_of)]:
            for variant in self.variants:
                large = argument in self.large
                yield Setting(argument, argument or self.requires, scope_of, variant, large)

    def _declared(self, key):
        found = re.search(r"^# %s: (.*)$" % re.escape(key), self.source, re.MULTILINE)
        return found.group(1).strip() if found else ""

    def _declares(self, word):
        return re.search(r"^# %s$" % word, self.source, re.MULTILINE) is not None

    @property
    def is_main_of_package(self):
        return self.path.name == "__main__.py"

    @property
    def is_quick(self):
        """Whether it is one of ours, and not a real program."""
        return self.path.parent.name != "real"

    @property
    def name(self):
        """Short, for the table."""
        name = str(self.path.parent.name if self.is_main_of_package else self.path.name)
        return "-m " + name if self.is_main_of_package else name


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
