"""Calls `counted` as often as each line of its input says, and tells of the monitoring tools for a line `tools`.
Does nothing in between, but that its threads do, if it is to have some."""

import gc
import os
import select
import sys
import threading
import time


def counted(n):
    return n


def worked():
    pass


def work():
    while True:
        worked()
        time.sleep(0.002)


def tools():
    monitoring = sys.monitoring
    codes = [function.__code__ for function in (counted, worked, work, serve, os.path.join)]
    events = monitoring.get_events, *(lambda it, code=code: monitoring.get_local_events(it, code) for code in codes)
    return [
        (monitoring.get_tool(tool), [get(tool) for get in events])
        for tool in range(6)
        if monitoring.get_tool(tool)
    ]


def serve(idles):
    print("ready", flush=True)
    while True:
        # With some Python in between, if it idles.
        while idles and not select.select([sys.stdin], [], [], 0.001)[0]:
            pass
        line = sys.stdin.readline().strip()
        if line == "tools":
            gc.collect()
            print(tools(), flush=True)
        elif line:
            for n in range(int(line)):
                counted(n)
            print("done", flush=True)
        else:
            return print("end", flush=True)


for _ in range(sys.argv.count("thread")):
    threading.Thread(target=work, daemon=True).start()
serve("idle" in sys.argv)
