"""Closures, cells, defaults, *args, **kwargs, keyword-only, lambdas, decorators, same names."""
# since: 3.8
import functools


def closure(a):
    b = a + 1

    def inner(c):
        nonlocal b
        b += c
        return lambda: a + b

    return inner


def captured_arguments(a, *args, key=None, **kwargs):
    return lambda: (a, args, key, kwargs)


def everything(a, b=2, *args, c, d=4, **kwargs):
    return a, b, args, c, d, kwargs


def positional_only(a, b=1, /, c=2):
    return a + b + c


def same(n):
    def same(n):
        def same(n):
            return n

        return same(n)

    return same(n)


def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@decorated
@decorated
def twice(x):
    return x


@functools.lru_cache(maxsize=None)
def cached(n):
    return n if n < 2 else cached(n - 1) + cached(n - 2)


def default(value=(lambda: 3)()):
    return value


many = eval("lambda %s: 0" % ", ".join("a%d" % i for i in range(40)))

for i in range(50):
    assert closure(1)(2)()
    captured_arguments(1, 2, key=3, other=4)()
    everything(1, c=3)
    everything(*[1, 2, 3], **{"c": 1, "e": 2})
    positional_only(1, 2, c=3)
    same(i)
    twice(x=i)
    default()
    (lambda x, *y: x)(1, 2)
    many(*range(40))
cached(30)
if (lambda: True)(): assert (lambda: (lambda: (lambda: 1)()) ())() == 1
