# SPDX-License-Identifier: Apache-2.0
"""aio-libs/aiokafka#335: the application polls under its own lock, and its rebalance listener takes that lock.

`getmany` waits for the rebalance task to end; the rebalance task calls the listener; the listener waits for the lock.
"""

import asyncio

processing = asyncio.Lock()


async def on_partitions_revoked() -> None:
    async with processing:  # <- listener waits for lock
        print("offsets committed")


class Consumer:
    def __init__(self) -> None:
        self.rebalance: asyncio.Task[None] | None = None

    async def getmany(self) -> list[str]:
        self.rebalance = asyncio.create_task(on_partitions_revoked(), name="coordination")
        await asyncio.wait([self.rebalance])  # <- getmany waits for rebalance
        return ["record"]


async def process(consumer: Consumer) -> None:
    while True:
        async with processing:  # <- process takes lock
            print(await consumer.getmany())


async def main() -> None:
    await asyncio.create_task(process(Consumer()), name="process")


asyncio.run(main())
