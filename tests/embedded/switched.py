"""What switching.c runs in each of its interpreters."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import host
import truth


def leaf(n):
    return n


def numbers(n):
    """Lives on while the thread is in the other interpreter."""
    for number in range(n):
        yield leaf(number)


def down(n):
    host.elsewhere()
    return down(n - 1) if n else leaf(n)


def run():
    total = 0
    for number in numbers(3):
        host.elsewhere()
        total += number
    return total + down(1)


def begin():
    truth.begin(__file__)


def end():
    truth.end()
