"""Closing and freeing generators that are suspended outside any handler."""
# artefact: B
# artefact-functions: plain delegated gen_fin
# finalizers: gen_fin plain


def plain():
    yield 1
    yield 2


def delegated():
    yield 1


def outer():
    try:
        yield from delegated()
    finally:
        pass


def gen_fin():
    yield 1
    yield 2


def use():
    g = plain()
    next(g)
    g.close()
    o = outer()
    next(o)
    o.close()
    f = gen_fin()
    next(f)
    del f
    for _ in plain():
        break


for _ in range(10):
    use()
