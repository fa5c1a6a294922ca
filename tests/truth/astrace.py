"""Writes the oracle's truth as a recording of pytrace's would look, with made-up times.

    python astrace.py TRUTH.json TRACE.json

For testing compare.py: the result must be identical to the truth, and whatever is changed in it
must be found.
"""

import json
import sys

MAIN = 1000


def as_trace(truth):
    """The trace document of a truth document."""
    events = []
    for index, thread in enumerate(truth["threads"]):
        tid = MAIN if thread["main"] else MAIN + 1 + index
        events.extend(thread_events(truth["codes"], thread["activations"], tid))
    return {"traceEvents": events, "displayTimeUnit": "ns", "pytrace": {"format": 1, "lost": 0}}


def thread_events(codes, activations, tid):
    """The events of one thread; every start and every end takes one more nanosecond."""
    clock = 0
    events, still_open = [], []

    def close(down_to):
        nonlocal clock
        while len(still_open) > down_to:
            clock += 1
            event = still_open.pop()
            event["dur"] = (clock - event.pop("start")) / 1000

    for number, (code, category, depth, resumed, exit, *values) in enumerate(activations, 1):
        name, file, line = codes[str(code)]
        close(depth)
        clock += 1
        args = {"call": number, "depth": depth, "file": file, "line": line}
        if resumed:
            args["resume"] = True
        if exit in ("exception", "at once"):
            args["exception"] = "Exception"
        elif exit is None:
            args["unfinished"] = True
        args.update(*values)
        event = {"ph": "X", "pid": MAIN, "tid": tid, "ts": clock / 1000, "start": clock}
        event.update(name=name, cat=category + (",resume" if resumed else ""), args=args)
        events.append(event)
        still_open.append(event)
    close(0)
    return events


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as source:
        document = as_trace(json.load(source))
    with open(sys.argv[2], "w", encoding="utf-8") as target:
        json.dump(document, target)
