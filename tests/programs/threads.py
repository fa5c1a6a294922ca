"""Threads: threading, timers' kin, thread-locals, concurrent.futures, _thread; one at a time."""
import _thread
import concurrent.futures
import threading


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def generate(n):
    for i in range(n):
        yield fib(i)


def work(n):
    try:
        return sum(generate(n))
    finally:
        after()


def after():
    pass


def fail():
    raise SystemExit


class Own(threading.Thread):
    def run(self):
        work(5)


class Local(threading.local):
    def __init__(self):
        self.value = fib(3)


def joined(thread):
    thread.start()
    thread.join()


kept = [threading.Thread(target=work, args=(n,)) for n in (4, 6)] + [Own(), Own()]
for thread in kept:
    joined(thread)
joined(threading.Thread(target=fail))

local = Local()
joined(threading.Thread(target=lambda: local.value))


def nested():
    joined(threading.Thread(target=work, args=(3,)))


joined(threading.Thread(target=nested))

with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
    assert pool.submit(work, 5).result() == 7


def bare(lock, n):
    work(n)
    lock.release()


for n in (2, 3):
    lock = _thread.allocate_lock()
    lock.acquire()
    _thread.start_new_thread(bare, (lock, n))
    lock.acquire()
