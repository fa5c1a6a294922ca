"""What a library's module has by its `__getattr__()`: by no instruction that calls."""
# since: 3.8
# variants: --no-external-calls
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "site-packages"))
import lazier
import lazy


def imported():
    from lazier import late as of_another
    from lazy import late

    return late, of_another


def asked_for():
    return lazy.late, lazier.late


def missing():
    try:
        return lazy.never
    except AttributeError:
        return hasattr(lazier, "neither")


for _ in range(3):
    imported(), asked_for(), missing()
