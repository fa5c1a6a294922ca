"""Threads that really run at the same time: each one's sequence is its own."""
import threading


def step(n):
    return n + 1


def items(n):
    for i in range(n):
        yield step(i)


def parallel(n):
    for _ in range(300):
        sum(items(n))



def start_all():
    threads = [threading.Thread(target=parallel, args=(n,)) for n in (2, 3, 4, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


start_all()
