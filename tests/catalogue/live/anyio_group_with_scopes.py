# SPDX-License-Identifier: Apache-2.0
"""AnyIO: a task group, a memory stream with a slow receiver, a limiter, a cancel scope that ends after a while."""

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream


async def send(stream: MemoryObjectSendStream[int]) -> None:
    async with stream:
        for number in range(1_000_000):
            await stream.send(number)


async def receive(stream: MemoryObjectReceiveStream[int], limiter: anyio.CapacityLimiter) -> None:
    async with stream:
        async for _ in stream:
            async with limiter:
                await anyio.sleep(0.1)


async def lookup() -> None:
    while True:
        with anyio.move_on_after(0.7):
            await anyio.Event().wait()


async def main() -> None:
    sender, receiver = anyio.create_memory_object_stream[int](3)
    limiter = anyio.CapacityLimiter(1)
    async with anyio.create_task_group() as group:
        group.start_soon(send, sender)
        for _ in range(2):
            group.start_soon(receive, receiver.clone(), limiter)
        group.start_soon(lookup)


anyio.run(main)
