# SPDX-License-Identifier: Apache-2.0
"""Two tasks take the same two locks in opposite order.

`worker-a` holds the lock `db` and waits for `cache`; `worker-b` holds `cache` and waits for `db`. Neither can ever go
on, and every request that needs `db` queues up behind them. The event loop itself is idle and healthy, so no CPU is
used, no exception is raised and no trace ends.
"""

import asyncio


async def move(db: asyncio.Lock, cache: asyncio.Lock) -> None:
    async with db:
        await asyncio.sleep(0.1)  # read a row
        async with cache:
            print("moved")


async def refresh(db: asyncio.Lock, cache: asyncio.Lock) -> None:
    async with cache:
        await asyncio.sleep(0.1)  # find what is out of date
        async with db:
            print("refreshed")


async def handle_request(db: asyncio.Lock) -> None:
    async with db:
        print("answered")


async def main() -> None:
    db = asyncio.Lock()
    cache = asyncio.Lock()
    print("lock-order-deadlock: worker-a and worker-b take two locks in opposite order", flush=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(move(db, cache), name="worker-a")
        group.create_task(refresh(db, cache), name="worker-b")
        await asyncio.sleep(0.05)
        for number in range(1, 4):
            group.create_task(handle_request(db), name=f"request-{number}")


asyncio.run(main())
