"""What the interpreters of pools.py run: its functions, by `enter`, since each call from outside has a
thread state of its own, and a profile function is a thread state's.
"""

import atexit

import truth


def prepare():
    """Once in each interpreter; it ends before the program does."""
    atexit.register(truth.end)


def enter(name, *args):
    truth.begin(__file__)
    return globals()[name](*args)


def task(n):
    return sum(values(n))


def values(n):
    for value in range(n % 7):
        yield scaled(value, n)


def scaled(value, by):
    return value * by


def put(queue, n):
    queue.put(task(n))


def fail(n):
    try:
        raise KeyError(n)
    finally:
        scaled(n, n)
