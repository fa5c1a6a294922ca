"""Compares one thread of a recording with one of the truth, and pairs those that belong together:
for compare.py.
"""

import collections
import difflib

# What is compared of an activation. `exit` and `values` are None unless they are to be compared.
Activation = collections.namedtuple(
    "Activation", "depth name file line category resumed exit values"
)
Thread = collections.namedtuple("Thread", "label main activations")

CONTEXT = 8


def alone(activation):
    """The activation, not saying how it ended and with what values."""
    return activation._replace(exit=None, values=None)


def without_exits(thread):
    """The thread, not saying how its activations ended and with what values."""
    return thread._replace(activations=list(map(alone, thread.activations)))


def without_values(thread):
    """The thread, not saying with what values its activations began and ended."""
    activations = [activation._replace(values=None) for activation in thread.activations]
    return thread._replace(activations=activations)


def forget_unknown_exits(truth, trace):
    """Where the truth can't tell an exception from a return, neither need the trace."""
    for expected, found in zip(truth.activations, trace.activations):
        if expected.exit == "either" and found.exit in ("return", "exception"):
            yield found._replace(exit="either")
        elif expected.exit == "at once" and found.exit == "exception":
            yield found._replace(exit="at once")
        else:
            yield found
    yield from trace.activations[len(truth.activations):]


def without_startup(truth, trace):
    """The main thread's trace without what ran before the program, which starts with `<module>`.

    With the standard library in scope, that is the import of site and encodings; the oracle comes
    after it.
    """
    first = without_exits(truth).activations[:1]
    calls = without_exits(trace).activations
    if trace.main and first and first[0].name == "<module>" and first[0] in calls:
        return trace._replace(activations=trace.activations[calls.index(first[0]):])
    return trace


def without_teardown(truth, trace):
    """The main thread's trace without what ran while the interpreter was torn down.

    The oracle is gone by then. Such calls come after all others, and have no caller.
    """
    known = len(truth.activations)
    rest = trace.activations[known:]
    if trace.main and known and rest and rest[0].depth == 0:
        return trace._replace(activations=trace.activations[:known])
    return trace


def without_tools(thread, own_files):
    """The thread without the functions of those files or directories, and without what they called.

    They are the oracle's and other tools', which a trace of their process shows: profile and trace
    functions are called like any other. The interpreter hides them from the truth.
    """
    files = frozenset(own_files)
    directories = tuple(file for file in own_files if file.endswith("/"))
    kept, within = [], None
    for activation in thread.activations:
        if within is not None and activation.depth > within:
            continue
        own = activation.file in files or activation.file.startswith(directories)
        within = activation.depth if own else None
        if not own:
            kept.append(activation)
    return thread._replace(activations=kept)


def match(truth, trace):
    """Pairs threads of equal sequences; then main threads; then the rest, by length.

    Threads that start at the same time may appear in any order, so order tells nothing.
    """
    pairs = []
    waiting = collections.defaultdict(list)
    for thread in trace:
        waiting[thread.main, tuple(without_exits(thread).activations)].append(thread)
    rest = []
    for thread in truth:
        same = waiting.get((thread.main, tuple(without_exits(thread).activations)))
        if same:
            pairs.append((thread, same.pop(0)))
        else:
            rest.append(thread)
    unmatched = [thread for threads in waiting.values() for thread in threads]
    nobody = Thread("no such thread", False, [])
    for thread in sorted(rest, key=lambda thread: (not thread.main, -len(thread.activations))):

        def likeness(other):
            return (
                other.main == thread.main,
                list(map(alone, other.activations[:1])) == list(map(alone, thread.activations[:1])),
                -abs(len(other.activations) - len(thread.activations)),
            )

        other = max(unmatched, key=likeness, default=None)
        if other is not None and other.main == thread.main:
            unmatched.remove(other)
        else:
            other = nobody
        pairs.append((thread, other))
    pairs.extend((nobody, thread) for thread in unmatched)
    return pairs


def first_difference(truth, trace):
    """The index of the first difference of two sequences, or None."""
    for index, (expected, found) in enumerate(zip(truth, trace)):
        if expected != found:
            return index
    return None if len(truth) == len(trace) else min(len(truth), len(trace))


def line(activation):
    """An activation in one line of a difference."""
    exit = "" if activation.exit is None else " -> " + activation.exit
    return "%3d %s%s  %s:%d %s%s%s" % (
        activation.depth,
        "  " * min(activation.depth, 20),
        activation.name,
        activation.file,
        activation.line,
        activation.category,
        ",resume" if activation.resumed else "",
        exit,
    )


def explain(truth, trace):
    """What differs between two threads, as lines; none if nothing does."""
    at = first_difference(truth.activations, trace.activations)
    if at is None:
        return
    yield "--- truth: %s, %d activations" % (truth.label, len(truth.activations))
    yield "+++ trace: %s, %d activations" % (trace.label, len(trace.activations))
    yield "first difference: call %d" % (at + 1)
    window = slice(max(0, at - CONTEXT), at + 3 * CONTEXT)
    expected = list(map(line, truth.activations[window]))
    found = list(map(line, trace.activations[window]))
    difference = list(difflib.unified_diff(expected, found, lineterm="", n=CONTEXT))
    yield from difference[2:] or ["(they differ in what a line doesn't show)"]
    counts = collections.Counter(call.name for call in trace.activations)
    counts.subtract(call.name for call in truth.activations)
    for name, count in sorted(counts.items(), key=lambda item: (-abs(item[1]), item[0]))[:10]:
        if count:
            yield "%+d x %s" % (count, name)
