# SPDX-License-Identifier: Apache-2.0
"""mosquito/aiormq#83: a timeout in `rpc` closes the channel, and closing is an rpc: the lock is asked for twice."""

import asyncio


class Channel:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def rpc(self, frame: str) -> str:
        async with self.lock:  # <- takes lock, waits for lock
            try:
                async with asyncio.timeout(0.1):
                    return await self.reply(frame)
            except TimeoutError:
                return await self.close()

    async def reply(self, frame: str) -> str:
        await asyncio.sleep(0 if frame == "close" else 5)
        return "ok"

    async def close(self) -> str:
        return await self.rpc("close")


async def main() -> None:
    await asyncio.create_task(Channel().rpc("declare queue"), name="declare")


asyncio.run(main())
