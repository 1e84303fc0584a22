# SPDX-License-Identifier: Apache-2.0
"""A Trio stage sends into a full channel under the lock that its only receiver wants first; a server runs beside it."""

import trio


async def produce(items: trio.MemorySendChannel[int], lock: trio.Lock) -> None:
    async with lock:  # <- produce takes lock
        for number in range(10):
            await items.send(number)  # <- produce waits


async def receive(items: trio.MemoryReceiveChannel[int], lock: trio.Lock) -> None:
    await trio.sleep(0.05)
    async with lock:  # <- receive waits
        while True:
            await items.receive()


async def answer(stream: trio.SocketStream) -> None:
    async for data in stream:
        await stream.send_all(data)


def start(nursery: trio.Nursery) -> None:
    lock = trio.Lock()
    sender, receiver = trio.open_memory_channel[int](2)
    nursery.start_soon(produce, sender, lock)
    nursery.start_soon(receive, receiver, lock)


async def main() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_tcp, answer, 0)
        start(nursery)


trio.run(main)
