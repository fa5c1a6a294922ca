"""Python called back from C: map, sorted, partial, reduce, filter, re.sub, json, and more."""
import functools
import itertools
import json
import operator
import re


def double(x):
    return x * 2


def key(x):
    return -x


def add(a, b):
    return a + b


def replace(match):
    return match.group().upper()


def default(value):
    return sorted(value)


def hook(mapping):
    return tuple(mapping.items())


def odd(x):
    return x % 2


class Compared:
    def __init__(self, x):
        self.x = x

    def __lt__(self, other):
        return self.x < other.x

    def __eq__(self, other):
        return self.x == other.x

    def __hash__(self):
        return hash(self.x)


for _ in range(20):
    assert list(map(double, range(4))) == [0, 2, 4, 6]
    assert sorted(range(4), key=key) == [3, 2, 1, 0]
    assert max([1, 2, 3], key=lambda x: -x) == 1
    assert functools.reduce(add, range(5)) == 10
    assert list(filter(odd, range(4))) == [1, 3]
    assert functools.partial(add, 1)(2) == 3
    assert re.sub("[a-c]", replace, "abcd") == "ABCd"
    assert json.dumps({"a": {3, 1}}, default=default) == '{"a": [1, 3]}'
    json.loads('{"a": {"b": 1}}', object_hook=hook)
    assert list(itertools.accumulate(range(4), add)) == [0, 1, 3, 6]
    assert [k for k, _ in itertools.groupby([1, 1, 2], key=odd)] == [1, 0]
    assert list(itertools.starmap(add, [(1, 2)])) == [3]
    assert list(itertools.takewhile(odd, [1, 2])) == [1]
    assert sorted([Compared(2), Compared(1)])[0].x == 1
    assert Compared(1) in [Compared(2), Compared(1)] and len({Compared(1), Compared(1)}) == 1
    assert list(iter(iter([1, 2]).__next__, 2)) == [1]
    assert functools.reduce(lambda f, g: lambda x: g(f(x)), [double] * 3)(1) == 8
    operator.methodcaller("__eq__", Compared(1))(Compared(1))
    dict.fromkeys(map(Compared, range(3)))
