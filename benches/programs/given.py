"""Prints how many nanoseconds each call of a function with three small arguments takes.

As fib.py: of processor time, in the fastest of some repeats.

given.py [plain|viztracer|viztracer-args] [REPEATS] [FILE]
"""

import sys
import time

CALLS = 20000


def given(number, text, share):
    return number


def run():
    for number in range(CALLS):
        given(number, "a name", 0.5)


def now():
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID) * 1e9  # 3.6 has no thread_time_ns


def fastest(repeats):
    best = float("inf")
    for _ in range(repeats):
        start = now()
        run()
        best = min(best, now() - start)
    return best / CALLS


mode = sys.argv[1] if len(sys.argv) > 1 else "plain"
repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 10
if mode.startswith("viztracer"):
    from viztracer import VizTracer

    with VizTracer(
        log_func_args=mode == "viztracer-args",
        tracer_entries=2 * CALLS * repeats + 1000,
        verbose=0,
        output_file=sys.argv[3],
    ):
        result = fastest(repeats)
else:
    result = fastest(repeats)
print(f"{result:.1f}")
