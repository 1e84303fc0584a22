# SPDX-License-Identifier: Apache-2.0
"""Three workers meet at a barrier after each epoch; one of them dies after a while, the other two wait for it."""

import asyncio

epoch_end = asyncio.Barrier(3)


async def train(shard: int) -> None:
    for epoch in range(100):
        await asyncio.sleep(0.1 * (shard + 1))
        if (shard, epoch) == (2, 12):
            raise MemoryError("shard too large")  # <- trainer-2 dies
        await epoch_end.wait()  # <- waits at barrier


async def main() -> None:
    workers = [asyncio.create_task(train(shard), name=f"trainer-{shard}") for shard in range(3)]
    await asyncio.gather(*workers, return_exceptions=True)


asyncio.run(main())
