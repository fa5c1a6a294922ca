"""Exceptions through one to five frames: caught, re-raised, chained, in finally, out of C callbacks."""


class Custom(Exception):
    def __init__(self, value):
        super().__init__(value)
        self.value = value

    def __str__(self):
        return "custom %s" % self.value


def raise_at(depth):
    if depth == 0:
        raise Custom(depth)
    return raise_at(depth - 1)


def caught(depth):
    try:
        raise_at(depth)
    except Custom as error:
        return str(error)


def reraised(depth):
    try:
        raise_at(depth)
    except Custom:
        raise


def not_matching(depth):
    try:
        raise_at(depth)
    except KeyError:
        pass


def through_finally(depth):
    try:
        raise_at(depth)
    finally:
        helper()


def replaced_in_finally(depth):
    try:
        raise_at(depth)
    finally:
        return helper()


def chained(depth):
    try:
        raise_at(depth)
    except Custom as error:
        raise ValueError("chained") from error


def in_handler(depth):
    try:
        raise_at(depth)
    except Custom:
        return caught(depth)


def helper():
    return 1


def takes_two(a, b):
    return a + b


def from_c(x):
    raise Custom(x)


class Suppress:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return True


def expect(kinds, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except kinds:
        return
    raise AssertionError(function)


class BadIter:
    def __iter__(self):
        raise Custom("iter")


class BadInit:
    def __new__(cls, *args):
        if not args:
            raise Custom("new")
        return super().__new__(cls)

    def __init__(self, *args):
        raise Custom("init")


for depth in range(6):
    for _ in range(10):
        caught(depth)
        expect(Custom, reraised, depth)
        expect(Custom, not_matching, depth)
        expect(Custom, through_finally, depth)
        expect(ValueError, chained, depth)
        in_handler(depth)
        with Suppress():
            raise_at(depth)

for _ in range(30):
    expect(Custom, list, map(from_c, range(3)))
    expect(Custom, sorted, range(3), key=from_c)
    expect(Custom, list, filter(from_c, range(3)))
    expect(Custom, tuple, BadIter())
    expect(Custom, BadInit)
    expect(Custom, BadInit, 1)
    expect(TypeError, takes_two)
    expect(TypeError, takes_two, 1)
    expect(TypeError, takes_two, 1, 2, 3)
    expect(TypeError, takes_two, 1, 2, c=3)
    expect(TypeError, takes_two, 1, a=3)
    expect(TypeError, lambda: takes_two(*[1], **{"z": 1}))
    expect(ZeroDivisionError, lambda: 1 / 0)
    expect(AttributeError, lambda: helper.missing)
    expect(NameError, lambda: missing)
    expect(KeyError, {}.__getitem__, 1)
    expect(AssertionError, exec, "assert False")
    expect(SyntaxError, compile, "1 +", "x", "exec")


def finally_in_loop():
    for i in range(5):
        try:
            if i == 2:
                continue
            if i == 4:
                break
            helper()
        finally:
            helper()


finally_in_loop()
