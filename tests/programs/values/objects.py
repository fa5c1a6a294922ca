"""Instances, classes, functions, modules, members of enumerations, exceptions, paths."""
# values
# any-order: instance_with_gaps
# variants: --max-items 2 | --max-depth 1
# selective misses: EnumType.__iter__
import collections
import enum
import functools
import math
import os
import pathlib
import sys


def instance_with_gaps(x): return x
def instance(x): return x
def slotted(x): return x
def member(x): return x
def type_object(x): return x
def callable_object(x): return x
def module(x): return x
def error(x): return x
def path(x): return x
def of_the_library(x): return x


class Empty: pass


class Plain:
    def __init__(self, count):
        for number in range(count):
            setattr(self, "a%d" % number, number)


class Fixed:
    shared = "of the class"

    def __init__(self, x, y="a", z=None):
        self.x = x
        self.y = y
        self.z = z


class Reordered:
    def __init__(self, flag):
        if flag:
            self.a, self.b = 1, 2
        else:
            self.a, self.b = 3, 4
            self.c = 5


class Inherited(Fixed):
    def __init__(self):
        super().__init__(1)
        self.own = [1, 2]


class Node:
    def __init__(self, value, next=None):
        self.value = value
        self.next = next


class Slots:
    __slots__ = ("x", "y")


class MoreSlots(Slots):
    __slots__ = ("z", "_private", "__mangled")


class SlotsAndDict(Slots):
    pass


class SlotsWithDict:
    __slots__ = ("x", "__dict__")


class SlotsAndWeak:
    __slots__ = ("x", "__weakref__")


class ManySlots:
    __slots__ = tuple("s%d" % number for number in range(12))


class NoSlots:
    __slots__ = ()


class Odd:
    """Lies about itself."""

    @property
    def __class__(self): return int

    @property
    def __dict__(self): return {"made": "up"}


class Outer:
    class Inner:
        def __init__(self): self.x = 1

        class Innermost: pass


class Meta(type):
    def __repr__(cls): return "lies"


class OfMeta(metaclass=Meta):
    def __init__(self): self.x = 1


class Color(enum.Enum):
    RED = 1
    GREEN = "green"
    CRIMSON = 1


class Number(enum.IntEnum):
    ONE = 1
    TWO = 2


class Permission(enum.Flag):
    READ = 1
    WRITE = 2


class IntPermission(enum.IntFlag):
    READ = 4
    WRITE = 2


class Text(str, enum.Enum):
    A = "a"
    LONG = "x" * 200


class Real(float, enum.Enum):
    HALF = 0.5


class Holder:
    class Nested(enum.Enum):
        MEMBER = 1


class Custom(Exception): pass


class WithAttributes(Exception):
    def __init__(self, a, b):
        super().__init__("%s and %s" % (a, b))
        self.a = a


def instances():
    instance(Empty()); instance(object())
    for count in range(11):
        instance(Plain(count))
    for x in (Fixed(1), Fixed("x" * 200, [1, 2], {"a": Fixed(2)}), Reordered(True),
              Reordered(False), Inherited(),
              Node(1, Node(2, Node(3, Node(4)))), Outer.Inner(), Outer.Inner.Innermost(), OfMeta(),
              Odd()):
        instance(x)
    backwards = Fixed.__new__(Fixed)
    backwards.z, backwards.y, backwards.x = 1, 2, 3
    instance_with_gaps(backwards)
    loop = Node(1)
    loop.next = loop
    instance(loop)
    gone = Fixed(1)
    del gone.y
    instance(gone)
    gone.y = "back"
    instance_with_gaps(gone)
    del gone.x, gone.y, gone.z
    instance(gone)
    materialised = Fixed(1, "seen")
    vars(materialised)
    instance(materialised)
    materialised.more = 2
    instance(materialised)
    del materialised.x
    instance(materialised)
    replaced = Fixed(1)
    replaced.__dict__ = {"other": 1, "dict": [2]}
    instance(replaced)
    updated = Fixed(1)
    updated.__dict__.update(x=5, new=6)
    instance(updated)
    updated.__dict__.clear()
    instance(updated)
    instance([Fixed(1), Empty()]); instance({"k": Fixed((1, 2))}); instance((Plain(9),))
    added = Empty()
    added.late = 1
    instance(added)
    setattr(added, "not an identifier", 2); setattr(added, "名", 3)
    instance(added)
    method = Empty()
    method.call = method.__init__
    method.function = instances
    instance(method)
    many = Plain(40)
    instance(many)


