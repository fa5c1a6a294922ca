"""Recursion, direct, mutual and through C, up to 500 deep."""


def down(n):
    return 0 if n == 0 else 1 + down(n - 1)


def even(n):
    return True if n == 0 else odd(n - 1)


def odd(n):
    return False if n == 0 else even(n - 1)


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def through_c(n):
    return 0 if n == 0 else 1 + max(map(through_c, [n - 1]))


assert down(500) == 500
assert even(200)
assert fib(12) == 144
assert through_c(40) == 40
for _ in range(20):
    down(50)
