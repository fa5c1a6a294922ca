"""What `seeds.rs` records: a little of everything that makes records, and values of each shape."""

import enum
import io
import sys
import threading


class Colour(enum.Enum):
    RED = 1


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y


class Account:
    def __init__(self, name, password):
        self.name = name
        self.password = password
        self.friends = [self]

    def login(self, attempt, *rest, retries=3, **options):
        return attempt == self.password


def given(value):
    return value


def count(n):
    for i in range(n):
        received = yield i
        if received:
            return received


def delegate(n):
    yield from count(n)


def fails(depth):
    if depth:
        return fails(depth - 1)
    raise ValueError("too deep\n\x1b[2J", 7)


async def coroutine(x):
    return x


def run(thing):
    try:
        thing.send(None)
    except StopIteration as stop:
        return stop.value


def work():
    for value in (
        None, True, 7, -(10**40), 2**5000, 1.5, 1j, "text", "Ümläut 名 \U0001f600", "\ud800",
        b"\0bytes", bytearray(3), [1, [2, [3, [4]]]], (), ("one",), {1, 2}, frozenset("a"),
        {"k": 1, "api_key": "x"}, range(3), slice(1, 2), Colour.RED, Slotted(1, "b"), int, given,
        ValueError("m"), io.StringIO(), "x" * 1000, list(range(100)),
    ):
        given(value)
    account = Account("u", "hunter2")
    account.login("hunter1", 1, 2, retries=1, token="t", other=[account])
    list(delegate(3))
    waiting = count(9)
    next(waiting)
    waiting.close()
    for depth in range(2):
        try:
            fails(depth)
        except ValueError:
            pass
    run(coroutine(5))
    [given(i) for i in range(3)]
    sorted([2, 1], key=lambda x: -x)
    sum(i for i in range(3))


print("ready", flush=True)
sys.stdin.readline()
threads = [threading.Thread(target=work), threading.Thread(target=list, args=(count(5),))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
