"""Compares the values of calls whose order is known to be the same."""

import re

MEMBERS = ["arguments", "return", "yielded", "exception", "message"]
SHOWN_DIFFERENCES = 10

# Where a path's text isn't found in its layout, its type is all there is.
PATH = re.compile(r"(?:pathlib\.)?\w*Path\('(?:[^'\\]|\\.)*'\)")
NAMELESS_PATH = re.compile(r"<pathlib\.(?:_local\.)?(\w*Path)>")


def members(args):
    """What an event of a trace says of values: its `args` without everything else."""
    return {name: args[name] for name in MEMBERS if name in args}


def agree(expected, found):
    """Whether a text is what it should be."""
    if expected == found:
        return True
    if not isinstance(found, str) or not NAMELESS_PATH.search(found):
        return False
    return PATH.sub("<path>", expected) == NAMELESS_PATH.sub("<path>", found)


def call_differences(expected, found):
    """What differs between one call's values: (what of it, what it should be, what it is)."""
    for name in ["failed"] + MEMBERS:
        should, is_ = expected.get(name), found.get(name)
        if name != "arguments":
            if not agree(should, is_):
                yield name, should, is_
            continue
        if should is None or is_ is None:
            if should or is_:  # {} goes without saying
                yield name, should, is_
            continue
        if list(should) != list(is_):
            yield "parameters", list(should), list(is_)
        for parameter in should:
            if parameter in is_ and not agree(should[parameter], is_[parameter]):
                yield parameter, should[parameter], is_[parameter]


def differences(label, calls):
    """The differences of pairs of calls, as lines: the first ones."""
    count = 0
    for number, (truth, trace) in enumerate(calls, 1):
        for what, should, is_ in call_differences(truth.values or {}, trace.values or {}):
            count += 1
            if count <= SHOWN_DIFFERENCES:
                yield "%s, call %d, %s (%s:%d): %s" % (
                    label, number, truth.name, truth.file, truth.line, what
                )
                yield "  truth: %s" % (should,)
                yield "  trace: %s" % (is_,)
    if count > SHOWN_DIFFERENCES:
        yield "... %d differing values in all" % count
