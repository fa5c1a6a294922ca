"""Compares a pytrace recording with the oracle's truth, activation by activation.

    python compare.py TRUTH.json TRACE.json [--artefacts PROGRAM] [--exits] [--values]

Every thread's complete sequence must be the same: order, nesting, names, files, first lines,
starts and resumptions, categories; with `--exits` also which were left by an exception and which
never ended; with `--values`, what they were given, gave back and raised. The recording must be well
formed too: numbered without gaps, nested, intervals of children within their parents'. Prints
`identical: N activations, T threads`, or where the first difference is, and exits with 1.

Where the profile function itself changes what the interpreter runs, a program says so:

    # artefact: B
    # artefact-functions: NAME [NAME...]

and `--artefacts PROGRAM` takes exactly that, in exactly these functions, out of the truth:

B   3.13.12 and later (gh-140373): the profile function makes `close()` of a generator that is
    suspended outside any handler really throw into it: one resumption, left at once by an
    exception, that runs nothing. Real programs name `*`: all functions.

A   before 3.11, with a trace function in Python active as well: the copy of a frame's locals that
    is made for it keeps objects alive beyond their `del`. They die while the next copy is made,
    which the profile function is not told of. `# finalizers: NAME [NAME...]` names the functions
    that are called then; they are taken out of the trace, with what they call.

(Without one, artefact A is none here: see oracle.py.)

A truth of the form {"counts": {NAME: N, ...}, "at_least": {NAME: N, ...}, "matching": {NAME: REGEX,
...}} asks only that the internal activations of each NAME are N in number, or no fewer, and that the
texts of all their arguments match. Needs CPython 3.8, standard library only.
"""

import argparse
import collections
import gzip
import json
import re
import sys

import comparevalues
from comparethreads import (
    Activation,
    Thread,
    alone,
    explain,
    forget_unknown_exits,
    match,
    without_exits,
    without_startup,
    without_teardown,
    without_tools,
    without_values,
)

SHOWN_PROBLEMS = 10
CLOSE_THROWS = (3, 13, 12)  # artefact B


def had_jit(document):
    """Whether an interpreter of a trace had its JIT on."""
    return any(each.get("jit") for each in document["pytrace"]["interpreters"])


def plans(document):
    """By which plans a trace's interpreters were probed."""
    return {each["plan"] for each in document["pytrace"]["interpreters"]}


