# SPDX-License-Identifier: Apache-2.0
"""Three philosophers, three forks, everybody takes the left one first."""

import asyncio


async def dine(left: asyncio.Lock, right: asyncio.Lock) -> None:
    async with left:  # <- takes left
        await asyncio.sleep(0.1)  # think
        async with right:  # <- waits for right
            print("eats")


async def main() -> None:
    fork_1, fork_2, fork_3 = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
    await asyncio.gather(
        asyncio.create_task(dine(fork_1, fork_2), name="plato"),
        asyncio.create_task(dine(fork_2, fork_3), name="kant"),
        asyncio.create_task(dine(fork_3, fork_1), name="hume"),
    )


asyncio.run(main())
