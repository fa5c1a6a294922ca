"""Imports: siblings, packages, circular, inside functions, by name, lazy, failing, reloaded."""
# since: 3.7
# variants: --no-imports | --no-external-calls | --no-external-calls --no-imports
import importlib
import sys

import sibling
from pkg import circular_a
from pkg.sub import leaf
from pkg import lazy_attribute


def inside():
    import pkg.late
    from pkg import late as again

    return pkg.late.call() and again.call()


def by_name(name):
    return importlib.import_module(name)


def failing():
    for name in ("missing_module", "pkg.broken", "pkg.missing"):
        try:
            __import__(name)
        except (ImportError, ZeroDivisionError):
            pass
    try:
        from pkg import nothing_of_that_name
    except ImportError:
        pass


sibling.call()
circular_a.call()
leaf.call()
lazy_attribute()
for _ in range(3):
    inside()
by_name("pkg.by_name").call()
by_name("pkg.sub.relative").call()
failing()
importlib.reload(sibling).call()
del sys.modules["sibling"]
import sibling as fresh

fresh.call()
from star import *

starred()
import colorsys

colorsys.rgb_to_hls(0.1, 0.2, 0.3)
