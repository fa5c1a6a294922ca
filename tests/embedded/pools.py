"""Interpreters by `concurrent.interpreters`, and pools of them (`InterpreterPoolExecutor`), which run in
threads of the pools, with a GIL each. CPython 3.14 and later.
"""

import contextlib
import os
import sys
from concurrent import interpreters
from concurrent.futures import InterpreterPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import pooled
import truth

POOLS = 3
TASKS = 40


def expected(n):
    total = 0
    for value in range(n % 7):
        total += value * n
    return total


def in_pools():
    """At the same time, and always the same tasks in the same thread: one each."""
    with contextlib.ExitStack() as stack:
        pools = [
            stack.enter_context(InterpreterPoolExecutor(1, initializer=pooled.prepare))
            for _ in range(POOLS)
        ]
        results = [pool.map(pooled.enter, ["task"] * TASKS, range(TASKS)) for pool in pools]
        failed = pools[0].submit(pooled.enter, "fail", 3).exception()
        assert isinstance(failed, KeyError) and failed.args == (3,)
        for result in results:
            for n, total in enumerate(result):
                assert total == expected(n)


def directly():
    interpreter = interpreters.create()
    interpreter.prepare_main(here=HERE)
    interpreter.exec("import sys; sys.path.insert(0, here); import pooled; pooled.prepare()")
    queue = interpreters.create_queue()
    for n in range(TASKS):
        assert interpreter.call(pooled.enter, "task", n) == expected(n)
    thread = interpreter.call_in_thread(pooled.enter, "put", queue, TASKS)
    thread.join()
    assert queue.get() == expected(TASKS)
    interpreter.close()


def main():
    truth.begin(__file__)
    in_pools()
    directly()
    truth.end()


main()
print("ran")
