"""async/await driven by hand: awaits that suspend, asynchronous generators, `async with`."""
import types


@types.coroutine
def suspend(value):
    return (yield value)


class Awaitable:
    def __await__(self):
        return (yield "awaited")


class Manager:
    async def __aenter__(self):
        await suspend("enter")
        return self

    async def __aexit__(self, *exc):
        await suspend("exit")
        return exc[0] is KeyError


class Iterator:
    def __init__(self):
        self.left = 3

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return await suspend(self.left)


async def agen(n):
    try:
        for i in range(n):
            await suspend(i)
            yield i
    finally:
        await suspend("closing")


async def leaf(n):
    return n


async def middle(n):
    return await leaf(n) + (await Awaitable() or 0)


async def failing():
    await suspend(1)
    raise ValueError


async def main():
    assert await middle(1) == 1
    async with Manager():
        await leaf(2)
    async with Manager():
        raise KeyError
    async for _ in Iterator():
        pass
    assert [x async for x in agen(3)] == [0, 1, 2]
    assert {x: await leaf(x) async for x in agen(2)} == {0: 0, 1: 1}
    assert [await leaf(x) for x in range(3)] == [0, 1, 2]
    lazy = (x async for x in agen(2))
    async for _ in lazy:
        pass
    closed = agen(3)
    await closed.__anext__()
    assert await closed.asend(None) == 1
    await closed.aclose()
    thrown = agen(3)
    await thrown.__anext__()
    try:
        await thrown.athrow(OSError)
    except OSError:
        pass
    try:
        await failing()
    except ValueError:
        pass
    return "done"


def run(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration as stop:
        return stop.value


def throw():
    coroutine = main()
    coroutine.send(None)
    try:
        coroutine.throw(RuntimeError)
    except RuntimeError:
        pass


for _ in range(20):
    assert run(main()) == "done"
    throw()
    unstarted = leaf(1)
    unstarted.close()
