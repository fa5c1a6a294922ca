"""Tests of chrome_format.py: python3 -m unittest discover -s tests"""

import json
import unittest

from chrome_format import problems


def a_slice(ts, dur, **fields):
    event = {"ph": "X", "pid": 1, "tid": 1, "ts": ts, "dur": dur, "name": "f", "cat": "internal"}
    event.update(args={}, **fields)
    return event


def problems_of(*events, **rest):
    return problems(json.dumps({"traceEvents": list(events), **rest}))[1]


class Valid(unittest.TestCase):
    def check(self, *events, **rest):
        self.assertEqual(problems_of(*events, **rest), [])

    def test_no_events(self):
        self.assertEqual(problems('{"traceEvents":[]}'), (0, []))

    def test_names_and_unknown_top_level_keys(self):
        name = {"ph": "M", "pid": 1, "tid": 1, "name": "thread_name", "args": {"name": "main"}}
        self.check(name, a_slice(0, 1), displayTimeUnit="ns", pytrace={"format": 1})

    def test_nested_in_any_order(self):
        self.check(a_slice(2, 3), a_slice(1, 9), a_slice(5, 5))

    def test_the_same_interval_twice_and_an_empty_slice_at_its_end(self):
        self.check(a_slice(1, 2), a_slice(1, 2), a_slice(3, 0))

    def test_values(self):
        values = {"arguments": {"self": "<C>", "x": "'\\\\x1b' …"}, "return": "5", "yielded": True}
        self.check(dict(a_slice(0, 1), args=values), dict(a_slice(0, 1), args={"arguments": {}}))
        raised = {"arguments": {}, "exception": "ValueError", "message": "any\n\x1b text"}
        self.check(dict(a_slice(0, 1), args=raised))

    def test_a_gap_is_an_instant(self):
        args = {"after_call": 17, "depth": 2, "starts": 3, "ends": 1, "until": 2.5}
        event = {"ph": "i", "s": "t", "pid": 1, "tid": 1, "ts": 1.001, "name": "4 events lost"}
        self.check(a_slice(0, 5), dict(event, cat="gap", args=args))

    def test_other_threads_may_overlap(self):
        self.check(a_slice(0, 5), a_slice(3, 5, tid=2), a_slice(3, 5, pid=2))

    def test_nanoseconds_are_exact_in_large_times(self):
        # As floats, these two would overlap.
        text = json.dumps({"traceEvents": [a_slice(0, 0), a_slice(1, 0)]})
        text = text.replace('"ts": 0, "dur": 0', '"ts": 9007199254.741, "dur": 0.001')
        text = text.replace('"ts": 1, "dur": 0', '"ts": 9007199254.742, "dur": 0.001')
        self.assertEqual(problems(text), (2, []))


class Refused(unittest.TestCase):
    def check(self, expected, *events, **rest):
        found = problems_of(*events, **rest)
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])

    def test_what_is_no_trace(self):
        for text in ("", "[]", '{"traceEvents":{}}', '{"traceEvents":[', '{"traceEvents":[],}'):
            self.assertEqual(len(problems(text)[1]), 1, text)

    def test_not_a_number(self):
        self.check("NaN", a_slice(float("nan"), 1))

    def test_types(self):
        self.check("ts is no number", a_slice("1", 1))
        self.check("dur is no number", a_slice(1, None))
        self.check("dur is no number", a_slice(1, True))
        self.check("pid", a_slice(1, 1, pid="1"))
        self.check("tid", a_slice(1, 1, tid=-1))
        self.check("tid", a_slice(1, 1, tid=1.5))
        self.check("name", a_slice(1, 1, name=None))
        self.check("cat", a_slice(1, 1, cat=["internal"]))
        self.check("ph", a_slice(1, 1, ph="Q"))
        self.check("no object", 7)
        self.check("args", {"ph": "i", "pid": 1, "tid": 1, "ts": 1, "name": "x", "args": []})

    def test_values(self):
        for expected, args in (
            ("return is no string", {"return": 5}),
            ("message is no string", {"exception": "E", "message": None}),
            ("yielded: 1", {"return": "5", "yielded": 1}),
            ("yielded without", {"yielded": True}),
            ("message without", {"message": "text"}),
            ("both", {"return": "5", "exception": "E"}),
            ("no object", {"arguments": ["x"]}),
            ("'x' is no string", {"arguments": {"x": 5}}),
            ("control", {"arguments": {"x": "a\tb"}}),
            ("control", {"arguments": {"x\n": "5"}}),
            ("resumption", {"arguments": {}, "resume": True}),
        ):
            self.check(expected, dict(a_slice(0, 1), args=args))

    def test_times(self):
        self.check("negative", a_slice(-1, 1))
        self.check("negative", a_slice(1, -0.001))
        self.check("finer", a_slice(1.0005, 1))
        self.check("too large", a_slice(2**63, 1))

    def test_metadata(self):
        event = {"ph": "M", "pid": 1, "tid": 1, "name": "process_name"}
        self.check("args.name", event)
        self.check("args.name", dict(event, args={"name": 3}))
        self.check("unknown metadata", dict(event, name="pytrace"))

    def test_partial_overlap(self):
        self.check("ends 1000 ns after event 0", a_slice(0, 2), a_slice(1, 2))
        self.check("event 1", a_slice(0, 10), a_slice(1, 9.001), a_slice(1, 2))

    def test_display_unit(self):
        self.check("displayTimeUnit", displayTimeUnit="us")


if __name__ == "__main__":
    unittest.main()
