"""Generators and compiled code (3.14+), as far as their resumptions can be seen: what runs between
one yield and the next resumption makes an event in the frame that sends, or the sender is C.

A generator that goes on and yields again with no other event between is not here: see
docs/interpreters.md.
"""

# since: 3.14
# compiled
# artefact: B
# artefact-functions: count sent

N = 3000


def leaf(x):
    return x


def count(n):
    for i in range(n):
        yield i


def counting(n):
    for i in range(n):
        leaf(i)
        yield i


def sent():
    total = 0
    while True:
        got = yield total
        total += leaf(got)


def delegating(n):
    yield from counting(n)
    return n


def from_c():
    total = 0
    for _ in range(2):
        total += sum(count(N))
        total += len(list(counting(N)))
        total += max(delegating(N))
    return total


def by_next():
    generator = count(N)
    total = 0
    for _ in range(N):
        total += next(generator)
    return total


def by_send():
    generator = sent()
    next(generator)
    total = 0
    for i in range(N):
        total = generator.send(leaf(i))
    generator.close()
    return total


def between():
    total = 0
    for i in count(N):
        total += leaf(i)
    for i in counting(N):
        total += leaf(i)
    for i in delegating(N):
        leaf(i)
    return total


for _ in range(2):
    from_c()
    by_next()
    by_send()
    between()
