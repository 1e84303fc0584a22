# SPDX-License-Identifier: Apache-2.0
"""A Trio server under load: locks, a limiter, threads, channels, deadlines and nurseries, and nobody is stuck."""

import trio


class Shop:
    def __init__(self) -> None:
        self.lock = trio.Lock()
        self.limiter = trio.CapacityLimiter(2)
        self.stock = trio.Semaphore(3, max_value=3)
        self.changed = trio.Condition()

    async def serve(self, stream: trio.SocketStream) -> None:
        async for data in stream:
            async with self.limiter, self.stock:
                async with self.lock:
                    await trio.sleep(0.002)
                await trio.to_thread.run_sync(bytes, data)
            async with self.changed:
                self.changed.notify_all()
            await stream.send_all(data)

    async def watch(self) -> None:
        while True:
            async with self.changed:
                await self.changed.wait()


async def client(port: int) -> None:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        while True:
            await stream.send_all(b"x")
            await stream.receive_some(10)


async def produce(items: trio.MemorySendChannel[int]) -> None:
    while True:
        await items.send(1)


async def consume(items: trio.MemoryReceiveChannel[int]) -> None:
    async for _ in items:
        await trio.sleep(0.05)


async def main() -> None:
    shop = Shop()
    sender, receiver = trio.open_memory_channel[int](1)
    never = trio.Event()
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, shop.serve, 0)
        port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(shop.watch)
        nursery.start_soon(produce, sender)
        nursery.start_soon(consume, receiver)
        for _ in range(5):
            nursery.start_soon(client, port)
        while True:
            with trio.move_on_after(0.3):
                await never.wait()


trio.run(main)
