"""Counts the Python calls of a program: all, and those of code in its own directory.

count.py COUNTS PROGRAM [ARGS]...  writes both numbers to COUNTS. Resumptions count, as pytrace counts them.
"""

import os
import runpy
import sys

counts, *sys.argv = sys.argv[1:]
directory = os.path.dirname(sys.argv[0])
sys.path[0] = directory
starts = {}


def begins(code, _offset):
    starts[code] = starts.get(code, 0) + 1


monitoring = sys.monitoring
monitoring.use_tool_id(monitoring.PROFILER_ID, "count")
for event in monitoring.events.PY_START, monitoring.events.PY_RESUME:
    monitoring.register_callback(monitoring.PROFILER_ID, event, begins)
monitoring.set_events(
    monitoring.PROFILER_ID, monitoring.events.PY_START | monitoring.events.PY_RESUME
)
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    monitoring.set_events(monitoring.PROFILER_ID, 0)
    own = (calls for code, calls in starts.items() if code.co_filename.startswith(directory + "/"))
    with open(counts, "w") as file:
        print(sum(starts.values()), sum(own), file=file)
