"""Tests of the truth tests: `python -m unittest discover tests/truth`, any CPython from 3.8 on."""

import copy
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

from astrace import MAIN, as_trace
from compare import CLOSE_THROWS, Artefacts, compare_reports, report

ORACLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "oracle.py")

PROGRAM = """\
import threading

def items():
    yield 1
    yield 2

def fail():
    raise ValueError

class Thing:
    def __init__(self):
        self.all = list(items())

def work():
    Thing()
    try:
        fail()
    except ValueError:
        pass

work()
threads = []
for target in (work, lambda: None):
    threads.append(threading.Thread(target=target))
    threads[-1].start()
    threads[-1].join()
raise SystemExit(7)
"""

WORK = [
    (0, "work", 14, "internal", False),
    (1, "Thing.__init__", 11, "internal", False),
    (2, "items", 3, "internal", False),
    (2, "items", 3, "internal", True),
    (2, "items", 3, "internal", True),
    (1, "fail", 7, "internal", False),
]


def run_oracle(directory, source, *options):
    """Runs a program under the oracle; returns its exit code and its path."""
    program = os.path.realpath(os.path.join(directory, "program.py"))
    with open(program, "w") as file:
        file.write(source)
    command = [sys.executable, "-S", ORACLE, *options, program]
    return subprocess.run(command, stderr=subprocess.DEVNULL).returncode, program


def truth_of(source, *options):
    """The oracle's truth of a program, and its exit code."""
    with tempfile.TemporaryDirectory() as directory:
        output = os.path.join(directory, "truth.json")
        code, _ = run_oracle(directory, source, "-o", output, *options)
        with open(output) as file:
            return json.load(file), code


def report_of(source, tool, *options):
    """What a tool found in a program, and its file's name."""
    with tempfile.TemporaryDirectory() as directory:
        output = os.path.join(directory, "report.json")
        _, program = run_oracle(directory, source, "--tool", tool, "--report", output, *options)
        with open(output) as file:
            return json.load(file), program


def plain(truth, thread):
    """A thread's activations, in tuples that are easy to write down."""
    result = []
    for code, category, depth, resumed, _ in truth["threads"][thread]["activations"]:
        name, _, line = truth["codes"][str(code)]
        result.append((depth, name, line, category, resumed))
    return result


class Oracle(unittest.TestCase):
    """The oracle tells what can be worked out by reading the program."""

    def setUp(self):
        self.truth, self.code = truth_of(PROGRAM)

    def expect(self, found, expected):
        if not self.truth["qualified_names"]:
            expected = [(row[0], row[1].rpartition(".")[2], *row[2:]) for row in expected]
        self.assertEqual(found, expected)

    def test_the_exit_code_is_the_programs(self):
        self.assertEqual(self.code, 7)

    def test_a_main_threads_sequence(self):
        calls = plain(self.truth, 0)
        self.assertEqual(calls[0], (0, "<module>", 1, "internal", False))
        internal = [call for call in calls[1:] if call[3] == "internal"]
        self.expect(internal, [(1, "Thing", 10, "internal", False)] + below(WORK))
        names = [call[1].rpartition(".")[2] for call in calls if call[3] == "external"]
        self.assertEqual(names, ["__init__", "start", "join"] * 2)
        self.assertEqual((calls[1][0], calls[1][3]), (1, "import"))

    def test_other_threads_sequences(self):
        self.expect(plain(self.truth, 1), WORK)
        self.assertEqual([call[1] for call in plain(self.truth, 2)], ["<lambda>"])

    def test_exits(self):
        exits = [row[-1] for row in self.truth["threads"][1]["activations"]]
        failed = "either" if sys.version_info[:2] == (3, 12) else "exception"
        self.assertEqual(exits[-1], failed)
        self.assertEqual(exits[2], "return")

    def test_left_out_categories(self):
        truth, _ = truth_of(PROGRAM, "--no-imports", "--no-external-calls")
        categories = {row[1] for row in truth["threads"][0]["activations"]}
        self.assertEqual(categories, {"internal"})


def below(rows):
    """The rows, one deeper."""
    return [(row[0] + 1, *row[1:]) for row in rows]


