"""Calls all the time, until a line or the end of its input tells it to end; prints its rounds."""

import select
import sys


def leaf(n):
    return n + 1


def inner(n):
    return leaf(n) + leaf(n)


def worker():
    rounds = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        inner(rounds)
        rounds += 1
    return rounds


def main():
    print("ready", flush=True)
    print(worker(), flush=True)


main()
sys.exit(7)
