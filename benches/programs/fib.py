"""Prints how many nanoseconds each call of fib takes, in the fastest of some repeats.

Of processor time: what else the machine does then counts less.

fib.py [plain|wait|cprofile|viztracer] [REPEATS]
"""

import sys
import time

N = 20
CALLS = 21891


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def now():
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID) * 1e9  # 3.6 has no thread_time_ns


def fastest(repeats):
    best = float("inf")
    for _ in range(repeats):
        start = now()
        fib(N)
        best = min(best, now() - start)
    return best / CALLS


mode = sys.argv[1] if len(sys.argv) > 1 else "plain"
repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 10
if mode == "wait":  # until somebody has attached to this process
    print("ready", flush=True)
    sys.stdin.readline()
    result = fastest(repeats)
elif mode == "cprofile":
    import cProfile

    profile = cProfile.Profile()
    result = profile.runcall(fastest, repeats)
elif mode == "viztracer":
    from viztracer import VizTracer

    # As many entries as one run makes, so that its buffer is never full.
    with VizTracer(tracer_entries=2 * CALLS * repeats + 1000, verbose=0, output_file=sys.argv[3]):
        result = fastest(repeats)
else:
    result = fastest(repeats)
print(f"{result:.1f}")