class Comparison(unittest.TestCase):
    """A faithful recording is identical; whatever is changed in it is found."""

    @classmethod
    def setUpClass(cls):
        cls.truth, _ = truth_of(PROGRAM)

    def setUp(self):
        self.trace = as_trace(self.truth)
        self.main = [event for event in self.trace["traceEvents"] if event["tid"] == MAIN]

    def outcome(self, **options):
        return report(self.truth, self.trace, Artefacts(), **options)

    def assert_found(self, expected, **options):
        same, text = self.outcome(**options)
        self.assertFalse(same)
        self.assertIn(expected, text)

    def test_identical(self):
        for exits in (False, True):
            same, text = self.outcome(exits=exits)
            self.assertTrue(same, text)
            self.assertRegex(text, r"^identical: \d+ activations, 3 threads$")

    def test_order_of_the_file_and_of_threads_is_free(self):
        for event in self.trace["traceEvents"]:
            if event["tid"] != MAIN:
                event["tid"] = 5000 - event["tid"]
        self.trace["traceEvents"].reverse()
        self.assertTrue(self.outcome()[0])

    def test_a_class_before_the_name_is_allowed_where_there_is_no_qualified_name(self):
        self.truth = dict(self.truth, qualified_names=False)
        self.truth["codes"] = {
            number: [name.rpartition(".")[2], file, line]
            for number, (name, file, line) in self.truth["codes"].items()
        }
        self.assertTrue(self.outcome()[0])

    def test_a_dropped_call(self):
        event = self.main.pop(4)
        self.trace["traceEvents"].remove(event)
        self.assert_found("its number should be 5")
        for later in self.main[4:]:
            later["args"]["call"] -= 1
        self.assert_found("first difference: call 5")

    def test_a_gap_at_the_end(self):
        self.trace["traceEvents"].remove(self.main[-1])
        self.assert_found("-1 x ")

    def test_swapped_order(self):
        one, other = self.main[3], self.main[8]
        for key in ("name", "cat"):
            one[key], other[key] = other[key], one[key]
        one["args"]["line"], other["args"]["line"] = other["args"]["line"], one["args"]["line"]
        self.assert_found("first difference: call 4")

    def test_a_wrong_depth(self):
        self.main[4]["args"]["depth"] -= 1
        self.assert_found("first difference: call 5")

    def test_an_impossible_depth(self):
        self.main[4]["args"]["depth"] += 5
        self.assert_found("but the call before it allows")

    def test_a_wrong_line_file_name_or_category(self):
        for change in ({"line": 99}, {"file": "/nowhere.py"}):
            with self.subTest(change):
                self.setUp()
                self.main[4]["args"].update(change)
                self.assert_found("first difference: call 5")
        for change in ({"name": "other"}, {"cat": "external"}):
            with self.subTest(change):
                self.setUp()
                self.main[4].update(change)
                self.assert_found("first difference: call 5")

    def test_a_resumption_taken_for_a_start(self):
        event = next(event for event in self.main if event["args"].get("resume"))
        event["cat"] = "internal"
        self.assert_found("args.resume and cat disagree")
        del event["args"]["resume"]
        self.assert_found("first difference: call %d" % event["args"]["call"])

    def test_a_missing_and_an_additional_thread(self):
        for event in copy.deepcopy(self.trace["traceEvents"]):
            if event["tid"] == MAIN + 1 + 1:
                event["tid"] += 100
                self.trace["traceEvents"].append(event)
        self.assert_found("no such thread")
        self.trace["traceEvents"] = self.main
        self.assert_found("no such thread")

    def test_times_that_do_not_nest(self):
        self.main[3]["dur"] += 1000
        self.assert_found("after its caller")
        self.main[5]["ts"] -= 0.5
        self.assert_found("before the one before it")

    def test_lost_events(self):
        self.trace["pytrace"]["lost"] = 3
        self.assert_found("3 events lost")

    def test_exits(self):
        event = next(event for event in self.main if event["name"] == "fail")
        event["args"].pop("exception", None)
        event["args"]["unfinished"] = True
        self.assertTrue(self.outcome()[0])
        self.assert_found("first difference", exits=True)

    def insert(self, at, depth, file):
        """A call that the truth lacks becomes the main thread's number `at`."""
        before = self.main[at - 2]
        for event in self.main[at - 1:]:
            event["args"]["call"] += 1
        args = {"call": at, "depth": depth, "file": file, "line": 1}
        event = dict(before, name="callback", cat="external", dur=0, args=args)
        self.trace["traceEvents"].append(event)
        self.main.insert(at - 1, event)

    def test_what_tools_do_is_left_out_with_what_it_calls(self):
        self.truth = dict(self.truth, own_files=["/tool.py", "/package/"])
        depth = self.main[3]["args"]["depth"]
        self.insert(5, depth + 1, "/tool.py")
        self.insert(6, depth + 2, "/elsewhere.py")
        self.insert(7, depth + 2, "/package/module.py")
        same, text = self.outcome()
        self.assertTrue(same, text)
        self.assertIn(" %d activations" % (len(self.trace["traceEvents"]) - 3), text)

    def test_what_others_do_beside_a_tool_is_found(self):
        self.truth = dict(self.truth, own_files=["/tool.py"])
        depth = self.main[3]["args"]["depth"]
        self.insert(5, depth + 1, "/tool.py")
        self.insert(6, depth + 1, "/elsewhere.py")
        self.assert_found("first difference: call 5")

    def test_reports(self):
        self.assertEqual(list(compare_reports({"a": 1, "b": 2}, {"b": 2, "a": 1})), [])
        found = list(compare_reports({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 3, "d": 4}))
        self.assertEqual(found, ["b: 3, was 2", "c: None, was 3", "d: 4, was None"])

    def test_counts(self):
        self.assertTrue(report({"counts": {"items": 6}}, self.trace, Artefacts())[0])
        same, text = report({"counts": {"items": 7}}, self.trace, Artefacts())
        self.assertEqual((same, text), (False, "items: 6 activations, should be 7"))


