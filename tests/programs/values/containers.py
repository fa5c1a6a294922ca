"""Lists, tuples, dicts and sets: nested, recursive, changed, and of classes made of them."""
# values
# may-be-cut: sparse
# variants: --max-items 1 | --max-items 20 --max-depth 4 | --max-depth 1 | --max-depth 2 --max-string 2
import collections


def listed(x): return x
def tupled(x): return x
def mapped(x): return x
def united(x): return x
def sparse(x): return x
def nested(x): return x
def recursive(x): return x
def derived(x): return x


Point = collections.namedtuple("Point", "x y")


class Listed(list): pass
class ListedWithMore(list):
    def __init__(self, items):
        super().__init__(items)
        self.more = 1
class Tupled(tuple): pass
class Mapped(dict): pass
class United(set): pass
class Frozen(frozenset): pass


def lists():
    for x in ([], [1], [1, 2], [None, True], ["a", b"b"], [1.5, 2j], list(range(8)), list(range(9)),
              list(range(100)), [0] * 1000, ["x" * 200], [10**100], [[]], [()]):
        listed(x); tupled(tuple(x))
    shrunk = list(range(50))
    del shrunk[2:]
    listed(shrunk)
    shrunk.clear()
    listed(shrunk)
    shrunk.append("again")
    listed(shrunk)
    listed(list(range(5))[::-1]); tupled((1,) * 3); tupled((1, (2, (3,))))


def dicts():
    for x in ({}, {"a": 1}, {"a": 1, "b": 2}, {1: "a", None: "b", True and 2: "c"}, {(1, 2): [3]},
              {"k%d" % n: n for n in range(8)}, {"k%d" % n: n for n in range(9)},
              {n: n for n in range(200)},
              {1.5: 2j}, {b"b": "b"}, {frozenset([1]): 2}, {"名": "前"},
              {"a": {"b": {"c": {"d": 1}}}},
              dict(zip("abc", range(3))), dict.fromkeys(range(3)), {"x" * 150: "y" * 150}):
        mapped(x)
    changed = {n: str(n) for n in range(8)}
    del changed[0], changed[3]
    mapped(changed)
    changed[3] = "back"
    mapped(changed)
    for n in list(changed):
        del changed[n]
    mapped(changed)
    changed["new"] = 1
    mapped(changed)
    holes = {n: n for n in range(300)}
    for n in range(298):
        del holes[n]
    sparse(holes)
    popped = {"a": 1, "b": 2, "c": 3}
    popped.pop("a")
    mapped(popped)
    popped.popitem()
    mapped(popped)
    mapped(popped.copy()); mapped({**popped, "z": 26})
    mixed = {"a": 1}
    mixed[1] = "a"
    mapped(mixed)


def sets():
    for x in (set(), {1}, {1, 2, 3}, {"a"}, {None}, {(1, 2)}, set(range(8)), set(range(9)),
              set(range(100)),
              {1.5, 2}, {"x" * 150}, {"a", "b", "c"}, {b"a", "a", 1}):
        united(x); united(frozenset(x))
    changed = {1, 2, 3, 4, 5}
    changed.discard(2); changed.add(77)
    united(changed)
    changed.clear()
    united(changed)
    sparse(set(range(1000, 100000, 1000))); sparse({str(n) for n in range(40)})
    united({frozenset([1, 2])}); united({frozenset()})
    united(frozenset([frozenset([frozenset([1])])]))


def nesting():
    for x in ([[1, 2], [3]], [(), [], {}, set(), frozenset()], [(1,)], [{1}], [frozenset([1])],
              [{"a": [1]}],
              ([],), ({},), {"a": (1,), "b": [2, [3, [4, [5, [6]]]]]}, [[[[[[1]]]]]], [[[[[[]]]]]],
              [list(range(100))], [tuple(range(100))], [set(range(100))],
              [{n: n for n in range(100)}],
              {"a": list(range(100)), "b": "x" * 300}, [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
              [range(3), slice(1)],
              [Point(1, 2)], [collections.OrderedDict(a=1)], [Listed([1])],
              [bytearray(b"ab"), b"ab"]):
        nested(x)
    own = []
    own.append(own)
    recursive(own)
    mapping = {}
    mapping["self"] = mapping
    mapping["list"] = [mapping]
    recursive(mapping)
    pair = ([],)
    pair[0].append(pair)
    recursive(pair)
    deep = []
    for _ in range(1000):
        deep = [deep]
    recursive(deep)


def subclasses():
    ordered = collections.OrderedDict([("b", 1), ("a", 2)])
    counter = collections.Counter("abracadabra")
    default = collections.defaultdict(list, {"a": [1]})
    default["b"].append(2)
    for x in (Point(1, 2), Point("x" * 150, [Point(3, 4)]), ordered, collections.OrderedDict(),
              counter, default,
              Listed([1, 2]), Listed(), ListedWithMore([1]), Tupled((1,)), Tupled(), Mapped(a=1),
              Mapped(),
              United([1]), United(), Frozen([1]), Frozen(), Listed(range(100)),
              Mapped(zip(range(50), range(50)))):
        derived(x)
    del ordered["b"]
    ordered["c"] = 3
    derived(ordered)
    for x in (collections.deque([1]), collections.ChainMap(), {}.keys(), {"a": 1}.items(),
              {}.values(), iter([]),
              iter(()), iter({}), reversed([1]), enumerate([]), zip(), map(int, []),
              filter(None, []), memoryview(b"m")):
        derived(x)


lists()
dicts()
sets()
nesting()
subclasses()
