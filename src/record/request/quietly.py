# Runs `source`. An exception has PyRun_SimpleString() return -1, and is not printed.

import sys
from posix import getpid, kill


def run():
    hook = sys.excepthook

    def restore(*_):
        sys.excepthook = hook
        for name in ('last_exc', 'last_type', 'last_value', 'last_traceback'):
            vars(sys).pop(name, None)

    try:
        exec(compile(source, '<pytrace>', 'exec'), asked)
    except BaseException as error:
        sys.excepthook = restore
        if type(error) is KeyboardInterrupt:  # meant for the program
            kill(getpid(), 2)
        raise


run()