class Tools(unittest.TestCase):
    """Tools see the program, and the oracle sees the same beside them."""

    PROGRAM = "def f(x):\n    return x\nfor i in range(5):\n    f(i)\n"

    def expect(self, tool, ending, count):
        """The tool counts so many, and leaves no trace in the truth."""
        found, program = report_of(self.PROGRAM, tool)
        self.assertEqual(found[program + ending], count)
        truth, _ = truth_of(self.PROGRAM, "--tool", tool)
        alone, _ = truth_of(self.PROGRAM)
        self.assertEqual(plain(truth, 0), plain(alone, 0))

    def test_settrace(self):
        self.expect("settrace", " line 2", 5)

    def test_pdb(self):
        self.expect("pdb", " 2", 5)

    @unittest.skipIf(sys.version_info < (3, 12), "excludes the oracle")
    def test_cprofile(self):
        self.expect("cProfile", ":1 f", 5)

    @unittest.skipIf(sys.version_info < (3, 12), "has no sys.monitoring")
    def test_monitoring(self):
        self.expect("monitoring", " PY_RETURN", 6)


class ArtefactA(unittest.TestCase):
    """Finalizers that the truth lacks are taken out, but only those that are named."""

    PROGRAM = textwrap.dedent(
        """\
        class Finalized:
            def __del__(self):
                helper()
        def helper():
            pass
        def drop():
            thing = Finalized()
            helper()
            del thing
        drop()
        drop()
        """
    )

    def outcome(self, finalizers, copies_locals):
        whole, _ = truth_of(self.PROGRAM)
        trace = as_trace(whole)
        calls = [call[1].rpartition(".")[2] for call in plain(whole, 0)]
        once = ["drop", "helper", "__del__", "helper"]
        self.assertEqual(calls, ["<module>", "Finalized"] + 2 * once)
        rows = whole["threads"][0]["activations"]
        del rows[4:6]  # the first __del__, and its helper
        truth = dict(whole, copies_locals=copies_locals)
        return report(truth, trace, Artefacts("# finalizers: %s\n" % finalizers))[0]

    def test_taken_out_of_named_functions_only(self):
        self.assertTrue(self.outcome("__del__", True))
        self.assertFalse(self.outcome("helper", True))
        self.assertFalse(self.outcome("__del__", False))


class ArtefactB(unittest.TestCase):
    """The profile function's own resumptions are taken out, but only where declared."""

    PROGRAM = textwrap.dedent(
        """\
        # artefact: B
        # artefact-functions: closed
        def closed():
            yield
        def failing():
            yield
            raise KeyError
        suspended = closed()
        next(suspended)
        suspended.close()
        suspended = failing()
        next(suspended)
        try:
            next(suspended)
        except KeyError:
            pass
        """
    )

    def test_taken_out_of_named_functions_only(self):
        truth, _ = truth_of(self.PROGRAM)
        names = [call[1] for call in plain(truth, 0)]
        silent = (3, 13) <= sys.version_info < CLOSE_THROWS
        closes = [] if silent else ["closed"]
        self.assertEqual(names, ["<module>", "closed"] + closes + ["failing", "failing"])
        trace = as_trace(truth)
        new = sys.version_info >= CLOSE_THROWS
        self.assertEqual(report(truth, trace, Artefacts(self.PROGRAM))[0], not new)
        del trace["traceEvents"][2]
        for event in trace["traceEvents"][2:]:
            event["args"]["call"] -= 1
        self.assertEqual(report(truth, trace, Artefacts(self.PROGRAM))[0], new)
        self.assertFalse(report(truth, trace, Artefacts())[0])


if __name__ == "__main__":
    unittest.main()
