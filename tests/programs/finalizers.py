"""__del__, weakref callbacks, weakref.finalize; the collector is called by hand only."""
# finalizers: __del__ gone <lambda> __call__
import gc
import weakref

gc.disable()


class Finalized:
    def __init__(self, log):
        self.log = log

    def __del__(self):
        self.log.append(note())


class Failing:
    def __del__(self):
        raise ValueError("ignored")


class Plain:
    pass


def note():
    return 1


def gone(reference):
    note()


def scope_end(log):
    thing = Finalized(log)
    return None


def drop(log):
    thing = Finalized(log)
    del thing
    thing = [Finalized(log), Finalized(log)]
    thing = None
    scope_end(log)


def cycle(log):
    thing = Finalized(log)
    thing.me = thing
    del thing
    gc.collect()


def references():
    plain = Plain()
    reference = weakref.ref(plain, gone)
    other = weakref.ref(plain, lambda r: gone(r))
    weakref.finalize(plain, note)
    del plain


log = []
for _ in range(20):
    drop(log)
    cycle(log)
    references()
assert len(log) == 100, len(log)

import sys

sys.unraisablehook = lambda info: note()
failing = Failing()
del failing
