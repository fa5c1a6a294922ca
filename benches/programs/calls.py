"""Makes as many calls as its argument says."""

import sys


def step():
    pass


def run(count):
    for _ in range(count):
        step()


run(int(sys.argv[1]))
