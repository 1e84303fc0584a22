# SPDX-License-Identifier: Apache-2.0
"""Jobs that sleep until their hour comes: nothing is wrong with an hour."""

import asyncio

cleanup_done = asyncio.Event()


async def clean_up() -> None:
    await asyncio.sleep(3600)
    cleanup_done.set()


async def report() -> None:
    await cleanup_done.wait()
    print("report")


async def main() -> None:
    await asyncio.gather(clean_up(), report(), asyncio.sleep(7200))


asyncio.run(main())
