# SPDX-License-Identifier: Apache-2.0
"""A report enters the locks of its sections one by one on an `AsyncExitStack`, in the order of the request."""

import asyncio
from contextlib import AsyncExitStack


async def render(sections: list[asyncio.Lock]) -> None:
    async with AsyncExitStack() as stack:
        for section in sections:
            await stack.enter_async_context(section)  # <- enters
            await asyncio.sleep(0.05)
        print("rendered")


async def main() -> None:
    sales = asyncio.Lock()
    stock = asyncio.Lock()
    async with asyncio.TaskGroup() as group:
        group.create_task(render([sales, stock]), name="monthly")
        group.create_task(render([stock, sales]), name="weekly")


asyncio.run(main())
