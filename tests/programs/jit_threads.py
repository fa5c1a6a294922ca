"""Several threads in the same compiled functions (3.14+)."""

# since: 3.14
# compiled
import threading

N = 4000


def leaf(x):
    return x + 1


def outer(x):
    return leaf(x) + leaf(x)


def work(rounds):
    total = 0
    for _ in range(rounds):
        for i in range(N):
            total += outer(i)
    return total


work(2)
threads = [threading.Thread(target=work, args=(n,)) for n in (1, 2, 1)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
work(1)
