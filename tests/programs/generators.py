"""Generators: next, send, throw, close, deallocation, delegation; those that stop in a handler."""
# finalizers: guarded delegate count


def count(n):
    for i in range(n):
        yield i


def echo():
    got = None
    while True:
        got = yield got


def guarded(log):
    try:
        while True:
            try:
                yield 1
            except KeyError:
                yield 2
    finally:
        log.append(cleanup())


def cleanup():
    return "clean"


def delegate(inner):
    result = yield from inner
    return result


def twice_delegated(n):
    yield from delegate(delegate(count(n)))
    return n


def through_for(n):
    for item in count(n):
        yield item


def recursive(n):
    if n:
        yield from recursive(n - 1)
        yield n


def returns():
    return 5
    yield


def fails():
    yield 1
    raise RuntimeError


def swallow_exit():
    try:
        yield 1
    except GeneratorExit:
        return


def ignore_exit():
    try:
        yield 1
    except GeneratorExit:
        yield 2


def expect(kind, function, *args):
    try:
        function(*args)
    except kind:
        return
    raise AssertionError(kind)


def all_of_it():
    log = []
    assert sum(count(10)) == 45
    assert list(twice_delegated(5)) == [0, 1, 2, 3, 4]
    assert list(through_for(3)) == [0, 1, 2]
    assert list(recursive(8)) == list(range(1, 9))
    assert list(returns()) == []
    a, b, *c = count(5)
    expect(RuntimeError, list, fails())

    e = echo()
    next(e)
    assert e.send(3) == 3
    expect(ValueError, e.throw, ValueError)
    expect(StopIteration, next, e)

    g = guarded(log)
    next(g)
    assert g.throw(KeyError) == 2
    next(g)
    g.close()
    g.close()

    g = guarded(log)
    next(g)
    del g

    d = delegate(delegate(guarded(log)))
    next(d)
    assert d.throw(KeyError) == 2
    expect(OSError, d.throw, OSError)

    d = delegate(guarded(log))
    next(d)
    d.close()

    d = delegate(guarded(log))
    next(d)
    del d

    s = swallow_exit()
    next(s)
    s.close()
    s = ignore_exit()
    next(s)
    expect(RuntimeError, s.close)

    unstarted = count(3)
    unstarted.close()
    unstarted = count(3)
    del unstarted
    expect(TypeError, count(3).send, 1)
    assert len(log) == 5, log


for _ in range(50):
    all_of_it()