def load_json(path):
    """Reads a JSON file, gzipped or not."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        return json.load(file)


class Truth:
    """What the oracle wrote."""

    def __init__(self, document):
        self.version = tuple(document["python"])
        self.qualified_names = document["qualified_names"]
        self.own_files = document["own_files"]
        self.copies_locals = document["copies_locals"]
        self.threads = []
        codes = document["codes"]
        assert document["fields"] == ["code", "category", "depth", "resumed", "exit"]
        for number, thread in enumerate(document["threads"], 1):
            activations = []
            for code, category, depth, resumed, exit, *values in thread["activations"]:
                name, file, line = codes[str(code)]
                call = (depth, name, file, line, category, resumed, exit)
                activations.append(Activation(*call, values[0] if values else None))
            label = "main thread" if thread["main"] else "thread %d" % number
            self.threads.append(Thread(label, thread["main"], activations))


class Artefacts:
    """What a program declares in its comments."""

    def __init__(self, source=""):
        self.names = set(re.findall(r"^# artefact: (\w+)$", source, re.MULTILINE))
        functions = re.findall(r"^# artefact-functions: (.*)$", source, re.MULTILINE)
        self.functions = {name for line in functions for name in line.split()}
        finalizers = re.findall(r"^# finalizers: (.*)$", source, re.MULTILINE)
        self.leeway = comparevalues.Leeway(source)
        self.finalizers = {name for line in finalizers for name in line.split()}

    def may_be_one(self, activation):
        """Whether only the profile function may have brought this activation about."""
        return (
            activation.resumed
            and activation.exit == "at once"
            and not self.functions.isdisjoint(["*", activation.name.rpartition(".")[2]])
        )

    def without(self, truth, trace):
        """The truth without those that the trace lacks; as it is if that makes them no more alike.

        What dies with the frame of one that is taken out is run by its caller.
        """
        if "B" not in self.names:
            return truth
        # All ways to get here: depths of those taken out that we are in, and what was kept.
        ways = {((), 0): Kept(None, None, 0)}
        for activation in truth.activations:
            next_ways = {}
            for (removed, count), kept in ways.items():
                while removed and removed[-1] >= activation.depth:
                    removed = removed[:-1]
                moved = activation._replace(depth=activation.depth - len(removed))
                if count < len(trace) and alone(moved) == trace[count]:
                    next_ways.setdefault((removed, count + 1), Kept(kept, moved, count + 1))
                if self.may_be_one(activation):
                    next_ways.setdefault((removed + (activation.depth,), count), kept)
            ways = next_ways
        for (_, count), kept in ways.items():
            # What is left may have come after the oracle, see without_teardown.
            if count == len(trace) or trace[count].depth == 0:
                return truth._replace(activations=kept.activations())
        return truth


    def without_finalizers(self, truth, trace):
        """The trace without those that the truth lacks; as it is if that makes them no more alike."""
        expected = without_exits(truth).activations
        excess = len(trace.activations) - len(expected)
        # All ways to get here: depth of the one taken out that we are in, and what was kept.
        ways = {(None, 0): Kept(None, None, 0)}
        for index, activation in enumerate(trace.activations):
            next_ways = {}
            for (within, count), kept in ways.items():
                if within is not None and activation.depth > within:
                    next_ways.setdefault((within, count), kept)
                    continue
                if count == len(expected) and activation.depth == 0:
                    # What is left came after the oracle, see without_teardown.
                    return trace._replace(activations=kept.activations())
                if count < len(expected) and alone(activation) == expected[count]:
                    next_ways.setdefault((None, count + 1), Kept(kept, activation, count + 1))
                may_be_one = activation.name.rpartition(".")[2] in self.finalizers
                if may_be_one and index - count < excess:
                    next_ways.setdefault((activation.depth, count), kept)
            ways = next_ways
        for (_, count), kept in ways.items():
            if count == len(expected):
                return trace._replace(activations=kept.activations())
        return trace


NONE = Artefacts()


class Kept(collections.namedtuple("Kept", "before activation count")):
    """A list of activations that shares its start with others."""

    def activations(self):
        """All of it, in order."""
        found = []
        while self.before:
            found.append(self.activation)
            self = self.before
        return found[::-1]


class Trace:
    """What pytrace wrote: its threads, and what is wrong with it in itself."""

    def __init__(self, document, qualified_names=True):
        self.problems = []
        self.threads = []
        self.blind = comparevalues.blindness(document)
        self.lost = document.get("pytrace", {}).get("lost", 0)
        if self.lost:
            self.problems.append("%s events lost" % self.lost)
        events = collections.defaultdict(list)
        for event in document["traceEvents"]:
            if event["ph"] == "X":
                events[event["pid"], event["tid"]].append(event)
        for (pid, tid), own in sorted(events.items()):
            own.sort(key=lambda event: event["args"]["call"])
            label = "pid %d tid %d" % (pid, tid)
            self._check(label, own)
            activations = [self._activation(event, qualified_names) for event in own]
            self.threads.append(Thread(label, pid == tid, activations))

    def _activation(self, event, qualified_names):
        args = event["args"]
        category, _, resume = event["cat"].partition(",")
        name = event["name"] if qualified_names else event["name"].rpartition(".")[2]
        exit = "return"
        if args.get("unfinished"):
            exit = None
        elif args.get("exception") is not None:
            exit = "exception"
        call = (args["depth"], name, args["file"], args["line"], category, resume == "resume")
        return Activation(*call, exit, comparevalues.members(args, self.blind))

    def _check(self, label, events):
        """Numbers, nesting and times of one thread."""

        def problem(event, text, *values):
            where = "%s, call %d (%s): " % (label, event["args"]["call"], event["name"])
            self.problems.append(where + text % values)

        open_until = []  # the end of each activation that the current one is nested in
        last_start = None
        for number, event in enumerate(events, 1):
            args = event["args"]
            if args["call"] != number:
                problem(event, "its number should be %d", number)
                return
            depth = args["depth"]
            if not 0 <= depth <= len(open_until):
                problem(event, "depth %d, but the call before it allows %d", depth, len(open_until))
                return
            if bool(args.get("resume")) != event["cat"].endswith(",resume"):
                problem(event, "args.resume and cat disagree")
            del open_until[depth:]
            start = nanoseconds(event["ts"])
            end = start + nanoseconds(event["dur"])
            if end < start:
                problem(event, "a duration of %s", event["dur"])
            if last_start is not None and start < last_start:
                problem(event, "starts %d ns before the one before it", last_start - start)
            if open_until and end > open_until[-1]:
                problem(event, "ends %d ns after its caller", end - open_until[-1])
            last_start = start
            open_until.append(end)


def nanoseconds(microseconds):
    """A time of the trace file, exactly: it has nanosecond digits."""
    return round(microseconds * 1000)


def compare(truth, trace, artefacts, exits=False, with_values=False):
    """The problems of `trace`, a Trace, as lines; none if it is the truth."""
    yield from trace.problems[:SHOWN_PROBLEMS]
    if len(trace.problems) > SHOWN_PROBLEMS:
        yield "... %d problems in all" % len(trace.problems)
    for one, other in match(truth.threads, trace.threads):
        other = without_startup(one, other)
        calls = without_exits(other).activations
        if truth.version >= CLOSE_THROWS:
            one = artefacts.without(one, calls)
        if truth.copies_locals:
            other = artefacts.without_finalizers(one, other)
        other = without_teardown(one, other)
        calls = list(zip(one.activations, other.activations))
        one, other = without_values(one), without_values(other)
        if exits:
            other = other._replace(activations=list(forget_unknown_exits(one, other)))
        else:
            one, other = without_exits(one), without_exits(other)
        differences = list(explain(one, other))
        yield from differences
        if with_values and not differences:
            yield from comparevalues.differences(one.label, calls, artefacts.leeway)


def compare_counts(truth, trace):
    """The problems of `trace` where only numbers of activations are known."""
    yield from trace.problems[:SHOWN_PROBLEMS]
    found = collections.Counter(
        activation.name
        for thread in trace.threads
        for activation in thread.activations
        if activation.category == "internal"
    )
    for name, expected in truth["counts"].items():
        if found[name] != expected:
            yield "%s: %d activations, should be %d" % (name, found[name], expected)
    for name, expected in truth.get("at_least", {}).items():
        if found[name] < expected:
            yield "%s: %d activations, should be %d or more" % (name, found[name], expected)
    for name, pattern in truth.get("matching", {}).items():
        arguments = [
            activation.values.get("arguments") or {}
            for thread in trace.threads
            for activation in thread.activations
            if activation.name == name
        ]
        texts = [text for each in arguments for text in each.values()]
        if not all(arguments):
            yield "%s: %d calls have no arguments" % (name, arguments.count({}))
        if 2 * sum("<changed>" in text for text in texts) > len(texts):
            yield "%s: most arguments are <changed>" % name
        wrong = [text for text in texts if not re.fullmatch(pattern, text)]
        for text in wrong[:SHOWN_PROBLEMS]:
            yield "%s: an argument is %s" % (name, text)
        if len(wrong) > SHOWN_PROBLEMS:
            yield "... %d arguments in all that should not be there" % len(wrong)


def compare_reports(before, after):
    """The differences of what a tool found, as lines: some of them."""
    differing = [
        key for key in sorted({*before, *after}) if before.get(key) != after.get(key)
    ]
    for key in differing[:SHOWN_PROBLEMS]:
        yield "%s: %s, was %s" % (key, after.get(key), before.get(key))
    if len(differing) > SHOWN_PROBLEMS:
        yield "... %d differences in all" % len(differing)


def report(truth_document, trace_document, artefacts, exits=False, with_values=False):
    """Compares two documents; returns whether they agree, and what to print."""
    if "counts" in truth_document:
        trace = Trace(trace_document, qualified_names=False)
        problems = list(compare_counts(truth_document, trace))
    else:
        truth = Truth(truth_document)
        trace = Trace(trace_document, truth.qualified_names)
        threads = [without_tools(thread, truth.own_files) for thread in trace.threads]
        trace.threads = [thread for thread in threads if thread.activations]
        problems = list(compare(truth, trace, artefacts, exits, with_values))
    if problems:
        return False, "\n".join(problems)
    count = sum(len(thread.activations) for thread in trace.threads)
    what = ", values included" if with_values else ""
    return True, "identical: %d activations, %d threads%s" % (count, len(trace.threads), what)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("truth", help="what oracle.py wrote, or {\"counts\": {NAME: N}}")
    parser.add_argument("trace", help="what pytrace wrote")
    parser.add_argument("--artefacts", metavar="PROGRAM", help="the program that declares them")
    parser.add_argument("--exits", action="store_true", help="compare how activations ended, too")
    parser.add_argument("--values", action="store_true", help="compare values, too")
    options = parser.parse_args()
    source = ""
    if options.artefacts:
        with open(options.artefacts, encoding="utf-8") as file:
            source = file.read()
    same, text = report(
        load_json(options.truth),
        load_json(options.trace),
        Artefacts(source),
        options.exits,
        options.values,
    )
    print(text)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
