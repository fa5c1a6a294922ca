"""Code objects made and freed in a loop: addresses are reused with other names and lines."""
import os

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "generated.py")


def keep_busy(i):
    return i


def fresh(i):
    source = "\n" * (i % 97) + "def name_%d(x):\n    return keep(x)\n" % (i % 311)
    namespace = {"keep": keep_busy}
    exec(compile(source, FILE if i % 2 else "<generated>", "exec"), namespace)
    return namespace["name_%d" % (i % 311)](i)


for i in range(2000):
    fresh(i)
