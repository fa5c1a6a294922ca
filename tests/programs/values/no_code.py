"""Objects that count whoever runs code of theirs: looking at them must not.

Counts itself, and ends with 1 if any of it was run: without a tracer it is not, and with one
neither. (The oracle's profile function is no tracer of that kind.)
"""
# oracle: counts
# alone
import json
import os
import sys

runs = []  # what of it was run


def hostile(name):
    """A special method that must not be called."""

    def method(self, *args, **kwargs):
        runs.append(name)
        raise RuntimeError("code of the target was run: " + name)

    return method


NAMES = """
    __repr__ __str__ __bytes__ __format__ __getattribute__ __getattr__ __setattr__ __delattr__ __dir__ __hash__
    __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __bool__ __len__ __length_hint__ __iter__ __next__ __reversed__
    __contains__ __getitem__ __setitem__ __missing__ __call__ __int__ __index__ __float__ __complex__ __round__
    __abs__ __neg__ __add__ __radd__ __mul__ __enter__ __exit__ __await__ __aiter__ __anext__ __get__ __set__
    __reduce__ __reduce_ex__ __sizeof__ __copy__ __deepcopy__ __getstate__ __instancecheck__ __subclasscheck__
    __fspath__ __array__ __array_interface__ __dataframe__ __torch_function__ items keys values dtype shape name
    args
""".split()


def namespace():
    """A class's namespace full of them, and of properties that run as well."""
    found = {name: hostile(name) for name in NAMES}
    for name in ("__class__", "__doc__", "__dict__", "_name_", "_value_"):
        found[name] = property(hostile("property " + name))
    return found


class Meta(type):
    """A metaclass whose classes mind being looked at."""


# Set late: making a class runs some of them. Without __subclasscheck__: raising asks for it.
META_NAMES = """
    __repr__ __str__ __getattribute__ __getattr__ __eq__ __hash__ __instancecheck__ __iter__
    __len__ __bool__ __call__ __format__ __dir__
""".split()


def make(base, *args):
    """An instance of a class of this base that has all of them."""
    thing = Meta("Hostile" + base.__name__.title(), (base,), namespace())(*args)
    if base is object or base is Exception:
        object.__setattr__(thing, "attribute", "harmless")
    return thing


class Looping:
    """Never ends when it is asked for anything."""

    def __repr__(self):
        runs.append("loop")
        while True:
            pass

    __str__ = __hash__ = __len__ = __bool__ = __getattribute__ = __repr__


class Finalized:
    """Notes when it dies: not earlier or later than without a tracer."""

    deaths = []

    def __init__(self, number):
        self.number = number

    def __del__(self):
        Finalized.deaths.append(self.number)


class HostileKey(str):
    """A key whose equality must not be asked for."""

    def __eq__(self, other):
        runs.append("key")
        return str.__eq__(self, other)

    def __hash__(self):
        return str.__hash__(self)


def take(thing): return thing
def take_all(*things, **named): return named
def take_default(a, b=5, *, c=None): return c
def give(thing): yield thing
def fail(error): raise error
def finalize(thing): return None


class Plain:
    pass


def main():
    bases = [(object,), (list, [1, 2]), (tuple, (1, 2)), (dict, {"a": 1}), (set, {1}),
             (frozenset, {1}), (int, 5),
             (float, 2.5), (str, "text"), (bytes, b"bytes"), (bytearray, b"bytes"), (complex, 1j),
             (Exception, "error")]
    things = [make(*base) for base in bases]
    things.append(Looping())
    for name in META_NAMES:
        setattr(Meta, name, hostile("meta " + name))
    key = {HostileKey("k"): 1}
    del runs[:]
    for thing in things:
        take(thing)
        take([thing]); take((thing, thing)); take({"k": thing})
        take_all(thing, named=thing)
        take_default(thing, thing, c=thing)
        for given in give(thing):
            pass
        holder = Plain()
        holder.held = thing
        take(holder)
    take(key)
    try:
        fail(things[-2])
    except Exception:
        pass
    for number in range(3):
        finalize(Finalized(number))
        Finalized.deaths.append("after %d" % number)
    deaths = [0, "after 0", 1, "after 1", 2, "after 2"]
    assert not runs, runs
    assert Finalized.deaths == deaths, Finalized.deaths
    with open(os.environ.get("PYTRACE_COUNTS", os.devnull), "w") as file:
        count = len(things)
        counts = {"take": 5 * count + 1, "take_all": count, "take_default": count,
                  "give": 2 * count}
        counts.update({"fail": 1, "finalize": 3, "__del__": 3, "method": 0, "__repr__": 0,
                       "__eq__": 0})
        json.dump({"counts": counts}, file)


main()
