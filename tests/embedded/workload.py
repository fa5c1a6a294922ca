"""What host.c runs: `run()` in its main thread, `callback(n)` in threads of its own."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import truth


class Counter:
    def __init__(self):
        self.count = 0

    def add(self, number):
        self.count += number
        return self.count


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def squares(n):
    for number in range(n):
        yield number * number


def fails(depth):
    if depth == 0:
        raise KeyError(depth)
    fails(depth - 1)


def run():
    counter = Counter()
    for square in squares(20):
        counter.add(square)
    try:
        fails(3)
    except KeyError:
        pass
    return fibonacci(10) + counter.count


def callback(n):
    return sum(squares(n)) + fibonacci(n % 7)


def begin():
    truth.begin(__file__)


def end():
    truth.end()
