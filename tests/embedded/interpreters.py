"""Interpreters with a GIL each, in threads; and some that a function of another one runs in the
middle of its own calls. CPython 3.12 and later.

With the argument `wait`: once all of them exist, and before they go on, it prints a line and waits
for one.
"""

import os
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import truth

try:
    import _interpreters
except ImportError:  # 3.12
    import _xxsubinterpreters as _interpreters

THREADS = 3
SCRIPT = """
import sys
sys.path.insert(0, %r)
import workload
workload.begin()
workload.run()
workload.callback(7)
workload.end()
""" % HERE


def run_in(interpreter):
    problem = _interpreters.run_string(interpreter, SCRIPT)
    if problem:
        raise RuntimeError(problem)


def new():
    """In 3.12 that is what `isolated` means by default; later there are other kinds."""
    return _interpreters.create()


def nested(depth):
    if depth:
        return nested(depth - 1)
    interpreter = new()
    for _ in range(2):
        run_in(interpreter)
    _interpreters.destroy(interpreter)
    return depth


def generator():
    """Is suspended and goes on between two runs of another interpreter."""
    for depth in range(3):
        yield nested(depth)


class Worker(threading.Thread):
    def __init__(self, barrier):
        super().__init__()
        self.barrier = barrier

    def run(self):
        truth.begin(__file__)
        interpreter = new()
        self.barrier.wait()
        self.barrier.wait()
        for _ in range(3):
            run_in(interpreter)
        self.work()
        _interpreters.destroy(interpreter)

    def work(self):
        return list(generator())


def main():
    barrier = threading.Barrier(THREADS + 1)
    workers = [Worker(barrier) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    barrier.wait()
    if sys.argv[1:] == ["wait"]:
        print("ready", flush=True)
        sys.stdin.readline()
    truth.begin(__file__)
    barrier.wait()
    total = sum(generator())
    for worker in workers:
        worker.join()
    truth.end()
    return total


main()
print("ran")
