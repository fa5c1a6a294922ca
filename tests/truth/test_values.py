"""Tests of the texts of values, and of how they are recorded and compared."""

import collections
import enum
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from astrace import as_trace
from compare import Artefacts, report
from comparevalues import NO_RESULTS, NO_YIELDS, Leeway, call_differences, is_cut
from values import Limits, describe, describe_argument, describe_exception

ORACLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "oracle.py")
LIMITS = Limits(string=10, items=3, depth=2)


class Color(enum.Enum):
    RED = 1


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Slots:
    __slots__ = ("x", "y")


class Lies:
    """Runs code of its own whatever it is asked."""

    def __getattribute__(self, name):
        raise AssertionError(name)

    __repr__ = __str__ = __len__ = __iter__ = __hash__ = __eq__ = __bool__ = __getattribute__
    __class__ = __dict__ = property(__getattribute__)


class LyingList(list):
    __repr__ = __len__ = __iter__ = __getitem__ = Lies.__getattribute__
    __class__ = property(Lies.__getattribute__)


class Texts(unittest.TestCase):
    """Texts are Python's own where nothing is cut, and as promised elsewhere."""

    def expect(self, value, text, limits=LIMITS):
        self.assertEqual(describe(value, limits), text)

    def test_what_consists_of_nothing_else_is_as_python_has_it(self):
        for value in [
            0, -1, 2**64, -2**255, 0.1, 1e16, 1e-5, -0.0, math.inf, math.nan, 1 + 2j, -0j, True,
            None, "it's",
            "a\0\x1b", "\ud800", "", b"", b"a\xff", bytearray(b"x"), range(3), range(0, 9, 2),
            slice(None, 5, "a"),
        ]:
            self.expect(value, repr(value))

    def test_nested_containers_are_as_python_has_them_unless_they_are_cut(self):
        for value in [[1], [], (1,), (), {"a": 1}, {}, {1}, set(), frozenset([1]), frozenset(),
                      [None]]:
            self.expect([value], "list[1] [%r]" % (value,))
        self.expect([[1, 2, 3, 4]], "list[1] [list[4] [1, 2, 3, …]]")
        self.expect([[[1]]], "list[1] [[list[1] […]]]")
        self.expect([[[]]], "list[1] [[[]]]")

    def test_containers_have_type_and_length(self):
        self.expect([1, 2, 3, 4], "list[4] [1, 2, 3, …]")
        self.expect((1,), "tuple[1] (1,)")
        self.expect({"a": 1}, "dict[1] {'a': 1}")
        self.expect(set(), "set[0] {}")
        self.expect(frozenset([1]), "frozenset[1] {1}")
        self.expect([1], "list[1] […]", Limits(depth=0))

    def test_subclasses_are_named(self):
        self.expect(collections.namedtuple("Point", "x y")(1, 2), "Point[2] (1, 2)")
        self.expect([collections.OrderedDict(a=1)], "list[1] [OrderedDict[1] {'a': 1}]")

    def test_strings_are_cut(self):
        self.expect("x" * 10, repr("x" * 10))
        self.expect("x" * 11, "str[11] 'xxxxxxxxxx…'")
        self.expect(b"x" * 11, "bytes[11] b'xxxxxxxxxx…'")
        self.expect(bytearray(11), r"bytearray[11] b'%s…'" % (r"\x00" * 10))

    def test_large_integers_are_exact_or_measured(self):
        self.expect(2**270 - 1, str(2**270 - 1))
        self.expect(2**270, "<int of 82 digits>")
        self.expect(-7**200, "<negative int of 170 digits>")
        self.expect(10**100, "<int of about 101 digits>")

    def test_instances_have_their_attributes(self):
        name = "test_values.Plain"
        self.expect(Plain(), "<%s>" % name)
        self.expect(Plain(a=1, b="b"), "<%s a=1 b='b'>" % name)
        self.expect(Plain(a=1, b=2, c=3, d=4), "<%s a=1 b=2 c=3 …>" % name)
        self.expect(Plain(a=Plain(a=Plain(a=1))), "<{0} a=<{0} a=<{0}>>>".format(name))
        slots = Slots()
        slots.y = [1]
        self.expect(slots, "<test_values.Slots y=[1]>")

    def test_objects_of_the_language(self):
        self.expect(int, "<class 'int'>")
        self.expect(Plain, "<class 'test_values.Plain'>")
        self.expect(len, "<built-in function len>")
        self.expect(Plain.__init__, "<function Plain.__init__>")
        self.expect(Plain().__init__, "<bound method Plain.__init__>")
        self.expect(math, "<module 'math'>")
        self.expect(Color.RED, "Color.RED")
        self.expect(ValueError("a", 1), "ValueError('a', 1)")
        self.expect(object(), "<object>")
        self.expect(iter([]), "<list_iterator>")
        self.expect(pathlib.Path("/a/b"), "PosixPath('/a/b')")

    def test_no_code_of_a_value_is_run(self):
        self.expect(Lies(), "<test_values.Lies>")
        self.expect(LyingList([1]), "LyingList[1] [1]")
        self.expect([Lies()], "list[1] [<test_values.Lies>]")

    def test_self_and_secrets(self):
        for name, is_first, value, text in [
            ("self", True, Plain(a=1), "<Plain>"),
            ("cls", True, Plain, "<Plain>"),
            ("self", False, 5, "5"),
            ("a", True, 5, "5"),
            ("db_password", False, 5, "<redacted>"),
            ("a", True, {"password": 5}, "dict[1] {'password': <redacted>}"),
            ("a", True, Plain(api_key=5), "<test_values.Plain api_key=<redacted>>"),
        ]:
            self.assertEqual(describe_argument(name, is_first, value, LIMITS), text)

    def test_exceptions(self):
        for error, expected in [
            (ValueError(), {"exception": "ValueError"}),
            (ValueError("why"), {"exception": "ValueError", "message": "why"}),
            (ValueError("a", "b"), {"exception": "ValueError"}),
            (ValueError("'\\\n\x1b"), {"exception": "ValueError", "message": "'\\\\n\\x1b"}),
            (KeyError(1), {"exception": "KeyError"}),
            (OSError("x" * 11), {"exception": "OSError", "message": "x" * 10 + "…"}),
            (json.JSONDecodeError("a", "", 0), {"exception": "JSONDecodeError",
                                                "message": "a: line 1 …"}),
        ]:
            self.assertEqual(describe_exception(error, LIMITS), expected)


