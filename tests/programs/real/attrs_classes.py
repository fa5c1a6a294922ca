"""attrs and more-itertools: generated classes, validators, converters; lazy iteration."""
# requires: attr more_itertools
# scope-of: attr more_itertools
# artefact: B
# artefact-functions: *
import gc

gc.disable()
import attr
import more_itertools


@attr.s(order=True)
class Point:
    x = attr.ib(converter=int, validator=attr.validators.instance_of(int))
    y = attr.ib(default=attr.Factory(lambda self: self.x + 1, takes_self=True))


@attr.s(frozen=True, slots=True, auto_attribs=True)
class Frozen:
    a: int = 1
    b: list = attr.Factory(list)


points = sorted([Point("3"), Point(1)])
attr.asdict(points[0]), attr.evolve(points[1], y=9), repr(points), attr.fields(Point)
try:
    Frozen().a = 2
except attr.exceptions.FrozenInstanceError:
    pass
hash(Point) and Frozen() == Frozen()
for function in ("chunked", "windowed", "sliced"):
    [list(part) for part in getattr(more_itertools, function)(list(range(10)), 3)]
peekable = more_itertools.peekable(range(5))
peekable.peek(), list(peekable)
list(more_itertools.flatten([[1], [2, 3]])), more_itertools.first([1])
list(more_itertools.split_at("abcdc", lambda c: c == "c"))
list(more_itertools.set_partitions("abcd", 2))
