"""What functions return and generators yield, and the exceptions that leave either."""
# values
# variants: --max-string 5 --max-items 2
# artefact: B
# artefact-functions: *
import collections
import json


class Custom(Exception): pass
class Derived(Custom, ValueError): pass


class Chatty(Exception):
    def __init__(self, code, reason):
        self.code = code
        super().__init__(code, reason)


class Outer:
    class Inner(Exception): pass


def returns_nothing(): pass
def returns(x): return x
def returns_early(x):
    if x:
        return "early"
    return "late"


def returns_in_finally():
    try:
        return 1
    finally:
        returns("finally")


def overrides_in_finally():
    try:
        raise ValueError("lost")
    finally:
        return "found"


def returns_from_loop(x):
    for each in x:
        if each > 1:
            return each


def returns_from_with(x):
    with Manager():
        return x


class Manager:
    def __enter__(self): return self
    def __exit__(self, kind, error, traceback): return kind is Custom


def returns_several(a, b): return a, b
def returns_changed(x): x.append(1); return x
def returns_self(): return returns_self
def returns_class():
    class Local: pass
    return Local


def yields(*values):
    for value in values:
        yield value
    return "result"


def yields_nothing():
    return 5
    yield


def yields_none():
    yield
    yield


def yields_what_it_is_sent():
    got = "first"
    while True:
        got = yield got


def yields_from(*values):
    found = yield from yields(*values)
    yield found
    yield from (1, 2)
    yield from iter({"a": 1})


def yields_in_try():
    try:
        yield 1
    except Custom as error:
        yield error
    finally:
        returns("in finally")


class Awaitable:
    def __init__(self, value): self.value = value
    def __await__(self):
        got = yield self.value
        return [got]


async def awaits(*values):
    found = []
    for value in values:
        found.append(await Awaitable(value))
    return found


async def awaits_coroutine(x):
    return await awaits(x, "again")


async def yields_asynchronously(*values):
    for value in values:
        got = yield value
        await Awaitable(got)


async def iterates(*values):
    found = []
    async for value in yields_asynchronously(*values):
        found.append(value)
    return found


async def raises_asynchronously(x):
    await Awaitable(x)
    raise Custom("asynchronous")


def raises(error): raise error
def raises_class(): raise ValueError
def raises_message(): raise ValueError("message")
def raises_long(): raise ValueError("long " * 100)
def raises_several(): raise ValueError("one", 2, None)
def raises_number(): raise KeyError(5)
def raises_custom(): raise Custom("custom", )
def raises_derived(): raise Derived("derived")
def raises_chatty(): raise Chatty(404, "gone")
def raises_inner(): raise Outer.Inner("inner")
def raises_unicode(): raise ValueError("größe 名 😀")
def raises_control(): raise ValueError("it's\n\x1b[31m\\ \udc80")
def raises_empty(): raise ValueError("")
def raises_base(): raise KeyboardInterrupt("by hand")
def raises_exit(): raise SystemExit(3)
def raises_from():
    try:
        raises_message()
    except ValueError as error:
        raise Custom("from") from error


def raises_again():
    try:
        raises_message()
    except ValueError:
        raise


def raises_in_except():
    try:
        raises_message()
    except ValueError:
        raise KeyError("other")


def passes_finally():
    try:
        raises_message()
    finally:
        returns("finally")


def passes(n):
    return passes(n - 1) if n else raises_custom()


def fails_key(): return {}["missing"]
def fails_number_key(): return {}[17]
def fails_tuple_key(): return {}[1, 2]
def fails_index(): return [][5]
def fails_division(): return 1 / 0
def fails_remainder(): return 1 % 0
def fails_name(): return undefined_name
def fails_local():
    if False:
        local = 1
    return local
def fails_attribute(): return None.attribute
def fails_type(): return 1 + "a"
def fails_call(): return returns()
def fails_not_callable(): return 5()
def fails_int(): return int("x")
def fails_unpacking(): a, b = [1]
def fails_next(): return next(iter([]))
def fails_import(): import absent_module
def fails_from_import(): from collections import absent_name
def fails_assert(): assert 1 == 2, "assertion"
def fails_assert_alone(): assert not 1
def fails_open(): return open("/absent/file")
def fails_decode(): return b"\xff".decode("utf-8")
def fails_encode(): return "é".encode("ascii")
def fails_remove(): [].remove(1)
def fails_pop(): {}.popitem()
def fails_attribute_set(): object().x = 1
def fails_iteration():
    for _ in 5: pass
def fails_json(): return json.loads("{")
def fails_overflow(): return 10.0 ** 1000
def fails_eval(): return eval("1 +")
def fails_hash(): return {[]: 1}
def fails_call_in_c(): return list(map(fails_division_of, [1]))
def fails_division_of(x): return x / 0
def fails_class():
    class Broken:
        raise Custom("in a class body")


def stops(): raise StopIteration("by hand")
def stops_with_value():
    generator = yields_nothing()
    next(generator)


def generator_fails(x):
    yield x
    raise Custom("generator", x)


def generator_fails_in_c():
    yield 1
    {}["missing"]


def generator_stops():
    yield 1
    raise StopIteration("turned into another")


FAILING = [value for name, value in sorted(globals().items())
           if name.startswith(("fails_", "raises_", "stops"))
           and name not in ("raises_asynchronously", "fails_division_of")]


def call(function, *args):
    try:
        return function(*args)
    except BaseException as error:
        return error


def call_returning():
    returns_nothing()
    for x in (1, "x" * 150, [1, 2, 3, 4], {"a": 1}, None, True, ValueError("not raised"), returns,
              int, Manager(),
              Ellipsis, (), collections.OrderedDict(a=1)):
        returns(x)
    returns_early(0); returns_early(1); returns_in_finally(); overrides_in_finally()
    returns_from_loop([1, 2, 3])
    returns_from_loop([]); returns_from_with("w"); returns_several(1, "b"); returns_changed([0])
    returns_self()
    returns_class()
    (lambda x: x * 2)(4)
    exec("5", {})


def run(coroutine, *sent):
    try:
        coroutine.send(None)
        for value in sent:
            coroutine.send(value)
    except (StopIteration, StopAsyncIteration, Custom) as stop:
        return stop


def call_yielding():
    list(yields()); list(yields(1, "two", [3], None)); list(yields_nothing()); list(yields_none())
    sent = yields_what_it_is_sent()
    next(sent); sent.send("sent"); sent.send({"a": 1})
    sent.close()
    list(yields_from(1, 2))
    thrown = yields_in_try()
    next(thrown)
    thrown.throw(Custom("thrown"))
    call(next, thrown)
    closed = yields_in_try()
    next(closed)
    closed.close()
    failing = yields_in_try()
    next(failing)
    call(failing.throw, KeyError("not caught"))
    run(awaits()); run(awaits(1, "b"), "sent", 5); run(awaits_coroutine(1), 2, 3)
    run(iterates(1, 2), "a", "b", "c", "d")
    run(raises_asynchronously("x"), 1)
    closed = awaits(1)
    closed.send(None)
    closed.close()


def call_failing():
    for function in FAILING:
        call(function)
    call(raises, Custom("given")); call(raises, OSError(2, "No such file", "name")); call(passes, 4)
    for generator in (generator_fails("x"), generator_fails_in_c(), generator_stops()):
        call(list, generator)
    for index in range(3):
        call(raises, Custom(index, "same place"))


call_returning()
call_yielding()
call_failing()
