# SPDX-License-Identifier: Apache-2.0
"""The heartbeat goes on, the metrics look healthy, and the two tasks that do the work stand still."""

import asyncio

leases = asyncio.Lock()
shards = asyncio.Lock()


async def heartbeat() -> None:
    while True:
        await asyncio.sleep(0.05)
        print("alive")


async def rebalance() -> None:
    async with shards:  # <- rebalance takes shards
        await asyncio.sleep(0.1)
        async with leases:  # <- rebalance waits for leases
            print("rebalanced")


async def renew() -> None:
    async with leases:  # <- renew takes leases
        await asyncio.sleep(0.1)
        async with shards:  # <- renew waits for shards
            print("renewed")


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(heartbeat(), name="heartbeat")
        group.create_task(rebalance(), name="rebalance")
        group.create_task(renew(), name="renew")


asyncio.run(main())
