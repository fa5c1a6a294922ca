"""A bit of everything that makes events: methods, recursion, generators, exceptions, threads."""

import sys
import threading


class Node:
    def __init__(self, key):
        self.key = key
        self.left = None
        self.right = None

    def insert(self, key):
        side = "left" if key < self.key else "right"
        child = getattr(self, side)
        if child is None:
            setattr(self, side, Node(key))
        else:
            child.insert(key)

    def __iter__(self):
        if self.left is not None:
            yield from self.left
        yield self.key
        if self.right is not None:
            yield from self.right


def keys(count, seed):
    for _ in range(count):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        yield seed


def checked(key):
    if key % 16 == 0:
        raise ValueError(key)
    return key


def safe(key):
    try:
        return checked(key)
    except ValueError:
        return 0


def square(x):
    return x * x


def norm(values):
    return sum(map(square, values)) + sum([safe(value) for value in values])


def work(rounds, seed):
    for number in range(rounds):
        root = Node(1 << 30)
        for key in keys(60, seed + number):
            root.insert(key)
        norm(sorted(root, key=lambda key: -key))


if len(sys.argv) > 2 and sys.argv[2] == "wait":
    print("ready", flush=True)
    sys.stdin.readline()
rounds = int(sys.argv[1])
threads = [threading.Thread(target=work, args=(rounds, seed)) for seed in (1, 2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
