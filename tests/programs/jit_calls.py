"""Hot calls of every shape in loops short enough for the JIT (3.14+) to compile them whole.

Each function's loop is a trace of its own: a leaf, nested calls, methods, classes, recursion,
callbacks from C into Python, a loop that is left by return, by break and at its end.
"""

# since: 3.14
# compiled
# values

N = 4600


def leaf(x):
    return x + 1


def middle(x):
    return leaf(x) + leaf(x + 1)


def outer(x):
    return middle(x) + 1


def default(x, step=2, *, times=1):
    return x + step * times


def nothing():
    return None


class Counter:
    def __init__(self, start):
        self.count = start

    def add(self, n):
        self.count += n
        return self

    @property
    def value(self):
        return self.count

    def __call__(self, n):
        return self.add(n)

    def __lt__(self, other):
        return self.count < other.count


def leaves():
    total = 0
    for i in range(N):
        total += leaf(i)
    return total


def nested():
    total = 0
    for i in range(N):
        total += outer(i)
    return total


def keywords():
    total = 0
    for i in range(N):
        total += default(i, times=3)
        nothing()
    return total


def methods():
    counter = Counter(0)
    for i in range(N):
        counter.add(i)
        counter.value
        counter(1)
    return counter.count


def instances():
    last = None
    for i in range(N):
        last = Counter(i)
    return last.value


def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


def recursion():
    total = 0
    for i in range(N // 8):
        total += factorial(i % 10)
    return total


def key(x):
    return leaf(-x)


def callbacks():
    total = 0
    for i in range(N // 4):
        total += len(sorted([i, 1, 2], key=key))
        total += sum(map(leaf, (i, i + 1)))
        total += min(Counter(2), Counter(i)).count
    return total


def find(n):
    for i in range(N):
        if leaf(i) == n:
            return middle(i)
    return None


def leaving():
    total = 0
    for i in range(40):
        total += find(1000 + i)
    for i in range(N):
        if outer(i) > 2 * N - 100:
            break
    return total + i


def loops_in_loops():
    total = 0
    for i in range(60):
        for j in range(100):
            total += leaf(j)
        total += middle(i)
        while leaf(total) % 3:
            total += 1
    return total


def changing(x):
    # what the trace was compiled for is no longer so
    total = 0
    for i in range(N):
        total += leaf(i if i < N // 2 else float(i))
    return total


for function in (leaves, nested, keywords, methods, instances, recursion, callbacks, leaving):
    function()
loops_in_loops()
changing(0)
