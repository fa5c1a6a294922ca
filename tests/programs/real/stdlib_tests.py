"""A test module of the standard library, with the tests (or the tested package) in scope.

Failing tests are no failure here: a few fail under any profile function, and all that counts is
that the same calls are made. Left out: tests with threads that compete (test_functools, test_enum),
that take other paths where they fail (test_generators), that share a directory (test_reprlib).
"""
# each: test.test_json=json test.test_configparser=test test.test_textwrap=test
# each: test.test_bisect=test test.test_string=test test.test_heapq=test
# each: test.test_dataclasses=test test.test_fractions=test test.test_colorsys=test
# each: test.test_contextlib=test
# each: test.test_coroutines=test
# each: test.test_shlex=test test.test_html=html
# each: test.test_htmlparser=html test.test_difflib=test
# large: test.test_json test.test_heapq test.test_htmlparser
# artefact: B
# artefact-functions: *
# What test_coroutines has called when coroutines die that were never awaited:
# finalizers: _warn_unawaited_coroutine _hook <lambda> __init__ _showwarnmsg
# selective misses: __iter__ __getitem__ __contains__ __eq__ __le__ __ge__ __float__ and others, that operators and C call
import gc

gc.disable()
import importlib
import io
import random
import sys
import unittest

module = importlib.import_module(sys.argv[1])
random.seed(0)


def single(tests):
    """The tests of a suite of suites that the truth can be had for.

    A profile function that runs out of stack loses calls, and up to 3.9 aborts the interpreter.
    """
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from single(test)
        elif "Recursion" not in test.id():
            yield test


suite = unittest.TestSuite(single(unittest.defaultTestLoader.loadTestsFromModule(module)))
result = unittest.TextTestRunner(stream=io.StringIO(), verbosity=0).run(suite)
print("%d tests, %d failed" % (result.testsRun, len(result.failures) + len(result.errors)))
