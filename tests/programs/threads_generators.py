"""Generators that go from thread to thread, each of which advances them by one step.

Each thread gets them from the one before it, in order. What runs in a frame that another thread has
left, maybe by an exception, is the next thread's.
"""
# since: 3.7
import queue
import threading

THREADS, GENERATORS, ROUNDS = 3, 8, 12


def counter(n):
    for number in range(THREADS * ROUNDS):
        yield step(n + number)
    return n


def delegating(n):
    yield from counter(n)


def catching(n):
    number = 0
    while True:
        try:
            number += 1
            yield number
        except KeyError:
            number = step(number)


def step(n):
    return n + 1


def advance(generator, turn):
    if turn % 5 == 4 and generator.gi_code is catching.__code__:
        return generator.throw(KeyError())
    return next(generator, None)


def work(source, target):
    for turn in range(GENERATORS * ROUNDS):
        generator = source.get()
        advance(generator, turn)
        target.put(generator)


def finish(source):
    for _ in range(GENERATORS):
        source.get().close()


kinds = [counter, delegating, catching]
queues = [queue.SimpleQueue() for _ in range(THREADS)]
for n in range(GENERATORS):
    queues[0].put(kinds[n % len(kinds)](n))
threads = [
    threading.Thread(target=work, args=(queues[n], queues[(n + 1) % THREADS]))
    for n in range(THREADS)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
