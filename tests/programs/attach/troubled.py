"""Is in trouble of the kind that it is told, for some seconds: what it says on its error output is not for us to add to."""

import os
import signal
import sys
import threading
import time


def called():
    return 1


def call(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        called()
        time.sleep(0.002)


def idle_threads():
    """Threads that run Python for a while, and again later."""

    def run(later):
        call(1)
        time.sleep(later)
        call(0.1)

    threads = [threading.Thread(target=run, args=(later,)) for later in (4, 5)]
    for thread in threads:
        thread.start()
    run(4.5)
    for thread in threads:
        thread.join()


def signals():
    """A handler that raises, all the time."""
    caught = 0

    def handler(number, frame):
        raise TimeoutError

    signal.signal(signal.SIGALRM, handler)
    for _ in range(1000):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.002)
            while True:
                called()
        except TimeoutError:
            caught += 1
    print(caught, flush=True)


def audit():
    """A hook that forbids what pytrace asks for; it is not asked again and again."""

    def hook(event, arguments):
        if event == "cpython.remote_debugger_script":
            raise PermissionError("no")

    sys.unraisablehook = lambda unraisable: None
    sys.addaudithook(hook)
    call(4)


def ends():
    call(2)


def interpreters():
    """Makes another interpreter while it is recorded."""
    from concurrent import interpreters

    call(2)
    interpreters.create().close()
    call(3)
    print([name for tool in range(6) if (name := sys.monitoring.get_tool(tool))], flush=True)


print("ready", flush=True)
{"threads": idle_threads, "signals": signals, "audit": audit, "ends": ends, "interpreters": interpreters}[sys.argv[1]]()
print("end", flush=True)
