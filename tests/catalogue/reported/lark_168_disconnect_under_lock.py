# SPDX-License-Identifier: Apache-2.0
"""larksuite/oapi-sdk-python#168: `_disconnect` awaits the closing handshake under the connection's lock.

The peer is gone, the handshake has no timeout, and the reconnect waits for the lock: the client is deaf for ever.
"""

import asyncio


class Client:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.closed = asyncio.Event()

    async def disconnect(self) -> None:
        async with self.lock:  # <- disconnect takes lock
            await self.closed.wait()  # <- waits for handshake

    async def reconnect(self) -> None:
        async with self.lock:  # <- reconnect waits for lock
            print("connected")


async def main() -> None:
    client = Client()
    receiver = asyncio.create_task(client.disconnect(), name="receiver")
    await asyncio.sleep(0.1)
    await asyncio.create_task(client.reconnect(), name="reconnect")
    await receiver


asyncio.run(main())
