"""An asyncio loop with tasks, gather, sleep(0), a queue, cancellation and an executor-free future."""
# since: 3.7
import asyncio


async def worker(name, queue, done):
    while True:
        item = await queue.get()
        if item is None:
            return
        await asyncio.sleep(0)
        done.append(handle(name, item))


def handle(name, item):
    return name, item


async def forever():
    try:
        while True:
            await asyncio.sleep(0)
    except asyncio.CancelledError:
        cleanup()
        raise


def cleanup():
    return None


async def failing():
    await asyncio.sleep(0)
    raise ValueError("expected")


async def square(x):
    for _ in range(x):
        await asyncio.sleep(0)
    return x * x


async def main():
    assert await asyncio.gather(*(square(x) for x in range(5))) == [0, 1, 4, 9, 16]
    queue, done = asyncio.Queue(), []
    workers = [asyncio.ensure_future(worker(name, queue, done)) for name in "ab"]
    for item in range(6):
        queue.put_nowait(item)
    for _ in workers:
        queue.put_nowait(None)
    await asyncio.gather(*workers)
    assert len(done) == 6
    task = asyncio.ensure_future(forever())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    results = await asyncio.gather(task, failing(), return_exceptions=True)
    assert isinstance(results[1], ValueError)
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: future.set_result(3))
    assert await future == 3


asyncio.run(main())
