"""A test module of the standard library, with the tested package (or all of the library) in scope.

Failing tests are no failure here: a few fail under any profile function, and all that counts is
that the same calls are made. Left out: tests with threads that compete (test_functools, test_enum).
"""
# each: test.test_json=json test.test_configparser=configparser test.test_textwrap=textwrap
# each: test.test_bisect=bisect test.test_string=string test.test_heapq=heapq
# each: test.test_dataclasses=dataclasses test.test_fractions=fractions test.test_colorsys=colorsys
# each: test.test_generators=test.test_generators test.test_contextlib=contextlib
# each: test.test_coroutines=test.test_coroutines
# each: test.test_shlex=shlex test.test_html=html
# each: test.test_htmlparser=html test.test_difflib=difflib test.test_reprlib=reprlib
# artefact: B
# artefact-functions: *
import gc

gc.disable()
import importlib
import io
import random
import sys
import unittest

module = importlib.import_module(sys.argv[1])
random.seed(0)
suite = unittest.defaultTestLoader.loadTestsFromModule(module)
result = unittest.TextTestRunner(stream=io.StringIO(), verbosity=0).run(suite)
print("%d tests, %d failed" % (result.testsRun, len(result.failures) + len(result.errors)))
