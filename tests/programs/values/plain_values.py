"""Numbers, strings and the other values that consist of nothing else, edge values included."""
# values
# variants: --max-string 3 | --max-string 1000
import sys


def integer(x): return x
def floating(x): return x
def complex_number(x): return x
def constant(x): return x
def text(x): return x
def text_of_length(x): return len(x)
def binary(x): return x
def array_of_bytes(x): return x
def extent(x): return x
def section(x): return x
def derived(x): return x


class Integer(int): pass
class Floating(float): pass
class Text(str): pass
class Binary(bytes): pass
class TextWithMore(str):
    def __new__(cls, value):
        self = super().__new__(cls, value)
        self.more = 1
        return self


def integers():
    for x in (0, 1, -1, 5, -5, 255, 256, 257, 2**15, -2**15, 10**9, -10**9):
        integer(x)
    for bits in (15, 30, 31, 32, 60, 62, 63, 64, 90, 128, 255, 256, 269):
        for x in (2**bits - 1, 2**bits, 2**bits + 1):
            integer(x); integer(-x)
    integer(2**270 - 1); integer(-(2**270 - 1))
    for x in (2**270, 7**200, 3**1000, 2**10000 + 1, 10**100 + 10**95, 1 << 100000, 5**300 - 1):
        integer(x); integer(-x)
    integer(10**100)  # too close to another number of digits to tell


def floats():
    for x in (0.0, -0.0, 1.0, -1.0, 5.0, 0.1, 1/3, 2.5, 100.0, 123456789.125, 1e15, 1e16, 1e17,
              123456789012345678.0, 1e22, 1e23, 1e100, 1e308, 1.7976931348623157e308, 1e-4, 1e-5,
              0.00012345, 5e-324, 2.2250738585072014e-308, 1e-310, float("inf"), float("-inf"),
              float("nan"), -float("nan"), 9007199254740993.0, 0.30000000000000004,
              9999999999999998.0):
        floating(x)
    for x in (0j, 1j, -1j, 1 + 2j, complex(-0.0, -1), complex(0.0, -0.0), complex(-0.0, 0.0),
              complex(1, -0.0), complex("nan+infj"), complex("-inf-nanj"), 1e16 + 1e-5j, 0.5 + 2j):
        complex_number(x)
    for x in (None, True, False, Ellipsis, NotImplemented):
        constant(x)


STRINGS = [
    "", "a", "abc", "a b", "'", '"', "'\"", "it's", 'say "x"', "\\", "\n", "\r", "\t", "\0",
    "a\0b", "\x01\x1b[31mred\x1b[0m", "\x7f", "\x80\x9f", "\x85", "\xa0", "\xad", "é", "ÿ", "naïve",
    "Ω", "名前", "ж\u0301", "\u200b", "\u2028\u2029", "\u202e\u2066", "\ufeff", "\ufffd", "\ufffe",
    "\ud800", "a\udc80b", "\udfff\ud800", "\ue000", "😀", "a😀é名", "\U00010000", "\U0010ffff",
    "\U000e0001", "<script>alert('x')</script>", "&amp;", "</td>\"><img src=x>", "%s {0} \\n",
    "\u3000", "tab\there", "…", "\x1b]0;title\x07",
]


def strings():
    for x in STRINGS:
        text(x)
    for x in ("a", "é", "名", "😀", "\x00", "'", "\\"):
        for length in (2, 3, 4, 99, 100, 101, 127, 128, 129, 255, 256, 257, 1000, 1001, 5000):
            text_of_length(x * length)
    text(sys.intern("interned string")); text("".join(["jo", "ined"])); text("x" * 50 + "名")
    text_of_length("'" + "x" * 200 + '"'); text_of_length("x" * 200 + "'")


def binaries():
    for x in (b"", b"a", b"abc\0", b"'", b'"', b"'\"", b"\\", b"\n\r\t", bytes(range(20)),
              b"\x7f\x80\xff", b"\xc3\xa9", b"<b>"):
        binary(x); array_of_bytes(bytearray(x))
    for length in (2, 3, 4, 99, 100, 101, 1000, 1001, 5000):
        binary(b"x" * length); array_of_bytes(bytearray(b"y" * length))
    shortened = bytearray(b"abcdefghij")
    del shortened[:3]
    array_of_bytes(shortened)
    del shortened[:]
    array_of_bytes(shortened)
    grown = bytearray()
    for _ in range(10):
        grown += b"grow"
    array_of_bytes(grown)
    del grown[:35]
    array_of_bytes(grown)


def extents():
    for x in (range(0), range(10), range(1, 5), range(0, 10, 2), range(10, 0, -3),
              range(-2**31, 2**40),
              range(5, 5), range(2**64)):
        extent(x)
    for x in (slice(5), slice(None), slice(1, 2), slice(None, 5, None), slice(1, 9, -2),
              slice("a", 1.5)):
        section(x)


def subclasses():
    for x in (Integer(5), Integer(-2**100), Integer(0), Floating(2.5), Text("text"), Text("名"),
              Text(""),
              Text("x" * 150), Binary(b"bytes"), TextWithMore("more")):
        derived(x)


integers()
floats()
strings()
binaries()
extents()
subclasses()
