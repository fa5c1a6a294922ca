"""What a library's module has by its `__getattr__()`: by no instruction that calls."""
# since: 3.8
# variants: --no-external-calls
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "site-packages"))
import lazy


def imported():
    from lazy import late

    return late


def asked_for():
    return lazy.late


def missing():
    try:
        return lazy.never
    except AttributeError:
        return hasattr(lazy, "neither")


for _ in range(3):
    imported(), asked_for(), missing()
