"""Generators and coroutines that are suspended and resumed all the time."""

import asyncio
import select
import sys


def leaf(n):
    return n + 1


def count():
    n = 0
    while True:
        n = leaf(n)
        yield n


def delegate():
    yield from count()


async def rest():
    await asyncio.sleep(0)


async def task():
    numbers = delegate()
    while not select.select([sys.stdin], [], [], 0)[0]:
        next(numbers)
        await rest()


async def main():
    print("ready", flush=True)
    await asyncio.gather(task(), task(), task())


asyncio.run(main())
