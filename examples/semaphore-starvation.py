# SPDX-License-Identifier: Apache-2.0
"""A task keeps the only permit of a semaphore for ever.

`permit_holder` takes the one permit of `gate` and then, with the permit in its hands, waits for an event that nobody
sets. Every `permit_waiter` waits for `gate` and never gets it.
"""

import asyncio


async def hold(gate: asyncio.Semaphore) -> None:
    confirmed = asyncio.Event()
    async with gate:
        await confirmed.wait()  # the confirmation was lost: nobody calls confirmed.set()


async def use(gate: asyncio.Semaphore) -> None:
    async with gate:
        print("had a permit")


async def main() -> None:
    gate = asyncio.Semaphore(1)
    print("semaphore-starvation: permit_holder never gives its permit back", flush=True)
    async with asyncio.TaskGroup() as group:
        group.create_task(hold(gate), name="permit_holder")
        await asyncio.sleep(0.05)
        for number in range(1, 4):
            group.create_task(use(gate), name=f"permit_waiter_{number}")


asyncio.run(main())