def with_slots():
    for make in (Slots, MoreSlots, SlotsAndDict, SlotsWithDict, SlotsAndWeak, ManySlots, NoSlots):
        thing = make()
        slotted(thing)
        for attribute, value in (("x", 1), ("y", [2]), ("z", "three"), ("_private", None),
                                 ("s0", 0), ("s11", 11)):
            if hasattr(make, attribute):
                setattr(thing, attribute, value)
        slotted(thing)
        try:
            thing.added = "a"
        except AttributeError:
            continue
        slotted(thing)


def members():
    for x in (Color.RED, Color.GREEN, Color.CRIMSON, Color("green"), Number.ONE, Number(2),
              Permission.READ,
              IntPermission.READ, Text.A, Text.LONG, Real.HALF, Holder.Nested.MEMBER):
        member(x)
    member([Color.RED, Number.TWO]); member({Color.RED: Text.A}); member(list(Color)); member(Color)


def types():
    for x in (int, type, object, dict, Empty, Outer.Inner, Outer.Inner.Innermost, Meta, OfMeta,
              Color, Custom,
              ValueError, collections.OrderedDict, collections.deque, type(None), type(len),
              type(instances),
              enum.Enum, functools.partial, type("Made", (), {}),
              type("名", (int,), {"__module__": "elsewhere"})):
        type_object(x)

    class Local: pass

    type_object(Local); instance(Local()); type_object([int, Local])


def functions():
    def local(): pass
    renamed = lambda: 0
    renamed.__qualname__ = renamed.__name__ = "renamed"
    for x in (functions, local, renamed, lambda x: x, Fixed.__init__, Fixed(1).__init__, [].append,
              {}.get, "".join,
              len, print, math.sqrt, Custom.__init__, type.mro, int.__add__, (5).__add__, str.join,
              dict.fromkeys,
              Outer.Inner().__init__, functools.partial(len, []), functools.lru_cache()(local),
              property(local),
              staticmethod(local), classmethod(local), os.path.join, collections.namedtuple,
              int.from_bytes):
        callable_object(x)
    for x in (sys, os, math, collections, os.path, type(sys)("made"), type(sys)("made.below")):
        module(x)
    generator = (x for x in [])
    for x in (generator, generator.__next__, functions.__code__, sys._getframe(), Fixed.__dict__,
              Slots.x,
              (lambda: generator).__closure__[0], super(Inherited, Inherited())):
        of_the_library(x)
    del x


def errors():
    for x in (ValueError(), ValueError("text"), ValueError("x" * 200), KeyError("a", 1),
              KeyError(("a", 1)), OSError(2, "No"),
              OSError(2, "No", "file"), StopIteration(), StopIteration(5), SystemExit(3),
              KeyboardInterrupt(), Exception(None),
              UnicodeDecodeError("utf-8", b"x", 0, 1, "why"), SyntaxError("msg", ("f", 1, 2, "t")),
              Custom("c"), Custom(),
              Custom([1, 2], {"a": 1}), WithAttributes(1, 2), AssertionError("it's"),
              RuntimeError(ValueError("inner")),
              ImportError("no", name="n"), Exception(*range(12)), StopAsyncIteration(),
              GeneratorExit(), MemoryError()):
        error(x)
    error([ValueError("in a list")]); error({"e": KeyError(1)})
    changed = ValueError("old")
    changed.args = ("new", 2)
    changed.added = 1
    error(changed)


def paths():
    for x in (pathlib.Path("/a/b"), pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("c:/x"),
              pathlib.Path(),
              pathlib.Path("/a") / "b" / "c.txt", pathlib.Path("relative/it's")):
        path(x)
    used = pathlib.Path("/used/before")
    str(used)
    path(used)
    path([used])


instances()
with_slots()
members()
types()
functions()
errors()
paths()
