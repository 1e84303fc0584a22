# SPDX-License-Identifier: Apache-2.0
"""A lock is held over blocking calls in threads, made by a child task; the partner never answers one of them."""

import asyncio
import socket

lock = asyncio.Lock()


def call_partner(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address) as connection:
        return connection.recv(100)


async def parts(address: tuple[str, int]) -> None:
    await asyncio.to_thread(call_partner, address)  # <- part waits


async def upload(address: tuple[str, int]) -> None:
    async with lock:  # <- takes the lock
        await asyncio.gather(asyncio.create_task(parts(address), name="part"))  # <- upload waits


async def handler() -> None:
    async with lock:  # <- handler waits
        pass


async def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with asyncio.TaskGroup() as group:
            group.create_task(upload(silent.getsockname()), name="upload")
            await asyncio.sleep(0.2)
            group.create_task(handler(), name="handler")


asyncio.run(main())
