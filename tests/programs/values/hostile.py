"""Breaks its own objects, hands them to functions that don't look at them, and mends them again.

What a tracer reads of them leads nowhere, or to the wrong place. It must neither hang nor crash, nor
take an object of 2**62 elements at its word; and every call is there. Ends with 0.
"""
# oracle: counts
# alone
import ctypes
import gc
import json
import os
import sys

gc.disable()  # it must not walk through them

WORD = ctypes.sizeof(ctypes.c_void_p)
# An object's head: its references, in free-threaded builds those of other threads, and its type.
OB_SIZE = object.__basicsize__
OB_TYPE = OB_SIZE - WORD
OB_REFCNT = OB_TYPE - WORD
NOWHERE = [0, 1, 8, 0xDEAD, 0x7FFFFFFFF000, 0xFFFF800000000000, 0xFFFFFFFFFFFFFFFF,
           0x8000000000000000]
SIZES = [-1, -2**62, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, -2**63, 0]

counts = {"take": 0, "take_named": 0, "take_all": 0, "give": 0}
kept = []  # what is broken stays alive


def take(thing): pass
def take_named(thing, default=5, *, named): pass
def take_all(*things, **named): pass
def give(thing): return thing


def word(thing, offset):
    return ctypes.c_uint64.from_address(id(thing) + offset)


class Broken:
    """Has another word at an offset of an object, for as long as it lasts."""

    def __init__(self, address, offset, value):
        self.word = ctypes.c_uint64.from_address(address + offset)
        self.value = value & 0xFFFFFFFFFFFFFFFF

    def __enter__(self):
        self.sound, self.word.value = self.word.value, self.value

    def __exit__(self, *error):
        self.word.value = self.sound


def hand_over(holder):
    """The item of a one-element list is given to each function; nothing else touches it.

    Not as one of `*things`: making a tuple of them may ask for their types.
    """
    take(holder[0])
    take(holder)
    take_named(holder[0], named=holder)
    give(holder[0])
    counts["take"] += 2
    counts["take_named"] += 1
    counts["give"] += 1


class Plain:
    def __init__(self):
        self.a, self.b = 1, "b"


class Slots:
    __slots__ = ("x", "y")


def things():
    slots = Slots()
    slots.x, slots.y = 1, 2
    return [
        2**100 + 7, 3.25, 2 + 3j, "text of some length" * 2, "名" * 30, "😀" * 30, b"bytes" * 9,
        bytearray(b"array" * 9),
        list(range(1000, 1020)), tuple(map(str, range(20))), {str(n): n for n in range(20)},
        set(map(str, range(20))),
        frozenset(map(str, range(20))), range(3, 1000), slice(1, 2000), Plain(), slots,
        ValueError("error"),
        OSError(2, "x"), lambda: 0, [].append, Plain().__init__, type("Made", (), {}),
        type(sys)("made"),
    ]


def break_words(thing, offsets, values):
    holder = [thing]
    kept.append(holder)
    address = id(thing)
    for offset in offsets:
        for value in values:
            with Broken(address, offset, value):
                hand_over(holder)


def break_types():
    """Objects whose type is none, or not theirs."""
    for thing in things():
        holder = [thing]
        kept.append(holder)
        for value in NOWHERE + [id(int), id(str), id(list), id(dict), id(Plain), id(Slots),
                                id(thing), id(type), id(set),
                                id(ValueError), id(bytearray), id(float), id(range), id(bytes),
                                id(tuple)]:
            with Broken(id(thing), OB_TYPE, value):
                hand_over(holder)


def break_sizes():
    """Lengths that are negative, or beyond all memory."""
    for thing in things():
        break_words(thing, [OB_SIZE], SIZES)


def break_bodies():
    """Every word of an object leads nowhere, is enormous, or leads back to it."""
    for thing in things():
        size = min(type(thing).__basicsize__, 160)
        break_words(thing, range(OB_SIZE, size, WORD), NOWHERE + [2**62, id(thing), id(kept)])


def break_references():
    """Reference counts that are wrong; what the interpreter takes for immortal it may not mend."""
    for thing in things():
        break_words(thing, [OB_REFCNT], [1000, 2**30])


