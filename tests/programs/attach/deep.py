"""Recurses as deep as its argument says; down there, waits for lines and calls once for each."""

import sys


def leaf():
    print("called", flush=True)


def descend(n):
    if n > 1:
        return descend(n - 1)
    print("ready", flush=True)
    for _ in sys.stdin:
        leaf()


sys.setrecursionlimit(100_000)
descend(int(sys.argv[1]))
