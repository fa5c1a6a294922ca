"""Threads that run the same functions at the same time: each one's sequence is its own."""
# values
import functools
import threading

THREADS, ROUNDS = 4, 60


class Account:
    __slots__ = ("owner", "amounts")

    def __init__(self, owner):
        self.owner = owner
        self.amounts = []

    def put(self, amount):
        self.amounts.append(amount)
        return len(self.amounts)

    @property
    def total(self):
        return sum(amount for amount in self.amounts)


def recursive(n):
    return 1 if n == 0 else recursive(n - 1) + 1


def fails(n):
    if n % 3 == 0:
        raise ValueError("from %d" % n)
    return n


def catches(n):
    try:
        return fails(n)
    except ValueError as error:
        return error.args[0]


def chain(items):
    for item in items:
        yield from pair(item)


def pair(item):
    yield item
    yield -item


def adder(n):
    def add(m):
        return n + m

    return add


def work(owner, rounds):
    account = Account(owner)
    for number in range(rounds):
        account.put(number)
        recursive(number % 5)
        catches(number)
        list(chain(range(number % 4)))
        adder(number)(1)
        sorted([3, 1, number], key=lambda n: -n)
        functools.reduce(lambda a, b: a + b, range(3))
    return account.total


barrier = threading.Barrier(THREADS)


def start(owner):
    barrier.wait()
    work(owner, ROUNDS + int(owner))


threads = [threading.Thread(target=start, args=(str(n),)) for n in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