PROGRAM = """\
def plain(a, b=2, *c, d, **e):
    return a
def cell(a):
    return lambda: a
def generator(n):
    got = yield n
    yield [got]
    return "end"
def fails(x):
    raise ValueError("why")
def key():
    {}["k"]
def none():
    pass
def rebinds(a):
    a = 5
    return fails_within(a)
def fails_within(a):
    try:
        fails(a)
    finally:
        none()
class Thing:
    @classmethod
    def make(cls, x): return cls
    def get(self): return self
plain(1, d=4); plain([1], 2, 3, d=4, f=5); cell("a"); none(); Thing.make(1); Thing().get()
g = generator(3)
next(g); g.send("x"); next(g, None)
for function, *arguments in [(fails, 1), (key,), (rebinds, 1)]:
    try:
        function(*arguments)
    except (ValueError, KeyError):
        pass
list(x for x in iter([1]))
"""

EXPECTED = [
    ("plain", {"arguments": {"a": "1", "b": "2", "c": "tuple[0] ()", "d": "4", "e": "dict[0] {}"},
               "return": "1"}),
    ("plain", {"arguments": {"a": "list[1] [1]", "b": "2", "c": "tuple[1] (3,)", "d": "4",
                             "e": "dict[1] {'f': 5}"},
               "return": "list[1] [1]"}),
    ("cell", {"arguments": {"a": "'a'"}, "return": "<function cell.<locals>.<lambda>>"}),
    ("none", {"arguments": {}, "return": "None"}),
    ("make", {"arguments": {"cls": "<Thing>", "x": "1"}, "return": "<class 'Thing'>"}),
    ("get", {"arguments": {"self": "<Thing>"}, "return": "<Thing>"}),
    ("generator", {"arguments": {"n": "3"}, "return": "3", "yielded": True}),
    ("generator", {"return": "list[1] ['x']", "yielded": True}),
    ("generator", {"return": "'end'"}),
    ("fails", {"arguments": {"x": "1"}, "exception": "ValueError", "message": "why"}),
    ("key", {"arguments": {}, "exception": "KeyError", "message": "k"}),
    ("rebinds", {"arguments": {"a": "1"}, "exception": "ValueError", "message": "why"}),
    ("fails_within", {"arguments": {"a": "5"}, "exception": "ValueError", "message": "why"}),
    ("fails", {"arguments": {"x": "5"}, "exception": "ValueError", "message": "why"}),
    ("none", {"arguments": {}, "return": "None"}),
    ("<genexpr>", {"arguments": {".0": "<list_iterator>"}, "return": "1", "yielded": True}),
    ("<genexpr>", {"return": "None"}),
]


def truth_of(source, *options):
    """The oracle's truth of a program, with values."""
    with tempfile.TemporaryDirectory() as directory:
        program = os.path.join(directory, "program.py")
        output = os.path.join(directory, "truth.json")
        with open(program, "w") as file:
            file.write(source)
        command = [sys.executable, "-S", ORACLE, "--values", "-o", output, *options, program]
        subprocess.run(command, check=True)
        with open(output) as file:
            return json.load(file)


class Recording(unittest.TestCase):
    """The oracle records what can be worked out by reading the program."""

    def test_values(self):
        truth = truth_of(PROGRAM)
        rows = truth["threads"][0]["activations"]
        names = [truth["codes"][str(row[0])][0].rpartition(".")[2] for row in rows]
        bodies = ("<module>", "Thing")
        found = [(name, row[-1]) for name, row in zip(names, rows) if name not in bodies]
        self.assertEqual(found, EXPECTED)

    def test_limits(self):
        truth = truth_of("def f(x): pass\nf(['abc', 2])\n", "--max-string", "1", "--max-items", "1")
        values = truth["threads"][0]["activations"][1][-1]
        self.assertEqual(values["arguments"], {"x": "list[2] [str[3] 'a…', …]"})


