"""Compares the values of calls whose order is known to be the same."""

import re

MEMBERS = ["arguments", "return", "yielded", "exception", "message"]
SHOWN_DIFFERENCES = 10

CUT = "\u2026"
# What is before a container that is not shown whole.
LENGTH = re.compile(r"[\w.]+\[\d+\] ")
# Where a path's text isn't found in its layout, its type is all there is.
PATH = re.compile(r"""(?:pathlib\.)?\w*Path\((?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\)""")
NAMELESS_PATH = re.compile(r"<pathlib\.(?:_local\.)?(\w*Path)>")


# What a trace can't have by its nature: no results, no values that are yielded (docs/values.md).
NO_RESULTS, NO_YIELDS = "no results", "no yields"


def blindness(document):
    """What the trace's probes can't see of results: the interpreter's own fire too late for that."""
    for interpreter in document.get("pytrace", {}).get("interpreters", []):
        if interpreter["plan"] == "usdt":
            minor = int(interpreter["version"].split(".")[1])
            return NO_RESULTS if minor <= 10 else NO_YIELDS
    return None


def members(args, blind=None):
    """What an event of a trace says of values: its `args` without everything else."""
    found = {name: args[name] for name in MEMBERS if name in args}
    found["blind"] = NO_YIELDS if args.get("end_inferred") else blind
    found["start_inferred"] = args.get("start_inferred", False)
    return found


def is_unseen(expected, found):
    """Whether a result is missing that nothing could see."""
    if "return" in found:
        return False
    yields = expected.get("yielded")
    return found.get("blind") == NO_RESULTS or (found.get("blind") == NO_YIELDS and yields)


class Leeway:
    """What a program declares about values that are not wholly determined. See run.py."""

    def __init__(self, source=""):
        self.cut = declared("may-be-cut", source)
        self.reordered = declared("any-order", source)

    def agree(self, function, expected, found):
        """Whether a text is what it should be, of a call of that function."""
        if expected == found:
            return True
        if not isinstance(expected, str) or not isinstance(found, str):
            return False
        if NAMELESS_PATH.search(found):
            return PATH.sub("<path>", expected) == NAMELESS_PATH.sub("<path>", found)
        name = function.rpartition(".")[2]
        if name in self.reordered and sorted(words(expected)) == sorted(words(found)):
            return True
        return name in self.cut and is_cut(expected, found)


def declared(key, source):
    """The function names that a program declares."""
    found = re.findall(r"^# %s: (.*)$" % key, source, re.MULTILINE)
    return {name for line in found for name in line.split()}


def words(text):
    """A text in pieces."""
    return re.split(r"[ <>]", text)


def is_cut(expected, found):
    """Whether the text leaves out some of what it should be, says so, and has nothing else."""
    if CUT not in found:
        return False
    pieces = [re.escape(piece) for piece in LENGTH.sub("", found).split(CUT)]
    return re.fullmatch(".*".join(pieces), LENGTH.sub("", expected), re.DOTALL) is not None


NONE = Leeway()


def call_differences(function, expected, found, leeway=NONE):
    """What differs between one call's values: (what of it, what it should be, what it is)."""
    for name in ["failed"] + MEMBERS:
        should, is_ = expected.get(name), found.get(name)
        if name in ("return", "yielded") and is_unseen(expected, found):
            continue
        if name != "arguments":
            if not leeway.agree(function, should, is_):
                yield name, should, is_
            continue
        if is_ is None and found.get("start_inferred"):
            continue  # its locals may have been others by then
        if should is None or is_ is None:
            if should or is_:  # {} goes without saying
                yield name, should, is_
            continue
        if list(should) != list(is_):
            yield "parameters", list(should), list(is_)
        for parameter in should:
            if parameter in is_ and not leeway.agree(
                function, should[parameter], is_[parameter]
            ):
                yield parameter, should[parameter], is_[parameter]


def differences(label, calls, leeway=NONE):
    """The differences of pairs of calls, as lines: the first ones."""
    count = 0
    for number, (truth, trace) in enumerate(calls, 1):
        found = call_differences(truth.name, truth.values or {}, trace.values or {}, leeway)
        for what, should, is_ in found:
            count += 1
            if count <= SHOWN_DIFFERENCES:
                yield "%s, call %d, %s (%s:%d): %s" % (
                    label, number, truth.name, truth.file, truth.line, what
                )
                yield "  truth: %s" % (should,)
                yield "  trace: %s" % (is_,)
    if count > SHOWN_DIFFERENCES:
        yield "... %d differing values in all" % count
