# SPDX-License-Identifier: Apache-2.0
"""Two caches shield each other's refresh from cancellation, and each refresh awaits the other."""

import asyncio

refreshes: dict[str, asyncio.Task[str]] = {}


async def refresh(region: str, fallback: str) -> str:
    await asyncio.sleep(0.02)
    return await asyncio.shield(refreshes[fallback])  # <- shields the other


async def main() -> None:
    refreshes["europe"] = asyncio.create_task(refresh("europe", "asia"), name="europe")
    refreshes["asia"] = asyncio.create_task(refresh("asia", "europe"), name="asia")
    await asyncio.wait(refreshes.values())


asyncio.run(main())
