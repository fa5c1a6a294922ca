"""Library code that calls back: internal under external, and nested through several layers."""
# since: 3.8
# variants: --no-external-calls | --no-imports | --no-external-calls --no-imports
# selective misses: property.__get__
import argparse
import collections
import dataclasses
import enum
import functools
import json
import json.encoder
import logging
import string
import textwrap


class Colour(enum.Enum):
    RED = 1
    GREEN = 2

    @classmethod
    def _missing_(cls, value):
        return cls.RED

    def describe(self):
        return self.name.lower()


@dataclasses.dataclass(order=True)
class Point:
    x: int
    y: int = 0
    tags: list = dataclasses.field(default_factory=lambda: [default_tag()])

    def __post_init__(self):
        self.z = default_tag()


def default_tag():
    return "tag"


class Handler(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


class Lazy:
    def __str__(self):
        return default_tag()


class Mapping(collections.UserDict):
    def __missing__(self, key):
        return self.make(key)

    def make(self, key):
        return key * 2


class Wrapper(textwrap.TextWrapper):
    def _wrap_chunks(self, chunks):
        return super()._wrap_chunks(list(map(self.touch, chunks)))

    def touch(self, chunk):
        return chunk


def compare(a, b):
    return (a > b) - (a < b)


def positive(text):
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("negative")
    return value


def by_layers(n):
    """Internal, external, internal, ... n deep."""
    if n == 0:
        return default_tag()
    return functools.singledispatch(lambda x: by_layers(n - 1))(n)


class Template(string.Formatter):
    def get_value(self, key, args, kwargs):
        return default_tag()

    def format_field(self, value, spec):
        return super().format_field(value, spec)


def main():
    for value in (1, 2, 9):
        Colour(value).describe()
    Colour["RED"] is Colour.RED
    points = sorted([Point(3), Point(1, 2)])
    assert dataclasses.asdict(points[0])["x"] == 1
    repr(points[0]) and dataclasses.replace(points[0], x=5)
    logger = logging.getLogger("truth")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler = Handler()
    logger.addHandler(handler)
    logger.info("%s %d", Lazy(), 3)
    logger.debug("not seen %s", Lazy())
    logger.removeHandler(handler)
    assert handler.lines == ["tag 3"]
    assert Mapping()["ab"] == "abab"
    Wrapper(width=10).fill("some words that do not fit")
    assert sorted([3, 1, 2], key=functools.cmp_to_key(compare)) == [1, 2, 3]
    parser = argparse.ArgumentParser(prog="x")
    parser.add_argument("--n", type=positive)
    assert parser.parse_args(["--n", "3"]).n == 3
    assert by_layers(8) == "tag"
    assert Template().format("{a:>5}{b}") == "  tagtag"
    list(json.encoder.JSONEncoder(default=lambda o: default_tag(), indent=1).iterencode([Lazy()]))
    ordered = collections.OrderedDict(a=1)
    ordered.move_to_end("a")
    collections.Counter(map(str, range(5))).most_common(2)
    named = collections.namedtuple("named", "a b")
    named(1, 2)._replace(a=3)._asdict()
    textwrap.dedent("  a\n  b")
    cached = functools.cached_property(lambda self: default_tag())


for _ in range(5):
    main()
