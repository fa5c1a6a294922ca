"""Exceptions through frames that run in compiled code (3.14+): raised in it, passing it, caught there,
and out of the tail of a loop."""

# since: 3.14
# compiled
N = 4600


class Odd(Exception):
    def __init__(self, number):
        super().__init__(number)
        self.number = number


def half(x):
    if x % 2:
        raise Odd(x)
    return x // 2


def through(x):
    return half(x) + 1


def cleaning(x):
    try:
        return through(x)
    finally:
        done(x)


def done(x):
    return x


def seldom(x):
    if x == N - 1:
        raise KeyError(x)
    return done(x)


def catching():
    caught = 0
    for i in range(N):
        try:
            through(i)
        except Odd as odd:
            caught += done(odd.number)
    return caught


def passing(i):
    try:
        return cleaning(i)
    except Odd:
        return 0


def passed():
    total = 0
    for i in range(N):
        total += passing(i)
    return total


def tail():
    total = 0
    for i in range(N):
        total += seldom(i)
    return total


def divide(a, b):
    return a // b


def by_the_interpreter():
    total = 0
    for i in range(N):
        try:
            total += divide(i, i % 50)
        except ZeroDivisionError:
            total += 1
    return total


def too_deep(n):
    return too_deep(n + 1) if n < 100 else [][n]


def deep():
    caught = 0
    for i in range(60):
        try:
            too_deep(0)
        except IndexError:
            caught += 1
    return caught


catching()
passed()
by_the_interpreter()
deep()
for _ in range(3):
    try:
        tail()
    except KeyError:
        done(0)
