"""Throwing into a generator that has never run: its frame's first activation, hence a start."""


def unstarted():
    yield 1


async def coroutine():
    return 1


for _ in range(10):
    for make in (unstarted, coroutine):
        try:
            make().throw(KeyError)
        except KeyError:
            pass
