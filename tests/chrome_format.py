#!/usr/bin/env python3
"""Does a trace file keep the rules of Chrome's trace format, as ui.perfetto.dev reads it?

    chrome_format.py TRACE.json[.gz]...

prints `valid: N events` for each file, or what is wrong with it; exits 1 when anything is.

Perfetto drops an event that breaks these rules and counts it in a table that nobody looks at, so
a trace that "opens" proves little. Of pytrace's own additions to the format, the values (what calls
were given, gave back and raised) are checked as well, where there are any. Independent of pytrace's
own code. Needs nothing but the standard library; Python 3.8 or later.
"""

import gzip
import json
import sys
import unicodedata
from collections import defaultdict
from decimal import Decimal

NS_PER_US = 1000
# The phases that the format knows; pytrace writes X, M and, where events were lost, i.
PHASES = set("BEXiICbnesTtpFfPNODMSVvRc(),")
METADATA = {
    "process_name": ("name", str),
    "process_labels": ("labels", str),
    "process_sort_index": ("sort_index", int),
    "thread_name": ("name", str),
    "thread_sort_index": ("sort_index", int),
}


class Invalid(Exception):
    """One broken rule, in words."""


def require(holds, rule, *values):
    if not holds:
        raise Invalid(rule.format(*values))


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def nanoseconds(event, key):
    """A time in whole nanoseconds. Numbers with a point arrive as Decimal: nothing is rounded."""
    value = event.get(key)
    require(is_integer(value) or isinstance(value, Decimal), "{} is no number: {!r}", key, value)
    require(value >= 0, "{} is negative: {}", key, value)
    # Perfetto keeps signed 64-bit nanoseconds.
    require(value < 2**63 // NS_PER_US, "{} is too large: {}", key, value)
    scaled = value * NS_PER_US
    require(scaled == int(scaled), "{} is finer than a nanosecond: {}", key, value)
    return int(scaled)


def check_event(event):
    """Raises Invalid, or returns (pid, tid, start, end) for a slice and None for other events."""
    require(isinstance(event, dict), "an event is no object: {!r}", event)
    phase = event.get("ph")
    require(isinstance(phase, str) and len(phase) == 1 and phase in PHASES, "ph: {!r}", phase)
    for key in ("pid", "tid"):
        value = event.get(key)
        require(is_integer(value) and 0 <= value < 2**32, "{} is no thread's number: {!r}", key, value)
    require(isinstance(event.get("name"), str), "name is no string: {!r}", event.get("name"))
    require(isinstance(event.get("cat", ""), str), "cat is no string: {!r}", event.get("cat"))
    require(isinstance(event.get("args", {}), dict), "args is no object: {!r}", event.get("args"))

    if phase == "M":
        known = METADATA.get(event["name"])
        require(known is not None, "unknown metadata: {!r}", event["name"])
        value = event.get("args", {}).get(known[0])
        require(isinstance(value, known[1]), "{}: args.{} is {!r}", event["name"], known[0], value)
        return None

    start = nanoseconds(event, "ts")
    if phase == "i":
        require(event.get("s", "t") in ("g", "p", "t"), "s: {!r}", event.get("s"))
    check_values(event.get("args", {}))
    if phase != "X":
        return None
    require("cat" in event, "a slice has no cat")
    return event["pid"], event["tid"], start, start + nanoseconds(event, "dur")


def check_values(args):
    """Arguments, results and messages are texts; which of them may stand together."""
    for key in ("return", "exception", "message"):
        require(isinstance(args.get(key, ""), str), "{} is no string: {!r}", key, args.get(key))
    require(args.get("yielded", True) is True, "yielded: {!r}", args.get("yielded"))
    require("return" in args or "yielded" not in args, "yielded without a return")
    require("exception" in args or "message" not in args, "a message without an exception")
    require(not ("return" in args and "exception" in args), "both a return and an exception")
    arguments = args.get("arguments", {})
    require(isinstance(arguments, dict), "arguments are no object: {!r}", arguments)
    for name, value in arguments.items():
        require(isinstance(value, str), "argument {!r} is no string: {!r}", name, value)
        for text in (name, value):
            require(
                not any(unicodedata.category(c) in ("Cc", "Cs") for c in text),
                "argument {!r} has control characters: {!r}", name, value,
            )
    require("arguments" not in args or "resume" not in args, "a resumption with arguments")


def check_nesting(slices):
    """Yields a sentence for each slice that starts inside another and ends outside it."""
    open_slices = []
    for start, negated_end, index in sorted((s, -e, i) for s, e, i in slices):
        end = -negated_end
        while open_slices and open_slices[-1][0] <= start:
            open_slices.pop()
        if open_slices and open_slices[-1][0] < end:
            yield "event {}: ends {} ns after event {}, inside which it starts".format(
                index, end - open_slices[-1][0], open_slices[-1][1]
            )
        else:
            open_slices.append((end, index))


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def problems(text):
    """Checks a trace file's text: the number of its events, and a list of sentences."""
    try:
        trace = json.loads(text, parse_float=Decimal, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        return 0, [f"no JSON: {error}"]
    if not isinstance(trace, dict) or not isinstance(trace.get("traceEvents"), list):
        return 0, ["no object with an array traceEvents"]
    found = []
    if trace.get("displayTimeUnit", "ns") not in ("ms", "ns"):
        found.append(f"displayTimeUnit: {trace['displayTimeUnit']!r}")

    threads = defaultdict(list)
    for index, event in enumerate(trace["traceEvents"]):
        try:
            a_slice = check_event(event)
        except Invalid as broken:
            found.append(f"event {index}: {broken}")
            continue
        if a_slice is not None:
            pid, tid, start, end = a_slice
            threads[pid, tid].append((start, end, index))
    for (pid, tid), slices in sorted(threads.items()):
        found.extend(f"thread {pid}/{tid}: {sentence}" for sentence in check_nesting(slices))
    return len(trace["traceEvents"]), found


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return data.decode("utf-8")


def main(paths):
    if not paths:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    code = 0
    for path in paths:
        prefix = f"{path}: " if len(paths) > 1 else ""
        try:
            count, found = problems(read(path))
        except (OSError, EOFError, UnicodeDecodeError) as error:
            count, found = 0, [f"cannot be read: {error}"]
        if not found:
            print(f"{prefix}valid: {count} events")
            continue
        code = 1
        for sentence in found[:20]:
            print(f"{prefix}{sentence}", file=sys.stderr)
        print(f"{prefix}invalid: {len(found)} problems in {count} events", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