def break_items():
    """Items of containers that are no objects."""
    items = [object() for _ in range(5)]
    for container in (list(items), tuple(items)):
        base = id(container) + tuple.__basicsize__
        if type(container) is list:
            base = word(container, OB_SIZE + WORD).value
        holder = [container]
        kept.append(holder)
        for value in NOWHERE:
            with Broken(base, WORD * 2, value):
                hand_over(holder)


def break_types_of_types():
    """Classes whose name, bases and dict lead nowhere, while they have instances."""
    class Doomed:
        def __init__(self): self.x = 1

    holder = [Doomed()]
    kept.append(holder)
    hand_over(holder)
    for offset in range(OB_SIZE, OB_SIZE + 400, WORD):
        for value in NOWHERE[:5] + [2**62]:
            with Broken(id(Doomed), offset, value):
                hand_over(holder)
    made = type("A" * 10000, (), {"__qualname__": "B" * 100000, "__module__": "C" * 100000})
    hand_over([made()])
    hand_over([made])


def reuse():
    """Objects, and their types, that come and go at the same addresses."""
    for number in range(200):
        cls = type("Class%d" % number, (), {"x": number})
        thing = cls()
        thing.number = number
        hand_over([thing])
        del thing, cls
        if number % 50 == 0:
            gc.collect()
    for number in range(200):
        hand_over([[number] * (number % 7)])
        hand_over([str(number) * (number % 5)])


def recursive():
    """Containers that hold themselves, in all ways."""
    own = []
    own.append(own)
    both = ([], {})
    both[0].append(both)
    both[1]["both"] = both
    instance = Plain()
    instance.a = instance
    vars(instance)["b"] = vars(instance)
    error = ValueError()
    error.args = (error, [error])
    deep = []
    for _ in range(10000):
        deep = [deep]
    deep_tuple = ()
    for _ in range(10000):
        deep_tuple = (deep_tuple,)
    for thing in (own, both, instance, error, deep, deep_tuple):
        hand_over([thing])
    kept.append(deep_tuple)


def large():
    """A string of 1 GB, a list of ten million, and others like them."""
    huge = "x" * 2**30
    hand_over([huge])
    del huge
    huge = b"x" * 2**30
    hand_over([huge])
    del huge
    for thing in (list(range(10**7)), [None] * 10**7, (0,) * 10**7, dict.fromkeys(range(10**6)),
                  set(range(10**6)),
                  1 << 10**7, range(10**30), "名" * 10**7, "😀" * 10**7, bytearray(10**8)):
        hand_over([thing])
    wide = [[[["x" * 1000] * 1000] * 1000] * 1000] * 1000
    hand_over([wide])
    hand_over([{str(n) * 500: ["y" * 1000] * 100 for n in range(500)}])
    take_all(*["z" * 5000] * 1000)
    take_all(**{"name%d" % n * 100: "z" * 5000 for n in range(300)})
    counts["take_all"] += 2


def texts():
    """What must not reach a terminal or a page as it is."""
    for text in ("\x1b[2J\x1b]0;owned\x07", "a\0b", "\ud800\udfff", "\udc80",
                 "<script>alert(1)</script>", "\u202e", "\r\n", "\x9b31m",
                 "\"}]}", "\\", "'\"", "\u2028", "\x7f" * 50, "\t\n" * 50):
        hand_over([text])
        hand_over([{text: text}])
        name = "f" + "".join(c for c in text if c.isalnum())
        hand_over([type(name, (), {"__qualname__": text, "__module__": text})()])
        thing = Plain()
        vars(thing)[text] = text
        hand_over([thing])


break_types()
break_sizes()
break_bodies()
break_references()
break_items()
break_types_of_types()
reuse()
recursive()
large()
texts()
if "PYTRACE_COUNTS" in os.environ:
    with open(os.environ["PYTRACE_COUNTS"], "w") as file:
        json.dump({"counts": counts}, file)
print(sum(counts.values()), "calls")
sys.stdout.flush()
os._exit(0)  # what was broken may still be in the way of a tidy end
