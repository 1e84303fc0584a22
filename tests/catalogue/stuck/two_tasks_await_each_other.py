# SPDX-License-Identifier: Apache-2.0
"""Two services each await the other's ready task before they become ready themselves."""

import asyncio

tasks: dict[str, asyncio.Task[None]] = {}


async def start(name: str, needs: str) -> None:
    await asyncio.sleep(0.02)  # open sockets
    await tasks[needs]  # <- awaits the other
    print(name, "is ready")


async def main() -> None:
    tasks["users"] = asyncio.create_task(start("users", "billing"), name="users")
    tasks["billing"] = asyncio.create_task(start("billing", "users"), name="billing")
    await asyncio.wait(tasks.values())


asyncio.run(main())
