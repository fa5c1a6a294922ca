# Runs `source` in a program that runs already, at a moment of its interpreter's choice, and appends to the file
# at `path`, as a comment, what came of it (src/record/errand.rs): each thread that was asked, and comes to it. Nothing
# is printed. A handler of a signal may run within it, and raise an exception which nobody would take here: pytrace is told
# which, and sends the signal again.

import sys
from _thread import get_ident
from _signal import getsignal
from posix import O_APPEND, O_CLOEXEC, O_WRONLY, close, getpid, open, write

Function = type(lambda: None)
Method = type((lambda: None).__get__(0))


def answer(text):
    try:
        file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
    except OSError:
        return  # pytrace is gone, and somebody has tidied up
    try:
        write(file, text.encode('utf-8', 'backslashreplace'))
    finally:
        close(file)


def signal_of(error):
    """The signal in whose handler an exception was raised, if it was in one."""
    if type(error) is KeyboardInterrupt:
        return 2
    traceback, codes = error.__traceback__, []
    while traceback:
        codes.append(traceback.tb_frame.f_code)
        traceback = traceback.tb_next
    for number in range(1, 65):
        try:
            handler = getsignal(number)
        except ValueError:  # it can't have one
            continue
        if type(handler) is Method:
            handler = handler.__func__
        if type(handler) is Function and any(code is handler.__code__ for code in codes):
            return number
    return None


def run():
    # Below this and `<module>` is what CPython compiles the file to.
    own = sys._getframe(2)
    asked['program'] = own.f_back
    try:
        exec(compile(source, '<pytrace>', 'exec'), asked)
        came_of_it = 'repeated' if 'is_repeated' in asked else 'done'
    except BaseException as error:
        if number := signal_of(error):
            came_of_it = f'interrupted {number}'
        elif isinstance(error, Exception):
            came_of_it = 'refused ' + ' '.join(str(error).split())
        else:
            raise
    finally:
        del asked['program']
    if getpid() == pid:  # it is no copy of who was asked
        answer(f'#pytrace {get_ident():x} {id(own.f_code):x} {came_of_it}\n')


run()
