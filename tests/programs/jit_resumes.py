"""Functions and generators that start and go on where compiled code begins, while another trace is being
recorded, and with something else to do first, as another thread wants the GIL (3.14+).

Each turn of a generator calls something, and so does who sends: so all can be seen, see
docs/interpreters.md.
"""

# since: 3.14
# compiled
# artefact: B
# artefact-functions: counting delegating pausing
import threading

N = 4500


def leaf(x):
    return x


def counting(n):
    for i in range(n):
        leaf(i)
        yield i


def delegating(n):
    yield from counting(n)


def pausing(n):
    for i in range(n):
        got = yield i
        leaf(got)
        got = yield got
        leaf(got)


async def awaiting(n):
    total = 0
    for i in range(n):
        total += leaf(i)
        await Pause()
    return total


class Pause:
    def __await__(self):
        leaf((yield))


def drive(coroutine):
    try:
        while True:
            coroutine.send(None)
            leaf(0)
    except StopIteration as stop:
        return stop.value


def called(x):
    return leaf(x) + 1


def compile_resumes():
    """What C calls begins at a RESUME, which is where what is compiled begins, too (3.15)."""
    sum(map(called, range(3 * N)))
    sum(counting(N))
    sum(delegating(N))
    drive(awaiting(N))


# Loops with code of their own: each is recorded, over what is compiled by then.
LOOP = """
def loop(n):
    total = 0
    for x in {}:
        total += called(leaf(x))
    return total
"""


def record_others():
    for iterable in ("counting(n)", "delegating(n)", "range(n)"):
        scope = {each.__name__: each for each in (leaf, called, counting, delegating)}
        exec(compile(LOOP.format(iterable), __file__, "exec"), scope)
        scope["loop"](N)


def nested(n):
    total = 0
    for i in counting(n):
        for j in counting(3):
            total += leaf(i + j)
        for j in delegating(3):
            total += leaf(i - j)
    return total


def sending(n):
    generator = pausing(n)
    total = next(generator)
    for i in range(2 * n - 1):
        total += generator.send(leaf(i))
    generator.close()
    return total


def busy(n):
    nested(n)
    sending(n)
    sum(counting(n))


compile_resumes()
record_others()
threads = [threading.Thread(target=busy, args=(N // n,)) for n in (2, 3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
