"""An exception that nobody catches, with an exit function and an excepthook of the program's own."""
# exit: 1
import atexit
import sys
import threading


def hook(kind, value, trace):
    said(str(value))


def said(text):
    return text


def at_exit(value):
    said(value)


def late():
    said("late")


def fail(n):
    if n == 0:
        raise RuntimeError("uncaught")
    fail(n - 1)


sys.excepthook = hook
atexit.register(at_exit, 1)
atexit.register(at_exit, 2)
gate = threading.Event()
thread = threading.Thread(target=late)
thread.start()
thread.join()
fail(4)
