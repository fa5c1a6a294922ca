"""sys.exit from within calls, through finally and an exit function."""
# exit: 37
import sys


def last():
    return None


def leave(code):
    try:
        sys.exit(code)
    finally:
        last()


def outer():
    leave(37)


outer()
