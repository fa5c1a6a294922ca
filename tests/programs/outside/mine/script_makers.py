"""Classes called where a library's generators were made just before: frames at the same addresses, of
which some end, or are left, unseen."""
# since: 3.8
# variants: --no-external-calls
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "site-packages"))
import makers


class Own:
    def __init__(self, value):
        self.value = value


def theirs():
    return makers.Thing(1)


def own():
    return Own(1)


def rounds(these):
    for _ in range(30):
        for make in these:
            make(())
        theirs()
        for make in these:
            make(())
        own()


for _ in range(30):
    theirs(), own()
for these in (makers.EXPRESSIONS, makers.FUNCTIONS, makers.MAKERS):
    rounds(these)
    time.sleep(0.1)  # what they are is known by then
    rounds(these)
