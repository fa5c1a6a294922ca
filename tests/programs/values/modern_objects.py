"""Dataclasses and other things of the library that are like what programs hand around."""
# values
# since: 3.7
# variants: --max-items 2
import collections
import dataclasses
import datetime
import decimal
import fractions
import sys
import types
import typing
import uuid


def given(x): return x


@dataclasses.dataclass
class Simple:
    x: int
    y: str = "a"
    z: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: int
    inner: Simple = None


@dataclasses.dataclass
class Slotted:
    __slots__ = ("x", "y")
    x: int
    y: int


@dataclasses.dataclass(order=True)
class Ordered(Simple):
    w: float = 0.5

    def __post_init__(self):
        self.made_later = self.w * 2


if sys.version_info >= (3, 9):
    class Tuple(typing.NamedTuple):
        a: int
        b: str = "b"
else:  # its __module__ was set when the class was there already: a class goes by its first name
    Tuple = collections.namedtuple("Tuple", "x", module="__main__")


simple = Simple(1)
for value in (simple, Simple(2, "b", [1]), Frozen(1), Frozen(1, simple), Slotted(1, 2), Ordered(1),
              Tuple(1), [simple],
              Simple, Frozen, types.SimpleNamespace(), decimal.Decimal("1.5"),
              datetime.date(2020, 1, 2),
              datetime.timedelta(1), uuid.UUID(int=5), types.MappingProxyType({"a": 1})):
    given(value)
simple.x = "changed"
given(simple)
given(dataclasses.replace(simple, y="replaced"))
given(dataclasses.asdict(simple))
given(fractions.Fraction(1, 3))
