"""Comprehensions and generator expressions, nested, in classes, with calls and exceptions inside."""
# artefact: B
# artefact-functions: <genexpr>


def value(x):
    return x


def fail(x):
    raise KeyError(x)


class Body:
    rows = [value(x) for x in range(3)]
    table = {value(x): [y for y in range(x)] for x in range(3)}
    lazy = tuple(value(x) for x in range(3))


def nested():
    return [[value(x * y) for x in range(2)] for y in range(2)], {value(z) for z in range(2)}


def lazily():
    outer = (value(x) for x in range(4) if any(value(y) == x for y in range(x + 1)))
    return sum(outer)


for _ in range(30):
    nested()
    lazily()
    {k: v for k, v in zip("ab", (value(x) for x in "cd"))}
    for kind in (list, set):
        try:
            kind(fail(x) for x in range(3))
        except KeyError:
            pass
    try:
        [fail(x) for x in range(3)]
    except KeyError:
        pass
    never_started = (value(x) for x in range(3))
    del never_started
    started = (value(x) for x in range(3))
    next(started)
    list(started)
