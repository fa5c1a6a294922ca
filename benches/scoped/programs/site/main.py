"""Builds a static site of three articles 30 times, after one time of warm-up.

main.py FILE  writes the seconds and the processor's seconds that the 30 took to FILE.
"""

import sys
import time

from pages import HERE, Site


def build(times):
    for _ in range(times):
        Site(HERE / "articles").build()


build(1)
start = time.perf_counter(), time.process_time()
build(30)
end = time.perf_counter(), time.process_time()
with open(sys.argv[1], "w") as file:
    print(end[0] - start[0], end[1] - start[1], file=file)
