"""Prints how many nanoseconds each item of a generator takes, in the fastest of some repeats.

Of processor time, as fib.py. Half of the items are taken by a for loop, which stays inside the
frame evaluator from 3.12 on, half by sum(), which enters it for each.

items.py [plain|wait] [REPEATS]
"""

import sys
import time

ITEMS = 10000


def count(items):
    for item in range(items):
        yield item


def now():
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID) * 1e9  # 3.6 has no thread_time_ns


def fastest(repeats):
    best = float("inf")
    for _ in range(repeats):
        start = now()
        for _ in count(ITEMS // 2):
            pass
        sum(count(ITEMS // 2))
        best = min(best, now() - start)
    return best / ITEMS


mode = sys.argv[1] if len(sys.argv) > 1 else "plain"
repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 10
if mode == "wait":  # until somebody has attached to this process
    print("ready", flush=True)
    sys.stdin.readline()
print(f"{fastest(repeats):.1f}")
