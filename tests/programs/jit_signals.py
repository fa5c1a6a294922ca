"""Signal handlers in compiled code (3.14+). Counted by the program.

Compiled code in which a coroutine starts may find that there is a signal to handle. 3.15 has it handled
there, and then the interpreter run the same RESUME again (_HANDLE_PENDING_AND_DEOPT).
"""

# oracle: counts
# since: 3.14
# compiled
# selective misses: handler nested
import json
import os
import signal

N = 40000

handled, nestings = [], []


def handler(number, frame):
    handled.append(1)
    nested()


def nested():
    nestings.append(1)


def leaf(x):
    return x


async def item(x):
    return leaf(x)


async def await_items(n):
    total = 0
    for i in range(n):
        leaf(i)
        total += await item(i)
        leaf(i)
        total += await item(i)
    return total


def drive(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value


def calling(n):
    for i in range(n):
        leaf(i)


signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
drive(await_items(N))
calling(N)
signal.setitimer(signal.ITIMER_REAL, 0)
leaf(0)

counts = {
    "item": 2 * N,
    "leaf": 5 * N + 1,
    "await_items": 1,
    "handler": len(handled),
    "nested": len(nestings),
}
with open(os.environ["PYTRACE_COUNTS"], "w") as file:
    json.dump({"counts": counts}, file)
