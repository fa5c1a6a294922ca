"""Signal handlers that interrupt hot calls, a thousand times a second. Counted by the program."""
# oracle: counts
# selective misses: handler nested
import json
import os
import signal

calls = {"plain": 0, "items": 0}
# Handlers interrupt each other: a `+= 1` of one could undo another's.
handled, nestings = [], []


def handler(number, frame):
    handled.append(1)
    nested()


def nested():
    nestings.append(1)


def plain(x):
    calls["plain"] += 1
    return x


def items(n):
    count_items()
    for i in range(n):
        yield i
        count_items()


def count_items():
    # Called, as the JIT would hide what makes no call: see docs/interpreters.md.
    calls["items"] += 1


signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
while len(handled) < 200 or calls["plain"] < 60000:
    for item in items(10):
        plain(item)
signal.setitimer(signal.ITIMER_REAL, 0)
plain(0)
calls.update(handler=len(handled), nested=len(nestings))

with open(os.environ["PYTRACE_COUNTS"], "w") as file:
    json.dump({"counts": calls}, file)