class Comparison(unittest.TestCase):
    """A faithful recording is identical; whatever is changed in it is found."""

    @classmethod
    def setUpClass(cls):
        cls.truth = truth_of(PROGRAM)

    def setUp(self):
        self.trace = as_trace(self.truth)

    def outcome(self, source=""):
        return report(self.truth, self.trace, Artefacts(source), with_values=True)

    def args(self, name):
        """The first event's of that function."""
        events = self.trace["traceEvents"]
        return next(event["args"] for event in events if event["name"].rpartition(".")[2] == name)

    def test_identical(self):
        same, text = self.outcome()
        self.assertTrue(same, text)
        self.assertIn("values included", text)

    def test_what_is_wrong_is_found(self):
        for name, change, expected in [
            ("plain", {"arguments": {"a": "1"}}, "parameters"),
            ("plain", {"return": "2"}, "return"),
            ("generator", {"yielded": False}, "yielded"),
            ("fails", {"message": "how"}, "message"),
            ("fails", {"exception": "KeyError"}, "exception"),
            ("none", {"exception": "KeyError"}, "exception"),
        ]:
            with self.subTest(change):
                self.setUp()
                args = self.args(name)
                if "arguments" in args:
                    args["arguments"] = dict(args["arguments"])
                args.update(change)
                same, text = self.outcome()
                self.assertFalse(same)
                self.assertIn(" %s (" % name, text)
                self.assertIn("): " + expected, text)

    def test_a_wrong_and_a_missing_argument(self):
        self.args("plain")["arguments"] = dict(self.args("plain")["arguments"], b="3")
        self.assertIn("): b\n  truth: 2\n  trace: 3", self.outcome()[1])
        del self.args("plain")["arguments"]
        self.assertFalse(self.outcome()[0])

    def test_no_arguments_go_without_saying(self):
        del self.args("none")["arguments"]
        self.assertTrue(self.outcome()[0])

    def test_order_of_parameters_matters(self):
        arguments = self.args("plain")["arguments"]
        self.args("plain")["arguments"] = dict(reversed(list(arguments.items())))
        self.assertIn("): parameters", self.outcome()[1])

    def test_leeway_is_for_named_functions_only(self):
        leeway = Leeway("# may-be-cut: f\n# any-order: g\n")
        whole, cut = "dict[2] {'a': 1, 'b': [2]}", "dict[2] {'a': 1, …}"
        self.assertTrue(leeway.agree("f", whole, cut))
        self.assertFalse(leeway.agree("g", whole, cut))
        self.assertFalse(leeway.agree("f", cut, whole))
        self.assertTrue(leeway.agree("x.g", "<C a=1 b=2>", "<C b=2 a=1>"))
        self.assertFalse(leeway.agree("f", "<C a=1 b=2>", "<C b=2 a=1>"))

    def test_what_is_cut(self):
        self.assertTrue(is_cut("list[2] [[1, 2], 3]", "list[2] [list[2] [1, …], 3]"))
        self.assertTrue(is_cut("list[2] [1, 2]", "list[2] […]"))
        self.assertFalse(is_cut("list[2] [1, 2]", "list[2] [2, …]"))
        self.assertFalse(is_cut("list[2] [1, 2]", "list[2] [1]"))

    def test_a_path_may_be_nameless(self):
        expected = {"return": "list[1] [PosixPath('/it\\'s')]"}
        for found in ["list[1] [<pathlib.PosixPath>]", "list[1] [<pathlib._local.PosixPath>]"]:
            self.assertEqual(list(call_differences("f", expected, {"return": found})), [])
        found = {"return": "list[1] [<pathlib.Other>]"}
        self.assertTrue(list(call_differences("f", expected, found)))


class Blindness(unittest.TestCase):
    """Results that a trace can't have."""

    def missing(self, expected, blind):
        return list(call_differences("f", expected, {"blind": blind}))

    def test_only_what_nothing_could_see_may_be_missing(self):
        returned, yielded = {"return": "1"}, {"return": "1", "yielded": True}
        self.assertTrue(self.missing(returned, None))
        self.assertFalse(self.missing(returned, NO_RESULTS))
        self.assertTrue(self.missing(returned, NO_YIELDS))
        self.assertFalse(self.missing(yielded, NO_YIELDS))
        self.assertTrue(self.missing(dict(returned, arguments={"x": "1"}), NO_RESULTS))

    def test_what_was_seen_must_be_right(self):
        found = {"return": "2", "blind": NO_RESULTS}
        self.assertTrue(list(call_differences("f", {"return": "1"}, found)))


if __name__ == "__main__":
    unittest.main()
