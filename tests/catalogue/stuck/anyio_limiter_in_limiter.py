# SPDX-License-Identifier: Apache-2.0
"""AnyIO: work that holds a token of a limiter runs a helper that takes another one of the same limiter."""

import anyio


class Gateway:
    def __init__(self) -> None:
        self.tokens = anyio.CapacityLimiter(2)

    async def resolve(self, token: object) -> None:
        await self.tokens.acquire_on_behalf_of(token)  # <- waits for token

    async def call(self) -> None:
        async with self.tokens:  # <- takes token
            await anyio.sleep(0.05)
            await self.resolve(object())


async def main() -> None:
    gateway = Gateway()
    async with anyio.create_task_group() as group:
        group.start_soon(gateway.call, name="call-1")
        group.start_soon(gateway.call, name="call-2")


anyio.run(main)
